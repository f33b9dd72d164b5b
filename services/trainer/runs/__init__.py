"""What a run consists of, its id, and what the bus says of it."""
