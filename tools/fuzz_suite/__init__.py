"""Fuzzing: what launchers reads from files, changed at random.  `tools/fuzz` runs it, `subjects/` has what is read."""
