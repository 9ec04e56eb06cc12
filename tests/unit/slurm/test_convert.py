"""Facts to launchers.yaml: blocks, limits, accounts, stability, updating; snakemake's faults are each a test."""

import gzip
import json
import time

import pytest

from launchers.cli import main
from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm.anonymize import anonymize
from launchers.slurm.convert import Person, convert
from launchers.slurm.read import read
from launchers.slurm.render import render

CONFIG = "ClusterName = c\nSelectType = select/cons_tres\nAccountingStorageEnforce = associations,limits,qos\n"
NODES = """NodeName=n1 CPUTot=8 RealMemory=16000 State=IDLE Partitions=p Gres=gpu:a100:2 ActiveFeatures=GPUM40G

NodeName=n2 CPUTot=8 RealMemory=16000 State=DOWN Partitions=p,q Gres=gpu:a100:2 ActiveFeatures=GPUM40G

NodeName=n3 CPUTot=4 RealMemory=1 State=IDLE Partitions=q
"""
PARTITIONS = "PartitionName=p Nodes=n[1-2] MaxTime=1-0 State=UP\n\nPartitionName=q Nodes=n[2-3] State=UP AllowAccounts=a MaxTime=UNLIMITED\n"


def found(*texts, **more):
    return convert(read(*texts), **more)


def group(*texts, **more):
    (built,) = build(loads(to_yaml(found(*texts, **more))).document)
    return built


def test_equal_nodes_are_one_block():
    text = to_yaml(found(CONFIG, NODES, PARTITIONS))
    assert (
        text
        == """slurm:
- id: c
  tags: [slurm]
  partitions:
    p:
      nodes:
      - hosts: "n[1-2]"
        count: 2
        available: 1  # DOWN
        features: [GPUM40G]
        cpu: {cores: 8, memory: 16000M}
        accelerators:
        - {kind: cuda, model: A100, memory: 40G, count: 2, type: a100}  # feature GPUM40G
      limits: {max_duration: "1-00:00:00"}
    q:
      accounts: [a]
      nodes:
      - hosts: n2
        count: 1
        available: 0  # DOWN
        features: [GPUM40G]
        cpu: {cores: 8, memory: 16000M}
        accelerators:
        - {kind: cuda, model: A100, memory: 40G, count: 2, type: a100}  # feature GPUM40G
      - hosts: n3
        count: 1
        cpu: {cores: 4}  # memory not known: RealMemory is not configured
  gres: gpus_per_node
"""
    )


def test_defect_12_the_output_is_used_at_once():
    answer = match(parse("cuda(mem=40G)*2 & duration=1h"), [group(CONFIG, NODES, PARTITIONS)])
    assert render(answer.selection).flags() == ["--partition=p", "--nodes=1", "--gpus-per-node=a100:2", "--time=60"]


def test_options(tmp_path):
    hidden = to_yaml(found(CONFIG, NODES, PARTITIONS, hosts=False, only=["p"], id="x"))
    assert "n[1-2]" not in hidden
    assert "q:" not in hidden
    assert "id: x" in hidden


def test_the_order_of_the_input_does_not_matter():
    assert (
        to_yaml(found(CONFIG, NODES, PARTITIONS))
        == to_yaml(found(PARTITIONS, NODES, CONFIG))
        == to_yaml(found(f"{PARTITIONS}\n{NODES}\n{CONFIG}"))
    )


def test_snakemake_gpus_are_a_nodes_and_not_the_partitions():
    assert match(parse("cuda()*3"), [group(CONFIG, NODES, PARTITIONS)]).selection is None


def test_snakemake_def_mem_per_cpu_is_a_default_and_no_cap():
    cluster = group(CONFIG, NODES, PARTITIONS.replace("MaxTime=1-0", "MaxTime=1-0 DefMemPerCPU=100"))
    assert match(parse("cpu(mem=10G, cores=1)"), [cluster]).selection.partitions == ("p",)


def test_snakemake_threads_are_not_averaged():
    mixed = NODES.replace("n3 CPUTot=4", "n3 CPUTot=64")
    assert match(parse("cpu(cores=64)"), [group(CONFIG, mixed, PARTITIONS)]).selection.partitions == ("q",)
    assert match(parse("cpu(cores=65)"), [group(CONFIG, mixed, PARTITIONS)]).selection is None


@pytest.mark.parametrize(
    ("more", "closed"),
    [
        ("State=DOWN", "partition state is DOWN"),
        ("State=DRAIN", "partition state is DRAIN"),
        ("RootOnly=YES", "disabled in launchers.yaml"),
        ("ReqResv=YES", "disabled in launchers.yaml"),
        ("AllowAccounts=other", "no account and QoS of yours may use it"),
        ("AllowQos=other", "no account and QoS of yours may use it"),
        ("DenyAccounts=a", "no account and QoS of yours may use it"),
        ("AllowGroups=wheel", "disabled in launchers.yaml"),
        ("Hidden=YES", None),
    ],
)
def test_snakemake_states_and_allow_lists(more, closed):
    assoc = "Cluster|Account|User|QOS\nc|a|me|normal\n"
    text = f"PartitionName=p Nodes=n1 {more}\n"
    one = group(CONFIG, NODES.split("\n\n")[0], text, assoc, person=Person("me", None, frozenset({"users"})))
    assert one.partitions[0].closed_reason == closed


def test_snakemake_more_declared_limits_are_no_merit():
    text = "PartitionName=aa Nodes=n1 MaxTime=1-0 MaxNodes=1 MaxMemPerNode=16000 DefMemPerCPU=1000\n\nPartitionName=bb Nodes=n1 MaxTime=1-0 DefMemPerCPU=1000\n"
    node = NODES.split("\n\n")[0].replace("Partitions=p", "Partitions=aa,bb")
    assert match(parse("cpu(cores=1)"), [group(CONFIG, node, text)]).selection.partitions == ("aa", "bb")


def test_accounts_inherit_from_those_above():
    assoc = (
        "Cluster|Account|ParentName|User|GrpTRES|MaxTRES|MaxWall|QOS|Def QOS\n"
        "c|root||||||normal|\nc|top|root||cpu=100,gres/gpu=8|cpu=50|1-00:00:00|normal|\n"
        "c|a|top||cpu=200||02:00:00|normal|\nc|a||me|||03:00:00|normal,fast|fast\nc|b||other||||x|\nz|a||me||||x|\n"
    )
    qos = "Name|Priority|Flags|MaxWall|MaxTRES|MinTRES\nnormal|0||||\nfast|5|DenyOnLimit|01:00:00|cpu=4|gres/gpu=1\nx|0||||\n"
    spec = found(CONFIG, NODES, PARTITIONS, assoc, qos, person=Person("me")).group
    assert list(spec.accounts) == ["a"]
    account = spec.accounts["a"]
    assert (account.qos, account.default_qos, account.limits.max_duration) == (("normal", "fast"), "fast", 3 * 3600)
    assert account.limits.grp_tres == {"cpu": 100, "gres/gpu": 8}
    assert account.limits.max_tres == {"cpu": 50}
    assert list(spec.qos) == ["fast", "normal"]
    assert spec.qos["fast"].limits.max_tres == {"cpu": 4}


def test_maximums_of_memory_where_memory_is_not_allocated():
    """slurmctld 22.05 starts such a job over every maximum of memory but those of a QoS with DenyOnLimit."""
    qos = "Name|Flags|MinTRES|MaxTRES|GrpTRES\nq||mem=1G|mem=4G,cpu=8|mem=8G\n"
    for parameters, text, kept in (
        ("CR_Core_Memory", qos, True),
        ("CR_Core", qos, False),
        ("CR_Core", qos.replace("q||", "q|DenyOnLimit|"), True),
    ):
        config = CONFIG + f"SelectTypeParameters = {parameters}\n"
        limits = found(config, NODES, PARTITIONS, text).group.qos["q"].limits
        assert ("mem" in limits.max_tres, limits.grp_tres is not None) == (kept, kept)
        assert (limits.max_tres["cpu"], limits.min_tres["mem"]) == (8, 2**30)


def test_what_accounting_does_not_enforce_is_no_limit():
    qos = "Name|Priority|MaxWall|Flags\nnormal|0|00:01:00|\n"
    assoc = "Cluster|Account|User|QOS|MaxWall\nc|a|me|normal|00:01:00\n"
    relaxed = CONFIG.replace("associations,limits,qos", "associations")
    spec = found(relaxed, NODES, PARTITIONS, qos, assoc, person=Person("me")).group
    assert spec.accounts["a"].limits is None
    assert spec.qos["normal"].limits is None
    limits = CONFIG.replace("associations,limits,qos", "limits")  # man slurm.conf: a QoS's limits are held to as well
    spec = found(limits, NODES, PARTITIONS, qos, assoc, person=Person("me")).group
    assert spec.qos["normal"].limits.max_duration == 60
    none = found(
        CONFIG.replace("associations,limits,qos", "none"), NODES, PARTITIONS, qos, assoc, person=Person("me")
    ).group
    assert none.accounts is None


@pytest.mark.parametrize(
    ("parameters", "node", "unit"),
    [
        ("CR_Core_Memory", "CPUTot=8 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (2, 1)),
        ("CR_Core", "CPUTot=4 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (1, 1)),  # CPUs= counts cores here
        ("CR_CPU_Memory", "CPUTot=8 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (1, 1)),
        ("CR_Socket_Memory", "CPUTot=8 Sockets=2 CoresPerSocket=2 ThreadsPerCore=2", (2, 4)),
    ],
)
def test_how_many_cpus_slurm_allocates_at_a_time(parameters, node, unit):
    text = f"NodeName=n {node} RealMemory=100 State=IDLE Partitions=p\n"
    one = group(CONFIG + f"SelectTypeParameters = {parameters}\n", text, "PartitionName=p Nodes=n\n")
    shape = one.partitions[0].shapes[0]
    assert (shape.threads_per_core, shape.cpus_per_socket) == unit


def test_a_partition_without_units_of_its_own_has_the_clusters():
    """Text says NONE, JSON says nothing (24.11) or NONE (26.05)."""
    node = "NodeName=n CPUTot=16 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 RealMemory=100 State=IDLE Partitions=p\n"
    partition = {"name": "p", "nodes": {"configured": "n"}, "partition": {"state": ["UP"]}}
    said = [json.dumps({"partitions": [{**partition, "select_type": units}]}) for units in ([], ["NONE"])]
    for text in ("PartitionName=p Nodes=n SelectTypeParameters=NONE\n", *said):
        one = group(CONFIG + "SelectTypeParameters = CR_CPU_MEMORY\n", node, text)
        assert one.partitions[0].shapes[0].threads_per_core == 1


@pytest.mark.parametrize(("most", "cores"), [(1, 0), (2, 4), (3, 4), (9, 16), ("UNLIMITED", 16)])
def test_max_cpus_per_socket_counts_whole_cores_of_every_socket(most, cores):
    node = "NodeName=n CPUTot=16 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 RealMemory=100 State=IDLE Partitions=p\n"
    one = group(CONFIG, node, f"PartitionName=p Nodes=n MaxCPUsPerSocket={most}\n")
    assert one.partitions[0].shapes[0].cores == cores


@pytest.mark.parametrize(("version", "starts"), [("22.05.8", True), ("24.11.5", False)])
def test_memory_that_costs_more_cpus_than_the_partition_lets_have(version, starts):
    config = CONFIG + f"SLURM_VERSION = {version}\nMaxMemPerCPU = 1000\n"
    node = "NodeName=n CPUTot=16 RealMemory=64000 State=IDLE Partitions=p\n"
    one = group(config, node, "PartitionName=p Nodes=n MaxCPUsPerNode=4\n")
    assert match(parse("cpu(mem=4000M)"), [one]).selection is not None
    assert (match(parse("cpu(mem=4001M)"), [one]).selection is not None) is starts


@pytest.mark.parametrize(
    ("said", "before", "since"),
    [
        ("DenyAccounts=top", {"mid", "leaf", "other"}, {"other"}),
        ("DenyAccounts=mid", {"top", "leaf", "other"}, {"top", "other"}),
        ("DenyAccounts=root", {"top", "mid", "leaf", "other"}, set()),
        ("AllowAccounts=top", {"top"}, {"top", "mid", "leaf"}),
        ("AllowAccounts=mid", {"mid"}, {"mid", "leaf"}),
        ("AllowAccounts=root", set(), {"top", "mid", "leaf", "other"}),
    ],
)
def test_a_partition_that_names_an_account_means_those_below_it_from_23_02_on(said, before, since):
    """So a slurmctld alone of 22.05, of 24.11 and of 26.05 has it."""
    parents = {"root": "", "top": "root", "mid": "top", "leaf": "mid", "other": "root"}
    assoc = "Cluster|Account|User|ParentName|QOS\n" + "".join(f"c|{name}||{up}|\n" for name, up in parents.items())
    assoc += "".join(f"c|{name}|me||normal\n" for name in parents if name != "root")
    qos = "Name|Priority|Flags|MaxWall\nnormal|0||\n"
    partition = f"PartitionName=p Nodes=n[1-2] State=UP {said}\n"
    for version, accounts in (("22.05.8", before), ("23.02.0", since), ("26.05.5", since)):
        config = CONFIG + f"SLURM_VERSION = {version}\n"
        part = group(config, NODES, partition, assoc, qos, person=Person("me")).partitions[0]
        assert {one.account for one in part.accesses if not part.closed_reason} == accounts


def test_running_minutes_of_a_user_bound_a_job():
    qos = "Name|Priority|Flags|MaxWall|MaxTRESRunMinsPU|MaxTRESRunMinsPA\nnormal|0|||cpu=60|cpu=50\n"
    assoc = "Cluster|Account|User|QOS|MaxWall\nc|a|me|normal|\n"
    one = group(CONFIG, NODES, PARTITIONS, assoc, qos, person=Person("me"))
    assert match(parse("cpu(cores=2) & duration=25min"), [one]).selection is not None
    assert match(parse("cpu(cores=2) & duration=26min"), [one]).selection is None


def test_old_clusters_take_gres():
    assert found(CONFIG.replace("cons_tres", "cons_res"), NODES).group.gres == "gres_typed"


def test_anonymize_leaves_no_name():
    facts = read(
        CONFIG,
        NODES.replace("n1", "secret1").replace("GPUM40G", "GPUM40G,ourlab"),
        PARTITIONS.replace("AllowAccounts=a", "AllowAccounts=darpa"),
    )
    text = to_yaml(convert(anonymize(facts)))
    for name in ("secret", "ourlab", "darpa", "hosts: n2"):
        assert name not in text
    assert "GPUM40G" in text
    assert "id: cluster" in text
    loads(text)


def test_update_rewrites_the_facts_and_nothing_else(tmp_path, capsys):
    own = "# mine\nslurm:\n- {facts: facts.yaml, weight: 3}   # keep\n"
    (tmp_path / "launchers.yaml").write_text(own)
    (tmp_path / "nodes").write_text(CONFIG + NODES + "\n" + PARTITIONS)
    argv = ["convert", str(tmp_path / "nodes"), "--update", str(tmp_path / "launchers.yaml")]
    assert main(argv) == 0
    assert "+    p:" in capsys.readouterr().out
    assert main(argv) == 0
    assert "is up to date" in capsys.readouterr().err
    (tmp_path / "nodes").write_text(CONFIG + NODES.replace("n3 CPUTot=4", "n3 CPUTot=6") + "\n" + PARTITIONS)
    assert main(argv) == 0
    changed = [
        line for line in capsys.readouterr().out.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert [line.strip("+- ") for line in changed] == [
        "cpu: {cores: 4}  # memory not known: RealMemory is not configured",
        "cpu: {cores: 6}  # memory not known: RealMemory is not configured",
    ]
    assert (tmp_path / "launchers.yaml").read_text() == own
    assert main(["find", "--config", str(tmp_path / "launchers.yaml"), "cuda(mem=40G)"]) == 0
    (tmp_path / "launchers.yaml").write_text("slurm: []")
    assert main(argv) == 2
    assert "LC111" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "text", "status", "said"),
    [
        (["--partition", "nosuch"], NODES + PARTITIONS, 2, "--partition nosuch: there is none; there are p, q"),
        (
            ["--user", "nosuch"],
            f"{NODES}\n{PARTITIONS}\nCluster|Account|User|QOS\nc|a|me|normal\n",
            2,
            "--user nosuch: no association is of this user; there are those of me",
        ),
        ([], "NodeName=n1\n\nNodeName=n2\n\nPartitionName=p\n", 0, "left out, as they are in no partition: n[1-2]"),
        (
            [],
            "PartitionName=p Nodes=a[1-3\n",
            0,
            "line 1: the Nodes of p cannot be read: 'a[1-3' has a [ without its ]",
        ),
        (
            [],
            "NodeName=a1\n\nPartitionName=p Nodes=a[1-99999999]\n",
            0,
            "line 3: the Nodes of p cannot be read: 'a[1-9",
        ),
        (
            [],
            '{"nodes": [1, {"name": "n1", "partitions": ["p"]}]}',
            0,
            "line 1: an entry of nodes that is not an object: 1",
        ),
    ],
)
def test_nothing_is_dropped_in_silence(argv, text, status, said, tmp_path, capsys):
    (tmp_path / "text").write_text(text)
    assert main(["convert", str(tmp_path / "text"), *argv]) == status
    assert f"launchers convert: {said}" in capsys.readouterr().err


def test_hostile_names_do_not_break_the_yaml():
    text = 'NodeName=n1 CPUTot=4 State=IDLE Partitions=p ActiveFeatures=yes,1e3,"x":,#y,-\nPartitionName=no Nodes=n1\n'
    assert "no" in loads(to_yaml(found(text.replace('"x":,', "")))).document.slurm[0].partitions


@pytest.mark.no_coverage  # it measures time
def test_ten_thousand_nodes(shared, tmp_path):
    text = gzip.open(shared / "slurm-22.05-10000-nodes/scontrol-show-nodes.txt.gz", "rt").read()
    more = (shared / "slurm-22.05-10000-nodes/scontrol-show-partitions.txt").read_text()
    started = time.monotonic()
    out = to_yaml(convert(read(text, more)))
    assert time.monotonic() - started < 15  # about one second on an idle machine
    (built,) = build(loads(out).document)
    shapes = [len(partition.shapes) for partition in built.partitions]
    assert max(shapes) <= 40
    assert sum(shape.count for shape in next(p for p in built.partitions if p.name == "all").shapes) == 10_000
