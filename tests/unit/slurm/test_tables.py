"""The tables of sacctmgr, sinfo and `scontrol show config`."""

import pytest

from launchers.slurm.pasted import is_noise
from launchers.slurm.read import read
from launchers.slurm.tables import GROUP, config_pair, header, rows


def records(*lines):
    problems = []
    found = [record for record in rows(list(enumerate(lines, 1)), problems) if record[0] != GROUP]
    return found, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Name|Priority|Flags", "Qos"), ("Name MaxWall", "Qos"), ("Name|Descr", ""), ("Priority|MaxWall", ""),
        ("Account|User", "Association"), ("Cluster Account", "Association"), ("Account|Descr", ""),
        ("NODELIST STATE", "sinfo"), ("PARTITION AVAIL TIMELIMIT", "sinfo"), ("HOSTNAMES GRES", "sinfo"), ("PARTITION JOBS", ""),
        ("JOBID PARTITION NAME USER ST TIME NODES NODELIST(REASON)", "other"), ("PARTITION", "sinfo"), ("PARTITION,NODES", "sinfo"),
        ("NODELIST   NODES PARTITION STATE CPUS S:C:T MEMORY TMP_DISK WEIGHT AVAIL_FE REASON", "sinfo"), ("NODELISTCPUSGRES", "sinfo"),
        ("THE NODELIST OF ALL PEOPLE", ""),
        ("STATE CPUS", "nameless"), ("", ""),
    ],
)  # fmt: skip
def test_headers(text, kind):
    assert header(text) == kind


@pytest.mark.parametrize(
    ("text", "noise"),
    [
        ("$ sinfo", True), ("# comment", True), ("rc=0", True), ("```bash", True), ("{: .output}", True), ("-----", True),
        ("Configuration data as of 2023", True), ("Cgroup Support Configuration:", True), ("Slurmctld(primary) at x is UP", True),
        ("NodeName=a", False), ("p up", False), ("{", True),
    ],
)  # fmt: skip
def test_noise(text, noise):
    assert is_noise(text) is noise


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("ClusterName             = c", ("ClusterName", "c")), ("A = ", ("A", "")), ("A =b = c ", ("A", "b = c")), ("A=b", None),
        ("Max(x)[0] = 1", ("Max(x)[0]", "1")), ("1 = 2", None),
    ],
)  # fmt: skip
def test_settings(text, pair):
    assert config_pair(text) == pair


def test_headings_of_the_config_are_no_problem():
    found = read("SLURM_VERSION           = 24.11.5\n\nMPI Plugins Configuration:\nPMIxTimeout             = 300\n")
    assert found.config["SLURM_VERSION"] == "24.11.5"
    assert not found.problems


@pytest.mark.parametrize("text", ["ClusterName = a\nClusterName = b\n", "ClusterName = b\nClusterName = a\n"])
def test_a_setting_that_is_printed_with_two_values_is_told_and_does_not_depend_on_their_order(text):
    found = read(text)
    assert found.config == {"ClusterName": "b"}
    assert [problem.text for problem in found.problems] == ["ClusterName"]


def test_columns_between_bars():
    found, problems = records("Name|Priority|Flags|", "normal| 5 |a,b|", "|1||")
    assert found == [("Qos", 2, {"Name": "normal", "Priority": "5", "Flags": "a,b"})]
    assert problems == []


def test_a_last_column_may_be_missing():
    found, problems = records("Name|Priority|Flags", "normal|5", "fast")
    assert found == [("Qos", 2, {"Name": "normal", "Priority": "5"})]
    assert problems == ["line 3: this row does not have the columns of its table: fast"]


def test_columns_of_fixed_width():
    found, problems = records(
        "      Name   Priority    Flags", "---------- ---------- --------", "    normal          5         ",
        "      fast          6 DenyOnL+",
    )  # fmt: skip
    assert found == [
        ("Qos", 3, {"Name": "normal", "Priority": "5", "Flags": ""}),
        ("Qos", 4, {"Name": "fast", "Priority": "6", "Flags": ""}),
    ]
    assert problems == ["line 4: sacctmgr cut this value off; run it with -P: Flags=DenyOnL+"]


def test_a_plus_between_bars_is_no_cut():
    assert records("Name|Flags|Priority", "a|x+|1") == ([("Qos", 2, {"Name": "a", "Flags": "x+", "Priority": "1"})], [])


def test_columns_between_blanks():
    found, problems = records("Cluster Account User", "c a me", "c a")
    assert found == [("Association", 2, {"Cluster": "c", "Account": "a", "User": "me"})]
    assert problems == ["line 3: this row does not have the columns of its table: c a"]


def test_sinfo_names_partitions_and_nodes():
    found, problems = records(
        "PARTITION TIMELIMIT CPUS MEMORY NODELIST", "gpu* 1:00:00 8+ 100+ n[1-2]", "long infinite 8 100 n3..."
    )
    assert found == [
        ("PartitionName", 2, {"PartitionName": "gpu", "Default": "YES", "MaxTime": "1:00:00"}),
        *(
            ("NodeName", 2, {"NodeName": name, "Partitions": "gpu", "CPUTot": "8+", "RealMemory": "100+"})
            for name in ("n1", "n2")
        ),
        ("PartitionName", 3, {"PartitionName": "long", "MaxTime": "infinite"}),
    ]
    assert problems == ["line 3: sinfo cut this host list off; run it with -o and %N: n3..."]


def test_other_columns_of_sinfo():
    found, problems = records(
        "NODELIST|CPUS(A/I/O/T)|S:C:T|STATE|GRES (used)", "n1|1/2/3/6|2:8:2+|idle|gpu:1", "n[|||idle|"
    )
    ((kind, line, node),) = found
    assert (kind, line, node["NodeName"], node["State"], node["Gres"]) == ("NodeName", 2, "n1", "idle", "gpu:1")
    assert (node["CPUTot"], node["ThreadsPerCore"]) == ("6", "2")
    assert problems == ["line 3: 'n[' has a [ without its ], or a ] without its [: n["]


def test_accounting(shared):
    texts = ((shared / "slurm-22.05" / name).read_text() for name in ("sacctmgr-qos-P.txt", "sacctmgr-assoc-P.txt"))
    found = read(*texts)
    qos = {one.name: one for one in found.qos}
    assert len(qos) == 8
    assert (qos["strict"].priority, qos["strict"].flags, qos["strict"].bounds.max_wall) == (20, ("DenyOnLimit",), 1800)
    assert dict(qos["strict"].bounds.max_tres) == {"cpu": 8, "gres/gpu": 1}
    assert dict(qos["gpu"].bounds.min_tres) == {"gres/gpu": 1}
    guest = next(one for one in found.associations if (one.account, one.user) == ("guest", "root"))
    assert (guest.bounds.max_wall, dict(guest.bounds.grp_tres), guest.bounds.max_jobs) == (7200, {"cpu": 8}, 1)
