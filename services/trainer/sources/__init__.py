"""Sources of features: the artifacts of the pipeline, or a user's table."""
