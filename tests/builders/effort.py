"""How much is tried: `make long` tries more, with LAUNCHERS_LONG=1."""

import os

LONG = os.environ.get("LAUNCHERS_LONG") == "1"
