"""Options of sbatch that a person gives, beside those that the broker finds."""

import pytest
from slurm_texts import CONFIG, associations, group, node, partition, qos, table

from launchers.jobs.backend import UnmetOptionError
from launchers.slurm.accounts import Person
from launchers.slurm.args import SlurmArgs
from launchers.slurm.options import count_gpus, keep_partitions, narrow, parameters_by_hand, with_options


@pytest.fixture(scope="module")
def cluster():
    nodes = node("a1", Partitions="p,q", Gres="gpu:a100:2", ActiveFeatures="x") + node(
        "a2", Partitions="p", ActiveFeatures="y"
    )
    accounts = associations({"Account": "a", "User": "me", "QOS": "normal,fast"}, {"Account": "b", "User": "me"})
    levels = table(qos("normal"), qos("fast"))
    return group(CONFIG, nodes, partition("p", "a[1-2]"), partition("q", "a1"), accounts, levels, person=Person("me"))


def hosts(group):
    return {partition.name: [shape.hosts for shape in partition.shapes] for partition in group.partitions}


def accesses(group):
    return {(access.account, access.qos) for partition in group.partitions for access in partition.accesses}


def test_partitions_accounts_and_qos(cluster):
    assert list(hosts(keep_partitions(cluster, ["q", "nosuch"]))) == ["q"]
    everything = accesses(cluster)
    assert everything == {("a", "normal"), ("a", "fast"), ("b", "normal")}
    assert accesses(keep_partitions(cluster, ["p"], account="a")) == {("a", "normal"), ("a", "fast")}
    assert accesses(keep_partitions(cluster, ["p"], qos="fast")) == {("a", "fast")}
    assert accesses(keep_partitions(cluster, ["p"], "fast", "b")) == everything


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, {"p": ["a1", "a2"], "q": ["a1"]}),
        ({"partition": "q"}, {"q": ["a1"]}),
        ({"partition": "q,p", "constraint": "y"}, {"p": ["a2"]}),
        ({"constraint": "x|y"}, {"p": ["a1", "a2"], "q": ["a1"]}),
        ({"gres": "gpu:a100:1"}, {"p": ["a1"], "q": ["a1"]}),
        ({"gres": "gpu:1,shard:2"}, {"p": ["a1", "a2"], "q": ["a1"]}),
        ({"nodelist": "a[2-9]"}, {"p": ["a2"]}),
        ({"nodelist": None, "gres": "", "partition": None}, {"p": ["a1", "a2"], "q": ["a1"]}),
    ],
)
def test_what_options_leave(cluster, options, kept):
    assert hosts(narrow(cluster, options)) == kept


def test_options_choose_accounts_too(cluster):
    assert accesses(narrow(cluster, {"account": "b"})) == {("b", "normal")}
    assert accesses(narrow(cluster, {"qos": "fast"})) == {("a", "fast")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"partition": "p,r,s"}, "it has no partition r, s"),
        ({"constraint": "x&y"}, "it has no node with constraint=x&y there"),
        ({"gres": "gpu:v100:1"}, "it has no node with gres=gpu:v100:1 there"),
        ({"nodelist": "b1", "constraint": "x"}, "it has no node with nodelist=b1 there"),
        ({"partition": "q", "constraint": "y"}, "it has no node with constraint=y there"),
        ({"constraint": "x&("}, "'x&(' is not a constraint: a parenthesis is not closed, or a feature is missing"),
        ({"gres": ":x"}, "':x' is not a GRES: it has no name"),
    ],
)
def test_options_that_leave_nothing(cluster, options, message):
    with pytest.raises(UnmetOptionError) as raised:
        narrow(cluster, options)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, ["--partition=p", "--constraint=x", "--nodes=1", "--gpus-per-node=2"]),
        ({"partition": "q"}, ["--partition=p", "--constraint=x", "--nodes=1", "--gpus-per-node=2"]),
        ({"constraint": "y"}, ["--partition=p", "--constraint=(x)&(y)", "--nodes=1", "--gpus-per-node=2"]),
        ({"gres": "gpu:a100:2"}, ["--partition=p", "--constraint=x", "--nodes=1", "--gres=gpu:a100:2"]),
        (
            {"gres": "shard:2", "nodes": 3},
            ["--partition=p", "--constraint=x", "--nodes=3", "--gpus-per-node=2", "--gres=shard:2"],
        ),
    ],
)
def test_options_beside_what_the_broker_found(options, flags):
    found = SlurmArgs(partition="p", constraint="x", gpus_per_node=2)
    assert with_options(found, options).flags() == flags


def test_a_constraint_where_the_broker_has_none():
    assert with_options(SlurmArgs(), {"constraint": "y"}).constraint == "y"
    assert with_options(SlurmArgs(constraint="x"), {"constraint": ""}).constraint == ""


@pytest.mark.parametrize(
    ("written", "parameters"),
    [
        ({}, {"time": None}),
        ({"slurm_partition": "p", "timeout_min": 5}, {"partition": "p", "time": 5}),
        ({"slurm_time": "1:00:00"}, {"time": 60}),
        ({"time": 7, "timeout_min": 5}, {"time": 5}),
        ({"name": "x", "tasks_per_node": 2}, {"time": None, "job_name": "x", "ntasks_per_node": 2}),
        ({"mem_gb": 1.5}, {"time": None, "mem": "1536M"}),
        ({"mem_gb": 0.0001}, {"time": None, "mem": "1M"}),
        (
            {"slurm_additional_parameters": {"cpus_per_gpu": 4, "wckey": "w"}},
            {"time": None, "additional_parameters": {"wckey": "w", "cpus-per-gpu": 4}},
        ),
        ({"additional_parameters": None}, {"time": None, "additional_parameters": None}),
    ],
)
def test_parameters_that_a_person_writes(written, parameters):
    assert parameters_by_hand(written) == parameters


@pytest.mark.parametrize(
    ("parameters", "gpus"),
    [
        ({}, 0), ({"gpus_per_node": 2}, 2), ({"gpus_per_node": "a100:2"}, 2), ({"gpus_per_node": "a100:2,v100:1", "nodes": 3}, 9),
        ({"gpus_per_node": "a100"}, 0), ({"gpus_per_node": 1, "nodes": None}, 1),
    ],
)  # fmt: skip
def test_how_many_gpus(parameters, gpus):
    assert count_gpus(parameters) == gpus
