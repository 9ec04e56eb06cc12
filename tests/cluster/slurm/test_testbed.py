"""The test bed itself: it comes up, runs jobs with GPUs, and goes down without a trace."""

import json
import subprocess
import sys
import time
from pathlib import Path

import slurm_testbed
from slurm_testbed import ask

TOOL = str(Path(__file__).resolve().parents[3] / "tools" / "slurm-testbed")


def test_jobs_run_with_their_gpus(slurm):
    shown = slurm.command(
        "srun", "-p", "gpu", "--gpus-per-node=a100:2", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES"
    ).stdout
    assert len(shown.strip().split(",")) == 2


def test_up_again_is_nothing(slurm):
    started = time.monotonic()
    before = slurm.status()["daemons"]
    slurm.up()
    assert slurm.status()["daemons"] == before
    assert time.monotonic() - started < 5


def test_partitions_and_accounts(slurm):
    names = slurm.command("sinfo", "-a", "-h", "-o", "%R").stdout.split()
    assert set(names) == {part["PartitionName"] for part in slurm_testbed.FULL["partitions"]}
    accounts = slurm.command("sacctmgr", "-nP", "show", "assoc", "user=root", "format=account").stdout.split()
    assert {"vision", "nlp", "guest"} <= set(accounts)


DESCRIPTION = {
    "nodes": [
        {"NodeName": "c[1-2]", "CPUs": 4, "RealMemory": 4000},
        {"NodeName": "g1", "CPUs": 8, "RealMemory": 8000, "Gres": "gpu:a100:2", "Feature": "big"},
    ],
    "partitions": [
        {"PartitionName": "c", "Nodes": "c[1-2]", "MaxTime": "60", "Default": "YES"},
        {"PartitionName": "g", "Nodes": "g1", "MaxTime": "30"},
    ],
}


def test_a_controller_alone_tells_the_truth(controller):
    """A job that can start goes to CF, one that never can stays PD; --test-only says that both would start."""
    found = controller(DESCRIPTION, enforce="NO")
    assert ask(found, ["-p", "c", "-t", "10"]).starts
    assert ask(found, ["-p", "g", "--gpus-per-node=a100:2", "-t", "30"]).starts
    late = ask(found, ["-p", "g", "-t", "31"])
    assert late.state == "PD"
    assert late.reason in ("PartitionTimeLimit", "PartitionConfig")
    refused = ask(found, ["-p", "c", "--gpus-per-node=1"])
    assert (refused.state, refused.reason) == (
        "REFUSED",
        "Batch job submission failed: Requested node configuration is not available",
    )
    for _ in range(3):  # each is asked of an idle cluster again
        assert ask(found, ["-p", "g", "--exclusive", "-t", "10"]).starts


def test_enforce_part_limits_is_an_option(controller):
    found = controller(DESCRIPTION, enforce="ALL")
    late = ask(found, ["-p", "g", "-t", "31"])
    assert late.state == "REFUSED"
    assert "Requested time limit is invalid" in late.reason


def test_a_second_cluster_beside_the_first(slurm, tmp_path, controller):
    other = controller(DESCRIPTION)
    assert other.command("sinfo", "-h", "-o", "%R").stdout.split() == ["c", "g"]
    assert len(slurm.command("sinfo", "-a", "-h", "-o", "%R").stdout.split()) == 10


def test_the_command(can_run, tmp_path):
    tmp_path.chmod(0o755)
    for above in list(tmp_path.parents)[:2]:
        above.chmod(0o755)
    state, described = tmp_path / "state", tmp_path / "d.json"
    described.write_text(json.dumps(DESCRIPTION))
    options = ["--state", str(state), "--port", str(slurm_testbed.PORT + 400)]

    def run(*argv):
        return subprocess.run([TOOL, *argv, *options], capture_output=True, text=True, check=False)

    done = run("up", "--controller-only", "--describe", str(described))
    assert done.returncode == 0, done.stderr
    assert run("env").stdout == f"export SLURM_CONF={state}/etc/slurm.conf\n"
    status = json.loads(run("status", "--json").stdout)
    assert set(status["daemons"]) == {"munged", "slurmctld"}
    pids = list(status["daemons"].values())
    assert run("down").returncode == 0
    assert [slurm_testbed.born(pid) for pid in pids] == [None, None]
    assert run("wipe").returncode == 0
    assert not state.exists()


def test_what_cannot_be_is_said(tmp_path):
    done = subprocess.run(
        [sys.executable, TOOL.replace("slurm-testbed", "slurm_testbed.py"), "up", "--describe", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr
    assert slurm_testbed.Testbed(tmp_path / "x").status()["daemons"] == {}
