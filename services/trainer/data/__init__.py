"""What is learned from: the arrays, their labels, the features of a run. Knows numpy only."""
