"""The JSON that Slurm prints, in the words of scontrol."""

import json

import pytest

from launchers.slurm.read import read


def test_text_and_json_of_one_cluster_agree(shared):
    text = read((shared / "slurm-22.05/scontrol-show-nodes.txt").read_text())
    json = read((shared / "slurm-22.05/json-sinfo_--json.json").read_text())
    line = read((shared / "slurm-22.05/scontrol-show-nodes-oneline.txt").read_text())
    for other in (json, line):
        assert {n.name: (n.cpus, n.memory, n.gres, n.features, n.partitions) for n in other.nodes} == {
            n.name: (n.cpus, n.memory, n.gres, n.features, n.partitions) for n in text.nodes
        }


@pytest.mark.parametrize(
    ("exclusive", "shares", "whole"),
    [
        ("NO", "YES:4", False),
        ("NODE", "NO", True),
        ("USER", "NO", False),
        ("TOPO", "NO", False),
    ],
)
def test_who_shares_nodes_in_the_words_of_26_05(exclusive, shares, whole):
    """`Exclusive` stands for OverSubscribe=EXCLUSIVE and ExclusiveUser; in JSON every partition has no jobs to share with."""
    text = f"PartitionName=p Nodes=n Exclusive={exclusive} OverSubscribe={shares} State=UP\n"
    structure = {
        "name": "p", "nodes": {"configured": "n"}, "partition": {"exclusive": exclusive, "oversubscribe": shares, "state": ["UP"]},
        "maximums": {"oversubscribe": {"jobs": 0, "flags": []}},
    }  # fmt: skip
    for said in (text, json.dumps({"partitions": [structure]})):
        (one,) = read(said).partitions
        assert (one.oversubscribe == "EXCLUSIVE") is whole


def test_json_of_24_11_in_the_words_of_text():
    def number(value):
        return {"set": True, "infinite": False, "number": value}

    tres = [{"type": "cpu", "name": "", "id": 1, "count": 7}]
    qos = {
        "name": "q",
        "flags": ["DENY_LIMIT", "OVERRIDE_PARTITION_QOS", "PARTITION_TIME_LIMIT", "NEW"],
        "limits": {
            "max": {
                "active_jobs": {"count": number(3)},
                "jobs": {"count": number(4), "per": {"account": number(5), "user": number(6)}},
                "tres": {"minutes": {"total": tres, "per": {"qos": tres, "user": tres, "account": tres}}},
            }
        },
    }
    association = {
        "account": "a", "user": "u", "qos": ["q"],
        "max": {"tres": {"group": {"minutes": tres, "active": tres}}, "jobs": {"per": {"count": number(8), "submitted": number(9)}}},
    }  # fmt: skip
    partition = {"name": "p", "select_type": ["SOCKET", "MEMORY"], "maximums": {"cpus_per_socket": number(2)}}
    found = read(json.dumps({"qos": [qos]}), json.dumps({"associations": [association], "partitions": [partition]}))
    (one,) = found.qos
    assert one.flags == ("DenyOnLimit", "OverPartQOS", "PartitionTimeLimit", "NEW")
    limits = one.bounds
    assert (limits.max_jobs, limits.max_submit, limits.grp_tres_mins) == (3, 4, (("cpu", 7),))
    assert limits.grp_tres_run_mins == limits.max_tres_run_mins_per_user == (("cpu", 7),)
    assert limits.max_tres_run_mins_per_account == (("cpu", 7),)
    limits = found.associations[0].bounds
    assert (limits.max_jobs, limits.max_submit) == (8, 9)
    assert limits.grp_tres_mins == limits.grp_tres_run_mins == (("cpu", 7),)
    (one,) = found.partitions
    assert (one.max_cpus_per_socket, one.pairs["SelectTypeParameters"]) == (2, "CR_SOCKET_MEMORY")
