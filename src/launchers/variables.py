"""The environment variables in which a job is told of itself."""

RUN_DIR = "LAUNCHERS_RUN_DIR"
STEP = "LAUNCHERS_STEP"
ITEM = "LAUNCHERS_ITEM"
OUTPUT = "LAUNCHERS_OUTPUT"
JOB_ID = "LAUNCHERS_JOB_ID"
OF_A_JOB = (RUN_DIR, STEP, ITEM, OUTPUT, JOB_ID)
"""A job inherits the environment of its client, which may be a job itself: these are not for it."""
