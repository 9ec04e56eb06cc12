"""What the cluster does now: queued jobs explained in its own words, live signals that order equals."""

import json
import time

import pytest

from launchers import LauncherNotFoundError, find_launcher
from launchers.cli import main
from launchers.launcher.groups import load_groups
from launchers.matching import match
from launchers.requirement import parse


def queued(slurm, *flags):
    return slurm.command("sbatch", "--parsable", "-o", "/dev/null", *flags, "--wrap", "true").stdout.strip()


def reason_of(slurm, job, reasons=None, seconds=15):
    """Why a job waits: the first reason that Slurm gives, or the first of these; None until it has looked."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reason = slurm.command("squeue", "-h", "-j", job, "-o", "%r").stdout.strip()
        if reason != "None" and (reasons is None or reason in reasons):
            break
        time.sleep(0.1)
    return reason


@pytest.mark.parametrize(
    ("flags", "reasons", "code", "can_start", "nearest"),
    [
        (
            ("-p", "cpu", "-t", "3-0"),
            ("PartitionTimeLimit", "PartitionConfig"),
            None,
            False,
            "duration were 2d or less",
        ),
        (
            ("-p", "gpu", "-q", "gpu", "--gres=gpu:a100:5"),
            ("QOSMaxGRESPerJob", "None"),
            "limit",
            False,
            "GPUs per node were 4",
        ),
        (("-A", "guest", "-n", "20"), ("AssocGrpCpuLimit", "None"), "limit", False, "cores were 8"),
        (("-p", "cpu", "--begin=now+1hour"), ("BeginTime",), None, True, None),
    ],
)
def test_a_waiting_job_is_explained(slurm, capsys, flags, reasons, code, can_start, nearest):
    job = queued(slurm, *flags)
    try:
        reason_of(slurm, job, reasons)
        capsys.readouterr()
        assert main(["explain", "--job", job, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["reason"] in reasons
        assert told["can_start"] is can_start
        if code and told["reason"] != "None":
            assert told["code"] == code
        if nearest:
            assert any(nearest in text for text in told["relaxations"]), told["relaxations"]
        assert main(["explain", "--job", job]) == 0
        shown = capsys.readouterr().out
        assert f"job {job} is PENDING" in shown
        assert f"can it ever start: {'yes' if can_start else 'no'}" in shown
    finally:
        slurm.command("scancel", job)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("-p", "restricted"),
            ["its account may not use: it can never start: restricted allows", "can it ever start: no"],
        ),
        (
            ("-p", "a100", "-q", "short"),
            ["its QoS may not use: it can never start: a100 allows", "with what may be used there:\n"],
        ),
        (
            ("-p", "offline"),
            ["waits for its partition to come up", "can it ever start: not before its partition is up"],
        ),
    ],
)
def test_a_job_in_a_partition_that_is_not_for_it(slurm, capsys, flags, words):
    job = queued(slurm, *flags)
    try:
        if reason_of(slurm, job) == "PartitionConfig":  # 24.11 and 26.05 do not say that it is the account
            assert slurm.version > (23,)
            assert flags == ("-p", "restricted")
            words = [
                "does not allow: it can never start",
                "can it ever start: no",
                "none of your accounts and QoS may use it",
            ]
        assert main(["explain", "--job", job]) == 0
        shown = capsys.readouterr().out
        assert [one for one in words if one not in shown] == []
    finally:
        slurm.command("scancel", job)


def test_what_a_user_writes_on_a_job_is_no_fact(slurm, capsys):
    """Whatever this Slurm prints after the texts of users, and whatever they hold."""
    facts = "NumNodes=9 NumCPUs=99 JobState=RUNNING Partition=gpu TresPerNode=gres:gpu:8"
    asked = ("-p", "a100", "--gpus-per-node=1", "--hold")
    plain = queued(slurm, *asked)
    odd = queued(slurm, *asked, "-J", f"x {facts}", "--comment", f"sweep {facts}\n   {facts}")
    try:
        told = []
        for job in (plain, odd):
            assert main(["explain", "--job", job, "--json"]) == 0
            told.append(json.loads(capsys.readouterr().out) | {"job": ""})
        assert told[0] == told[1]
        assert "gpu()" in told[0]["need"]["text"]
    finally:
        slurm.command("scancel", plain, odd)


def test_a_job_that_never_was(slurm, capsys):
    assert main(["explain", "--job", "99999999"]) == 2
    assert "does not know job 99999999" in capsys.readouterr().err


def test_a_requirement_or_a_job(capsys):
    assert main(["explain"]) == 2
    assert "either a requirement or --job" in capsys.readouterr().err


def test_live_orders_equals_and_nothing_else(slurm, tmp_path, monkeypatch):
    """Two partitions that differ in QoS, so cannot be merged, and are equal otherwise: the one with idle nodes first."""
    (tmp_path / "two.yaml").write_text(
        "slurm:\n- id: c\n  partitions:\n"
        "    a100: {qos: [normal], nodes: [{count: 9, cpu: {cores: 64, memory: 100G}}]}\n"
        "    bigmem: {qos: [long], nodes: [{count: 9, cpu: {cores: 64, memory: 100G}}]}\n"
    )
    need = parse("cpu(cores=20) & nodes=3")
    plain, _ = load_groups(tmp_path / "two.yaml")
    assert match(need, plain).selection.partitions == ("a100",)
    live, _ = load_groups(tmp_path / "two.yaml", live=True)
    signal = {one.name: one.signal for one in live[0].partitions}
    assert (signal["a100"].idle, signal["bigmem"].idle) == (3, 2)
    assert match(need, live).selection.partitions == ("a100",)
    slurm.command("scontrol", "update", "NodeName=a100-[01-02]", "State=DRAIN", "Reason=test")
    try:
        live, _ = load_groups(tmp_path / "two.yaml", live=True)
        answer = match(need, live)
        assert answer.selection.partitions == ("bigmem",)
        assert {why for _, why in answer.selection.passed_over} == {"live"}
    finally:
        slurm.command("scontrol", "update", "NodeName=a100-[01-02]", "State=RESUME")
    monkeypatch.setenv("SLURM_CONF", "/nonexistent/slurm.conf")
    dead, _ = load_groups(tmp_path / "two.yaml", live=True)
    assert match(need, dead).selection.partitions == ("a100",)
    assert "no live signal" in dead[0].notes[0]


def test_live_in_the_file_and_on_the_command_line(slurm, tmp_path, capsys):
    (tmp_path / "launchers.yaml").write_text("slurm: [{id: testbed, query_slurm: true, live: true}]\n")
    assert main(["find", "cpu(cores=2)"]) == 0
    assert "idle and" in capsys.readouterr().out
    (tmp_path / "launchers.yaml").write_text("slurm: [{id: testbed, query_slurm: true}]\n")
    assert main(["find", "cpu(cores=2)"]) == 0
    assert "idle and" not in capsys.readouterr().out
    assert main(["find", "--live", "--json", "cpu(cores=2)"]) == 0
    assert json.loads(capsys.readouterr().out)["offers"][0]["live"]["idle"] >= 1


def test_a_refusal_has_a_reason_code(slurm, tmp_path):
    (tmp_path / "launchers.yaml").write_text(
        "slurm: [{id: wrong, partitions: {cpu: {nodes: [{accelerators: [{kind: cuda, memory: 24G, count: 2}]}]}}}]\n"
    )
    with pytest.raises(LauncherNotFoundError) as caught:
        find_launcher("cuda(mem=24G)*2").submit(print)
    assert "Requested node configuration is not available" in str(caught.value)
    assert "reason code: limit" in str(caught.value)
    assert "--partition=cpu" in str(caught.value)
