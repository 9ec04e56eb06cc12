"""A launcher: running functions where it leads, and what it says of itself."""

import os
import pickle
import signal
import time

import pytest
import submitit
from config_files import oar_entry, write_config
from slurm_queue import pretend_srun

from launchers import Launcher, LauncherNotFoundError, RunError, SlurmArgs, cpu, cuda_gpu, find_launcher
from launchers.jobs.backend import RefusedError
from launchers.local.args import LocalArgs
from launchers.oar.args import OarArgs
from launchers.slurm.backend import SlurmBackend
from launchers.slurm.watch import TokenJob

# -- on this machine -----------------------------------------------------------------------------------------------


def test_submit_runs_a_function(gpus):
    launcher = find_launcher("cuda(mem=14G)*2")
    job = launcher.submit(pow, 3, 4)
    assert isinstance(job, submitit.Job)
    assert job.result() == 81
    assert job.state == "COMPLETED"
    assert launcher.submit(int, "ff", base=16).result() == 255


@pytest.mark.parametrize(("need", "devices"), [("cuda(mem=14G)*2", "0,1"), ("cpu(cores=1)", "")])
def test_a_job_sees_its_devices_and_no_other(gpus, need, devices):
    assert find_launcher(need).submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == devices


def test_requirements_as_objects(gpus):
    assert find_launcher(cuda_gpu(mem="14G")).submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() in ("0", "1")
    assert find_launcher(cpu(cores=1)).submit(pow, 2, 2).result() == 4


def test_an_exception_comes_back(gpus):
    def fail():  # inside, so that its code is pickled and not its name
        raise ValueError("no such luck")

    job = find_launcher("cpu(cores=1)").submit(fail)
    with pytest.raises(submitit.core.utils.FailedJobError, match="no such luck"):
        job.result()
    assert job.state == "FAILED"


def test_an_array_is_one_submission(gpus):
    jobs = find_launcher("cpu(cores=1)").executor("logs").map_array(pow, [2, 3, 4], [2, 2, 2])
    assert [job.result() for job in jobs] == [4, 9, 16]
    assert len({str(job.job_id).partition("-")[0] for job in jobs}) == 1
    (folder,) = (gpus / "logs").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_logs_go_to_a_new_folder_here_where_none_is_given(gpus):
    """An id is used again: what an old job has left must not be there."""
    launcher = find_launcher("cpu(cores=1)")
    folders = {launcher.executor().folder for _ in range(3)}
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {gpus / ".launchers" / "jobs"}
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


@pytest.mark.parametrize("name", ["a%jb", "a%Ab", "100%", "back\\slash", "line\nbreak"])
@pytest.mark.parametrize("given", [None, "logs", "logs/%j"])
def test_a_folder_whose_name_would_be_changed_is_refused(gpus, monkeypatch, name, given):
    """Results would go to another folder, and be lost."""
    (gpus / name).mkdir()
    launcher = find_launcher("cpu(cores=1)")
    monkeypatch.chdir(name)
    with pytest.raises(RunError, match="submit from another folder"):
        launcher.executor(given)
    assert not list((gpus / name).iterdir())


def test_a_folder_may_name_the_job(gpus):
    job = find_launcher("cpu(cores=1)").executor("logs/%j").submit(pow, 2, 3)
    assert job.result() == 8
    assert job.paths.result_pickle.parent.parent == gpus / "logs" / job.job_id


@pytest.mark.parametrize("given", ["logs", "logs/%j"])
def test_a_job_in_a_folder_that_is_used_again_finds_no_result_of_another(far, given):
    """Slurm uses an id again when it has lost its state."""
    first, second = (far.executor(given) for _ in range(2))
    old, new = (TokenJob(executor.folder, "7", token=executor.token) for executor in (first, second))
    old.paths.result_pickle.parent.mkdir(parents=True, exist_ok=True)
    old.paths.result_pickle.write_bytes(pickle.dumps(("success", "old")))
    assert old.result() == "old"
    assert not new.paths.result_pickle.exists()
    assert new.paths.stdout != old.paths.stdout


def test_a_scheduler_that_is_killed_is_started_again(gpus):
    launcher = find_launcher("cpu(cores=4)")
    running, waiting = launcher.submit(time.sleep, 0.5), launcher.submit(pow, 2, 5)
    for job in (running, waiting):
        while not (pid := job.scheduler_folder / "scheduler.pid").exists() or not pid.read_text():
            time.sleep(0.01)
        os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)
    assert running.result() is None
    assert waiting.result() == 32
    assert (running.state, waiting.state) == ("COMPLETED", "COMPLETED")


def test_cancel(gpus):
    job = find_launcher("cpu(cores=1)").submit(time.sleep, 60)
    job.cancel()
    while not job.done():
        time.sleep(0.01)
    assert job.state == "CANCELLED"


# -- what it asks --------------------------------------------------------------------------------------------------


def test_what_a_launcher_asks_of_slurm(gpus):
    launcher = find_launcher("cuda(mem=80G)*4 & duration=90 min", tags=["slurm"])
    assert launcher.resources == launcher.slurm_args == SlurmArgs(partition="p", gpus_per_node="4", time=90)
    assert launcher.sbatch() == "#SBATCH --partition=p\n#SBATCH --nodes=1\n#SBATCH --gpus-per-node=4\n#SBATCH --time=90"
    assert (launcher.oar_args, launcher.oarsub(), launcher.backend.title) == (None, "", "Slurm")


def test_what_a_launcher_asks_of_this_machine(gpus):
    launcher = find_launcher("cuda()")
    assert isinstance(launcher.resources, LocalArgs)
    assert (launcher.slurm_args, launcher.sbatch(), launcher.oar_args, launcher.oarsub()) == (None, "", None, "")


def test_what_a_launcher_asks_of_oar(tmp_path):
    config = write_config(tmp_path, oar=[oar_entry("grid", {"count": 2, "cpu": {"cores": 8}})])
    launcher = find_launcher("cpu(cores=2) & duration=1h", config=config)
    assert isinstance(launcher.oar_args, OarArgs)
    assert launcher.oarsub().startswith("#OAR -l /host=1/core=2,walltime=1:00:00")
    assert (launcher.slurm_args, launcher.sbatch()) == (None, "")


def test_a_repr_names_the_place_and_what_it_is_for(gpus):
    assert repr(find_launcher("cpu(cores=2)")) == "Launcher('box', for 'cpu(cores=2)')"
    assert repr(find_launcher("cuda(mem=80G)")) == "Launcher('far (p)', for 'cuda(mem=80G)')"
    assert isinstance(find_launcher("cpu(cores=2)"), Launcher)


# -- executors -----------------------------------------------------------------------------------------------------


@pytest.fixture
def far(gpus, monkeypatch):
    """A launcher on the cluster, as if its commands were here."""
    pretend_srun(monkeypatch)
    monkeypatch.setattr(SlurmBackend, "missing_commands", lambda _: ())
    return find_launcher("cuda(mem=80G) & duration=1h", tags=["slurm"])


def test_an_executor_asks_for_what_the_launcher_found(far):
    executor = far.executor("logs", name="mine", wckey="w")
    assert {key: executor.parameters[key] for key in ("partition", "time", "job_name", "wckey")} == {
        "partition": "p", "time": 60, "job_name": "mine", "wckey": "w",
    }  # fmt: skip
    assert "signal_delay_s" not in executor.parameters
    assert far.executor(early_signal=False).parameters["signal_delay_s"] == 0
    with pytest.raises(ValueError, match="no_such_parameter"):
        far.executor(no_such_parameter=1)


class Resumable:
    def __call__(self):
        pass

    def checkpoint(self):
        pass


@pytest.mark.parametrize(("function", "early_signal"), [(pow, False), (Resumable(), True)])
def test_only_what_can_go_on_is_told_before_its_time_is_up(far, monkeypatch, function, early_signal):
    submitted = []
    monkeypatch.setattr(SlurmBackend, "submit_function", lambda _, *arguments: submitted.append(arguments) or "job")
    assert far.submit(function) == "job"
    ((executor, resources, sent),) = submitted
    assert sent is function
    assert resources == far.resources
    assert ("signal_delay_s" not in executor.parameters) == early_signal


def refused(far, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(SlurmBackend, "submit_function", refuse)
    with pytest.raises(LauncherNotFoundError) as caught:
        far.submit(pow, 2, 2)
    assert caught.value.answer is far.answer
    return caught.value


def test_a_refusal_says_what_was_asked(far, monkeypatch):
    error = refused(far, monkeypatch, RefusedError(["one", "two"], "limit"))
    assert error.kind == "nothing-matches"
    assert str(error).splitlines() == [
        "sbatch refused what was chosen:", "  one", "  two", "reason code: limit", "it was asked:",
        *(f"  {flag}" for flag in far.resources.flags()),
    ]  # fmt: skip
    assert "reason code" not in str(refused(far, monkeypatch, RefusedError(["one"])))


def test_a_cluster_that_does_not_answer_is_unreachable(far, monkeypatch):
    error = refused(far, monkeypatch, RefusedError(["one"], transient=True))
    assert (error.kind, str(error)) == ("unreachable", "far matches but cannot be reached: one")


def test_a_cluster_whose_commands_are_not_here(gpus, no_slurm):
    with pytest.raises(
        LauncherNotFoundError, match="far matches but cannot be reached: no sbatch and no srun on"
    ) as caught:
        find_launcher("cuda(mem=80G)").submit(pow, 2, 2)
    assert caught.value.kind == "unreachable"
    assert caught.value.answer is not None
