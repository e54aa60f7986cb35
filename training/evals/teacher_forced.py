"""The former address of `steiner.training.learning.teacher_forced`: what imports it here goes on to work."""

from steiner.training.learning.teacher_forced import kinds_of, teacher_forced_accuracy

__all__ = ["kinds_of", "teacher_forced_accuracy"]
