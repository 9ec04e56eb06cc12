"""A merge never admits a node that does not fit: an independent reading of what Slurm does with the options.

Nothing here uses the matcher's own idea of admission: nodes are checked against the rendered sbatch options as Slurm
documents them (man sbatch: --constraint, --exclude, --gpus-per-node, --gres, --mem), then every set of GPUs that Slurm
could hand out is checked against the plain meaning of the need, by brute force.
"""

import itertools

from clusters import cluster, gpus, nodes, select
from effort import LONG
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.matching import match
from launchers.offer.assumption import Unstated
from launchers.offer.model import Access, Device, Group, Limit, Partition, Shape, Source, SourceKind
from launchers.offer.rules import SLURM_RULES
from launchers.requirement import Accelerator, Alternative, Requirement
from launchers.slurm.render import render

G = 1024**3
FEATURES = "FGHI"
OF_SLURM = {Unstated.GPU_CHOICE, Unstated.NODE_CHOICE}
"""What is assumed of what Slurm will do."""
OF_GPUS = {Unstated.GPU_KIND, Unstated.GPU_MODEL, Unstated.GPU_MEMORY, Unstated.GPU_COUNT, Unstated.GPU_CHOICE}


# -- random clusters -------------------------------------------------------------------------------------------

DEVICES = st.builds(
    Device,
    kind=st.sampled_from(["cuda", "cuda", "cuda", "rocm", "gpu"]),
    count=st.integers(1, 3),
    memory=st.sampled_from([8 * G, 24 * G, 24 * G, 48 * G, None]),
    model=st.sampled_from([None, None, "A100", "V100"]),
    min_memory=st.sampled_from([0, 0, 0, 16 * G]),
    type=st.sampled_from([None, "a", "a", "b", "c"]),
    sizes=st.sampled_from([(), (8 * G, 24 * G)]),
)


ANY = st.lists(DEVICES, max_size=2)
TYPED = st.builds(
    Device,
    kind=st.just("cuda"),
    count=st.integers(1, 3),
    memory=st.sampled_from([8 * G, 24 * G, 48 * G]),
    type=st.sampled_from(["a", "b", "c"]),
)
"""Those of a cluster whose nodes differ in the type of their GPUs."""


@st.composite
def shapes(draw, prefix, devices):
    number = draw(st.integers(1, 4))
    return tuple(
        Shape(
            name=f"{prefix}{index}",
            cores=draw(st.sampled_from([4, 8, 16, None])),
            memory=draw(st.sampled_from([16 * G, 64 * G, None])),
            devices=tuple(draw(devices)),
            features=frozenset(draw(st.sets(st.sampled_from(FEATURES), max_size=3))),
            hints=frozenset(),
            count=draw(st.sampled_from([1, 2, None])),
            hosts=draw(st.sampled_from([f"{prefix}{index}", f"{prefix}{index}", ""])),
            mem_per_core=draw(st.sampled_from([None, 2 * G, 4 * G])),
        )
        for index in range(number)
    )


PARTITION = Source(SourceKind.PARTITION, "p")
PARTITION_LIMITS = [Limit("nodes", 2, PARTITION, "MaxNodes"), Limit("duration", 3600, PARTITION, "MaxTime")]
SHORT = Limit("duration", 7200, Source(SourceKind.QOS, "long"), "MaxWall")


@st.composite
def clusters(draw, devices=ANY, spellings=("gpus_per_node", "gres_typed", "gres")):
    partitions = tuple(
        Partition(
            name,
            draw(shapes(name, devices)),
            accesses=(Access(), Access(qos="long", limits=(SHORT,))),
            limits=tuple(draw(st.lists(st.sampled_from(PARTITION_LIMITS)))),
        )
        for name in ("p", "q")
    )
    return Group(
        "cluster",
        "slurm",
        partitions,
        rules=SLURM_RULES,
        choose=draw(st.sampled_from(["tightest", "widest"])),
        gres=draw(st.sampled_from(spellings)),
        memory_constraint=draw(st.booleans()),
    )


WANTED = st.builds(
    Accelerator,
    kind=st.sampled_from(["cuda", "cuda", "gpu"]),
    memory=st.sampled_from([0, 8 * G, 20 * G, 48 * G]),
    model=st.sampled_from([None, None, None, "A100"]),
)
NEEDS = st.builds(
    Alternative,
    duration=st.sampled_from([None, 3600, 7200]),
    cpu_memory=st.sampled_from([0, 0, 8 * G, 32 * G]),
    cores=st.sampled_from([0, 1, 8]),
    accelerators=st.one_of(
        st.tuples(WANTED, st.integers(1, 4)).map(lambda pair: (pair[0],) * pair[1]), st.lists(WANTED, max_size=3)
    ),
    nodes=st.sampled_from([1, 1, 2, 3, 4]),
)


# -- what Slurm would do ---------------------------------------------------------------------------------------


def slurm_admits(options, partition, shape):
    """Whether Slurm would place the job on this node; what nobody knows about the node is taken as enough."""
    if partition.name not in options["partition"].split(","):
        return False
    if shape.hosts and shape.hosts in options.get("exclude", "").split(","):
        return False
    if text := options.get("constraint"):
        clauses = [set(clause.strip("()").split("&")) for clause in text.split("|")]
        assert all(clause <= set(FEATURES) for clause in clauses)
        if not any(clause <= shape.features for clause in clauses):
            return False
    if shape.cores is not None and options.get("cpus-per-task", 1) > shape.cores:
        return False
    memory = int(options["mem"].removesuffix("M")) * 1024**2 if "mem" in options else 0
    if shape.memory is not None and memory > shape.memory:
        return False
    return any(True for _ in handouts(options, shape))


def asked_devices(options):
    """GRES type (None: any) -> number, read back from the text of the option."""
    if text := options.get("gpus-per-node"):
        return {
            kind or None: int(number) for kind, _, number in (part.rpartition(":") for part in str(text).split(","))
        }
    parts = [part.split(":") for part in options["gres"].split(",")] if options.get("gres") else []
    assert all(part[0] == "gpu" for part in parts)
    return {(part[1] if len(part) == 3 else None): int(part[-1]) for part in parts}


def handouts(options, shape):
    """Every set of this node's GPUs that Slurm could give the job, as lists of devices."""
    single = [device for device in shape.devices for _ in range(device.count)]
    asked = asked_devices(options)
    pools = [
        itertools.combinations([i for i, device in enumerate(single) if kind in (None, device.type)], number)
        for kind, number in asked.items()
    ]
    for chosen in itertools.product(*pools):
        yield [single[index] for index in itertools.chain(*chosen)]


def of_one_type(options, shape):
    """Whether a node has what is asked without a type: Slurm gives a job devices of one type then (slurmctld 22.05)."""
    asked = asked_devices(options).get(None, 0)
    return not asked or any(
        asked <= sum(one.count for one in shape.devices if one.type == kind)
        for kind in {device.type for device in shape.devices}
    )


def serves(wanted, device, certain):
    """The plain meaning of one accelerator that is wanted, with the owner's minimum; unknown facts may serve."""
    if wanted.kind != "gpu" and wanted.kind != device.kind and (certain or device.kind != "gpu"):
        return False
    if wanted.model and wanted.model != device.model and (certain or device.model):
        return False
    may_have = device.sizes if device.memory is None else (device.memory,)
    if wanted.memory and (wanted.memory > (min if certain else max)(may_have, default=0 if certain else wanted.memory)):
        return False
    return wanted.memory >= device.min_memory or bool(wanted.model and not wanted.memory)


def enough(need, group, options, shape, devices, certain):
    """Whether a node with these devices does what is needed; `certain`: whether nothing may be assumed of them."""
    cores = options.get("cpus-per-task", 1)
    if cores < need.cores:
        return False
    memory = int(options["mem"].removesuffix("M")) * 1024**2 if "mem" in options else None
    if memory is None and not group.memory_constraint and shape.mem_per_core:
        memory = cores * shape.mem_per_core
    if need.cpu_memory and (memory is None or memory < need.cpu_memory):
        return False
    if need.cpu_memory and shape.memory is not None and need.cpu_memory > shape.memory:
        return False
    return any(
        all(serves(want, device, certain) for want, device in zip(need.accelerators, order, strict=True))
        for order in itertools.permutations(devices, len(need.accelerators))
    )


@settings(max_examples=800 if LONG else 200, deadline=None)
@given(clusters(), NEEDS, st.booleans())
def test_no_node_is_admitted_that_does_not_fit(group, need, widest):
    check(need, group, match(Requirement((need,)), [group], widest=widest).selection)


@settings(max_examples=500 if LONG else 120, deadline=None)
@given(
    clusters(st.lists(TYPED, min_size=1, max_size=2), ("gpus_per_node",)),
    st.builds(
        Alternative,
        accelerators=st.lists(
            st.builds(Accelerator, st.just("cuda"), st.sampled_from([0, 24 * G, 24 * G])), min_size=1, max_size=2
        ),
        nodes=st.integers(1, 5),
    ),
    st.booleans(),
)
def test_no_node_is_admitted_that_does_not_fit_where_types_are_left_out(group, need, widest):
    check(need, group, match(Requirement((need,)), [group], widest=widest).selection)


def check(need, group, found):
    """Every node that the options of an answer admit does what is needed, and there are enough of them."""
    if found is None:
        return
    options = render(found).options()
    facts = {assumption.fact for assumption in found.assumed}
    certain = not facts & OF_GPUS
    nodes = 0
    for partition in group.partitions:
        for shape in partition.shapes:
            if not slurm_admits(options, partition, shape):
                continue
            if of_one_type(options, shape):
                nodes += need.nodes if shape.count is None else shape.count
            fits = all(enough(need, group, options, shape, devices, certain) for devices in handouts(options, shape))
            assert fits or bool(facts & OF_SLURM), (partition.name, shape.name, options)
    assert nodes >= need.nodes


def test_equal_entries_in_another_order_give_the_same_answer():
    blocks = [nodes(name, features=["S"], gpus=[gpus(1, "24G")]) for name in "ab"]
    first, second = (select(cluster(*order), "cuda(mem=24G)") for order in (blocks, blocks[::-1]))
    assert render(first) == render(second)
    assert [offer.name for offer in first.offers] == [offer.name for offer in second.offers]
