"""What submitit-oar's executor, mended, asks of oarsub; tests/cluster/oar/test_executor.py runs it on a real OAR."""

import json
import logging
import shlex
from pathlib import Path

import pytest

pytest.importorskip("submitit_oar")

from submitit.helpers import DelayedSubmission

from launchers.oar.args import OarArgs
from launchers.oar.executor import PatchedOarExecutor

SCRIPT = "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\n' \"$word\" >> '{folder}/words'; done\n{more}\n"


@pytest.fixture
def commands(tmp_path, no_slurm):
    """An oarsub that writes down its words, one a line, and an oarstat that knows an array of three jobs."""
    jobs = {
        str(id): {"Job_Id": id, "array_id": 9, "array_index": index, "state": "Waiting", "events": []}
        for id, index in ((10, 2), (9, 1), (11, 3))
    }
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    for name, more in (("oarsub", "echo OAR_JOB_ID=9"), ("oarstat", f"cat '{tmp_path}/jobs.json'")):
        (no_slurm / name).write_text(SCRIPT.format(folder=tmp_path, more=more))
        (no_slurm / name).chmod(0o755)
    return lambda: (tmp_path / "words").read_text().splitlines()


@pytest.fixture
def executor(tmp_path, monkeypatch, commands):
    """An executor whose folder has a space in its name, for jobs of two types with a condition in SQL."""
    monkeypatch.setenv("PYTHONPATH", "/some where")
    monkeypatch.chdir(tmp_path)
    found = PatchedOarExecutor(tmp_path / "the logs")
    found.update_parameters(**OarArgs(walltime=600, types=("a", "b"), properties="x = 'y z'").submitit())
    return found


class Resumable:
    def __call__(self):
        return 1

    def checkpoint(self):
        return DelayedSubmission(self)


def test_each_option_is_one_word_whatever_is_in_it(executor, commands, tmp_path):
    job = executor.submit(pow, 2, 3)
    words = commands()
    assert job.job_id == "9"
    pairs = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    assert pairs["-p"] == "x = 'y z'"
    assert pairs["-d"] == str(tmp_path)
    assert [words[number + 1] for number, word in enumerate(words) if word == "-t"] == ["a", "b"]
    assert any(str(tmp_path / "the logs") in value for value in pairs.values())
    inside = shlex.split(words[-1])
    assert "env" in inside
    assert "PYTHONPATH=/some where" in inside


def test_the_logs_have_no_folder_for_each_job(tmp_path, commands):
    assert PatchedOarExecutor(tmp_path / "logs" / "%j").folder == tmp_path / "logs"
    assert PatchedOarExecutor.name() == "oar"


def test_jobs_of_an_array_are_in_the_order_of_their_numbers(executor, commands):
    """submitit-oar sorts ids as text, 10 before 9."""
    jobs = executor.map_array(pow, [2, 3, 4], [2, 2, 2])
    assert [job.job_id for job in jobs] == ["9", "10", "11"]
    assert dict(zip(commands(), commands()[1:], strict=False))["--array"] == "3"
    assert all(Path(job.paths.submitted_pickle).exists() for job in jobs)


def test_what_can_go_on_is_idempotent(executor, commands):
    executor.submit(Resumable())
    words = commands()
    assert [words[number + 1] for number, word in enumerate(words) if word == "-t"] == ["a", "b", "idempotent"]
    executor.submit(pow, 2, 3)
    assert commands().count("idempotent") == 1  # parameters persist, and this is not among them


def test_an_array_of_both_kinds_is_refused(executor, commands):
    def submit_both():
        with executor.batch():
            executor.submit(Resumable())
            executor.submit(pow, 2, 3)

    with pytest.raises(ValueError, match="only checkpointable functions, or none: submit them apart"):
        submit_both()


def test_oarsub_is_logged_without_the_environment(executor, commands, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    executor.submit(pow, 2, 3)
    executor.map_array(pow, [2, 3, 4], [2, 2, 2])
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("oarsub ")]
    assert len(lines) == 2
    assert all(" (exit status 0, " in line and "env ..." in line for line in lines)
    assert not any("/some where" in line for line in lines)
