"""Facts of a cluster to launchers.yaml: the whole of it, its stability, and each fault of snakemake's converter."""

import gzip
import time

import pytest
from slurm_texts import CONFIG, NODES, PARTITIONS, config, entry, group, node, partition, text_of

from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm.accounts import Person
from launchers.slurm.convert import convert
from launchers.slurm.read import read
from launchers.slurm.render import render


def test_the_text():
    assert (
        text_of(CONFIG, NODES, PARTITIONS)
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
        cpu: {cores: 4}  # memory unknown: RealMemory is not configured
  gres: gpus_per_node
"""
    )


def test_defect_12_the_output_is_used_at_once():
    answer = match(parse("cuda(mem=40G)*2 & duration=1h"), [group(CONFIG, NODES, PARTITIONS)])
    assert render(answer.selection).flags() == ["--partition=p", "--nodes=1", "--gpus-per-node=a100:2", "--time=60"]


def test_options_of_the_conversion():
    text = text_of(CONFIG, NODES, PARTITIONS, hosts=False, only=["p"], id="x")
    assert "n[1-2]" not in text
    assert "q:" not in text
    assert "id: x" in text


@pytest.mark.parametrize(("settings", "id"), [(CONFIG, "c"), ("", "slurm")])
def test_the_entry_has_the_name_of_the_cluster(settings, id):
    assert entry(settings, NODES).id == id


def test_the_order_of_the_input_does_not_matter():
    assert (
        text_of(CONFIG, NODES, PARTITIONS)
        == text_of(PARTITIONS, NODES, CONFIG)
        == text_of(f"{PARTITIONS}\n{NODES}\n{CONFIG}")
    )


@pytest.mark.parametrize(
    ("select", "spelling"),
    [("select/cons_tres", "gpus_per_node"), ("select/cons_res", "gres_typed"), (None, "gres_typed")],
)
def test_old_clusters_take_gres(select, spelling):
    assert entry(config(SelectType=select), NODES).gres == spelling


def test_tiers_are_priorities_where_there_are_several():
    equal = partition("p", PriorityTier=3) + partition("q", PriorityTier=3)
    assert [spec.priority for spec in entry(CONFIG, node(), equal).partitions.values()] == [None, None]
    tiers = partition("p", PriorityTier=3) + partition("q", PriorityTier=4)
    assert [spec.priority for spec in entry(CONFIG, node(), tiers).partitions.values()] == [3, 4]
    assert entry(CONFIG, node(), tiers, only=["q"]).partitions["q"].priority == 4


# -- what snakemake's converter does wrong ---------------------------------------------------------------------


def test_snakemake_gpus_are_a_nodes_and_not_the_partitions():
    assert match(parse("cuda()*3"), [group(CONFIG, NODES, PARTITIONS)]).selection is None


def test_snakemake_def_mem_per_cpu_is_a_default_and_no_cap():
    cluster = group(CONFIG, node(), partition(DefMemPerCPU=100))
    assert match(parse("cpu(mem=10G, cores=1)"), [cluster]).selection.partitions == ("p",)


def test_snakemake_threads_are_not_averaged():
    cluster = group(CONFIG, node("n1"), node("n2", CPUTot=64))
    assert match(parse("cpu(cores=64)"), [cluster]).selection.partitions == ("p",)
    assert match(parse("cpu(cores=65)"), [cluster]).selection is None


@pytest.mark.parametrize(
    ("more", "closed"),
    [
        ({"State": "DOWN"}, "partition state is DOWN"),
        ({"State": "DRAIN"}, "partition state is DRAIN"),
        ({"RootOnly": "YES"}, "disabled in launchers.yaml"),
        ({"ReqResv": "YES"}, "disabled in launchers.yaml"),
        ({"AllowAccounts": "other"}, "none of your accounts and QoS may use it"),
        ({"AllowQos": "other"}, "none of your accounts and QoS may use it"),
        ({"DenyAccounts": "a"}, "none of your accounts and QoS may use it"),
        ({"AllowGroups": "wheel"}, "disabled in launchers.yaml"),
        ({"Hidden": "YES"}, None),
    ],
)
def test_snakemake_states_and_allow_lists(more, closed):
    one = "Cluster|Account|User|QOS\nc|a|me|normal\n"
    person = Person("me", None, frozenset({"users"}))
    (built,) = group(CONFIG, node(), partition(**more), one, person=person).partitions
    assert built.closed_reason == closed


def test_snakemake_more_declared_limits_are_no_merit():
    limits = partition("aa", MaxTime="1-0", MaxNodes=1, MaxMemPerNode=16000, DefMemPerCPU=1000)
    limits += partition("bb", MaxTime="1-0", DefMemPerCPU=1000)
    cluster = group(CONFIG, node(Partitions="aa,bb"), limits)
    assert match(parse("cpu(cores=1)"), [cluster]).selection.partitions == ("aa", "bb")


# -- names, size -----------------------------------------------------------------------------------------------


def test_hostile_names_do_not_break_the_yaml():
    nodes = node(ActiveFeatures="yes,1e3,#y,-", Partitions="p")
    text = text_of(nodes, partition("no"))
    assert "no" in loads(text).document.slurm[0].partitions
    assert loads(text).document.slurm[0].partitions["p"].nodes[0].features == ("yes", "1e3", "#y", "-")


@pytest.mark.no_coverage  # it measures time
def test_ten_thousand_nodes(shared):
    nodes = gzip.open(shared / "slurm-22.05-10000-nodes/scontrol-show-nodes.txt.gz", "rt").read()
    partitions = (shared / "slurm-22.05-10000-nodes/scontrol-show-partitions.txt").read_text()
    started = time.monotonic()
    text = to_yaml(convert(read(nodes, partitions)))
    assert time.monotonic() - started < 15  # about one second on an idle machine
    (built,) = build(loads(text).document)
    shapes = [len(partition.shapes) for partition in built.partitions]
    assert max(shapes) <= 40
    assert sum(shape.count for shape in next(p for p in built.partitions if p.name == "all").shapes) == 10_000
