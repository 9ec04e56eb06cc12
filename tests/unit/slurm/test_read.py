"""Texts that Slurm prints, into facts; the numbers are read off the texts by hand."""

import gzip
import json
import random
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.jobs.state import base
from launchers.quantities.hosts import expand, fold
from launchers.quantities.words import format_time
from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.gres import Gres, read_gres, read_tres
from launchers.slurm.read import read
from launchers.slurm.times import parse_time, read_limit

G, M = 1024**3, 1024**2

NODE = """NodeName=n1 Arch=x86_64 CoresPerSocket=6
   CPUAlloc=1 CPUTot=12 CPULoad=0.92
   AvailableFeatures=icelake,a100_80g
   ActiveFeatures=icelake,a100_80g
   Gres=gpu:1(S:0,2),shard:4
   OS=Linux 6.8.0 #61~22.04.1-Ubuntu SMP X=y Tue Apr 15 2025
   RealMemory=117000 AllocMem=0 Sockets=2 Boards=1
   CoreSpecCount=2 MemSpecLimit=10240
   State=IDLE+CLOUD+POWERED_DOWN ThreadsPerCore=1 Weight=5
   Partitions=gpu,long
   NewKey=1
   Reason=Reboot ASAP : reboot issued Foo=bar [slurm@2023-01-26T10:11:39]
"""


def test_a_node():
    (node,) = read(NODE).nodes
    assert (node.cpus, node.memory, node.weight) == (10, (117000 - 10240) * M, 5)
    assert node.gres == (Gres("gpu", None, 1, "0,2"), Gres("shard", None, 4))
    assert node.features == ("icelake", "a100_80g")
    assert node.partitions == ("gpu", "long")
    assert node.state.usable
    assert node.pairs["OS"] == "Linux 6.8.0 #61~22.04.1-Ubuntu SMP X=y Tue Apr 15 2025"
    assert node.pairs["Reason"] == "Reboot ASAP : reboot issued Foo=bar [slurm@2023-01-26T10:11:39]"
    assert node.pairs["NewKey"] == "1"


def test_one_line_is_the_same_node():
    (many,), (one,) = read(NODE).nodes, read(" ".join(NODE.split())).nodes
    assert {**many.pairs} == {**one.pairs}


def test_real_memory_1_is_unknown():
    assert read("NodeName=x RealMemory=1 CPUTot=4").nodes[0].memory is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu:a100:8(S:0-1)", (Gres("gpu", "a100", 8, "0-1"),)),
        ("gpu:2", (Gres("gpu", None, 2),)),
        ("gpu", (Gres("gpu", None, 1),)),
        ("gpu:h100:2(S:0-1),gpu:h200:4(S:2,3)", (Gres("gpu", "h100", 2, "0-1"), Gres("gpu", "h200", 4, "2,3"))),
        (
            "gpu:titan:6,VramPerGpu:no_consume:12G",
            (Gres("gpu", "titan", 6), Gres("VramPerGpu", None, 12 * G, None, True)),
        ),
        ("gpfs:scratch:1", (Gres("gpfs", "scratch", 1),)),
        ("gpu:nvidia_h100_80gb_hbm3_3g.40gb:2", (Gres("gpu", "nvidia_h100_80gb_hbm3_3g.40gb", 2),)),
        ("gpu:a-b.c_d:1", (Gres("gpu", "a-b.c_d", 1),)),
        ("(null)", ()),
    ],
)
def test_gres(text, found):
    assert read_gres(text) == found


def test_tres():
    text = "cpu=128,mem=75512.50G,billing=1763704832,gres/GPU=64,gres/gpu:a100=8,license/x@osc=1"
    assert dict(read_tres(text)) == {
        "cpu": 128, "mem": int(75512.5 * G), "billing": 1763704832, "gres/gpu": 64, "gres/gpu:a100": 8,
        "license/x@osc": 1,
    }  # fmt: skip
    assert read_tres("mem=1000000M") == (("mem", 1000000 * M),)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("1:30", 90),
        ("02:00:00", 7200),
        ("2-12", 216000),
        ("2-12:30", 217800),
        ("7-00:00:00", 604800),
        ("UNLIMITED", None),
    ],
)
def test_times(text, seconds):
    assert parse_time(text) == seconds
    if seconds:
        assert parse_time(format_time(seconds) if seconds >= 3600 else f"0-{format_time(seconds)}") == seconds
    assert read_limit("NONE") is None


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("IDLE", True), ("MIXED+PLANNED", True), ("IDLE+CLOUD+POWERED_DOWN", True), ("ALLOCATED", True), ("idle~", True),
        ("IDLE+DRAIN", False), ("DOWN", False), ("DOWN*", False), ("idle*", False), ("drained", False), ("drng", False),
        ("DOWN+CLOUD+REBOOT_ISSUED", False), ("IDLE+CLOUD+MAINTENANCE+RESERVED", False), ("maint", False), ("FUTURE", False),
        ("mix", True), ("alloc", True), ("comp", True), ("COMPLETING", True),
    ],
)  # fmt: skip
def test_node_states(text, usable):
    assert read(f"NodeName=x State={text}").nodes[0].state.usable is usable


def test_job_states():
    assert base("CANCELLED by 1000") == "CANCELLED"
    assert base("running") == "RUNNING"


def test_host_lists():
    assert len(expand("node[1-855],node[856-1171]")) == 1171
    assert expand("htc-1024-n[0-3]") == [f"htc-1024-n{n}" for n in range(4)]
    assert expand("slurm-demo.hpc-node01,b") == ["slurm-demo.hpc-node01", "b"]
    assert fold(["b2", "b1", "b10", "a"]) in ("a,b[1-2,10]", "b[1-2,10],a")


def test_problems_are_reported_and_the_rest_goes_on():
    found = read("garbage here\nNodeName=a CPUTot=x\nNodeName=b CPUTot=4\n\nNodeName=b CPUTot=8\nmore garbage")
    assert [node.name for node in found.nodes] == ["a", "b"]
    assert found.nodes[0].cpus is None
    assert "'x' is not a whole number" in {problem.reason for problem in found.problems}
    assert [problem.line for problem in found.problems] == [1, 6, 2, 5] or {p.line for p in found.problems} == {
        1,
        2,
        5,
        6,
    }


def test_defect_11_null_features_inherit_nothing():
    found = read("NodeName=a ActiveFeatures=x,y State=IDLE\n\nNodeName=b-1.c ActiveFeatures=(null) State=IDLE")
    assert [(node.name, node.features) for node in found.nodes] == [("a", ("x", "y")), ("b-1.c", ())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Gres=gpu:a100:8 ActiveFeatures=GPUM80G", ("cuda", "A100", 80, "feature GPUM80G")),
        ("Gres=gpu:a100:4 ActiveFeatures=a100,intel,40gb", ("cuda", "A100", 40, "feature 40gb")),
        ("Gres=gpu:h200:8 ActiveFeatures=h200,150gb", ("cuda", "H200", 141, "GPU catalogue: h200")),
        ("Gres=gpu:1(S:0-1) ActiveFeatures=icelake,a100,a100_80g", ("cuda", "A100", 80, "GPU catalogue: a100_80g")),
        ("Gres=gpu:titan:6,VramPerGpu:no_consume:12G ActiveFeatures=V5", ("cuda", None, 12, "GRES VramPerGpu of 12G")),
        ("Gres=gpu:2(S:0-31) ActiveFeatures=p100,P100", ("cuda", "P100", None, "memory not known: P100 has 12G or 16G, and nothing says which")),
        ("Gres=gpu:3g.40gb:2", ("cuda", "MIG 3g.40gb", 40, "MIG profile 3g.40gb")),
        ("Gres=gpu:v100:8 ActiveFeatures=v100,mem512GB", ("cuda", "V100", None, "memory not known: V100 has 16G or 32G, and nothing says which")),
        ("Gres=gpu:gen:8", (None, None, None, "memory not known: no feature, GRES or model tells it; `launchers probe` can find out")),
        ("Gres=(null) CfgTRES=cpu=4,gres/gpu=8 ActiveFeatures=x86_64,turing,48gb", ("cuda", None, 48, "feature 48gb")),
    ],
)  # fmt: skip
def test_gpu_memory_and_its_evidence(text, found):
    (one,) = accelerators_of(read(f"NodeName=x State=IDLE {text}").nodes[0])
    kind, model, memory, evidence = found
    if text.startswith("Gres=(null)"):
        kind = one.kind  # an architecture's name alone does not say more than this
    assert (one.kind, one.model, one.memory and one.memory // G, one.evidence) == (kind, model, memory, evidence)


def test_partitions():
    text = (
        "PartitionName=p AllowGroups=ALL AllowAccounts=a,b DenyQos=x AllowQos=ALL Default=YES QoS=N/A DefaultTime=01:00:00 "
        "ExclusiveUser=NO Hidden=YES MaxNodes=4 MaxTime=UNLIMITED MinNodes=2 MaxCPUsPerNode=28 Nodes=n[1-3] PriorityTier=7 "
        "OverSubscribe=EXCLUSIVE State=UP JobDefaults=DefCpuPerGPU=4,DefMemPerGPU=16000 DefMemPerNode=UNLIMITED MaxMemPerCPU=1840"
    )
    (one,) = read(text).partitions
    assert (one.max_time, one.default_time, one.min_nodes, one.max_nodes) == (None, 3600, 2, 4)
    assert (one.allow_accounts, one.allow_qos, one.deny_qos, one.qos) == (("a", "b"), None, ("x",), None)
    assert (one.def_cpu_per_gpu, one.def_mem_per_gpu, one.max_mem_per_cpu) == (4, 16000 * M, 1840 * M)
    assert (one.default, one.hidden, one.oversubscribe, one.priority_tier) == (True, True, "EXCLUSIVE", 7)


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


def test_headings_of_the_config_are_no_problem():
    found = read("SLURM_VERSION           = 24.11.5\n\nMPI Plugins Configuration:\nPMIxTimeout             = 300\n")
    assert found.config["SLURM_VERSION"] == "24.11.5"
    assert not found.problems


def test_accounting(shared):
    found = read(
        *((shared / "slurm-22.05" / name).read_text() for name in ("sacctmgr-qos-P.txt", "sacctmgr-assoc-P.txt"))
    )
    qos = {one.name: one for one in found.qos}
    assert len(qos) == 8
    assert (qos["strict"].priority, qos["strict"].flags, qos["strict"].bounds.max_wall) == (20, ("DenyOnLimit",), 1800)
    assert dict(qos["strict"].bounds.max_tres) == {"cpu": 8, "gres/gpu": 1}
    assert dict(qos["gpu"].bounds.min_tres) == {"gres/gpu": 1}
    guest = next(one for one in found.associations if (one.account, one.user) == ("guest", "root"))
    assert (guest.bounds.max_wall, dict(guest.bounds.grp_tres), guest.bounds.max_jobs) == (7200, {"cpu": 8}, 1)


# -- size ------------------------------------------------------------------------------------------------------


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize("name", ["scontrol-show-nodes.txt.gz", "scontrol-show-nodes-oneline.txt.gz"])
def test_ten_thousand_nodes(shared, name):
    text = gzip.open(shared / "slurm-22.05-10000-nodes" / name, "rt").read()
    started = time.perf_counter()
    found = read(text)
    took = time.perf_counter() - started
    started = time.perf_counter()
    re.findall(r"(\S+)=(\S*)", text)
    floor = time.perf_counter() - started
    assert len(found.nodes) == 10_000
    assert found.problems == []
    assert took < 15 * floor  # a machine under load; tools/bench measures it properly


@pytest.mark.no_coverage  # it measures memory
def test_memory_stays_below_ten_times_the_input(shared):
    text = gzip.open(shared / "slurm-22.05-10000-nodes/scontrol-show-nodes.txt.gz", "rt").read()
    tracemalloc.start()
    found = read(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.nodes
    assert peak < 10 * len(text)


# -- fuzz ------------------------------------------------------------------------------------------------------


def pieces(rng, text):
    """Cut, doubled, shuffled, garbled lines."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randint(1, 6)):
        if not lines:
            break
        place = rng.randrange(len(lines))
        what = rng.randrange(6)
        if what == 0:
            lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]
        elif what == 1:
            lines.insert(place, lines[rng.randrange(len(lines))])
        elif what == 2:
            rng.shuffle(lines)
        elif what == 3:
            lines[place] = "".join(rng.choice("=,():NodeNam ~\0é{[|\t") for _ in range(20)) + "\n"
        elif what == 4:
            del lines[place]
        else:
            cut = rng.randrange(len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + rng.choice(["=", " ", "\n", "(", "NodeName="]) + lines[place][cut:]
    return "".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_mutated_output_never_crashes_and_invents_no_fact(shared, seed):
    rng = random.Random(seed)
    files = sorted(path for path in (shared / "slurm-22.05").iterdir()) + sorted(
        path for path in (shared / "real-clusters").rglob("*") if path.is_file() and path.stat().st_size < 60_000
    )
    text = pieces(rng, rng.choice(files).read_text(errors="replace"))
    found = read(text)
    for node in found.nodes:
        assert invented(node.name, text) is False
        for feature in node.features:
            assert feature in text
        for one in node.gres:
            assert one.name in text
            assert one.type is None or one.type in text
        for value in node.pairs.values():
            assert all(word in text or word.replace("+", '", "') for word in str(value).split())
    for one in found.partitions + found.qos:
        assert one.name in text


def invented(name, text):
    """Whether a host name is neither in the text nor in a host list of it."""
    return not (name in text or re.sub(r"\d+$", "", name) in text)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_read(text):
    found = read(text)
    assert found.nodes or found.problems or not found.nodes


@settings(max_examples=200)
@given(st.text(alphabet="gpu:a10(S,)-_.KMG%", max_size=30))
def test_gres_gives_resources_or_a_value_error(text):
    try:
        assert all(one.count >= 0 for one in read_gres(text))
    except ValueError as error:
        assert str(error)
