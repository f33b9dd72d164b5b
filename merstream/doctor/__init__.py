"""What is wrong with a dataset folder, and how to repair it."""
