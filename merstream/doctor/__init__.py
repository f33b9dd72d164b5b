"""What is wrong with a dataset's folder, and how to mend it."""
