"""From Python: find a launcher, run functions there, get results."""

import os
import signal
import subprocess
import sys
import time

import pytest
import submitit

import launchers
from launchers import LauncherNotFoundError, SlurmArgs, cpu, cuda_gpu, find_launcher
from launchers.slurm.args import MailType, time_limit_minutes


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text(
        "local: [{id: box, tags: [local], cpu: {cores: 4, memory: 8G}, gpu: [{model: A100, count: 2, memory: 40G}]}]\n"
        "slurm: [{id: far, tags: [slurm], weight: -1, partitions: {p: {configuration: {gpu: {count: 4, memory: 80G}}}}}]\n"
    )
    return tmp_path


def test_submit_runs_a_function(gpus):
    launcher = find_launcher("cuda(mem=14G)*2")
    job = launcher.submit(pow, 3, 4)
    assert isinstance(job, submitit.Job)
    assert job.result() == 81
    assert job.state == "COMPLETED"
    assert launcher.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == "0,1"
    assert find_launcher(cuda_gpu(mem="14G")).submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() in ("0", "1")
    assert find_launcher(cpu(cores=1)).submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == ""


def test_an_exception_comes_back(gpus):
    def fail():
        raise ValueError("no such luck")

    job = find_launcher("cpu(cores=1)").submit(fail)
    with pytest.raises(submitit.core.utils.FailedJobError, match="no such luck"):
        job.result()
    assert job.state == "FAILED"


def test_an_array_is_one_submission(gpus):
    jobs = find_launcher("cpu(cores=1)").executor("logs").map_array(pow, [2, 3, 4], [2, 2, 2])
    assert [job.result() for job in jobs] == [4, 9, 16]
    assert len({str(job.job_id).partition("-")[0] for job in jobs}) == 1
    assert (gpus / "logs").stat().st_mode & 0o777 == 0o700


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
    job = find_launcher("cpu(cores=1)").submit(__import__("time").sleep, 60)
    job.cancel()
    while not job.done():
        pass
    assert job.state == "CANCELLED"


def test_slurm_args_of_a_launcher(gpus):
    launcher = find_launcher("cuda(mem=80G)*4 & duration=90 min", tags=["slurm"])
    assert launcher.slurm_args == SlurmArgs(partition="p", gpus_per_node="4", time=90)
    assert launcher.sbatch() == "#SBATCH --partition=p\n#SBATCH --nodes=1\n#SBATCH --gpus-per-node=4\n#SBATCH --time=90"
    assert find_launcher("cuda()").sbatch() == ""


def test_the_three_failures_are_told_apart(gpus, tmp_path, no_slurm):
    with pytest.raises(LauncherNotFoundError, match="nothing matches") as caught:
        find_launcher("cuda(mem=999G)")
    assert (caught.value.kind, caught.value.answer.selection) == ("nothing-matches", None)
    with pytest.raises(LauncherNotFoundError, match="cannot be reached") as caught:
        find_launcher("cuda(mem=80G)").submit(pow, 2, 2)
    assert caught.value.kind == "unreachable"
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(LauncherNotFoundError, match="no launcher is configured") as caught:
        find_launcher("cpu()", config="empty.yaml")
    assert caught.value.kind == "nothing-configured"
    with pytest.raises(ValueError, match="a requirement is needed"):
        find_launcher()


def test_several_requirements_are_alternatives(gpus):
    assert find_launcher("cuda(mem=999G)", "cuda(mem=80G)", "cpu(cores=1)").group.name == "far"


def test_import_is_light():
    code = "import sys, launchers; print(sorted(m for m in ('attrs','lark','cattrs','yaml','submitit','rich') if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    code = "import sys; from launchers import find_launcher, parse; print('submitit' in sys.modules, 'rich' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )


def test_public_names():
    for name in launchers.__all__:
        assert getattr(launchers, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        launchers.nothing  # noqa: B018


# -- SlurmArgs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("120", 120), ("02:00:00", 120), ("72:00:00", 4320), ("2-12", 3600), ("2-12:30", 3630), ("1:30", 2),
        ("2-00:00:30", 2881), ("UNLIMITED", 0), (90, 90), (None, None),
    ],
)  # fmt: skip
def test_times_in_every_form_of_slurm(text, found):
    assert time_limit_minutes(text) == found


@pytest.mark.parametrize("wrong", ["1:2:3:4", "soon", "-5", "1-2-3", -1])
def test_times_that_slurm_refuses(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        time_limit_minutes(wrong)


def test_slurm_args_render():
    args = SlurmArgs(
        time="03:00:00", partition="gpu_a100", gpus_per_node=1, cpus_per_gpu=18, cluster="wice", account="my-account",
        mail_type=[MailType.BEGIN, "end"], mail_user="me@university.edu", mem_gb=1.5, additional_params={"licenses": "a:1"},
    )  # fmt: skip
    assert args.flags() == [
        "--clusters=wice", "--account=my-account", "--partition=gpu_a100", "--nodes=1", "--cpus-per-gpu=18",
        "--gpus-per-node=1", "--mem=1536M", "--time=180", "--mail-type=BEGIN,END", "--mail-user=me@university.edu",
        "--licenses=a:1",
    ]  # fmt: skip
    assert args.submitit()["time"] == 180
    assert args.submitit()["additional_parameters"]["mem"] == "1536M"


@pytest.mark.parametrize(
    "wrong",
    [{"partition": "a\n#SBATCH --uid=0"}, {"additional_params": {"a b": 1}}, {"additional_params": {"x": "a\nb"}}],
)
def test_no_line_break_reaches_an_sbatch_file(wrong):
    with pytest.raises(ValueError, match=r"line break|not the name"):
        SlurmArgs(**wrong)


def test_directives_are_quoted():
    assert "#SBATCH --constraint='(A&B)|(C)'" in SlurmArgs(constraint="(A&B)|(C)").directives()
