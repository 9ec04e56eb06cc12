"""The submission of a plan's job by submitit: which command runs, and that it is logged."""

import logging
from pathlib import Path

import pytest
from submitit.core.utils import FailedJobError

from launchers.jobs.backend import SubmissionRequest
from launchers.jobs.submission import Submission
from launchers.slurm.executor import TokenExecutor


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
