"""Evaluation: the clips of a protocol, its folds, and the scores of predictions."""
