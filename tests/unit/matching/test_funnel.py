"""The funnel of an explanation: how many offers each reason removes."""

from clusters import cluster, gpus, nodes, partitions
from configs import slurm_group

from launchers.matching import match
from launchers.matching.funnel import funnels
from launchers.requirement import parse


def funnels_of(groups, need, **options):
    return [
        (
            funnel.group.name,
            funnel.index,
            funnel.offers,
            [(stage.code, stage.label, stage.left) for stage in funnel.stages],
        )
        for funnel in funnels(match(parse(need), groups, **options))
    ]


def test_an_offer_leaves_at_the_first_stage_that_rejects_it():
    three = cluster(nodes("a", cores=2), nodes("b", cores=8, memory="1G"), nodes("c", cores=2, memory="1G"), id="x")
    assert funnels_of(three, "cpu(mem=2G, cores=4)") == [
        ("x", 0, 3, [("memory", "cpu mem>=2G", 1), ("cores", "cores>=4", 0)])
    ]


def test_stages_that_ask_nothing_are_shown_where_they_remove_offers():
    closed = partitions({"p": {"state": "DOWN"}, "q": {"limits": {"min_nodes": 2}}, "r": {}}, id="x")
    assert funnels_of(closed, "cpu(cores=1)") == [
        ("x", 0, 3, [("closed", "closed", 2), ("cores", "cores>=1", 2), ("minimum", "minimum", 1)])
    ]


def test_a_funnel_for_each_alternative_and_group():
    groups = [slurm_group({"p": {"nodes": [nodes(cores=cores)]}}, id=id) for id, cores in (("x", 1), ("y", 4))]
    assert funnels_of(groups, "cpu(cores=2) | cpu(cores=1)", thorough=True) == [
        ("x", 0, 1, [("cores", "cores>=2", 0)]),
        ("y", 0, 1, [("cores", "cores>=2", 1)]),
        ("x", 1, 1, [("cores", "cores>=1", 1)]),
        ("y", 1, 1, [("cores", "cores>=1", 1)]),
    ]


def test_the_labels_of_all_stages():
    need = "duration=2h & nodes=2 & cpu(mem=4G, cores=3) & cuda(mem=8G, model=A100) & gpu(mem=4G)"
    ((_, _, _, stages),) = funnels_of(cluster(nodes(gpus=[gpus(2)])), need)
    assert [label for _, label, _ in stages] == [
        "cuda/gpu",
        "model=A100",
        "mem>=4G/mem>=8G",
        "count>=2",
        "cpu mem>=4G",
        "cores>=3",
        "nodes>=2",
        "duration<=2h",
    ]


def test_a_gpu_without_memory_or_model_has_no_label_of_them():
    ((_, _, _, stages),) = funnels_of(cluster(nodes(gpus=[gpus(3)])), "cuda(mem=8G) & gpu(model=A100) & gpu()")
    assert [label for _, label, _ in stages] == ["cuda/gpu", "model=A100", "mem>=8G", "count>=3"]


def test_the_funnel_counts_shapes_that_hold_a_job_together():
    two = cluster(nodes("a[1-2]", cores=64), nodes("b[1-2]", cores=128), id="x")
    assert funnels_of(two, "nodes=4 & cpu(cores=64)") == [
        ("x", 0, 2, [("cores", "cores>=64", 2), ("nodes", "nodes>=4", 2)])
    ]
