"""Supervised learning: batches, the optimizer, the trainer, and accuracy token by token."""
