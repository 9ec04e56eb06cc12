"""tools/chaos on the real Slurm, which it starts for itself: too long for every day, so `make long` has it."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from effort import LONG

TOOLS = Path(__file__).resolve().parents[3] / "tools"
TRIES = 200


@pytest.mark.skipif(
    not LONG, reason="make long attacks real runs on Slurm; the fast tests attack those of this machine"
)
@pytest.mark.timeout(7200)
def test_attacked(can_run):
    if os.geteuid():
        pytest.skip("LOUD: tools/chaos needs root to start a Slurm: real runs are NOT attacked")
    argv = [TOOLS / "chaos", "slurm", "--tries", str(TRIES), "--seed", "1", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    counts = json.loads(done.stdout)["counts"]
    assert sum(row["tries"] for row in counts) == TRIES
    assert sum(row["jobs"] for row in counts) > TRIES
