"""What is trained on a fold: networks and baselines, with their batches, losses and checkpoints."""
