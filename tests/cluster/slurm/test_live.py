"""On the real cluster: read it, find there, run there."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchers import LauncherNotFoundError, find_launcher
from launchers.cli import main
from launchers.config.build import build
from launchers.config.load import load
from launchers.slurm.query import query


def command(*argv):
    return [sys.executable, "-m", "launchers", *argv]


def launchers(*argv):
    return subprocess.run(command(*argv), capture_output=True, text=True, check=False, timeout=90)


def test_convert_the_live_cluster(slurm, tmp_path, capsys):
    assert main(["convert", "--slurm", "-o", "cluster.yaml"]) == 0
    assert main(["check", "cluster.yaml"]) == 0
    (group,) = build(load(Path("cluster.yaml")).document)
    partitions = {partition.name: partition for partition in group.partitions}
    assert len(partitions) == 10
    assert partitions["offline"].closed_reason == "partition state is DOWN"
    assert partitions["restricted"].closed_reason == "none of your accounts and QoS may use it"
    assert {access.qos for access in partitions["a100"].accesses} == {"normal", "gpu", "highprio"}
    gpus = {
        shape.name: [(d.model, d.memory and d.memory >> 30, d.count) for d in shape.devices]
        for shape in partitions["gpu"].shapes
    }
    assert gpus["a100-01"] == [("A100", 80, 8)]
    assert gpus["rtx-[01-02]"] == [("RTX3090", 24, 2)]
    assert gpus["gen-01"] == [(None, 48, 2)]
    assert gpus["mix-01"] == [("A100", None, 2), ("V100", None, 2)]
    capsys.readouterr()
    assert main(["convert", "--slurm"]) == 0
    assert capsys.readouterr().out == Path("cluster.yaml").read_text()


def test_query_remembers_for_a_while(slurm):
    first = query()
    assert first.age == 0
    again = query()
    assert again.group == first.group
    assert again.age > 0
    assert query(refresh=True).age == 0


def test_a_cluster_that_hangs_is_passed_over(slurm, tmp_path, monkeypatch):
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "scontrol").write_text("#!/bin/sh\nsleep 60\n")
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("launchers.slurm.query.TIMEOUT", 0.5)
    started = time.monotonic()
    answer = query()
    assert answer == "query_slurm: scontrol -a show nodes gave no answer within 0.5 s"
    assert time.monotonic() - started < 5
    with pytest.raises(LauncherNotFoundError, match="gave no answer") as caught:
        find_launcher("cpu(cores=1)")
    assert caught.value.kind == "unreachable"


def test_without_accounting_there_is_still_a_cluster(slurm, tmp_path, monkeypatch):
    folder = tmp_path / "nodb"
    folder.mkdir()
    (folder / "sacctmgr").write_text("#!/bin/sh\necho 'sacctmgr: error: Problem talking to the database' >&2\nexit 1\n")
    (folder / "sacctmgr").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    answer = query()
    assert answer.group.accounts is None
    assert any("Problem talking to the database" in failure for failure in answer.failed)


def test_run_a_command(slurm):
    script = "echo $CUDA_VISIBLE_DEVICES $SLURMD_NODENAME; echo oops >&2; exit 3"
    done = launchers("run", "cuda(mem=40G)*2 & duration=10m", "--", "sh", "-c", script)
    assert done.returncode == 3
    devices, node = done.stdout.split()
    assert len(devices.split(",")) == 2
    assert node in ("a100-02", "mix-01")  # an A100 has 40G at least, also where nobody says how much
    assert done.stderr == "oops\n"


def test_a_job_has_all_its_time(slurm):
    """submitit's signal, 90 seconds before the end, ended what has no checkpoint: here after some five seconds."""
    done = launchers("run", "cpu(cores=1) & duration=1m", "--", "sh", "-c", "sleep 12; echo done")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert find_launcher("cpu(cores=1) & duration=1m", tags=["slurm"]).submit(time.sleep, 12).result() is None


def test_a_command_on_several_nodes(slurm):
    """Its exit status is the highest."""
    script = "echo node $SLURM_PROCID; exit $((SLURM_PROCID * 3))"
    done = launchers("run", "nodes=2 & cpu(cores=1) & duration=5m", "--", "sh", "-c", script)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (3, ["node 0", "node 1"]), done.stderr


def test_the_environment_undoes_nothing(slurm, monkeypatch):
    """For sbatch it goes before what the file says."""
    for name, value in (("PARTITION", "offline"), ("QOS", "scavenger"), ("CONSTRAINT", "nosuch"), ("TIMELIMIT", "1")):
        monkeypatch.setenv(f"SBATCH_{name}", value)
    job = find_launcher("cpu(cores=1) & duration=7m", tags=["slurm"]).submit(os.getenv, "SLURM_JOB_PARTITION")
    assert job.result() != "offline"
    assert os.environ["SBATCH_PARTITION"] == "offline"


OF_THE_CLIENT = {
    "SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "9",
    "SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_MEM_PER_NODE": "77", "SLURM_GPUS": "4", "LAUNCHERS_ITEM": "7",
}  # fmt: skip


def test_a_client_that_is_a_job_hands_nothing_of_itself_down(slurm, monkeypatch):
    """sbatch gives a job the environment, and sets only what the job has itself: a plain one keeps the array's."""
    from launchers.plan import Chain, Map, Plan, Step

    for name, value in OF_THE_CLIENT.items():
        monkeypatch.setenv(name, value)
    print_env = (subprocess.check_output, ["env"])
    alone = find_launcher("cpu(cores=1) & duration=7m", tags=["slurm"]).submit(*print_env).result()
    run = Plan("p", Chain(Step("a", "cpu(cores=1)", *print_env), Map("m", "cpu(cores=1)", max, [[1, 2]]))).submit(
        tags=["slurm"]
    )
    assert run.wait(60)
    for output in (alone, run["a"].result()):
        variables = dict(line.split("=", 1) for line in output.decode().splitlines() if "=" in line)
        assert {name: variables[name] for name in OF_THE_CLIENT if variables.get(name) == OF_THE_CLIENT[name]} == {}
        assert not {"SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "LAUNCHERS_ITEM"} & set(variables)
        assert variables["SLURM_CONF"] == os.environ["SLURM_CONF"]
    assert os.environ["SLURM_NTASKS"] == "8"


def test_a_controller_that_does_not_answer_is_not_a_refusal(slurm, tmp_path, monkeypatch, capsys):
    launcher = find_launcher("cpu(cores=1) & duration=7m", tags=["slurm"])
    unreachable = tmp_path / "slurm.conf"
    conf = Path(os.environ["SLURM_CONF"]).read_text()
    unreachable.write_text(re.sub(r"(?m)^SlurmctldPort=.*$", "SlurmctldPort=1", conf) + "\nMessageTimeout=1\n")
    monkeypatch.setenv("SLURM_CONF", str(unreachable))
    with pytest.raises(LauncherNotFoundError, match="matches but cannot be reached") as raised:
        launcher.submit(abs, 1)
    assert raised.value.kind == "unreachable"
    assert main(["explain", "--job", "1"]) == 3
    assert "slurmctld does not answer" in capsys.readouterr().err


def test_output_comes_while_it_runs(slurm):
    argv = command("run", "cpu(cores=1) & duration=5m", "--", "sh", "-c", "echo first; sleep 6; echo last")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"first\n"
        assert process.poll() is None
        assert process.stdout.read() == b"last\n"
    assert process.returncode == 0


def test_ctrl_c_cancels_the_job(slurm):
    argv = command("run", "cpu(cores=1) & duration=5m", "--", "sh", "-c", "echo $SLURM_JOB_ID; sleep 60")
    heard = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    }  # these tests may run in the background
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **heard) as process:
        job = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"job {job} is cancelled" in err
    deadline = time.monotonic() + 20
    while slurm.command("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").stdout.strip() not in (
        "CANCELLED",
        "COMPLETING",
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_detach(slurm):
    done = launchers("run", "cpu(cores=1) & duration=5m", "--detach", "--", "echo", "hello")
    assert re.fullmatch(r"\d+\n", done.stdout)
    out = Path(re.search(r"goes to (\S+)", done.stderr)[1])
    deadline = time.monotonic() + 30
    while not (out.exists() and out.read_text() == "hello\n"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_job_that_slurm_ends_is_reported(slurm):
    argv = command("run", "cpu(cores=1) & duration=5m", "--", "sh", "-c", "echo $SLURM_JOB_ID; sleep 100")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        job = process.stdout.readline().strip()
        slurm.command("scancel", "--signal=KILL", "--full", job)
        slurm.command("scancel", job)
        _, err = process.communicate(timeout=60)
    assert f"job {job} ended" in err or process.returncode in (137, 143)


def test_submit_a_function(slurm):
    launcher = find_launcher("cuda(mem=24G)*2 & duration=5m")
    assert "#SBATCH --gpus-per-node=rtx3090:2" in launcher.sbatch()
    job = launcher.submit(os.getenv, "CUDA_VISIBLE_DEVICES")
    assert job.result() == "0,1"
    assert launcher.executor("logs").parameters["time"] == 5


def test_an_untyped_gpu(slurm):
    launcher = find_launcher("gpu(mem=48G) & duration=5m", tags=())
    assert launcher.slurm_args.constraint == "GPUM48G"
    assert launcher.submit(os.getenv, "SLURMD_NODENAME").result() == "gen-01"


def test_hand_written_over_the_live_cluster(slurm, tmp_path):
    partitions = "".join(f"    {name}: {{disabled: true}}\n" for name in ("gpu", "a100", "debug", "secret"))
    (tmp_path / "launchers.yaml").write_text(f"slurm:\n- id: t\n  query_slurm: true\n  partitions:\n{partitions}")
    with pytest.raises(LauncherNotFoundError, match="disabled in"):
        find_launcher("cuda(mem=24G)")


def test_what_sbatch_refuses_is_shown_with_what_was_asked(slurm, tmp_path):
    (tmp_path / "launchers.yaml").write_text("slurm: [{partitions: {nosuch: {}}}]")
    done = launchers("run", "cpu(cores=1)", "--", "true")
    assert done.returncode == 1
    assert "invalid partition specified: nosuch" in done.stderr
    assert "--partition=nosuch" in done.stderr
    assert "Traceback" not in done.stderr


def test_probe_fills_in_what_the_driver_knows(slurm, tmp_path, monkeypatch, capsys):
    """A stand-in for nvidia-smi, since these nodes have no GPUs; the jobs are real."""
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "nvidia-smi").write_text('#!/bin/sh\necho "0, GPU-x, NVIDIA A100-SXM4-40GB, 40536, Disabled"\n')
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert main(["convert", "--slurm", "-o", "cluster.yaml"]) == 0
    assert main(["probe", "cluster.yaml", "--dry-run"]) == 0
    jobs = capsys.readouterr().out.splitlines()
    assert len(jobs) == 2  # the A100s and the V100s of mix-01
    assert "--nodelist=mix-01" in jobs[0]
    assert main(["probe", "cluster.yaml"]) == 0
    text = Path("cluster.yaml").read_text()
    assert text.count("memory: 40G, count: 2, type: a100, probed: mix-01") == 2  # in both partitions
    assert main(["convert", "--slurm", "-o", "cluster.yaml"]) == 0
    assert Path("cluster.yaml").read_text().count("probed: mix-01") == 4
    assert main(["probe", "cluster.yaml"]) == 0
    assert "is known" in capsys.readouterr().err


def test_probe_without_a_driver_says_so(slurm, capsys):
    assert main(["convert", "--slurm", "-o", "cluster.yaml"]) == 0
    assert main(["probe", "cluster.yaml"]) == 1
    assert "mix-01: " in capsys.readouterr().err
