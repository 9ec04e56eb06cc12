"""The exit statuses of the command line (docs/command-line.md lists them for people)."""

FOUND, NO_MATCH, BAD_INPUT, UNREACHABLE, NO_CLUSTER, BUG, INTERRUPTED = 0, 1, 2, 3, 65, 70, 130
"""NO_MATCH is also that of what the scheduler refused and of what could not be written, UNREACHABLE that of a command
of a scheduler that failed. NO_CLUSTER (EX_DATAERR of sysexits.h) is that of `convert` for input in which no place for a
job could be read, and BUG (EX_SOFTWARE) that of an error of launchers itself."""
