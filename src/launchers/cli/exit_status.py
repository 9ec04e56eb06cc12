"""The exit statuses of the command line (docs/explaining.md lists them for people)."""

FOUND, NO_MATCH, BAD_INPUT, UNREACHABLE, BUG, INTERRUPTED = 0, 1, 2, 3, 70, 130
"""NO_MATCH is also that of what the scheduler refused and of what could not be written, UNREACHABLE that of a command
of a scheduler that failed, and BUG (EX_SOFTWARE of sysexits.h) that of an error of launchers itself."""
