"""submitit's executor for this machine: what its jobs are, and how they are followed."""

import os
import signal
import time
from pathlib import Path

import pytest
from attrs import evolve
from local_jobs import job, scheduler_pid
from submitit.core.utils import DelayedSubmission

from launchers.errors import RunError
from launchers.local import executor as executor_module
from launchers.local.executor import LocalExecutor
from launchers.local.jobs import Capacity, read_table
from launchers.local.journal import read_statuses

TEMPLATE = evolve(job("", name="adding", cores=2, env=(("OWN", "1"),)), argv=())


def executor(root, **more):
    return LocalExecutor(root / "jobs", evolve(TEMPLATE, **more), Capacity(cores=2))


def table(submitted):
    return list(read_table(submitted.scheduler_folder)[1].values())


def test_a_function_is_run(tmp_path):
    submitted = executor(tmp_path).submit(sum, [1, 2])
    assert submitted.result() == 3
    assert submitted.done()
    (entry,) = table(submitted)
    assert "-" not in entry.id  # which would be an element of an array
    assert (entry.id, entry.name, entry.cores, entry.cwd, entry.requeue) == (
        submitted.job_id, "adding", 2, str(Path.cwd()), 144,
    )  # fmt: skip
    assert entry.argv[1:] == ("-u", "-m", "submitit.core._submit", str(tmp_path / "jobs"))
    assert (entry.stdout, entry.stderr) == (str(submitted.paths.stdout), str(submitted.paths.stderr))
    assert dict(entry.env)["SUBMITIT_LOCAL_JOB_ID"] == submitted.job_id
    assert dict(entry.env)["OWN"] == "1"


def test_a_current_folder_that_was_removed(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    with pytest.raises(RunError, match="the current folder was removed, so no job can run in it"):
        executor(tmp_path).submit(sum, [1])


def test_the_environment_that_a_function_sees(tmp_path):
    assert executor(tmp_path).submit(os.getenv, "OWN").result() == "1"


def test_an_array_is_one_submission(tmp_path):
    first, second = executor(tmp_path, cores=1).map_array(abs, [-1, -2])
    assert [first.result(), second.result()] == [1, 2]
    assert first.scheduler_folder == second.scheduler_folder
    assert [entry.id for entry in table(first)] == [first.job_id, second.job_id]
    assert [entry.id.partition("-")[2] for entry in table(first)] == ["0", "1"]


@pytest.mark.parametrize(
    ("limit", "warning", "minutes"), [(None, 0, 10**6), (59, 0, 1), (60, 0, 1), (61, 30, 1), (119, 30, 1), (180, 30, 3)]
)
def test_a_function_is_warned_before_its_time_is_up(tmp_path, monkeypatch, limit, warning, minutes):
    submitted = []
    timeouts = []
    monkeypatch.setattr(executor_module.control, "submit_jobs", lambda folder, capacity, jobs: submitted.extend(jobs))
    monkeypatch.setattr(DelayedSubmission, "set_timeout", lambda self, minutes, requeues: timeouts.append(minutes))
    monkeypatch.setattr(DelayedSubmission, "dump", lambda self, path: None)
    executor(tmp_path, time_limit=limit).submit(sum, [])
    assert [entry.warning for entry in submitted] == [warning]
    assert timeouts[-1] == minutes


def test_a_function_that_is_cancelled(tmp_path):
    submitted = executor(tmp_path).submit(time.sleep, 60)
    assert not submitted.done()
    assert submitted.get_info()["State"] in ("PENDING", "RUNNING")
    submitted.cancel()
    submitted.wait()
    assert submitted.done()
    assert submitted.get_info() == {"State": "CANCELLED", "Reason": "cancelled"}


def test_a_scheduler_that_was_killed_is_started_again_by_who_waits(tmp_path):
    submitted = executor(tmp_path).submit(time.sleep, 1)
    os.kill(scheduler_pid(submitted.scheduler_folder), signal.SIGKILL)
    submitted.wait()
    assert read_statuses(submitted.scheduler_folder)[submitted.job_id].state == "COMPLETED"


def test_nobody_waits_for_a_folder_that_was_removed(tmp_path):
    submitted = executor(tmp_path).submit(sum, [1])
    submitted.result()
    submitted.scheduler_folder.rename(tmp_path / "elsewhere")
    submitted.wait()
    assert submitted.state == "PENDING"


def test_what_can_never_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="job adding can never run here: it asks for 3 cores"):
        executor(tmp_path, cores=3).submit(sum, [1])
