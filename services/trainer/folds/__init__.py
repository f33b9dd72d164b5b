"""One fold trained, kept in the store, and all folds of a run side by side."""
