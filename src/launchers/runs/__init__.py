"""Run folders: what was submitted, what became of it."""
