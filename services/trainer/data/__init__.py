"""The input of training: arrays, their labels, and the features of a run. No torch."""
