"""What is withdrawn, and how the console asks the service `withdrawal` for it."""
