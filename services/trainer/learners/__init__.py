"""Learners: networks and baselines, with their batches, losses and checkpoints."""
