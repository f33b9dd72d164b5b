"""A run on this machine alone: no Kafka, no S3, no Docker."""
