"""Who may do what in the console: persons, their roles, their logins, and a log of what they change."""
