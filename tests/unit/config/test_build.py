"""Groups from a launchers.yaml: their own keys, which are left out, and where facts come from."""

import pytest
from configs import config, slurm_config, slurm_group

from launchers.config.build import build
from launchers.config.load import load
from launchers.offer.model import Defaults, Device, Limit, Source, SourceKind

G = 1024**3


def test_the_reference(shared):
    first, second, manual, auto = build(load(shared / "launchers.reference.yaml").document)
    assert (first.weight, first.partitions[0].shapes[0].cores, first.partitions[0].shapes[0].devices) == (5, 40, ())
    assert second.partitions[0].shapes[0].devices == (Device("cuda", 1, 8 * G, "GTX1080"),)
    assert second.tokens == (("localtoken", 1),)
    big, small, p4 = manual.partitions
    assert [(s.hosts, s.count, s.devices[0].count, s.devices[0].memory // G) for s in big.shapes] == [
        ("yop,yep", 2, 3, 48),
        ("yip,yup,yap", 3, 2, 24),
    ]
    assert big.shapes[0].devices[0].min_memory == round(0.7 * 48 * G)
    assert small.shapes[0].count == 4
    assert p4.shapes[0].devices == (Device("cuda", 8, 40 * G, "A100", round(0.7 * 40 * G), "min_mem_ratio 0.7"),)
    assert p4.shapes[0].count is None  # `count: 0` without hosts
    assert p4.priority == 1
    assert [(a.qos, a.account, a.priority) for a in p4.accesses] == [
        ("qos_gpu-t3", "iea@a100", 1),
        ("qos_gpu-t4", "iea@a100", 0),
    ]
    assert set(p4.accesses[0].limits) == {
        Limit("duration", 72000, Source(SourceKind.QOS, "qos_gpu-t3"), "max_duration"),
        Limit("gres/gpu", 1, Source(SourceKind.QOS, "qos_gpu-t3"), "min_gpu", is_minimum=True),
    }
    assert [p.accesses[0].limits for p in (big, small)] == [(), ()]  # one partition's QoS does not leak into another
    assert auto.unreachable == "query_slurm: the cluster was not read"


def test_groups_come_in_the_order_of_the_file_without_those_that_are_disabled():
    groups = [{"id": "a"}, {"disabled": True}, {}]
    names = [group.name for group in build(config(local=groups, slurm=groups, oar=groups).document)]
    assert names == ["a", "local[2]", "a", "slurm[2]", "a", "oar[2]"]


@pytest.mark.parametrize(("key", "scheduler"), [("local", "local"), ("slurm", "slurm"), ("oar", "oar")])
def test_what_all_groups_have(key, scheduler):
    entry = {"id": "x", "weight": 2, "tags": ["a", "b"], "choose": "widest"}
    (group,) = build(config(**{key: [entry]}).document)
    assert (group.name, group.scheduler, group.weight, group.tags) == ("x", scheduler, 2, {"a", "b"})
    assert group.choose == "widest"
    (plain,) = build(config(**{key: [{}]}).document)
    assert (plain.weight, plain.tags, plain.choose, plain.unreachable) == (0, set(), "tightest", None)


# -- this machine ----------------------------------------------------------------------------------------------


def test_a_machine_is_one_node():
    (group,) = build(config(local=[{"cpu": {"cores": 4, "memory": "8G"}, "tokens": {"t": 2}}]).document)
    (partition,) = group.partitions
    (shape,) = partition.shapes
    assert (partition.name, shape.cores, shape.memory, shape.count, shape.available) == ("", 4, 8 * G, 1, 1)
    assert (len(partition.accesses), group.tokens) == (1, (("t", 2),))


@pytest.mark.parametrize(
    ("keys", "devices"),
    [
        ({"gpu": {"count": 2, "memory": "8G"}}, (Device("cuda", 2, 8 * G),)),
        ({"gpu": [{"count": 1}, {"count": 0}, {"count": 2}]}, (Device("cuda", 1), Device("cuda", 2))),
        ({"gpu": {"count": 1}, "accelerators": [{"kind": "mps"}]}, (Device("cuda", 1), Device("mps"))),
        ({"accelerators": [{"count": 1}]}, (Device("cuda", 1),)),
    ],
)
def test_the_devices_of_a_machine(keys, devices):
    (group,) = build(config(local=[keys]).document)
    assert group.partitions[0].shapes[0].devices == devices


# -- Slurm -----------------------------------------------------------------------------------------------------


def test_the_keys_of_a_cluster():
    sbatch = {"mail-type": "FAIL", "nice": 5}
    group = slurm_group({"p": {}}, gres="gres", sbatch=sbatch, live=True)
    assert (group.gres, group.sbatch, group.live) == ("gres", (("mail-type", "FAIL"), ("nice", 5)), True)
    plain = slurm_group({"p": {}})
    assert (plain.gres, plain.sbatch, plain.live, plain.memory_constraint) == ("gpus_per_node", (), False, True)


@pytest.mark.parametrize(
    ("keys", "constraint"),
    [
        ({"use_memory_constraint": False}, False),
        ({"use_memory_constraint": True}, True),
        ({"use_memory_contraint": False}, False),
        ({"use_memory_constraint": True, "use_memory_contraint": False}, True),
    ],
)
def test_the_memory_constraint_however_it_is_spelled(keys, constraint):
    assert slurm_group({"p": {}}, **keys).memory_constraint is constraint


def test_the_keys_of_a_partition():
    spec = {
        "priority": 3,
        "exclusive": True,
        "default_time": "1h",
        "def_mem_per_cpu": "1G",
        "def_mem_per_node": "2G",
        "def_mem_per_gpu": "3G",
        "def_cpu_per_gpu": 4,
    }
    full, plain = slurm_group({"full": spec, "plain": {}}).partitions
    assert (full.name, full.priority, full.exclusive) == ("full", 3, True)
    assert full.defaults == Defaults(G, 2 * G, 3 * G, 4, 3600)
    assert (plain.priority, plain.exclusive, plain.defaults) == (0, False, Defaults())


@pytest.mark.parametrize(("nodes", "number"), [({}, 1), ({"nodes": []}, 0), ({"nodes": [{}, {}]}, 2)])
def test_a_partition_that_says_nothing_of_its_nodes_has_one_unknown_shape(nodes, number):
    assert len(slurm_group({"p": nodes}).partitions[0].shapes) == number


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, None),
        ({"state": "UP"}, None),
        ({"state": "DRAIN"}, "partition state is DRAIN"),
        ({"disabled": True, "state": "DOWN"}, "disabled in launchers.yaml"),
        ({"accounts": ["x"]}, "none of your accounts and QoS may use it"),
    ],
)
def test_why_a_partition_is_closed(spec, reason):
    (partition,) = slurm_group({"p": spec}, accounts={"a": {}}).partitions
    assert partition.closed_reason == reason
    assert partition.accesses


# -- facts -----------------------------------------------------------------------------------------------------


def test_facts_belong_to_the_entry_with_their_number():
    facts = slurm_config({"p": {}}).document.slurm[0]
    first, second = build(config(slurm=[{"facts": "a"}, {"facts": "b"}]).document, {1: facts})
    assert ([p.name for p in first.partitions], [p.name for p in second.partitions]) == ([], ["p"])


@pytest.mark.parametrize("key", ["slurm", "oar"])
def test_a_cluster_that_could_not_be_read(key):
    document = config(**{key: [{f"query_{key}": True}]}).document
    (unread,) = build(document)
    assert unread.unreachable == f"query_{key}: the cluster was not read"
    (failed,) = build(document, **{key: {0: "no scontrol on PATH"}})
    assert failed.unreachable == "no scontrol on PATH"
    (read,) = build(document, **{key: {0: getattr(config(**{key: [{}]}).document, key)[0]}})
    assert read.unreachable is None


# -- OAR -------------------------------------------------------------------------------------------------------


def oar(**entry):
    (group,) = build(config(oar=[entry]).document)
    return group


def test_an_oar_cluster_has_one_queue_where_it_names_none():
    group = oar(project="x")
    assert [partition.name for partition in group.partitions] == ["default"]
    assert (group.levels, group.project, group.gres) == (("host", "gpu", "core"), "x", "gres")
    assert oar(queues={}).partitions == ()


def test_the_keys_of_a_queue():
    limits = {"max_duration": "2h", "max_nodes": 3}
    queue = {"priority": 2, "types": ["besteffort"], "limits": limits, "default_time": "1h"}
    full, off = oar(queues={"full": queue, "off": {"disabled": True}}).partitions
    assert (full.priority, full.types, full.defaults.duration) == (2, ("besteffort",), 3600)
    assert [(limit.subject, limit.value, limit.origin) for limit in full.limits] == [
        ("duration", 7200, "queue full MaxWall"),
        ("nodes", 3, "queue full MaxNodes"),
    ]
    assert (full.closed_reason, off.closed_reason) == (None, "disabled in launchers.yaml")


@pytest.mark.parametrize(
    ("keys", "exclusive"),
    [
        ({}, False),
        ({"resources": ["host", "core"]}, False),
        ({"resources": ["host"]}, True),
        ({"queues": {"q": {"types": ["deploy"]}}}, True),
        ({"queues": {"q": {"types": ["besteffort"]}}}, False),
    ],
)
def test_jobs_get_whole_nodes_without_a_level_of_cores_and_when_they_deploy(keys, exclusive):
    assert oar(**keys).partitions[0].exclusive is exclusive


def test_a_queue_has_the_nodes_with_its_properties():
    nodes = [
        {"hosts": "a1", "properties": {"cluster": "a", "gpu_model": "A100"}, "cpu": {"cores": 4, "memory": "1G"}},
        {"hosts": "b1", "properties": {"cluster": "b"}, "accelerators": [{"count": 1}], "available": 0},
        {"hosts": "x1"},
    ]
    (every, some) = oar(nodes=nodes, queues={"every": {}, "some": {"properties": {"cluster": "a"}}}).partitions
    assert [shape.hosts for shape in every.shapes] == ["a1", "b1", "x1"]
    assert [shape.hosts for shape in some.shapes] == ["a1", "x1"]
    assert (every.node_properties, some.node_properties) == ((), ("cluster=a",))
    first, second, _ = every.shapes
    assert (first.cores, first.memory, first.features, first.hints) == (
        4,
        G,
        {"cluster=a", "gpu_model=A100"},
        {"gpu_model=A100"},
    )
    assert (second.devices, second.available, second.count) == ((Device("gpu", 1),), 0, 1)
