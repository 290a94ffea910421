"""Where network, method and data meet: batches, the loop, early stopping, checkpoints."""
