"""A small part of what `tools/fuzz` tries: no input of a subject raises what it must not, hangs or fills the memory."""

import subprocess
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "tools" / "fuzz"
SUBJECTS = sorted(path.stem for path in (FUZZ.parent / "fuzz_suite" / "subjects").glob("[a-z]*.py"))
FEW = {"flow": 60, "pasted": 100, "views": 30}
"""How many inputs, where checking 400 would take more than some seconds."""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_input_is_too_much(subject):
    done = subprocess.run([FUZZ, subject, "--count", str(FEW.get(subject, 400))], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
