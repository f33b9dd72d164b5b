"""People ask for the removal of a dataset or of a person. The inbox does it."""
