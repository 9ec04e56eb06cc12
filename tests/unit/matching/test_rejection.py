"""Why an offer does not fit: each reason, and both sides of each bound."""

import pytest
from clusters import G, cluster, gpus, nodes, partitions, rejections, select

from launchers.matching import Reason, match
from launchers.requirement import parse

ROOMY = nodes(count=4, cores=64, memory="64G", gpus=[gpus(4, "8G", type="t")])


@pytest.mark.parametrize(
    ("limits", "fits", "need", "code"),
    [
        ({"max_duration": "1h"}, "duration=60 min", "duration=61 min", "duration"),
        ({"max_nodes": 2}, "nodes=2", "nodes=3", "nodes"),
        ({"min_nodes": 2}, "nodes=2", "cpu(cores=1)", "minimum"),
        ({"max_cpus_per_node": 4}, "cpu(cores=4)", "cpu(cores=5)", "limit"),
        ({"max_mem_per_node": "4G"}, "cpu(mem=4G)", "cpu(mem=5G)", "limit"),
        ({"max_tres": {"cpu": 8}}, "nodes=2 & cpu(cores=4)", "nodes=2 & cpu(cores=5)", "limit"),
        ({"max_tres": {"node": 2}}, "nodes=2", "nodes=3", "limit"),
        ({"max_tres_per_node": {"cpu": 4}}, "cpu(cores=4)", "cpu(cores=5)", "limit"),
        ({"max_tres_per_user": {"gres/gpu": 1}}, "cuda()", "cuda()*2", "limit"),
        ({"max_tres_per_account": {"gres/gpu": 1}}, "cuda()", "cuda()*2", "limit"),
        ({"grp_tres": {"mem": "4G"}}, "cpu(mem=4G)", "cpu(mem=5G)", "limit"),
        ({"max_tres": {"gres/gpu:t": 1}}, "cuda()", "cuda()*2", "limit"),
        ({"min_tres": {"gres/gpu": 2}}, "cuda()*2", "cuda()", "minimum"),
        ({"min_tres": {"mem": "4G"}}, "cpu(mem=4G)", "cpu(mem=3G)", "minimum"),
        ({"max_tres_mins": {"cpu": 100}}, "cpu(cores=2) & duration=50m", "cpu(cores=2) & duration=51m", "limit"),
    ],
)
def test_every_limit_has_its_reason(limits, fits, need, code):
    limited = cluster(ROOMY, limits=limits)
    assert select(limited, fits) is not None
    (rejection,) = rejections(limited, need)
    assert (rejection.code, rejection.limit.value) == (code, rejection.offered)
    assert rejection.asked > rejection.offered or code == "minimum"


def test_a_rejection_says_what_is_bounded_and_by_whom():
    limited = cluster(ROOMY, qos={"q": {"limits": {"max_tres_per_node": {"cpu": 4}}}}, partition={"qos": ["q"]})
    (rejection,) = rejections(limited, "cpu(cores=5)")
    assert (rejection.subject, rejection.origin) == ("cpu/node", "QoS q MaxTRESPerNode")
    (rejection,) = rejections(limited, "cuda(mem=9G)")
    assert (rejection.subject, rejection.origin, rejection.accelerator.memory) == ("", "", 9 * G)


def test_a_partition_that_is_closed():
    closed = cluster(ROOMY, partition={"state": "DOWN"})
    (rejection,) = rejections(closed, "cpu(cores=1)")
    assert rejection.code is Reason.CLOSED
    assert "DOWN" in rejection.offered


def test_an_access_that_is_closed():
    closed = cluster(ROOMY, qos={"q": {"limits": {"max_jobs": 0}}}, partition={"qos": ["q"]})
    (rejection,) = rejections(closed, "cpu(cores=1)")
    assert rejection.code is Reason.CLOSED
    assert "MaxJobs=0" in rejection.offered


# -- what the nodes have -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "code", "asked", "offered"),
    [
        ("cpu(cores=65)", "cores", 65, 64),
        ("cpu(mem=65G)", "memory", 65 * G, 64 * G),
        ("nodes=5", "nodes", 5, 4),
        ("rocm()", "gpu-kind", "rocm", "cuda"),
        ("cuda(mem=9G)", "gpu-memory", 9 * G, 8 * G),
        ("cuda()*5", "gpu-count", 5, 4),
        ("cuda(mem=8G)*3 & gpu()*2", "gpu-assignment", 5, 4),
    ],
)
def test_nodes_that_are_too_small(need, code, asked, offered):
    (rejection,) = rejections(cluster(ROOMY), need)
    assert (rejection.code, rejection.asked, rejection.offered) == (code, asked, offered)


@pytest.mark.parametrize("need", ["cpu(cores=64)", "cpu(mem=64G)", "nodes=4", "cuda(mem=8G)*4", "cuda()*2 & gpu()*2"])
def test_nodes_that_are_just_large_enough(need):
    assert select(cluster(ROOMY), need) is not None


def test_whole_cores_have_to_fit_on_the_node():
    odd = cluster(nodes(cores=3, threads_per_core=2))
    assert select(odd, "cpu(cores=2)") is not None
    (rejection,) = rejections(odd, "cpu(cores=3)")
    assert (rejection.code, rejection.asked, rejection.offered) == ("cores", 4, 3)


def test_memory_per_gpu_has_to_fit_on_the_node():
    """DefMemPerGPU counts beside a --mem of the job's own."""
    hungry = cluster(ROOMY, partition={"def_mem_per_gpu": "20G"})
    assert select(hungry, "cuda()*3 & cpu(mem=1G)") is not None
    (rejection,) = rejections(hungry, "cuda()*4 & cpu(mem=1G)")
    assert (rejection.code, rejection.asked, rejection.rule) == ("memory", 80 * G, "DefMemPerGPU")
    (rejection,) = rejections(hungry, "cuda()*4 & cpu(mem=90G)")
    assert (rejection.asked, rejection.rule) == (90 * G, "")


def test_every_wanted_accelerator_has_its_reason():
    found = rejections(cluster(ROOMY), "cuda(mem=9G) & rocm() & gpu(mem=1G)*5")
    assert {(one.accelerator.kind, one.code) for one in found} == {
        ("cuda", "gpu-memory"),
        ("rocm", "gpu-kind"),
        ("gpu", "gpu-count"),
    }


def test_the_models_and_kinds_of_a_mixed_node_are_listed():
    mixed = cluster(nodes(gpus=[gpus(1, model="V100", type="v"), gpus(1, model="T4", type="t"), gpus(1, kind="rocm")]))
    assert [one.offered for one in rejections(mixed, "cuda(model=A100)*9")] == ["T4, V100"]
    assert [one.offered for one in rejections(mixed, "mps()")] == ["cuda, rocm"]
    assert [one.offered for one in rejections(cluster(nodes(cores=4)), "cuda()")] == ["none"]


def test_the_largest_memory_and_the_smallest_minimum_count():
    mixed = cluster(
        nodes(gpus=[gpus(1, "24G", type="a", min_mem_ratio=0.5), gpus(1, "40G", type="b", min_mem_ratio=0.5)])
    )
    (rejection,) = rejections(mixed, "cuda(mem=41G)")
    assert (rejection.code, rejection.offered) == ("gpu-memory", 40 * G)
    (rejection,) = rejections(mixed, "cuda(mem=11G)")
    assert (rejection.code, rejection.offered, rejection.rule) == ("gpu-min-memory", 12 * G, "min_mem_ratio 0.5")


def test_devices_are_counted_after_the_last_stage_that_refuses_some():
    mixed = cluster(nodes(gpus=[gpus(1, "24G", type="a"), gpus(3, "8G", type="b")]))
    (rejection,) = rejections(mixed, "cuda(mem=24G)*2")
    assert (rejection.code, rejection.asked, rejection.offered) == ("gpu-count", 2, 1)


# -- CPUs that Slurm compares ------------------------------------------------------------------------------------


def test_max_cpus_per_node_is_compared_with_what_is_asked_and_a_qos_with_what_is_allocated():
    block = nodes(cores=16, memory="64G", threads_per_core=2)
    limited = cluster(block, partition={"limits": {"max_cpus_per_node": 3}})
    assert select(limited, "cpu(cores=3)") is not None
    assert select(limited, "cpu(cores=4)") is None
    by_qos = cluster(block, partition={"limits": {"max_tres_per_node": {"cpu": 3}}})
    assert select(by_qos, "cpu(cores=2)") is not None
    assert select(by_qos, "cpu(cores=3)") is None


def test_threads_come_whole_cores_at_a_time():
    limited = cluster(nodes(cores=64, threads_per_core=2), limits={"max_tres": {"cpu": 3}})
    assert select(limited, "cpu(cores=2)")
    assert select(limited, "cpu(cores=3)") is None


@pytest.mark.parametrize(
    ("limits", "need", "fits"),
    [
        ({"min_tres": {"cpu": 2}}, "cpu(cores=1)", True),
        ({"max_tres": {"cpu": 7}}, "cpu(cores=1)", False),
        ({"max_tres": {"cpu": 8}}, "cpu(cores=1)", True),
        ({"max_cpus_per_node": 7}, "cpu(cores=1)", False),
        ({"max_tres": {"gres/gpu": 4}}, "cuda()", True),
        ({"max_tres": {"gres/gpu": 3}}, "cuda()", False),
        ({"max_tres": {"gres/gpu": 3}}, "cpu(cores=1)", False),
        ({"min_tres": {"gres/gpu": 2}}, "cuda()", False),
        ({"min_tres": {"gres/gpu": 4}}, "cpu(cores=1)", True),
        ({"min_tres": {"gres/gpu": 5}}, "cpu(cores=1)", False),
    ],
)
def test_a_job_with_whole_nodes_has_all_their_cpus_and_gpus_counted(limits, need, fits):
    """Against maximums; of GPUs, minimums count what the job asks for, where it asks for any."""
    whole = cluster(
        nodes(count=1, cores=8, memory="64G", gpus=[gpus(4, "8G", type="t")]),
        partition={"exclusive": True},
        limits=limits,
    )
    assert (select(whole, need) is not None) is fits


@pytest.mark.parametrize(("flags", "starts"), [([], True), (["DenyOnLimit"], False)])
def test_a_minimum_is_asked_for_at_submission_where_a_qos_denies_on_limits(flags, starts):
    least = {"q": {"flags": flags, "limits": {"min_tres": {"gres/gpu": 2}}}}
    block = nodes(count=1, cores=8, memory="64G", gpus=[gpus(4, "8G", type="t")])
    whole = cluster(block, qos=least, partition={"exclusive": True, "qos": ["q"]})
    assert (select(whole, "cpu(cores=3)") is not None) is starts
    assert select(whole, "cuda()*2") is not None


# -- requests without a type -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gres", ["gpus_per_node", "gres"])
@pytest.mark.parametrize(("types", "number", "fits"), [("ab", 3, True), ("ab", 4, False), ("aa", 4, True)])
def test_gpus_without_a_type_are_of_one_type(gres, types, number, fits):
    """slurmctld 22.05 refuses --gpus-per-node=4 on nodes with gpu:a100:3,gpu:l40s:3, and takes 3."""
    mixed = cluster(nodes(gpus=[gpus(3, "24G", type=types[0]), gpus(3, "24G", type=types[1])]), gres=gres)
    answer = match(parse(f"cuda()*{number}"), mixed)
    if gres == "gpus_per_node":
        assert answer.selection is not None  # types are named
    else:
        assert (answer.selection is not None) is fits
        codes = [one.code for trial in answer.trials[0] for one in trial.rejections]
        assert codes == ([] if fits else ["gpu-count"])


def test_reasons_are_in_the_order_of_the_funnel():
    assert [reason.stage for reason in Reason] == list(range(len(Reason)))
    assert (Reason.CLOSED.stage, Reason.MINIMUM.stage) == (0, 12)


def test_all_reasons_of_an_offer_are_found():
    both = partitions({"p": {"limits": {"max_duration": "1h"}, "nodes": [nodes(cores=4, memory="8G")]}})
    found = rejections(both, "duration=2h & cpu(cores=5, mem=9G) & cuda()")
    assert [one.code for one in found] == ["gpu-kind", "memory", "cores", "duration"]
