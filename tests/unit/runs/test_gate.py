"""A member of a submission is run by one job, whoever else comes, and by none where a client withholds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launchers.runs import gate
from launchers.runs.gate import WHOLE, Runner, runner, runners, take, withhold

RACE = """
import sys, time
from pathlib import Path
from launchers.runs.gate import take
while time.time() < float(sys.argv[2]):
    pass
print(take(Path(sys.argv[1]), 3, sys.argv[3]).job)
"""


def test_the_first_job_has_the_name(tmp_path):
    assert runner(tmp_path, 3) is None
    assert take(tmp_path, 3, "12_3") == Runner(job="12_3")
    assert take(tmp_path, 3, "17_3") == Runner(job="12_3")
    assert take(tmp_path, 3, "12_3") == Runner(job="12_3")  # queued again
    assert take(tmp_path, None, "17") == Runner(job="17")
    assert runners(tmp_path) == {3: Runner(job="12_3"), None: Runner(job="17")}


def test_names_that_are_withheld(tmp_path):
    assert withhold(tmp_path, 0, "taken for lost") == Runner(withheld="taken for lost")
    assert take(tmp_path, 0, "12_0") == Runner(withheld="taken for lost")
    assert take(tmp_path, 1, "12_1") == Runner(job="12_1")
    assert withhold(tmp_path, 1, "taken for lost") == Runner(job="12_1")
    assert withhold(tmp_path, WHOLE, "cancelled\nby someone") == Runner(withheld="cancelled by someone")
    assert take(tmp_path, 2, "12_2") == Runner(withheld="cancelled by someone")


def test_one_of_many_that_come_at_the_same_moment(tmp_path):
    import time

    start = str(time.time() + 1.0)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), start, f"{n}_3"], stdout=subprocess.PIPE, text=True
        )
        for n in range(6)
    ]
    assert len({racer.communicate()[0] for racer in racers}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runner.3"]


def test_a_link_that_is_made_and_whose_answer_is_lost(tmp_path, monkeypatch):
    real = os.link

    def link(source, target):
        real(source, target)
        raise FileExistsError

    monkeypatch.setattr(os, "link", link)
    assert take(tmp_path, 0, "12_0") == Runner(job="12_0")


@pytest.mark.parametrize("call", ["link", "fsync"])
def test_a_name_that_cannot_be_taken_is_not_taken(tmp_path, monkeypatch, call):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gate.os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        take(tmp_path, 0, "12_0")
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize("content", ["", "\0\0", "hello", "job"])
def test_what_launchers_did_not_write_withholds_the_name_or_names_no_job(tmp_path, content):
    (tmp_path / "runner").write_text(content)
    assert take(tmp_path, None, "12").job != "12"
