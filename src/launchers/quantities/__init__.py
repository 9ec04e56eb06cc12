"""Memory, time and host lists: how they are read and written."""
