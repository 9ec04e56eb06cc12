"""This machine: what it offers, and the scheduler that runs jobs on it."""
