"""The broker and a real slurmctld are put the same questions, on random clusters: `tools/oracle` in small."""

import sys
import tempfile
from pathlib import Path

import pytest
from attrs import evolve

import slurm_testbed
from launchers.config.emit import to_yaml
from launchers.requirement import parse
from launchers.slurm import query
from launchers.slurm.accounts import Person
from launchers.slurm.convert import convert
from launchers.slurm.read import read
from slurm_oracle.__main__ import case_of, tried
from slurm_oracle.clusters import USER
from slurm_oracle.judge import KINDS
from slurm_oracle.shrink import shrink
from slurm_oracle.truth import GIB, handouts, suits, vectors

SEED, CLUSTERS, PAIRS = 2026, 6, 50


@pytest.fixture(scope="module")
def bed(can_run):
    """One controller after another in one state folder."""
    state = Path(tempfile.mkdtemp(prefix="launchers-oracle-"))
    state.chmod(0o755)
    found = slurm_testbed.Testbed(state, port=slurm_testbed.PORT + 600, cluster="oracle", enforce="ALL")
    yield found
    found.wipe()


@pytest.mark.parametrize("number", range(CLUSTERS))
def test_the_broker_and_slurmctld_agree(bed, number):
    description, needs = case_of(SEED, number, PAIRS)
    tally = tried(bed, description, needs)
    assert tally.pairs == PAIRS
    assert sum(tally.questions.values()) > PAIRS
    assert not tally.wrong, tally.wrong[0]


def test_a_broker_that_is_wrong_is_found_out(bed, monkeypatch):
    """The oracle itself: with limits left out of the offers, slurmctld disagrees."""
    fit = sys.modules["launchers.matching.fit"]  # matching.fit is the function
    monkeypatch.setattr(fit, "limit_rejections", lambda *_, **__: iter(()))
    description, needs = case_of(SEED, 0, PAIRS)
    wrong = tried(bed, description, needs).wrong
    assert wrong
    assert {one.question.kind for one in wrong} <= set(KINDS)


NEWER = {
    "config": {"MaxMemPerCPU": 2000},
    "nodes": [
        {"NodeName": "t", "Sockets": 2, "CoresPerSocket": 4, "ThreadsPerCore": 2, "RealMemory": 64000},
        {
            "NodeName": "g", "Sockets": 2, "CoresPerSocket": 4, "ThreadsPerCore": 1, "RealMemory": 64000,
            "Gres": "gpu:a40:2,gpu:t4:2",
        },
    ],
    "partitions": [
        {"PartitionName": "sockets", "Nodes": "t", "MaxCPUsPerSocket": 3, "MaxTime": "60"},
        {"PartitionName": "memory", "Nodes": "t", "MaxCPUsPerNode": 4, "MaxTime": "10"},
        {"PartitionName": "gpus", "Nodes": "g", "DefCpuPerGPU": 1, "MaxTime": "60"},
    ],
    "qos": {"normal": {}, "user": {"MaxTRESRunMinsPerUser": "cpu=60"}, "account": {"MaxTRESRunMinsPerAccount": "cpu=90"}},
    "accounts": {"a0": {"users": {USER: {"QOS": "user,account", "DefaultQOS": "user"}}}},
    "default_account": "a0",
    "devices": {"t": [], "g": [{"type": kind, "model": kind.upper(), "gib": gib, "count": 2} for kind, gib in (("a40", 48), ("t4", 16))]},
}  # fmt: skip


def test_what_slurm_has_since(bed):
    """MaxCPUsPerSocket, running minutes of a user and an account, GPUs of several types, memory over MaxCPUsPerNode."""
    _since_23(bed)
    needs = [f"duration={minutes}min & cpu(cores={cores})" for cores in (1, 3, 4, 5) for minutes in (10, 22, 23, 60)]
    needs += [f"duration=5min & cpu(mem={mem}M)" for mem in (8000, 8001)] + ["duration=5min & cuda()*3"]
    tally = tried(bed, NEWER, needs)
    assert 0 < tally.found < tally.pairs
    assert not tally.wrong, tally.wrong[0]


UNSAID = {"Default", "Hidden", "RootOnly", "ReqResv", "DefMemPerGPU", "DefCpuPerGPU"}
"""What `scontrol show partitions --json` leaves out, on 24.11."""


@pytest.mark.parametrize("number", range(3))
def test_a_cluster_is_the_same_in_json(bed, number):
    _since_23(bed)
    description, _ = case_of(SEED, number, 0)
    described = [{key: one[key] for key in one if key not in UNSAID} for one in description["partitions"]]
    bed.replace({**description, "partitions": described})
    wholes = [("scontrol", "-a", "show", "nodes"), ("scontrol", "-a", "show", "partitions")]
    wholes += [("sacctmgr", "show", "qos"), ("sacctmgr", "show", "assoc")]
    config = bed.command(*query.CONFIG).stdout
    texts = [bed.command(*argv).stdout for argv in (query.NODES, query.PARTITIONS, query.QOS, query.ASSOCIATIONS)]
    assert _entry(config, *(bed.command(*argv, "--json").stdout for argv in wholes)) == _entry(config, *texts)


def _since_23(bed):
    if bed.version < (23,):
        pytest.skip(
            "LOUD: only later Slurms have it: tools/on-debian trixie .venv/bin/python -m pytest tests/cluster/slurm"
        )


def _entry(*texts):
    facts = read(*texts)
    assert not facts.problems
    facts.associations[:] = [evolve(one, qos=tuple(sorted(one.qos))) for one in facts.associations]
    return to_yaml(convert(facts, Person(USER, "a0", frozenset({USER}))))


def test_the_same_seed_is_the_same_case():
    assert case_of(7, 3, 20) == case_of(7, 3, 20)
    assert case_of(7, 3, 20) != case_of(8, 3, 20)


A100 = {"type": "a100", "model": "A100", "gib": 40, "count": 2}
PLAIN = {"type": None, "model": None, "gib": 24, "count": 3}


def test_what_a_need_means():
    (need,) = parse("gpu(mem=30G)*2").alternatives
    assert vectors(need, [A100]) == {(("a100", 2),), ((None, 2),)}
    assert vectors(need, [PLAIN]) == set()
    assert vectors(need, []) == set()
    (either,) = parse("gpu(mem=20G)*2").alternatives
    typed = {(("a100", 2),), (("a100", 1), ("x", 1)), (("x", 2),)}
    assert vectors(either, [A100, {**PLAIN, "type": "x"}]) == typed | {((None, 2),)}
    assert vectors(need, [A100, {**PLAIN, "type": "x"}]) == {(("a100", 2),)}
    (none,) = parse("cpu(mem=2G, cores=2)").alternatives
    assert vectors(none, []) == {()}
    node = {"RealMemory": 4096}
    assert suits(none, node, {"cpus-per-task": 2}, [])
    assert not suits(none, node, {"cpus-per-task": 1}, [])
    assert not suits(none, node, {"cpus-per-task": 2, "mem": "1024M"}, [])
    mixed = [A100, {**PLAIN, "type": "x"}]
    assert not suits(need, node, {"gpus-per-node": "2"}, mixed)
    assert suits(need, node, {"gpus-per-node": "a100:2"}, mixed)
    assert len(list(handouts({"gres": "gpu:a100:1"}, mixed))) == 2
    assert GIB == 1 << 30


def test_shrinking_keeps_what_matters():
    description, _ = case_of(3, 1, 0)

    def still(case):
        return "cores" in case[1] and any("MaxTime" in one for one in case[0]["partitions"])

    description["partitions"][0]["MaxTime"] = "10"
    small, need = shrink((description, "duration=10min & cpu(cores=3) & nodes=1 | nodes=2"), still, 500)
    assert need == "cpu(cores=3)"
    assert len(small["partitions"]) == 1
    assert len(small["nodes"]) == 1
    assert small["config"] == {}
