"""Generations while they run and afterwards: their logs, their readers, and where they are kept."""
