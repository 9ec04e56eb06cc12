"""Functions through submitit-oar on the real OAR: what works, and each of its faults that the executor works around.

A test of a fault shows both: that submitit-oar as it is fails, so that it is noticed when that is mended, and that
ours does not.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest
from steps import add, double, fail
from submitit.core.utils import FailedJobError
from submitit_oar.oar import OarExecutor

from launchers import LauncherNotFoundError, find_launcher
from launchers.cli import main
from launchers.commands import LocalConnector
from launchers.jobs.state import ENDED
from launchers.oar.executor import PatchedOarExecutor
from launchers.oar.states import find_jobs, with_ids

SMALL = {"l": "/host=1/core=1,walltime=0:5:0"}


def executor(kind, folder, **additional):
    made = kind(folder)
    made.update_parameters(additional_parameters={**SMALL, **additional})
    return made


def test_a_function(oar):
    job = find_launcher("cpu(cores=2, mem=1G) & duration=5m", tags="grid").submit(pow, 3, 4)
    assert job.result() == 81
    with pytest.raises(FailedJobError, match="no such luck"):
        find_launcher("cpu(cores=1) & duration=5m", tags="grid").submit(fail).result()


def test_what_oarsub_refuses_is_told(oar):
    Path("launchers.yaml").write_text("oar: [{id: wrong, nodes: [{count: 90, cpu: {cores: 4, memory: 9G}}]}]\n")
    with pytest.raises(
        LauncherNotFoundError, match="oarsub refused what was chosen:\n  There are not enough"
    ) as caught:
        find_launcher("cpu(cores=1) & nodes=40 & duration=5m").submit(double, 1)
    assert "reason code: limit" in str(caught.value)
    assert "/host=40/core=1,walltime=0:05:00" in str(caught.value)


def test_a_command(oar, capfd):
    argv = ["run", "cpu(cores=1) & duration=5m", "--tag", "grid", "--", "sh", "-c", "pwd; echo $OAR_JOB_ID >&2; exit 3"]
    assert main(argv) == 3
    out, err = capfd.readouterr()
    assert out.strip() == str(Path.cwd())
    assert err.strip().isdigit()


def test_spaces_in_sql(oar):
    sql = "gpu_model = 'Tesla V100' AND memnode >= 1"
    with pytest.raises(FailedJobError):
        executor(OarExecutor, "logs", p=sql).submit(pow, 2, 3)
    assert executor(PatchedOarExecutor, "logs", p=sql).submit(pow, 2, 3).result() == 8


def test_a_space_in_the_folder(oar):
    with pytest.raises(FailedJobError):
        executor(OarExecutor, "my logs").submit(pow, 2, 3)
    assert executor(PatchedOarExecutor, "my logs").submit(pow, 2, 3).result() == 8


def test_what_a_function_imports(oar):
    with pytest.raises(FailedJobError, match="ModuleNotFoundError"):
        executor(OarExecutor, Path.cwd() / "logs", d=str(Path.cwd())).submit(double, 1).result()
    assert executor(PatchedOarExecutor, "logs").submit(double, 1).result() == 2


def test_memory_and_cores(oar):
    """submitit's own words for them are no parameters of its OAR plugin: the broker says them as resources."""
    with pytest.raises(ValueError, match="mem_gb"):
        OarExecutor("logs").update_parameters(mem_gb=1)
    with pytest.raises(ValueError, match="cpus_per_task"):
        OarExecutor("logs").update_parameters(cpus_per_task=1)
    launcher = find_launcher("cpu(cores=2, mem=100G) & duration=5m", tags="grid")
    assert launcher.oar_args.levels == (("host", 1), ("core", 2))
    assert launcher.submit(double, 2).result() == 4


def test_the_order_of_an_array(oar, monkeypatch):
    """Job ids that pass from 9 to 10, or 99 to 100: submitit-oar sorts them as text."""
    with monkeypatch.context() as patched:
        patched.setattr("subprocess.check_output", lambda *_, **__: '{"9": {}, "10": {}, "11": {}}')
        assert OarExecutor("logs")._get_job_id_list_from_array_id("9") == ["10", "11", "9"]
    found = executor(PatchedOarExecutor, "logs").map_array(add, range(12), [100] * 12)
    assert [int(job.job_id) for job in found] == sorted(int(job.job_id) for job in found)
    assert [job.result() for job in found] == [100 + item for item in range(12)]


def test_the_folder_that_jobs_run_in(oar):
    assert executor(PatchedOarExecutor, "logs").submit(os.getcwd).result() == str(Path.cwd())
    theirs = executor(OarExecutor, Path.cwd() / "logs").submit(os.getcwd).result()
    assert os.environ["PWD"] != str(Path.cwd())
    assert theirs == (os.environ["PWD"] if oar.version < (2, 6) else str(Path.cwd()))


def test_an_id_in_the_folder(oar):
    """A job that is submitted again has a new id, and no folder of that name to write to."""

    def again(made):
        """The state that a job comes to when OAR submits it again."""
        job = made.submit(pow, 2, 3)
        assert job.result() == 8
        said = subprocess.run(["oarsub", "--resubmit", job.job_id], capture_output=True, text=True, check=True).stdout
        new = next(line for line in said.splitlines() if line.startswith("OAR_JOB_ID=")).partition("=")[2]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            (found,) = find_jobs(LocalConnector(), with_ids([new]))
            if found.state in ENDED:
                return found.state, found.reason
            time.sleep(0.5)
        return "still going", ""

    state, reason = again(executor(OarExecutor, Path.cwd() / "broken/%j"))
    assert (state, reason) == ("FAILED", "its output files cannot be created on the node")
    assert again(executor(PatchedOarExecutor, "logs/%j"))[0] == "COMPLETED"
