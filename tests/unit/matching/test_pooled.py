"""Jobs of several nodes, on nodes of several shapes and GPUs of several types."""

import pytest
from clusters import G, cluster, gpus, nodes, partitions, sbatch, select

from launchers.matching import match
from launchers.requirement import parse


def shapes_of(groups, need, **options):
    """The hosts that an answer merges; None without an answer."""
    selection = select(groups, need, **options)
    return selection and sorted(offer.shape.hosts for offer in selection.offers)


# -- shapes ------------------------------------------------------------------------------------------------------

THREE = cluster(
    nodes("a[1-2]", count=2, features=["A"], cores=8),
    nodes("b[1-2]", count=2, features=["B"], cores=16),
    nodes("c[1-9]", count=9, features=["C"], cores=4),
)


@pytest.mark.parametrize(
    ("need", "hosts"),
    [
        ("nodes=4 & cpu(cores=8)", ["a[1-2]", "b[1-2]"]),
        ("nodes=3 & cpu(cores=8)", ["a[1-2]", "b[1-2]"]),
        ("nodes=5 & cpu(cores=8)", None),
        ("nodes=2 & cpu(cores=16)", ["b[1-2]"]),
        ("nodes=3 & cpu(cores=16)", None),
        ("nodes=13 & cpu(cores=4)", ["a[1-2]", "b[1-2]", "c[1-9]"]),
        ("nodes=14 & cpu(cores=4)", None),
    ],
)
def test_a_job_of_many_nodes_may_take_several_shapes(need, hosts):
    assert shapes_of(THREE, need) == hosts


def test_the_request_of_several_shapes_names_all_nodes():
    args = sbatch(THREE, "nodes=4 & cpu(cores=8)")
    assert (args.nodes, args.constraint, args.cpus_per_task) == (4, None, 8)  # Slurm itself keeps it off c


def test_offers_that_take_part_are_not_rejected():
    answer = match(parse("nodes=4 & cpu(cores=8)"), THREE)
    a, b, c = answer.trials[0]
    assert [trial.pooled for trial in (a, b, c)] == [True, True, False]
    assert a.rejections == b.rejections == ()
    assert [rejection.code for rejection in a.outcome] == ["nodes"]
    assert [rejection.code for rejection in c.rejections] == ["cores"]


def test_only_as_many_shapes_as_are_needed_take_part():
    """The best first: those without waste."""
    three = cluster(*(nodes(f"{name}1", count=1, features=[name], cores=8) for name in "abc"))
    assert shapes_of(three, "nodes=2 & cpu(cores=8)") == ["a1", "b1"]


def test_an_unknown_number_of_nodes_is_enough():
    two = cluster(nodes("a[1-2]", count=2, features=["A"], cores=8), nodes(features=["B"], cores=8))
    selection = select(two, "nodes=9 & cpu(cores=8)")
    assert [offer.shape.count for offer in selection.offers] == [None]


def test_a_shape_that_has_enough_nodes_is_not_mixed_with_others():
    """Equal to them otherwise: what was merged were those of the others that have enough nodes together."""
    three = cluster(
        nodes("a1", features=["a"], cores=4, memory="8G"),
        nodes("b1", features=["b"], cores=4, memory="8G"),
        nodes("c[1-2]", features=["c"], cores=4, memory="8G"),
    )
    assert shapes_of(three, "nodes=2 & cpu(cores=3)") == ["c[1-2]"]


def test_shapes_of_two_partitions_are_not_pooled():
    two = partitions({name: {"nodes": [nodes(f"{name}1", count=1, cores=8)]} for name in "pq"})
    assert select(two, "nodes=2 & cpu(cores=8)") is None


@pytest.mark.parametrize(("most", "matches"), [(3, True), (2, False)])
def test_a_limit_on_nodes_holds_for_several_shapes_too(most, matches):
    two = cluster(
        nodes("a[1-2]", count=2, features=["A"], cores=8),
        nodes("b1", count=1, features=["B"], cores=8),
        partition={"limits": {"max_nodes": most}},
    )
    assert (select(two, "nodes=3 & cpu(cores=8)") is not None) is matches


@pytest.mark.parametrize(
    ("limit", "most", "matches"),
    [("gres/gpu", 1, True), ("gres/gpu", 0, False), ("cpu", 24, True), ("cpu", 23, False), ("node", 2, False)],
)
def test_limits_count_what_the_nodes_have_together(limit, most, matches):
    two = cluster(
        nodes("a[1-2]", count=2, features=["A"], cores=8),
        nodes("b1", count=1, features=["B"], cores=8, gpus=[gpus(1)]),
        partition={"exclusive": True, "limits": {"max_tres": {limit: most}}},
    )
    assert (select(two, "nodes=3") is not None) is matches


def test_a_limit_holds_whichever_nodes_a_job_gets():
    """Two of three nodes have a GPU: Slurm may take both of them."""
    three = cluster(
        nodes("a1", count=1, features=["A"], cores=8),
        nodes("b1", count=1, features=["B"], cores=8, gpus=[gpus(1)]),
        nodes("c1", count=1, features=["C"], cores=8, gpus=[gpus(1)]),
        partition={"exclusive": True, "limits": {"max_tres": {"gres/gpu": 1}}},
    )
    assert sbatch(three, "nodes=2").constraint == "(A)|(B)"
    assert select(three, "nodes=3") is None


def test_shapes_of_different_size_share_a_job_that_needs_no_memory():
    """A limit on memory has it named, and then it has to be what the smallest of them has."""
    two = cluster(
        nodes(count=1, features=["small"], cores=4, memory="4G"),
        nodes(count=2, features=["big"], cores=8, memory="64G"),
        partition={"limits": {"max_mem_per_node": "10G"}},
    )
    assert sbatch(two, "nodes=3 & duration=11m").mem == 4 * G
    assert sbatch(two, "nodes=2 & duration=11m").mem == 10 * G


# -- GPU types ---------------------------------------------------------------------------------------------------


def typed(*shapes, **entry):
    """A cluster with nodes of these (GRES type, memory in G, number of nodes), each with two GPUs and its type as feature."""
    blocks = [
        nodes(f"{kind}-[1-{count}]", features=[kind], gpus=[gpus(2, f"{memory}G", type=kind)])
        for kind, memory, count in shapes
    ]
    return cluster(*blocks, **entry)


SMALL = (("a100", 40, 2), ("rtx3090", 24, 2), ("v100", 16, 2))


@pytest.mark.parametrize(
    ("need", "constraint", "number"),
    [
        ("cuda()*2 & nodes=4", "(rtx3090)|(v100)", "2"),
        ("cuda(mem=24G)*2 & nodes=4", "(a100)|(rtx3090)", "2"),
        ("cuda() & nodes=6", None, "1"),
        ("cuda(mem=24G)*2 & nodes=2", None, "rtx3090:2"),  # one type is named where it has nodes enough
    ],
)
def test_several_nodes_may_have_gpus_of_different_types(need, constraint, number):
    args = sbatch(typed(*SMALL), need)
    assert (args.gpus_per_node, args.constraint) == (number, constraint)


@pytest.mark.parametrize("entry", [{"gres": "gres_typed"}, {"limits": {"max_tres_per_user": {"gres/gpu:a100": 100}}}])
def test_types_are_not_left_out_where_they_matter(entry):
    assert select(typed(*SMALL, **entry), "cuda()*2 & nodes=4") is None


@pytest.mark.parametrize("gres", ["gpus_per_node", "gres"])
@pytest.mark.parametrize(("number", "matches"), [(2, False), (1, True)])
def test_gpus_without_a_type_are_of_one_type_on_each_node(number, matches, gres):
    """slurmctld 22.05 refuses --gpus-per-node=4 on nodes with gpu:a100:3,gpu:l40s:3, and takes 3."""
    two = cluster(
        nodes("m[1-2]", gpus=[gpus(1, "24G", type="a"), gpus(1, "24G", type="b")]),
        nodes("n[1-2]", gpus=[gpus(2, "24G", type="c")]),
        gres=gres,
    )
    assert (select(two, f"cuda()*{number} & nodes=4") is not None) is matches


def test_shapes_with_more_types_share_the_type_that_they_have_in_common():
    two = cluster(
        nodes("m[1-2]", features=["M"], gpus=[gpus(1, "24G", type="a"), gpus(1, "24G", type="b")]),
        nodes("n[1-2]", features=["N"], gpus=[gpus(1, "24G", type="b")]),
        gres="gres_typed",
    )
    assert sbatch(two, "cuda() & nodes=4").gres == "gpu:b:1"


@pytest.mark.parametrize(
    ("choose", "need", "devices", "constraint"),
    [
        ("widest", "cuda(mem=24G)", "1", "(a100)|(rtx3090)|(rtx4090)"),
        ("widest", "cuda(mem=24G)*2 & nodes=2", "2", "(a100)|(rtx3090)|(rtx4090)"),
        ("widest", "cuda(mem=32G)", "a100:1", None),
        ("tightest", "cuda(mem=24G)", "rtx3090:1", None),
    ],
)
def test_widest_merges_gpus_of_different_types(choose, need, devices, constraint):
    four = typed(("rtx3090", 24, 2), ("rtx4090", 24, 2), ("v100", 16, 2), ("a100", 40, 2), choose=choose)
    args = sbatch(four, need)
    assert (args.gpus_per_node, args.constraint) == (devices, constraint)
