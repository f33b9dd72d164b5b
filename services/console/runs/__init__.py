"""Training runs: read, started, compared, and the courses of their folds."""
