"""Offers: what a group of launchers.yaml can give a job, and which of its devices serve it."""
