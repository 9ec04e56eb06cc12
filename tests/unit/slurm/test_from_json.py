"""The JSON that Slurm prints, in the words of scontrol."""

import json

import pytest

from launchers.slurm.from_json import records as read_records
from launchers.slurm.read import read


def records(document):
    return read_records(document, [])


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
                "wall_clock": {"per": {"qos": number(8)}},
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
    assert (limits.grp_jobs, limits.grp_submit, limits.grp_wall) == (3, 4, 8 * 60)
    assert (limits.max_submit_per_account, limits.max_submit) == (5, 6)
    assert limits.grp_tres_mins == (("cpu", 7),)
    assert limits.grp_tres_run_mins == limits.max_tres_run_mins_per_user == (("cpu", 7),)
    assert limits.max_tres_run_mins_per_account == (("cpu", 7),)
    limits = found.associations[0].bounds
    assert (limits.grp_jobs, limits.grp_submit) == (8, 9)
    assert limits.grp_tres_mins == limits.grp_tres_run_mins == (("cpu", 7),)
    (one,) = found.partitions
    assert (one.max_cpus_per_socket, one.pairs["SelectTypeParameters"]) == (2, "CR_SOCKET_MEMORY")


def pairs(**document):
    ((_, found),) = records(document)
    return found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"), (0, "0"), (-1, None), (2**32 - 2, None), (2**32 - 1, None), (2**32 - 3, "4294967293"), (2**64 - 2, None), (2**64 - 1, None), (None, None), (True, "True"), (1.5, "1.5"),
        ("a", "a"), ("", None), (["a", 1], "a,1"), ([], None), ({"set": True, "infinite": False, "number": 5}, "5"),
        ({"set": False, "infinite": False, "number": 5}, None), ({"set": False, "infinite": True, "number": 0}, "UNLIMITED"),
        ([{"type": "cpu", "name": "", "count": 7}, {"type": "gres", "name": "gpu", "count": 2}], "cpu=7,gres/gpu=2"),
    ],
)  # fmt: skip
def test_values_as_scontrol_prints_them(value, text):
    assert pairs(reservations=[{"unheard_of": value}]).get("unheard_of") == text
    assert pairs(reservations=[{"node_list": value}])["Nodes"] == (text or "")


def test_keys_inside_of_objects_have_a_path():
    found = pairs(partitions=[{"name": "p", "maximums": {"nodes": 4, "shares": 2}, "defaults": {"other": {"deep": 1}}}])
    assert (found["MaxNodes"], found["maximums.shares"], found["defaults.other.deep"]) == ("4", "2", "1")


def test_the_first_of_two_names_of_one_value_counts():
    """A key outside of objects goes before one inside."""
    assert pairs(partitions=[{"max_time_limit": 1, "maximums": {"time": 2}}])["MaxTime"] == "1"


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        ({"state": "IDLE"}, "IDLE"), ({"state": ["IDLE", "DRAIN"]}, "IDLE+DRAIN"), ({}, None),
        ({"state": "idle", "state_flags": ["CLOUD"]}, "idle+CLOUD"), ({"state": ["DOWN"], "state_flags": None}, "DOWN"),
    ],
)  # fmt: skip
def test_states_of_nodes(entry, state):
    assert pairs(nodes=[entry]).get("State") == state


@pytest.mark.parametrize(
    ("entry", "key", "value"),
    [
        ({}, "Default", None), ({"flags": ["DEFAULT"]}, "Default", "YES"), ({}, "Hidden", None), ({"flags": ["hidden"]}, "Hidden", "YES"),
        ({"maximums": {"oversubscribe": {"jobs": 0}}}, "OverSubscribe", "EXCLUSIVE"),
        ({"maximums": {"oversubscribe": {"jobs": 1}}}, "OverSubscribe", None),
        ({"partition": {"exclusive": "NODE"}, "maximums": {"oversubscribe": {"jobs": 0}}}, "OverSubscribe", None),
        ({"partition": {"exclusive": "NODE"}}, "Exclusive", "NODE"), ({"select_type": ["NONE"]}, "SelectTypeParameters", None),
        ({"select_type": ["CPU"]}, "SelectTypeParameters", "CR_CPU"),
    ],
)  # fmt: skip
def test_partitions(entry, key, value):
    assert pairs(partitions=[entry]).get(key) == value


def test_a_group_of_nodes_of_sinfo():
    entry = {
        "nodes": {"nodes": ["n1", "n2"]}, "cpus": {"maximum": 4}, "memory": {"maximum": 100}, "node": {"state": ["IDLE", "CLOUD"]},
        "partition": {"name": "p", "flags": ["default"]},
    }  # fmt: skip
    (first, partition), (second, one), (_, two) = records({"sinfo": [entry]})
    assert (first, partition["PartitionName"], partition["Default"]) == ("PartitionName", "p", "YES")
    assert (second, one["NodeName"], two["NodeName"], one["Partitions"]) == ("NodeName", "n1", "n2", "p")
    assert (one["CPUTot"], one["RealMemory"], one["State"]) == ("4", "100", "IDLE+CLOUD")
    assert [kind for kind, _ in records({"sinfo": [{"nodes": {"nodes": ["n1"]}}, {"nodes": None}]})] == ["NodeName"]


def test_a_qos():
    found = pairs(
        qos=[{"name": "q", "priority": {"set": True, "number": 5}, "flags": ["DENY_LIMIT", "NEW"], "limits": None}]
    )
    assert found == {"Name": "q", "Flags": "DenyOnLimit,NEW", "Priority": "5"}


def test_what_is_no_record():
    document = {"nodes": [1, {"name": "n"}, None], "qos": {"name": "q"}, "other": [2], "associations": ["a"]}
    unread = []
    assert [kind for kind, _ in read_records(document, unread)] == ["NodeName"]
    assert unread == [("nodes", 1), ("nodes", None), ("associations", "a")]
