"""The second reader of facts (builders/slurm_conf.py): what it reads of a slurm.conf, and that it sees a miss."""

import pytest
from slurm_conf import converted_facts, given_facts, hosts_of, misses, seconds_of
from slurm_texts import config, node, partition, text_of

SLURM_CONF = """
ClusterName=c   # the name
NodeName=DEFAULT CPUs=8 RealMemory=16000
NodeName=n[1-2] Feature=a,b \\
    Weight=3
NodeName=n3 Gres=gpu:h100:2 MemSpecLimit=1000
NodeSet=cards Nodes=n3
Include partitions.conf
"""
PARTITIONS = """
PartitionName=DEFAULT MaxTime=60
PartitionName=p Nodes=n[1-2] Default=YES AllowQos=x,y DefMemPerCPU=100
PartitionName=g Nodes=cards MaxTime=1-0
"""
PRINTED = (
    config(),
    node("n1", ActiveFeatures="a,b"),
    node("n2", ActiveFeatures="a,b"),
    node("n3", Gres="gpu:h100:2", MemSpecLimit=1000, Partitions="g"),
    partition("p", "n[1-2]", MaxTime="01:00:00", Default="YES", AllowQos="x,y", DefMemPerCPU=100),
    partition("g", "n3", MaxTime="1-00:00:00"),
)


@pytest.fixture
def compared(tmp_path):
    """Compare what texts are converted to with the slurm.conf above."""

    def compare(*texts):
        (tmp_path / "slurm.conf").write_text(SLURM_CONF)
        (tmp_path / "partitions.conf").write_text(PARTITIONS)
        (tmp_path / "gres.conf").write_text("NodeName=n3 Name=gpu Type=h100 File=/dev/nvidia[0-1]\n")
        (tmp_path / "cluster.yaml").write_text(text_of(*texts))
        given = {key: value for key, value in given_facts(tmp_path / "slurm.conf").items() if key[0] != "weight"}
        return misses(given, converted_facts(tmp_path / "cluster.yaml"))

    return compare


def test_what_agrees(compared):
    assert compared(*PRINTED) == []


@pytest.mark.parametrize(
    ("right", "wrong", "miss"),
    [
        ("CPUTot=8", "CPUTot=9", "node g n3 cores: slurm.conf gives 8, the converted file 9"),
        ("MemSpecLimit=1000", "MemSpecLimit=0", "node g n3 memory: "),
        ("gpu:h100:2", "gpu:h100:1", "node g n3 gpus: "),
        ("ActiveFeatures=a,b", "ActiveFeatures=a", "node p n1 features: "),
        ("AllowQos=x,y", "AllowQos=ALL", "partition p qos: "),
        ("MaxTime=1-00:00:00", "MaxTime=UNLIMITED", "partition g max_duration: slurm.conf gives 86400, the converted file None"),
        ("Default=YES", "Default=NO", "partition p default: slurm.conf gives True, the converted file None"),
        ("State=UP", "State=DOWN", "partition g state: slurm.conf gives None, the converted file DOWN"),
        ("MaxTime=01:00:00", "MaxTime=01:00:00 MaxNodes=4", "partition p max_nodes: slurm.conf gives None, the converted file 4"),
        ("ClusterName = c", "ClusterName = d", "cluster id: slurm.conf gives c, the converted file d"),
    ],
)  # fmt: skip
def test_a_miss_of_each_kind_is_seen(compared, right, wrong, miss):
    texts = [text.replace(right, wrong) for text in PRINTED]
    assert texts != list(PRINTED)
    assert any(line.startswith(miss) for line in compared(*texts)), compared(*texts)


def test_host_lists_and_times():
    assert hosts_of("n[01-03,7]x,m,r[1-2]c[1-2]") == [
        "n01x", "n02x", "n03x", "n7x", "m", "r1c1", "r1c2", "r2c1", "r2c2",
    ]  # fmt: skip
    times = {"30": 1800, "90:00": 5400, "12:00:00": 43200, "1-0": 86400, "1-12:30": 131400, "UNLIMITED": None}
    assert {text: seconds_of(text) for text in times} == times
