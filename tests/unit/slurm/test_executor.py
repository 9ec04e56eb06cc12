"""Submissions by submitit: sbatch is logged."""

import logging
from pathlib import Path

import pytest
from submitit.core.utils import FailedJobError

from launchers.jobs.backend import SubmissionRequest
from launchers.jobs.submission import Submission
from launchers.slurm.executor import LoggedSlurmExecutor, TokenExecutor


@pytest.fixture
def sbatch(no_slurm):
    """Writes a command sbatch that runs a script; submitit wants an srun, too."""

    def install(script, name="sbatch"):
        (no_slurm / name).write_text(f"#!/bin/sh\n{script}\n")
        (no_slurm / name).chmod(0o755)

    install("", "srun")
    return install


def request(folder):
    submission = Submission("a", "token", (("a", None),), (), {"time": 1})
    return SubmissionRequest(Path(folder) / "run", "1", "p", submission)


def test_sbatch_is_logged(sbatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    sbatch("echo Submitted batch job 12")
    assert TokenExecutor(request(tmp_path), "").send() == "12"
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(f"sbatch {tmp_path}/run/jobs/a/.submission_file_")
    assert " (exit status 0, " in line


def test_sbatch_that_refuses_is_logged(sbatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    sbatch("echo no such partition >&2; exit 3")
    with pytest.raises(FailedJobError, match="no such partition"):
        TokenExecutor(request(tmp_path), "").send()
    assert " (exit status 3, " in caplog.records[-1].getMessage()


# -- the sbatch file ---------------------------------------------------------------------------------------------


def options(folder, dependency="", members=(("a", None),), **keys):
    """The options in the sbatch file of a submission, by name; a flag is None."""
    parameters = keys.pop("parameters", {"time": 1})
    submission = Submission("s", "token", members, (), parameters, **keys)
    text = TokenExecutor(SubmissionRequest(Path(folder) / "run", "1", "p", submission), dependency).text()
    lines = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_a_job_is_found_by_its_comment_and_its_name(sbatch, tmp_path):
    found = options(tmp_path)
    assert (found["comment"], found["job-name"]) == ("token", "p.s.token")
    assert {"dependency", "kill-on-invalid-dep", "array", "signal"} & set(found) == set()


def test_a_job_that_can_never_start_is_ended(sbatch, tmp_path):
    found = options(tmp_path, "afterok:1")
    assert (found["dependency"], found["kill-on-invalid-dep"]) == ("afterok:1", "yes")
    by_hand = options(tmp_path, "afterok:1", parameters={"additional_parameters": {"kill-on-invalid-dep": "no"}})
    assert by_hand["kill-on-invalid-dep"] == "no"


@pytest.mark.parametrize(("count", "at_once", "array"), [
    (2, None, "0-1%2"), (300, None, "0-299%256"), (300, 3, "0-299%3"), (256, None, "0-255%256"), (257, None, "0-256%256"),
])  # fmt: skip
def test_an_array_says_how_many_run_at_once(sbatch, tmp_path, count, at_once, array):
    members = tuple(("m", number) for number in range(count))
    assert options(tmp_path, members=members, at_once=at_once)["array"] == array


@pytest.mark.parametrize(("parameters", "told"), [
    ({}, False), ({"signal_delay_s": 0}, False), ({"signal_delay_s": 90}, True),
    ({"signal_delay_s": 90, "use_srun": False}, False), ({"signal_delay_s": 90, "use_srun": True}, True),
])  # fmt: skip
def test_only_what_can_go_on_is_told_before_its_time_is_up(sbatch, tmp_path, parameters, told):
    assert ("signal" in options(tmp_path, parameters={"time": 5, **parameters})) == told


def test_the_command_names_the_run_and_the_submission(sbatch, tmp_path):
    submission = Submission("a b", "token", (("a", None),), (), {})
    executor = TokenExecutor(SubmissionRequest(tmp_path / "the run", "1", "p", submission), "")
    assert executor.command().endswith(f" -u -m launchers.runs.node '{tmp_path}/the run' 'a b'")
    with pytest.raises(ValueError, match="foo"):
        options(tmp_path, parameters={"foo": 3})


def test_the_executor_of_functions_logs_sbatch_too(sbatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    sbatch("echo Submitted batch job 13")
    assert LoggedSlurmExecutor.name() == "slurm"
    assert LoggedSlurmExecutor(tmp_path).submit(pow, 2, 3).job_id == "13"
    assert caplog.records[-1].getMessage().startswith(f"sbatch {tmp_path}/.submission_file_")
