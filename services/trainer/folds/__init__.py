"""Training of one fold, its storage, and all folds of a run in parallel."""
