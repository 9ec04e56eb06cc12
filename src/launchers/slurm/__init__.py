"""Slurm: what it prints, read into facts and offers; what is sent to it."""
