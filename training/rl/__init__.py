"""Reinforcement: rollouts, their grades, and the steps that follow."""
