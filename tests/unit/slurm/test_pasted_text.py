"""What real people paste, each of ../shared/data/pasted in the right reading, and made up brothers of each."""

import json
import time

import pytest

from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.documents import contents_of
from launchers.slurm.pasted import clean, is_noise, is_prompt
from launchers.slurm.read import read


@pytest.fixture
def pasted(shared):
    return lambda name: read((shared / "pasted" / f"{name}.in").read_text(encoding="utf-8"))


def nodes(found):
    return {node.name: node for node in found.nodes}


def partitions(found):
    return {partition.name: partition for partition in found.partitions}


def members(found):
    """The names of the nodes of each partition."""
    return {name: {node.name for node in found.nodes if name in node.partitions} for name in partitions(found)}


# -- real ones -------------------------------------------------------------------------------------------------


def test_an_empty_reservation_column(pasted):
    found = pasted("10-sinfo-l-reservation-column")
    assert found.problems == []
    assert members(found) == {
        "highend": {"node29", "node36", "node39"},
        "normal": {"node26", "node31", "node33", "node34", "node35", "node37", "node38"},
        "debug": {"node32"},
        "ultra": {"node40"},
    }
    assert [p.name for p in found.partitions if p.default] == ["normal"]
    assert {p.max_nodes for p in found.partitions} == {1}
    assert partitions(found)["debug"].max_time == 3600
    unusable = {"node26", "node31", "node33", "node32", "node40"}
    assert {node.name for node in found.nodes if not node.state.usable} == unusable


def test_job_size_is_a_limit(pasted):
    found = pasted("11-sinfo-l-job-size")
    assert (partitions(found)["espresso"].max_nodes, found.problems) == (2, [])


def test_a_prompt_first_and_blanks_in_the_reason(pasted):
    found = pasted("12-prompt-first-line")
    assert sorted(nodes(found)) == sorted(
        [*(f"cn-{at}" for at in (1, 2, 3, 4, 5, 12, 13, 14)), *(f"gn-{at}" for at in range(4))]
    )
    node = nodes(found)["gn-2"]
    assert (node.partitions, node.cpus, node.memory) == (("gpu", "interactive"), 64, 257710 << 20)
    assert (node.state.usable, node.pairs["Reason"]) == (False, "Kill task failed")
    assert [problem.reason for problem in found.problems if "cut" not in problem.reason] == []


def test_a_log_and_http_headers_before_json(pasted):
    found = pasted("13-log-before-json")
    assert {name: (node.cpus, node.gres[0].count) for name, node in nodes(found).items()} == {
        "g001": (96, 16), "g002": (256, 8),
    }  # fmt: skip
    assert found.problems == []


def test_a_record_that_lost_its_indentation(pasted):
    found = pasted("14-unindented-record")
    (node,) = found.nodes
    (gpu,) = accelerators_of(node)
    assert (node.partitions, node.cpus, node.memory) == (("private-lab-gpu", "shared-gpu"), 94, 375 << 30)
    assert (gpu.model, gpu.memory, gpu.count, node.state.usable) == ("RTX5090", 32 << 30, 4, False)
    assert found.problems == []


def test_a_cut_gres_is_not_believed(pasted):
    found = pasted("16-format-cut-gres")
    assert accelerators_of(nodes(found)["n1"]) == ()
    assert [(one.name, one.count) for one in nodes(found)["n2"].gres] == [("shard", 64)]
    (problem,) = found.problems
    assert "after 20 characters (and 1 more in this column); run it with --Format=gres:200" in problem.reason


# -- the places of columns ---------------------------------------------------------------------------------------


LONG = """\
PARTITION AVAIL  TIMELIMIT   JOB_SIZE ROOT OVERSUBS     GROUPS  NODES       STATE RESERVATION NODELIST
gpu*         up 1-00:00:00        2-4   no EXCLUSIV        all      2       mixed             n[1-2]
# a comment between rows
cpu       inact   infinite 1-infinite  yes    YES:4 chemit,col      1        idle        mine m1
old          up 100-00:00:          1   no       NO        lab      1        idle             o1
"""


def test_what_sinfo_l_says_of_partitions():
    found = partitions(read(LONG))
    gpu, cpu, old = found["gpu"], found["cpu"], found["old"]
    assert (gpu.default, gpu.min_nodes, gpu.max_nodes, gpu.oversubscribe) == (True, 2, 4, "EXCLUSIVE")
    assert (gpu.allow_groups, gpu.root_only, gpu.max_time) == (None, False, 86400)
    assert (cpu.min_nodes, cpu.max_nodes, cpu.root_only, cpu.oversubscribe) == (1, None, True, "YES:4")
    assert cpu.state.startswith("INACT")
    assert (old.max_nodes, old.max_time, old.allow_groups) == (1, 100 * 86400, ("lab",))


def test_a_cut_list_of_groups_goes_on():
    found = read(LONG)
    assert partitions(found)["cpu"].allow_groups == ("chemit", "...")
    (problem,) = found.problems
    assert problem.line == 4
    assert "GROUPS=chemit,col" in problem.text


@pytest.mark.parametrize(
    ("lines", "pairs"),
    [
        # one blank is left of several: a forum
        (["PARTITION AVAIL TIMELIMIT NODES STATE NODELIST", "normal* up 7-00:00:00 1 idle c1"], {"State": "idle"}),
        (["PARTITION STATE REASON NODELIST", "p drained Kill task failed c1"], {"Reason": "Kill task failed"}),
        (["PARTITION STATE RESERVATION NODELIST", "p idle c1"], {"State": "idle"}),
        # aligned to the right
        (["PARTITION   CPUS  MEMORY NODELIST", "p              8    1000 c1"], {"CPUTot": "8", "RealMemory": "1000"}),
        # wider than its header
        (["PARTITION             NODELIST STATE", "a-very-long-partition c1       idle"], {"State": "idle"}),
        # separators
        (["PARTITION|NODELIST|AVAIL_FEATURES", "p|c1|a,b"], {"AvailableFeatures": "a,b"}),
        (["PARTITION,HOSTNAMES,AVAIL_FEATURES", "p,c1,a,b"], {"AvailableFeatures": "a,b"}),
        (["PARTITION;NODELIST;GRES", "p;c1;gpu:1(S:0,1)"], {"Gres": "gpu:1(S:0,1)"}),
        (["PARTITION\tNODELIST\tREASON\tSTATE", "p\tc1\t\tidle"], {"State": "idle"}),
        (["| PARTITION | NODELIST | STATE |", "|-----------|----------|-------|", "| p | c1 | idle |"], {"State": "idle"}),
        # --Format without a blank between columns
        (["NODELISTCPUSSTATE", "c1      64  idle"], {"CPUTot": "64", "State": "idle"}),
        (["NODELIST  CPUSSTATE     ", "c1        1024idle      "], {"CPUTot": "1024", "State": "idle"}),
        # a row that a terminal broke, and a header that sinfo cut
        (["PARTITION STATE NODELIST GRES", "p idle c[1,", "3-4] gpu:1"], {"NodeName": "c1", "Gres": "gpu:1"}),
        (["NODELIST CPU MEMO WEIG FEATURES", "c1 8 1000 5 a"], {"CPUTot": "8", "RealMemory": "1000", "Weight": "5"}),
        (["NODELIST   CPUS(A/I/O/T) S:C:T", "c1         1/2/0/3       2:8:4"], {"CPUTot": "3", "ThreadsPerCore": "4"}),
    ],
)  # fmt: skip
def test_cells(lines, pairs):
    contents = contents_of("\n".join(lines) + "\n")
    node = next(record for record in contents.records if record.kind == "NodeName")
    assert node.pairs["NodeName"] == "c1"
    assert pairs.items() <= node.pairs.items()
    assert contents.problems == []


def test_reasons_alone():
    found = read(
        "REASON               USER      TIMESTAMP           NODELIST\n"
        "Not responding       slurm     2026-01-01T00:00:00 n[1-2]\n"
        "bad disk /dev/sda    root      2026-01-01T00:00:00 n3\n"
    )
    assert {name: node.pairs["Reason"] for name, node in nodes(found).items()} == {
        "n1": "Not responding", "n2": "Not responding", "n3": "bad disk /dev/sda",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$ sinfo -h\np up 1:00:00 4 idle n[1-4]\n", "cannot read this line (a table needs the line with its header: run sinfo without -h)"),
        ("p|idle|n1\nq|drain*|n2\n", "cannot read these 2 lines (a table needs the line with its header: run sinfo without -h)"),
        ("CPUS MEMORY GRES\n4 100 gpu:1\n", "these rows name neither nodes nor partitions; run sinfo with -N -l, or with %N and %P in its format"),
        ("JOBID PARTITION USER\n1 p me\n", "this is no table of sinfo or sacctmgr"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_the_command_to_run(text, reason):
    assert [problem.reason for problem in read(text).problems] == [reason]


def test_a_cluster_has_the_name_that_sinfo_m_prints():
    found = read("CLUSTER: alpha\nPARTITION NODELIST STATE\np n1 idle\n")
    assert (found.config, found.problems) == ({"ClusterName": "alpha"}, [])
    assert len(read("PARTITION NODELIST\np n1\nCLUSTER: b\nPARTITION NODELIST\nq n2\n").nodes) == 2


def test_a_row_of_more_hosts_than_any_cluster_has():
    (problem,) = read("PARTITION NODELIST\np n[0-99999]\n").problems
    assert problem.reason == "there are 100000 hosts in one line; at most 30000 are read"


def test_squeue_is_no_sinfo():
    text = "JOBID PARTITION NAME USER ST TIME NODES NODELIST(REASON)\n30 cpu x me PD 0:00 1 (Priority)\n"
    for before in ("", "PARTITION NODELIST STATE\np n1 idle\n"):
        found = read(before + text)
        assert len(found.nodes) == len(found.partitions) == (1 if before else 0)
        assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("lines", "gres", "told"),
    [
        (["NODELIST            GRES                ", "n1                  gpu:a100:4(S:0-1)   "], "gpu:a100:4(S:0-1)", 0),
        (["NODELIST            GRES                ", "n1                  gpu:a100:2,gpu:h100:"], "gpu:a100:2,...", 1),
        (["NODELIST            GRES                STATE", "n1                  gpu:nvidia_a100_40gbidle"], None, 1),
        (["NODELIST GRES", "n1 gpu:nvidia_a100_40gb:4"], "gpu:nvidia_a100_40gb:4", 0),
        (["NODELIST   GRES       STATE", "n1         gpu:h100:1 idle", "node000002 (null)     idle"], None, 1),
        (["NODELIST  GRES        STATE", "n1        gpu:h100:1  idle", "n20       gpu:h100:12 idle"], "gpu:h100:1", 1),
        (["NODELIST  GRES  ", "n1  gpu:a100:4  "], "gpu:a100:4", 0),
        (["NODELIST|GRES", "n1|gpu:nvidia_h100_80gb"], "gpu:nvidia_h100_80gb", 0),
        (["NODELIST GRES", "n1 gpu:a100:2,gpu:h1+"], "gpu:a100:2,...", 1),
    ],
)  # fmt: skip
def test_what_may_be_cut(lines, gres, told):
    contents = contents_of("\n".join(lines))
    node = next(record for record in contents.records if record.kind == "NodeName")
    assert node.pairs.get("Gres") == gres
    assert len(contents.problems) == told


def test_a_host_list_as_long_as_its_column_is_whole_where_the_count_of_nodes_says_so():
    head = "PARTITION           NODES               NODELIST            "
    whole = read(f"{head}\np                   4                   n[1-2],a0000000[1-2]\n")
    assert (len(whole.nodes), whole.problems) == (4, [])
    cut = read(f"{head}\np                   9                   n[1-2],a0000000[1-2]\n")
    assert (sorted(nodes(cut)), len(cut.problems)) == (["n1", "n2"], 1)


# -- around it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "[user@host ~]$ sinfo", "user@host:~$ scontrol show node", "(env) user@host$", "(a)-[user@login1 dir]$ scontrol show node",
        "% sinfo -N", "# sinfo", "> sinfo", "❯ sinfo -N", "➜  ~ sinfo", "$sinfo", "host:~ user$ sinfo", "bash-4.2$ sinfo", "~/d $ sinfo",
        "user@host ~> sinfo", "root@h:/# ", "[user@host ~]$", "sinfo -N -l", r"$ \sinfo -l", "╰─$ sinfo", r"PS C:\> ssh x sinfo",
        "login01% sinfo", "[14:02:11] user@host:~ $ sinfo", "user@host:~/x (master) $ sinfo", "Sat Nov 28 13:26:18 UTC 2026", "---", "```",
        "Script started on 2026-11-28 13:26:18+00:00", "Every 2.0s: sinfo   host: Sat Nov 28", "HTTP/1.1 200 OK", "Content-Length: 7", "--More--(42%)",
        "lines 1-3/3 (END)",
    ],
)  # fmt: skip
def test_noise(line):
    assert is_noise(line)


@pytest.mark.parametrize(
    "line",
    [
        "gpu up 1:00:00 4 idle n1", "NodeName=a OS=Linux #1 SMP", "   Reason=x [root@2023-01-01T00:00:00]", "sinfo: error: foo",
        "Monster up 12:00:00 4 idle n1", "Kill task failed  root  2024-01-01T00:00:00 n1", "x = y", "a|b|c", "root|x|normal",
        "slurmrestd: error: no", "exit-nodes up 1:00 1 idle n1", "x" * 100_000 + "$ sinfo",
    ],
)  # fmt: skip
def test_no_noise(line):
    assert not is_noise(line)
    assert not is_prompt(line)


RECORD = "NodeName=n1 CPUTot=8 RealMemory=100\n   State=IDLE Gres=gpu:a100:2\n   Partitions=p\n\nPartitionName=p MaxTime=60\n"
TABLE = "PARTITION   STATE NODELIST\np            idle n1\nq            down n2\n"


def with_margin(margin):
    return lambda text: "".join(margin(at) + line for at, line in enumerate(text.splitlines(keepends=True), 1))


@pytest.mark.parametrize("text", [RECORD, TABLE])
@pytest.mark.parametrize(
    "spoil",
    [
        with_margin(lambda at: "> "), with_margin(lambda at: ">> "), with_margin(lambda at: f"{at:6}\t"),
        with_margin(lambda at: f"{at}:"), with_margin(lambda at: f"{at:3} "), with_margin(lambda at: f"dir/file.txt:{at}:"),
        with_margin(lambda at: "login1: "), with_margin(lambda at: "slurmctld  | "),
        with_margin(lambda at: f"2026-11-28T10:00:{at:02}.123Z "), with_margin(lambda at: f"[2026-11-28 10:00:{at:02}] "),
        lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: f"```\n{text}```\n",
        lambda text: text.replace("n1", "\x1b[01;32mn1\x1b[0m"), lambda text: "\x1b]0;user@host: ~\x07\x1b[?2004h" + text,
        lambda text: text.replace("n1", "[01;32mn1[0m"), lambda text: text.replace("n1", "xx\b\bn1"),
        lambda text: text.replace(" ", "\u00a0"), lambda text: text.replace("n1", "n\u200b1"),
        lambda text: f"[user@host ~]$ sinfo\n{text}[user@host ~]$ ", lambda text: text.replace("\n", " \n"),
        lambda text: f"{text}\0\0\0\0",
    ],
)  # fmt: skip
def test_what_a_paste_adds_is_no_part_of_it(text, spoil):
    right, found = read(text), read(spoil(text))
    shown = [(node.name, node.cpus, node.gres, node.state, node.partitions) for node in right.nodes]
    assert [(node.name, node.cpus, node.gres, node.state, node.partitions) for node in found.nodes] == shown
    assert [(p.name, p.max_time) for p in found.partitions] == [(p.name, p.max_time) for p in right.partitions]
    assert found.problems == []


def test_a_name_is_no_longer_than_slurm_can_have():
    found = read(f"PartitionName={'p' * 300}\n\nNodeName={'n' * 300}\n\nNodeName=n1 Partitions=q,{'p' * 300}\n")
    assert ([node.name for node in found.nodes], found.partitions, len(found.problems)) == (["n1"], [], 3)


def test_lines_keep_their_numbers():
    (problem,) = read("[user@host ~]$ x\r\n\r\n\x1b[1mwhat is this\x1b[0m\r\n").problems
    assert (problem.line, problem.text) == (3, "what is this")


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(line.strip() for line in RECORD.splitlines()),  # without indentation
        RECORD.replace("\n   ", " "),  # in one line
        "\n\n".join(line.strip() for line in RECORD.splitlines() if line),  # spaced
        RECORD.replace("\n   ", "\n\t"),
    ],
)
def test_shapes_of_records(text):
    found = read(text)
    (node,) = found.nodes
    assert (node.cpus, node.partitions, node.gres[0].count, partitions(found)["p"].max_time) == (8, ("p",), 2, 3600)
    assert found.problems == []


@pytest.mark.parametrize("width", [40, 53, 72, 80, 100])
def test_a_terminal_broke_long_lines_in_two(width):
    line = (
        "NodeName=n1 Arch=x86_64 CoresPerSocket=24 CPUAlloc=0 CPUEfctv=94 CPUTot=96 CPULoad=0.01 AvailableFeatures=a,b,c "
        "ActiveFeatures=a,b,c Gres=gpu:a100:4(S:0-3) NodeAddr=n1 NodeHostName=n1 Version=25.11.3 RealMemory=384000 "
        "Sockets=4 Boards=1 State=IDLE ThreadsPerCore=1 TmpDisk=0 Weight=10 Partitions=p,q"
    )
    (right,) = read(line).nodes
    broken = "\n".join(line[at : at + width] for at in range(0, len(line), width))
    found = read(f"$ scontrol -o show nodes\n{broken}\n\nPartitionName=p MaxTime=60\n")
    (node,) = found.nodes
    # a blank at the end of a line is kept by a terminal
    assert node.pairs == right.pairs
    assert found.problems == []


def test_slurm_conf_names_several_nodes_at_once():
    found = read("NodeName=DEFAULT RealMemory=100\nNodeName=n[1-3],m CPUs=4\nNodeName=n[0-999999999]\n")
    assert sorted(nodes(found)) == ["m", "n1", "n2", "n3"]
    assert [problem.line for problem in found.problems] == [1, 3]


# -- JSON ----------------------------------------------------------------------------------------------------------


NODES = json.dumps({"meta": {}, "nodes": [{"name": "n1", "cpus": 8, "partitions": ["p"], "state": ["IDLE"]}]}, indent=1)
PARTITIONS = json.dumps({"partitions": [{"name": "p", "maximums": {"time": {"set": True, "number": 60}}}]}, indent=1)


@pytest.mark.parametrize(
    "text",
    [
        f"{NODES}\n{PARTITIONS}\n", f"{NODES}{PARTITIONS}", f"sinfo: a warning\n{NODES}\na log line\n{PARTITIONS}\nthe end\n",
        f"[user@host ~]$ sinfo --json\n{NODES}\n[user@host ~]$ scontrol show partitions --json\n{PARTITIONS}\n[user@host ~]$ ",
        f"body: {NODES}\n{PARTITIONS}", f"\ufeff{NODES}\r\n\r\n{PARTITIONS}", f"{json.dumps(json.loads(NODES))}\n{json.dumps(json.loads(PARTITIONS))}",
        f"HTTP/1.1 200 OK\nContent-Type: application/json\n\n{NODES}\n\n{PARTITIONS}", f"```json\n{NODES}\n```\n\n{PARTITIONS}",
        f"{NODES}\nPartitionName=p MaxTime=60\n", f"PARTITION TIMELIMIT NODES\np 1:00:00 1\n{NODES}\n",
        f"{json.dumps(json.loads(NODES)['nodes'])}\n{json.dumps(json.loads(PARTITIONS)['partitions'][0])}\n".replace('"cpus"', '"real_memory": 1, "cpus"'),
        NODES.replace("\n", "\n> ").replace("{", "> {", 1) + f"\n{PARTITIONS}",
    ],
)  # fmt: skip
def test_json_among_other_things(text):
    found = read(text)
    (node,) = found.nodes
    assert (node.name, node.cpus, node.partitions, partitions(found)["p"].max_time) == ("n1", 8, ("p",), 3600)
    assert [problem for problem in found.problems if "JSON" in problem.reason] == []


def test_of_json_that_is_cut_off_the_whole_entries_are_read():
    text = json.dumps({"nodes": [{"name": f"n{at}", "cpus": at, "state": ["IDLE"]} for at in range(1, 9)]}, indent=1)
    found = read(text[: text.index('"n6"') + 20] + "\n\nNodeName=m1 CPUTot=2\n")
    assert sorted(nodes(found)) == ["m1", "n1", "n2", "n3", "n4", "n5"]
    (problem,) = found.problems
    assert problem.reason.startswith("cannot be read as JSON: ")


def test_json_in_the_comment_of_a_node_is_its_comment():
    found = read('NodeName=n1 CPUTot=2\n   Comment={"nodes": []} Extra=a {"nodes": [{"name": "x"}]}\n   State=IDLE\n')
    assert sorted(nodes(found))[0] == "n1"
    assert str(nodes(found)["n1"].state) == "IDLE" or found.problems


@pytest.mark.parametrize(
    ("kind", "entry", "told"),
    [
        ("nodes", {"name": "n", "cpus": [1, 2]}, 1),
        ("nodes", {"name": "n", "cpus": {"a": 1}}, 1),
        ("nodes", {"name": "n", "cpus": "8"}, 0),
        ("nodes", {"name": "n", "cpus": 8.0}, 0),
        ("nodes", {"name": "n", "partitions": "p"}, 0),
        ("nodes", {"name": "n", "partitions": [{"name": "p"}, 3]}, 1),
        ("nodes", {"name": "n", "state": {"current": ["IDLE"]}, "state_flags": 3}, 2),
        ("nodes", {"name": "n", "gres": ["gpu:1"], "features": ["a", "b"]}, 0),
        ("nodes", {"name": ["n", "m"]}, 1),
        ("nodes", "n", 1),
        ("partitions", {"name": "p", "flags": "DEFAULT"}, 0),
        ("partitions", {"name": "p", "flags": [["DEFAULT"]]}, 1),
        ("partitions", {"name": "p", "maximums": [], "partition": "UP", "select_type": "CPU"}, 0),
        ("partitions", {"name": "p", "maximums": {"time": {"set": True, "number": {}}}}, 1),
        ("partitions", {"name": "p", "maximums": {"oversubscribe": "EXCLUSIVE"}, "priority": {"tier": [1, 2]}}, 1),
        ("partitions", {"name": "p", "nodes": {"configured": "n[0-999999999]"}}, 1),
        ("sinfo", {"partition": {"name": "p"}, "nodes": {"nodes": "n[1-2]"}}, 0),
        ("sinfo", {"partition": "p", "nodes": ["n1"]}, 0),
        ("sinfo", {"partition": {"name": "p"}, "nodes": {"nodes": ["n[0-999999999]", 3]}}, 2),
        ("reservations", {"name": "r", "node_list": ["n1"], "flags": "MAINT"}, 0),
        ("qos", {"name": "q", "flags": {"a": 1}, "limits": []}, 1),
        ("qos", {"name": "q", "limits": {"max": {"tres": {"per": {"job": [{"type": "cpu"}, 3]}}}}}, 1),
        ("associations", {"account": "a", "qos": "q", "max": None, "default": 5}, 0),
    ],
)  # fmt: skip
def test_json_of_another_shape_is_told_and_never_raises(kind, entry, told):
    found = read(json.dumps({kind: [entry, {"name": "x9", "account": "x9"}]}))
    names = [one.name for one in found.nodes + found.partitions + found.reservations + found.qos]
    names += [one.account for one in found.associations]
    assert "x9" in names or kind == "sinfo"
    assert len(found.problems) >= told
    assert told or not found.problems or kind in ("sinfo", "nodes")


def test_a_number_without_an_end_is_not_stated():
    assert read('{"nodes": [{"name": "n1", "cpus": ' + "9" * 5000 + "}]}").nodes[0].cpus is None


def test_objects_inside_of_objects_without_an_end():
    deep = '{"a":' * 900 + "1" + "}" * 900
    assert read('{"nodes": [{"name": "n1", "cpus": 4, "other": ' + deep + "}]}").nodes[0].cpus == 4
    assert read('{"nodes": [' + "[" * 100_000).nodes == []


# -- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000, '{"a":' * 50_000, '{"\n' * 50_000, "[\n" * 100_000, '{"a": 1}' * 50_000, "$" * 300_000, "a@" * 100_000,
        "x" * 300_000 + "$ sinfo", '{"nodes": [' * 20_000, "NodeName=n[0-999999999]\n" * 5_000, "> " * 100_000, "\b" * 200_000,
        "PARTITION NODELIST STATE\n" + "p n[0-19999] idle\n" * 1_000, "PARTITION NODELIST\n" + "p n[1,\n" * 20_000,
        "NodeName=a " + ("x" * 79 + "\n") * 10_000, "[2026-01-01 00:00:00] x {\n" * 20_000, "1:NodeName=a\n2-x\n" * 10_000,
        "\x1b]0;" * 50_000, "(" * 200_000, " " * 300_000 + "x", "=" * 300_000, "A = [\n" * 50_000, '"nodes": [' * 30_000 + "{",
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_no_text_takes_long(text):
    started = time.process_time()
    read(text)
    assert time.process_time() - started < 2


def test_clean_keeps_what_is_clean():
    assert clean(RECORD + TABLE) == RECORD + TABLE
