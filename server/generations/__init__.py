"""Generations while they run and afterwards: their logs, their readers, where they are kept."""
