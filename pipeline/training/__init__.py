"""Training: examples and batches, the model's specification and files, the loop, predictions."""
