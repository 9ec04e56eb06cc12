"""What `convert` reads of a live cluster is what its slurm.conf gives: a second reader counts the facts and the misses."""

import grp
import os

import pytest
from slurm_conf import converted_facts, given_facts, misses

from launchers.cli import main
from launchers.slurm.read import read

MANY_KEYS = {
    "config": {"DefMemPerCPU": 1500},
    "nodes": [
        {"NodeName": "DEFAULT", "Sockets": 2, "CoresPerSocket": 8, "ThreadsPerCore": 2, "RealMemory": 64000, "Weight": 7},
        {"NodeName": "c[01-04]", "Feature": "intel,ib", "Weight": 10},
        {"NodeName": "c05", "Feature": "intel", "MemSpecLimit": 4000, "CoreSpecCount": 2},
        {"NodeName": "w01", "Sockets": 1, "CoresPerSocket": 24, "ThreadsPerCore": 1, "RealMemory": 1},
        {"NodeName": "w02", "CPUs": 16},
        {"NodeName": "g[1-2]", "Gres": "gpu:h100:4,gpu:l40s:2", "Feature": "amd,GPU_MEM:80GB", "RealMemory": 2063000},
        {"NodeName": "g3", "Gres": "gpu:2", "Feature": "v100", "Weight": 1},
    ],
    "partitions": [
        {"PartitionName": "DEFAULT", "MaxTime": "12:00:00"},
        {"PartitionName": "main", "Nodes": "ALL", "Default": "YES", "MinNodes": 2, "MaxNodes": 3, "PriorityTier": 3},
        {"PartitionName": "short", "Nodes": "c[01-05]", "MaxTime": 90, "DefaultTime": "30:00", "PriorityTier": 10},
        {"PartitionName": "endless", "Nodes": "c[01-02],w01", "MaxTime": "UNLIMITED", "PriorityTier": 0},
        {"PartitionName": "some", "Nodes": "c03", "AllowAccounts": "vision,ops", "AllowQos": "normal,gpu"},
        {"PartitionName": "others", "Nodes": "c03,c05", "DenyAccounts": "guest", "DenyQos": "short", "MaxTime": "1-12"},
        {"PartitionName": "staff", "Nodes": "c04", "AllowGroups": "daemon", "MaxTime": "2-01:30"},
        {"PartitionName": "admin", "Nodes": "c04", "RootOnly": "YES"},
        {"PartitionName": "reserved", "Nodes": "c04", "ReqResv": "YES"},
        {"PartitionName": "secret", "Nodes": "c04", "Hidden": "YES"},
        {"PartitionName": "whole", "Nodes": "c[02-04]", "OverSubscribe": "EXCLUSIVE"},
        {"PartitionName": "percpu", "Nodes": "w[01-02]", "MaxMemPerCPU": 4000, "DefMemPerCPU": 2000},
        {"PartitionName": "pernode", "Nodes": "w02", "MaxMemPerNode": 32000, "DefMemPerNode": 8000},
        {"PartitionName": "gpu", "Nodes": "g[1-3]", "DefMemPerGPU": 16000, "DefCpuPerGPU": 4, "MaxCPUsPerNode": 24, "QoS": "gpu"},
        {"PartitionName": "closed", "Nodes": "c01", "State": "DOWN"},
        {"PartitionName": "emptying", "Nodes": "c01", "State": "DRAIN"},
    ],
    "qos": {"normal": {}, "gpu": {"Priority": 5}, "short": {"MaxWall": "60"}},
    "accounts": {"ops": {}, "vision": {"users": {"*": {"QOS": "normal,gpu,short"}}}, "guest": {"users": {"*": {"QOS": "normal"}}}},
    "default_account": "vision",
}  # fmt: skip
"""A cluster of its own for the keys that the full test bed does not set."""
CHARGED = {"root", "vision", "nlp", "guest"}
"""The accounts that root may charge on both clusters, as far as they have them."""
NOT_IN_JSON = {"default", "hidden", "disabled", "def_mem_per_gpu", "def_cpu_per_gpu"}
"""What the JSON of Slurm 24.11 does not say of a partition (docs/converting.md)."""
KEPT_BACK_ON = "c05"
"""The node with CoreSpecCount and MemSpecLimit, which the JSON of 22.05 does not have."""


@pytest.fixture(params=["full", "many keys"])
def cluster(request, monkeypatch, tmp_path):
    """The test bed, and a controller for the keys that it does not set; this process talks to it."""
    if request.param == "full":
        found = request.getfixturevalue("testbed")
    else:
        found = request.getfixturevalue("controller")(MANY_KEYS)
    monkeypatch.setenv("SLURM_CONF", str(found.conf))
    monkeypatch.chdir(tmp_path)
    return found


def output(cluster, *argv):
    """What a command of Slurm prints; "" where this version has no such command."""
    done = cluster.command(*argv, check=False)
    return done.stdout if done.returncode == 0 else ""


def compare(cluster, nodes, given, is_printed=lambda key, converted: True):
    """Fail with each miss of cluster.yaml, and of the weights in this output of nodes; how many facts were compared.

    `is_printed` says whether Slurm printed a fact, as far as anybody can know.
    """
    converted = converted_facts("cluster.yaml") | {("weight", node.name): node.weight for node in read(nodes).nodes}
    printed = {key for key in given.keys() | converted.keys() if is_printed(key, converted)}
    given, converted = ({key: facts[key] for key in facts.keys() & printed} for facts in (given, converted))
    wrong = misses(given, converted)
    print(f"Slurm {'.'.join(map(str, cluster.version))}: {len(given)} facts, {len(wrong)} misses")
    assert not wrong, "\n".join([f"{len(wrong)} misses of {len(given)} facts", *wrong])
    return len(given)


def test_the_live_cluster(cluster):
    assert main(["convert", "--slurm", "-o", "cluster.yaml"]) == 0
    groups = {"root", *(grp.getgrgid(number).gr_name for number in os.getgroups())}
    given = given_facts(cluster.conf, charged=CHARGED, groups=groups)
    assert compare(cluster, output(cluster, "scontrol", "-a", "show", "nodes"), given) > 150


def test_text(cluster, tmp_path):
    texts = [
        output(cluster, "scontrol", *words.split()) for words in ("-a show nodes", "-a show partitions", "show config")
    ]
    for name, text in zip(("nodes", "partitions", "config"), texts, strict=True):
        (tmp_path / name).write_text(text)
    assert main(["convert", "config", "partitions", "nodes", "-o", "cluster.yaml"]) == 0
    assert compare(cluster, texts[0], given_facts(cluster.conf)) > 150


def test_json(cluster, tmp_path):
    """22.05 has the JSON of nodes alone, under sinfo, and newer versions that of partitions under scontrol too."""
    nodes = output(cluster, "scontrol", "-a", "show", "nodes", "--json") or output(cluster, "sinfo", "-a", "--json")
    partitions = output(cluster, "scontrol", "-a", "show", "partitions", "--json")
    config = output(cluster, "scontrol", "show", "config")
    for name, text in (("nodes", nodes), ("partitions", partitions), ("config", config)):
        (tmp_path / name).write_text(text)
    assert main(["convert", "nodes", "partitions", "config", "-o", "cluster.yaml"]) == 0

    def is_printed(key, converted):
        kind, *names, what = key
        if kind == "partition" and what != "hosts":
            return key in converted or (bool(partitions) and what not in NOT_IN_JSON)
        return not (cluster.version < (23,) and KEPT_BACK_ON in names and what in ("cores", "memory"))

    assert compare(cluster, nodes, given_facts(cluster.conf), is_printed) > 100
