"""What is withdrawn, and how the console asks the inbox for it."""
