"""People ask for the removal of a dataset or of a person. The service `withdrawal` does it."""
