"""``python -m launchers`` is the command `launchers`."""

import sys

from launchers.cli import main

sys.exit(main())
