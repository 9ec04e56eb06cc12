"""The nearest requirements that would match: found by following rejections, and accepted by the matcher."""

import pytest
from clusters import G, cluster, gpus, nodes, partitions
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.matching import match
from launchers.matching.funnel import funnels
from launchers.matching.relax import relaxations
from launchers.matching.relaxation import Term
from launchers.matching.words import relaxation_text
from launchers.requirement import Requirement, parse


def nearest(groups, need):
    """The nearest relaxations, in words."""
    answer = match(parse(need), groups)
    assert answer.selection is None
    return list(map(relaxation_text, relaxations(answer)))


def changes(groups, need):
    """The changes of the nearest relaxation: (term, from, to)."""
    first, *_ = relaxations(match(parse(need), groups))
    return [(change.term, change.asked, change.to) for change in first.changes]


# -- one offer ---------------------------------------------------------------------------------------------------

ROOMY = nodes(count=4, cores=64, memory="64G", gpus=[gpus(4, "8G", type="t", model="V100")])


@pytest.mark.parametrize(
    ("limits", "need", "change"),
    [
        ({}, "cpu(cores=65)", (Term.CORES, 65, 64)),
        ({}, "cpu(mem=65G)", (Term.MEMORY, 65 * G, 64 * G)),
        ({}, "nodes=5", (Term.NODES, 5, 4)),
        ({}, "cuda(mem=9G)", (Term.GPU_MEMORY, 9 * G, 8 * G)),
        ({}, "cuda(model=A100)", (Term.GPU_MODEL, "A100", "V100")),
        ({}, "rocm(mem=1G)", (Term.GPU_KIND, "rocm", "cuda")),
        ({}, "cuda()*5", (Term.GPUS, 5, 4)),
        ({"max_duration": "1h"}, "duration=61 min", (Term.DURATION, 3660, 3600)),
        ({"max_nodes": 2}, "nodes=3", (Term.NODES, 3, 2)),
        ({"min_nodes": 2}, "cpu(cores=1)", (Term.NODES, 1, 2)),
        ({"max_cpus_per_node": 4}, "cpu(cores=5)", (Term.CORES, 5, 4)),
        ({"max_mem_per_node": "4G"}, "cpu(mem=5G)", (Term.MEMORY, 5 * G, 4 * G)),
        ({"max_tres": {"cpu": 9}}, "nodes=2 & cpu(cores=5)", (Term.CORES, 5, 4)),
        ({"max_tres_per_node": {"cpu": 9}}, "nodes=2 & cpu(cores=10)", (Term.CORES, 10, 9)),
        ({"max_tres": {"mem": "9G"}}, "nodes=2 & cpu(mem=5G)", (Term.MEMORY, 5 * G, 4.5 * G)),
        ({"max_tres": {"gres/gpu": 5}}, "nodes=2 & cuda()*3", (Term.GPUS, 3, 2)),
        ({"max_tres_per_node": {"gres/gpu": 2}}, "nodes=2 & cuda()*3", (Term.GPUS, 3, 2)),
        ({"min_tres": {"gres/gpu": 2}}, "cuda()", (Term.GPUS, 1, 2)),
        ({"min_tres": {"gres/gpu": 3}}, "cuda() & nodes=2", (Term.GPUS, 1, 2)),
        ({"min_tres": {"gres/gpu": 2}}, "cpu(cores=1)", (Term.GPUS, 0, 2)),
        ({"min_tres": {"cpu": 4}}, "cpu(cores=2)", (Term.CORES, 2, 4)),
        ({"min_tres": {"mem": "4G"}}, "cpu(mem=3G)", (Term.MEMORY, 3 * G, 4 * G)),
    ],
)
def test_the_change_that_each_rejection_asks_for(limits, need, change):
    assert changes(cluster(ROOMY, limits=limits), need) == [change]


@pytest.mark.parametrize(
    ("limits", "keys", "need"),
    [
        ({}, {"state": "DOWN"}, "cpu(cores=1)"),
        ({}, {"def_mem_per_gpu": "20G"}, "cuda()*4"),  # what the partition adds
        ({"max_tres": {"cpu": 1}}, {}, "nodes=2 & cpu(cores=1)"),  # less than a core for each node
        ({"max_tres_mins": {"cpu": 1}}, {}, "cpu(cores=2) & duration=1h"),
        ({"max_tres": {"gres/gpu:t": 1}}, {}, "cuda()*2"),
        ({"max_tres": {"node": 1}}, {}, "nodes=2"),
        ({"min_tres": {"gres/gpu": 3}}, {}, "cuda(mem=8G) & gpu()"),  # which kind to add is open
        ({}, {}, "cuda(mem=8G)*3 & gpu()*2"),
    ],
)
def test_no_change_is_proposed_where_none_would_help(limits, keys, need):
    assert nearest(cluster(ROOMY, limits=limits, partition=keys), need) == []


@pytest.mark.parametrize(("cores", "texts"), [(1, ["would match p if cores were 1 or fewer"]), (0, [])])
def test_one_is_proposed_and_none_is_not(cores, texts):
    assert nearest(cluster(nodes(cores=cores)), "cpu(cores=2)") == texts


def test_a_node_without_gpus_is_no_help_for_a_job_that_needs_one():
    assert nearest(cluster(nodes(cores=4)), "cuda()") == []


def test_the_owners_minimum_is_rounded_up_to_what_a_person_types():
    owned = cluster(nodes(gpus=[gpus(1, "24G", min_mem_ratio=0.7)]))
    assert changes(owned, "cuda(mem=4G)") == [(Term.GPU_MEMORY, 4 * G, 17 * G)]


def test_several_changes_are_made_until_the_offer_fits():
    limited = cluster(ROOMY, limits={"max_duration": "1h"})
    assert changes(limited, "duration=2h & cpu(cores=65) & cuda(mem=9G)*2") == [
        (Term.GPU_MEMORY, 9 * G, 8 * G),
        (Term.CORES, 65, 64),
        (Term.DURATION, 7200, 3600),
    ]


def test_a_term_that_is_changed_twice_is_told_once():
    two = cluster(nodes(cores=8), limits={"max_tres": {"cpu": 6}})
    assert changes(two, "cpu(cores=10)") == [(Term.CORES, 10, 6)]


def test_only_the_accelerators_in_question_change():
    (first, *_) = relaxations(match(parse("cuda(mem=9G) & cuda(mem=1G)"), cluster(ROOMY)))
    assert str(first.alternative) == str(parse("cuda(mem=8G) & cuda(mem=1G)"))


def test_the_nearest_comes_first():
    """Fewest changes, then the smallest in proportion."""
    three = partitions(
        {
            "far": {"nodes": [nodes(cores=2)]},
            "near": {"nodes": [nodes(cores=8)]},
            "two": {"nodes": [nodes(cores=9)], "limits": {"max_duration": "1h"}},
        }
    )
    assert nearest(three, "cpu(cores=10) & duration=61m") == [
        "would match near if cores were 8 or fewer",
        "would match far if cores were 2 or fewer",
        "would match two if cores were 9 or fewer and duration were 1h or less",
    ]


def test_another_kind_counts_as_much_as_a_number_that_is_some_three_times_smaller():
    three = partitions(
        {
            "near": {"nodes": [nodes(gpus=[gpus(1, "36G")])]},
            "kind": {"nodes": [nodes(gpus=[gpus(1, "40G", kind="rocm")])]},
            "far": {"nodes": [nodes(gpus=[gpus(1, "8G")])]},
        }
    )
    assert nearest(three, "cuda(mem=40G)") == [
        "would match near if GPU memory were 36G or less",
        "would match kind if any kind of GPU would do (rocm here)",
        "would match far if GPU memory were 8G or less",
    ]


def test_at_most_three_are_told():
    many = partitions({f"p{cores}": {"nodes": [nodes(cores=cores)]} for cores in (2, 4, 6, 8)})
    assert nearest(many, "cpu(cores=9)") == [
        f"would match p{cores} if cores were {cores} or fewer" for cores in (8, 6, 4)
    ]


def test_places_with_the_same_change_are_told_together():
    two = partitions({name: {"nodes": [nodes(cores=8)]} for name in "pq"})
    assert nearest(two, "cpu(cores=9)") == ["would match p, q if cores were 8 or fewer"]


def test_a_relaxation_that_only_changes_more_is_no_news():
    """What is nearest for a partition was told again with the shorter time of another QoS."""
    two = partitions(
        {
            "p": {"qos": ["a", "b"], "nodes": [nodes(gpus=[gpus(2, "40G")])]},
            "q": {"qos": ["b"], "nodes": [nodes(gpus=[gpus(4, "40G")])]},
        },
        qos={"a": {"max_duration": "20h"}, "b": {"max_duration": "1h"}},
    )
    assert nearest(two, "duration=2 days & gpu(mem=24G)*3") == [
        "would match q if duration were 1h or less",
        "would match p if GPUs per node were 2 or fewer and duration were 20h or less",
    ]


def test_a_change_that_changes_nothing_is_not_told():
    four = cluster(
        nodes("n[1-2]", gpus=[gpus(4, "24G")]), partition={"limits": {}}, limits={"max_tres": {"gres/gpu": 8}}
    )
    assert nearest(four, "nodes=4 & gpu()*3") == ["would match p if nodes were 2 or fewer"]


# -- several shapes ----------------------------------------------------------------------------------------------


def pool(*blocks):
    """A partition with two nodes of each of these."""
    return cluster(*({**block, "hosts": f"{'abcdef'[index]}[1-2]"} for index, block in enumerate(blocks)))


def test_the_nearest_change_for_several_nodes_may_be_met_by_several_shapes():
    assert nearest(pool(nodes(memory="10G"), nodes(memory="20G")), "nodes=4 & cpu(mem=11G)") == [
        "would match p if memory were 10G or less",
        "would match p if nodes were 2 or fewer",
    ]


def test_a_single_node_of_each_shape_may_do_together():
    three = cluster(
        nodes("x", features=["x"], gpus=[gpus(8, "40G", type="a")]),
        nodes("y", features=["y"], gpus=[gpus(8, "40G", type="b")]),
        nodes("z[1-2]", features=["z"], gpus=[gpus(2, "24G", type="c")]),
    )
    assert nearest(three, "cuda(mem=80G)*8 & nodes=2")[0] == "would match p if GPU memory were 40G or less"


def test_what_several_shapes_object_to_is_met_together():
    two = pool(nodes(memory="10G", cores=8), nodes(memory="20G", cores=4))
    expected = "would match p if memory were 10G or less and cores were 4 or fewer"
    assert expected in nearest(two, "nodes=4 & cpu(mem=20G, cores=8)")


def test_too_few_nodes_in_all_shapes_are_no_help():
    two = pool(nodes(cores=4), nodes(cores=8))
    assert nearest(two, "nodes=5 & cpu(cores=4)") == ["would match p if nodes were 2 or fewer"]


def test_an_unknown_number_of_nodes_is_enough_for_a_relaxation():
    two = cluster(nodes(features=["A"], cores=4), nodes("b[1-2]", features=["B"], cores=8))
    assert nearest(two, "nodes=5 & cpu(cores=9)")[0] == "would match p if cores were 4 or fewer"


# -- properties --------------------------------------------------------------------------------------------------

SHAPES = st.lists(
    st.tuples(st.sampled_from([4, 8, 16]), st.sampled_from([8, 24, 48]), st.integers(0, 4)), min_size=1, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(
    SHAPES, st.sampled_from(["cuda(mem=99G)", "cuda(mem=20G)*9", "cpu(cores=99)", "cuda(mem=48G)*3 & cpu(cores=16)"])
)
def test_relaxations_match_and_funnels_add_up(shapes, need):
    blocks = [
        nodes(f"n{index}", cores=cores, gpus=[gpus(count, f"{memory}G")] if count else None)
        for index, (cores, memory, count) in enumerate(shapes)
    ]
    groups = cluster(*blocks, partition={"limits": {"max_duration": "1h"}})
    answer = match(parse(f"{need} & duration=2h"), groups)
    assert answer.selection is None
    for relaxation in relaxations(answer):
        assert match(Requirement((relaxation.alternative,)), groups).selection
    for funnel in funnels(answer):
        left = [funnel.offers, *(stage.left for stage in funnel.stages)]
        assert left == sorted(left, reverse=True)
        assert left[-1] == 0


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.integers(2, 5), st.sampled_from(["cuda(mem=20G)", "cuda(mem=48G)*2", "cpu(cores=9)", "gpu()*3"]))
def test_relaxations_for_several_nodes_match(shapes, number, need):
    blocks = [
        nodes(
            f"n{index}",
            features=[f"f{index}"],
            cores=cores,
            gpus=[gpus(count, f"{memory}G", type=f"t{index % 2}")] if count else None,
        )
        for index, (cores, memory, count) in enumerate(shapes)
    ]
    groups = cluster(*blocks, limits={"max_tres": {"gres/gpu": 6}})
    asked = parse(f"{need} & nodes={number}")
    answer = match(asked, groups)
    for relaxation in relaxations(answer):
        assert relaxation.alternative != asked.alternatives[0]
        assert match(Requirement((relaxation.alternative,)), groups).selection
    if answer.selection is not None:
        (funnel,) = funnels(answer)
        assert funnel.stages[-1].left >= len(answer.selection.fits)
