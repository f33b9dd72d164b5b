"""Where features come from: the pipeline's artifacts, or somebody's own table."""
