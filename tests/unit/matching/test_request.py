"""What the scheduler is asked for, and what it allocates for that: GPUs, cores, memory, time."""

import pytest
from clusters import G, cluster, gpus, nodes, partitions, rejections, sbatch, select

from launchers.matching.request import amount, request_for
from launchers.offer.model import Per
from launchers.requirement import parse
from launchers.slurm.render import render

M = 1024**2


def requested(need, block, devices=(), **keys):
    """The request and the allocation for a need on one block of nodes; keys are those of the partition."""
    (group,) = cluster(block, partition=keys)
    (offer,) = group.offers()
    return request_for(offer, parse(need).alternatives[0], devices)


# -- GPUs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gres", "keys", "option"),
    [
        ("gpus_per_node", {"type": "a100"}, "--gpus-per-node=a100:2"),
        ("gpus_per_node", {"model": "A100"}, "--gpus-per-node=2"),
        ("gres_typed", {"type": "a100"}, "--gres=gpu:a100:2"),
        ("gres", {"type": "a100"}, "--gres=gpu:2"),
    ],
)
def test_gpus_are_spelled_as_the_cluster_takes_them(gres, keys, option):
    one = cluster(nodes(gpus=[gpus(4, "40G", **keys)]), gres=gres)
    assert option in sbatch(one, "cuda(mem=40G)*2").flags()


def test_two_kinds_of_device_on_one_node():
    mixed = cluster(nodes(gpus=[gpus(2, "40G", type="a100"), gpus(2, "16G", type="v100")]))
    assert sbatch(mixed, "cuda(mem=16G)*3").gpus_per_node == "a100:1,v100:2"
    assert sbatch(mixed, "cuda(mem=40G)*2").gpus_per_node == "a100:2"
    assert select(mixed, "cuda(mem=40G)*3") is None


def test_the_number_of_gpus_counts_even_where_none_can_be_assigned():
    """So that limits see it."""
    small = cluster(nodes(gpus=[gpus(4, "8G")]), limits={"max_tres": {"gres/gpu": 2}})
    assert [(one.code, one.asked) for one in rejections(small, "cuda(mem=40G)*3")] == [
        ("gpu-memory", 40 * G),
        ("limit", 3),
    ]


# -- cores -------------------------------------------------------------------------------------------------------


def test_a_request_without_cores_names_none():
    request, allocation = requested("duration=1h", nodes(cores=8, memory="8G"))
    assert (request.cores, allocation.requested_cpus, allocation.core_cpus, allocation.cpus) == (0, 1, 1, 1)


@pytest.mark.parametrize(("cores", "core_cpus"), [(1, 2), (2, 2), (3, 4)])
def test_threads_are_allocated_in_whole_cores(cores, core_cpus):
    request, allocation = requested(f"cpu(cores={cores})", nodes(cores=8, memory="8G", threads_per_core=2))
    assert (request.cores, allocation.requested_cpus) == (cores, cores)
    assert (allocation.core_cpus, allocation.cpus) == (core_cpus, core_cpus)


@pytest.mark.parametrize(("most", "named"), [(2, 2), (1, 1)])
def test_whole_cores_are_named_for_a_minimum_within_what_may_be_asked_for(most, named):
    least = {"q": {"limits": {"min_tres": {"cpu": 2}}}}
    few = cluster(
        nodes(cores=8, threads_per_core=2), qos=least, partition={"qos": ["q"], "limits": {"max_cpus_per_node": most}}
    )
    assert f"--cpus-per-task={named}" in sbatch(few, "cpu(cores=1)").flags()


@pytest.mark.parametrize(
    ("partition", "socket", "starts"),
    [({"exclusive": True}, 1, True), ({}, 8, True), ({}, 4, True), ({}, 2, False), ({}, 1, False)],
)
def test_a_minimum_is_named_where_what_is_allocated_meets_it(partition, socket, starts):
    """Whole nodes, or whole sockets."""
    least = {"q": {"limits": {"min_tres": {"cpu": 4}}}}
    block = nodes(cores=8, cpus_per_socket=socket)
    found = select(cluster(block, qos=least, partition={"qos": ["q"], **partition}), "cpu(cores=2)")
    assert (found is not None) is starts
    assert not starts or "--cpus-per-task=4" in render(found).flags()


def test_an_exclusive_partition_allocates_all_cores():
    request, allocation = requested("cpu(cores=3)", nodes(cores=8, memory="8G"), exclusive=True)
    assert (request.cores, allocation.core_cpus, allocation.cpus) == (3, 3, 8)


@pytest.mark.parametrize(("minimum", "cpus"), [(1, None), (2, 2), (4, 4)])
def test_a_minimum_of_cpus_is_met_where_the_need_leaves_it_open(minimum, cpus):
    bounded = cluster(nodes(cores=32, memory="128G"), limits={"min_tres": {"cpu": minimum}})
    assert sbatch(bounded, "duration=5m").cpus_per_task == cpus


def test_a_minimum_of_cpus_is_shared_by_the_nodes():
    bounded = cluster(nodes(cores=32, memory="128G", count=4), limits={"min_tres": {"cpu": 5}})
    assert sbatch(bounded, "duration=5m & nodes=2").cpus_per_task == 3
    assert sbatch(bounded, "duration=5m & nodes=4").cpus_per_task == 2


def test_a_need_for_fewer_cores_than_the_minimum_is_not_raised():
    bounded = cluster(nodes(cores=32, memory="128G"), limits={"min_tres": {"cpu": 4}})
    assert select(bounded, "cpu(cores=2)") is None
    assert sbatch(bounded, "cpu(cores=4)").cpus_per_task == 4


def test_whole_cores_are_named_where_a_minimum_counts_them():
    """Slurm compares it with what a waiting job asks for, not with what it would get."""
    bounded = cluster(nodes(cores=32, memory="128G", threads_per_core=2), limits={"min_tres": {"cpu": 4}})
    assert sbatch(bounded, "cpu(cores=3)").cpus_per_task == 4
    free = cluster(nodes(cores=32, memory="128G", threads_per_core=2))
    assert sbatch(free, "cpu(cores=3)").cpus_per_task == 3


def test_cores_are_named_where_the_default_per_gpu_fits_no_node():
    one = cluster(
        nodes(count=1, cores=6, memory="64G", gpus=[gpus(2, "8G", type="t")]), partition={"def_cpu_per_gpu": 4}
    )
    assert sbatch(one, "cuda(mem=8G)").cpus_per_task is None
    assert sbatch(one, "cuda(mem=8G)*2").cpus_per_task == 1
    assert sbatch(one, "cuda(mem=8G)*2 & cpu(cores=3)").cpus_per_task == 3


@pytest.mark.parametrize(("per_gpu", "named"), [(1, None), (2, 1)])
def test_a_node_with_one_core_has_no_room_for_two_per_gpu(per_gpu, named):
    one = cluster(nodes(cores=1, gpus=[gpus(1, type="t")]), partition={"def_cpu_per_gpu": per_gpu})
    assert sbatch(one, "cuda()").cpus_per_task == named


def test_the_default_per_gpu_may_take_the_whole_node():
    block = nodes(cores=8, gpus=[gpus(2, "8G", type="t")])
    request, allocation = requested("cuda()*2", block, (("t", 2),), def_cpu_per_gpu=4)
    assert (request.cores, allocation.requested_cpus, allocation.cpus) == (0, 8, 8)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_tres_per_node": {"cpu": 4}}, None),
        ({"max_tres_per_node": {"cpu": 3}}, 1),
        ({"max_tres": {"cpu": 4}}, None),
        ({"max_tres": {"cpu": 3}}, 1),
    ],
)
def test_cores_are_named_where_the_default_per_gpu_breaks_a_limit(limits, named):
    one = cluster(
        nodes(cores=16, memory="64G", gpus=[gpus(2, "8G", type="t")]), partition={"def_cpu_per_gpu": 4}, limits=limits
    )
    assert sbatch(one, "cuda()").cpus_per_task == named


def test_a_limit_of_the_job_is_shared_by_its_nodes():
    block = nodes(count=2, cores=16, memory="64G", gpus=[gpus(2, "8G", type="t")])
    one = cluster(block, partition={"def_cpu_per_gpu": 4}, limits={"max_tres": {"cpu": 7}})
    assert sbatch(one, "cuda()").cpus_per_task is None
    assert sbatch(one, "cuda() & nodes=2").cpus_per_task == 1


def test_cores_are_named_where_gpus_of_several_types_have_a_default_per_gpu():
    mixed = cluster(
        nodes(count=1, cores=16, memory="64G", gpus=[gpus(2, "8G", type="a"), gpus(2, "8G", type="b")]),
        partition={"def_cpu_per_gpu": 2},
    )
    assert sbatch(mixed, "cuda(mem=8G)*2").cpus_per_task is None
    both = sbatch(mixed, "cuda(mem=8G)*3")
    assert (both.gpus_per_node, both.cpus_per_task) == ("a:2,b:1", 6)
    assert sbatch(mixed, "cuda(mem=8G)*3 & cpu(cores=3)").cpus_per_task == 3


# -- memory ------------------------------------------------------------------------------------------------------


def test_memory_is_asked_for_by_cores_where_it_cannot_be_named():
    by_cores = cluster(nodes(cores=32, mem_per_cpu="4G"), use_memory_constraint=False)
    flags = sbatch(by_cores, "cpu(mem=10G, cores=2)").flags()
    assert "--cpus-per-task=3" in flags
    assert not any(flag.startswith("--mem") for flag in flags)
    assert sbatch(by_cores, "cpu(mem=8G, cores=3)").cpus_per_task == 3


def test_limited_memory_per_cpu_costs_cores():
    limited = cluster(nodes(cores=32, memory="128G"), partition={"limits": {"max_mem_per_cpu": "4G"}})
    assert sbatch(limited, "cpu(mem=10G)").cpus_per_task == 3
    assert sbatch(limited, "cpu(mem=8G)").cpus_per_task == 2
    assert sbatch(limited, "cpu(mem=10G, cores=5)").cpus_per_task == 5
    assert select(limited, "cpu(mem=128G)")
    assert select(limited, "cpu(mem=129G)") is None


def test_cpus_that_memory_costs_are_not_named_over_the_partitions_maximum():
    limited = cluster(
        nodes(cores=16, memory="64000M"),
        partition={"limits": {"max_mem_per_cpu": "4000M", "max_cpus_per_node": 8}},
    )
    assert sbatch(limited, "cpu(cores=4, mem=64000M)").cpus_per_task == 4
    assert sbatch(limited, "cpu(cores=4, mem=32000M)").cpus_per_task == 8
    assert sbatch(limited, "cpu(cores=4, mem=20000M)").cpus_per_task == 5
    assert select(limited, "cpu(cores=9)") is None


@pytest.mark.parametrize(
    ("limits", "entry", "memory"),
    [
        ({"max_mem_per_node": "10G"}, {}, 10 * G),
        ({"max_mem_per_cpu": "3G"}, {}, 3 * G),
        ({}, {"max_tres": {"mem": "128G"}}, 128 * G),  # unnamed, sbatch compares more with it
        ({}, {"max_tres": {"mem": "200G"}}, 128 * G),
        ({}, {}, None),
    ],
)
def test_a_memory_that_fits_is_named_where_the_default_would_not_fit(limits, entry, memory):
    limited = cluster(nodes(cores=32, memory="128G"), partition={"limits": limits}, limits=entry)
    assert sbatch(limited, "cpu(cores=1)").mem == memory


def test_a_limit_on_memory_of_the_job_is_shared_by_its_nodes():
    limited = cluster(nodes(count=2, cores=32, memory="128G"), limits={"max_tres": {"mem": "20G"}})
    assert sbatch(limited, "cpu(cores=1) & nodes=2").mem == 10 * G


@pytest.mark.parametrize(
    ("keys", "memory", "allocated"),
    [
        ({"def_mem_per_cpu": "1G"}, None, 2 * G),
        ({"def_mem_per_cpu": "5G"}, None, 10 * G),
        ({"def_mem_per_cpu": "6G"}, 10 * G, 10 * G),
        ({"def_mem_per_node": "3G"}, None, 3 * G),
        ({"def_mem_per_node": "11G"}, 10 * G, 10 * G),
        ({"def_mem_per_cpu": "1G", "def_mem_per_node": "3G"}, None, 2 * G),
        ({}, 10 * G, 10 * G),
    ],
)
def test_the_default_memory_is_left_where_it_fits(keys, memory, allocated):
    request, allocation = requested(
        "cpu(cores=2)", nodes(cores=32, memory="128G"), limits={"max_mem_per_node": "10G"}, **keys
    )
    assert (request.memory or None, allocation.memory) == (memory, allocated)


def test_the_largest_of_the_default_memories_counts():
    keys = {"def_mem_per_gpu": "7G", "def_mem_per_cpu": "1G"}
    block = nodes(cores=32, memory="128G", gpus=[gpus(4)])
    request, allocation = requested("cuda()*2", block, ((None, 2),), **keys)
    assert (request.memory, allocation.memory) == (0, 14 * G)
    request, allocation = requested("cuda()*2 & cpu(mem=3G)", block, ((None, 2),), **keys)
    assert (request.memory, allocation.memory) == (3 * G, 3 * G)  # the node has to have the others as well
    request, allocation = requested("cuda()*2 & cpu(cores=20)", block, ((None, 2),), **keys)
    assert (request.memory, allocation.memory) == (0, 20 * G)
    request, allocation = requested("cuda() & cpu(cores=32)", block, ((None, 1),), def_mem_per_cpu="8G")
    assert (request.memory, allocation.memory) == (128 * G, 128 * G)  # what the node has is named


def test_a_default_per_gpu_is_named_where_memory_is_limited():
    block = nodes(cores=32, memory="128G", gpus=[gpus(4)])
    request, _ = requested("cuda()", block, ((None, 1),), def_mem_per_gpu="7G", limits={"max_mem_per_node": "10G"})
    assert request.memory == 7 * G


def test_memory_is_named_in_whole_mib():
    request, _ = requested("cpu(mem=1025K)", nodes(memory="8G"))
    assert request.memory == 2 * M
    request, _ = requested("cpu(cores=1)", nodes(memory="10241K"), limits={"max_mem_per_node": "100G"})
    assert request.memory == 10 * M


def test_memory_that_nobody_knows_stays_unknown():
    request, allocation = requested("cpu(cores=1)", nodes(cores=8))
    assert (request.memory, allocation.memory) == (0, None)
    request, allocation = requested("cuda()", nodes(gpus=[gpus(1)]), ((None, 1),))
    assert (request.memory, allocation.memory) == (0, None)


# -- time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "allocated", "minutes"), [(60, 60, 1), (61, 120, 2), (119, 120, 2), (120, 120, 2)]
)
def test_time_is_counted_in_whole_minutes(duration, allocated, minutes):
    request, allocation = requested(f"duration={duration}s", nodes())
    assert (request.duration, allocation.duration) == (duration, allocated)
    assert sbatch(cluster(nodes()), f"duration={duration}s").time == minutes


@pytest.mark.parametrize(
    ("default", "longest", "duration", "allocated"),
    [
        ("30m", None, None, 1800),
        ("30m", "1h", None, 1800),
        ("1h", "1h", None, 3600),
        ("2h", "1h", 3600, 3600),  # Slurm would give the default, and then refuse the job
        (None, "1h", None, 3600),
        (None, "90s", None, 60),
        (None, "30s", None, 60),
        (None, None, None, None),
    ],
)
def test_the_time_of_a_job_that_asks_for_none(default, longest, duration, allocated):
    keys = {"default_time": default} if default else {}
    keys |= {"limits": {"max_duration": longest}} if longest else {}
    request, allocation = requested("cpu(cores=1)", nodes(cores=4), **keys)
    assert (request.duration, allocation.duration) == (duration, allocated)


def test_of_several_limits_on_the_time_the_least_is_named():
    limited = cluster(
        nodes(cores=4), qos={"q": {"max_duration": "30m"}}, partition={"qos": ["q"], "limits": {"max_duration": "1h"}}
    )
    assert sbatch(limited, "cpu(cores=1)").time == 30


@pytest.mark.parametrize(("need", "minutes"), [("cpu(cores=1)", 240), ("duration=3h", 180)])
def test_a_limit_that_only_gives_a_time_is_passed_by_with_a_time(need, minutes):
    limited = cluster(
        nodes(cores=4), qos={"q": {"limits": {"default_time": "2h"}}, "r": {"limits": {"default_time": "100 days"}}},
        partition={"qos": ["r"], "limits": {"max_duration": "4h"}},
    )  # fmt: skip
    assert sbatch(limited, need).time == minutes


@pytest.mark.parametrize(("tres", "minutes"), [({"cpu": 60}, 30), ({"gres/gpu": 60}, 60), ({"cpu": 61}, 30)])
def test_tres_minutes_limit_the_time(tres, minutes):
    limited = cluster(nodes(cores=4, memory="8G", gpus=[gpus(1)]), limits={"max_tres_mins": tres})
    assert sbatch(limited, "cpu(cores=2) & cuda()").time == minutes


def test_minutes_of_what_the_job_does_not_have_limit_nothing():
    limited = cluster(nodes(cores=4, gpus=[gpus(1)]), limits={"max_tres_mins": {"gres/gpu": 60}})
    assert sbatch(limited, "cpu(cores=2)").time is None


def test_the_time_of_a_qos_is_that_of_all_partitions_of_a_job():
    """Slurm gives it to a job that asks for none, and refuses the job where another partition has a lower limit."""
    block = nodes(cores=4, memory="8G")
    three = partitions(
        {
            "p": {"qos": ["all"], "limits": {"max_duration": "10m"}, "nodes": [block]},
            "q": {"qos": ["all"], "partition_qos": "long", "limits": {"max_duration": "4h"}, "nodes": [block]},
            "r": {"qos": ["all"], "limits": {"max_duration": "20m"}, "nodes": [block]},
        },
        qos={"all": {}, "long": {"max_duration": "4h", "flags": ["PartitionTimeLimit"]}},
    )
    assert sbatch(three, "cpu(cores=2)").partition == "p,r"
    assert sbatch(three, "cpu(cores=2) & duration=5m").partition == "p,q,r"


# -- amounts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "per", "number"),
    [
        ("duration", Per.JOB, 600),
        ("nodes", Per.JOB, 2),
        ("node", Per.JOB, 2),
        ("cpu", Per.JOB, 6),
        ("cpu", Per.NODE, 3),
        ("cpu", Per.MINUTE, 60),
        ("mem", Per.JOB, 8 * G),
        ("mem", Per.NODE, 4 * G),
        ("mem", Per.CPU, None),
        ("node", Per.MINUTE, 20),
        ("gres/gpu", Per.NODE, 3),
        ("gres/gpu", Per.JOB, 6),
        ("gres/gpu:a", Per.JOB, 4),
        ("gres/gpu:c", Per.JOB, 0),
        ("license/x", Per.JOB, None),
    ],
)
def test_how_much_a_job_has(quantity, per, number):
    block = nodes(count=2, cores=8, memory="64G", gpus=[gpus(2, type="a"), gpus(2, type="b")])
    need = "nodes=2 & cpu(cores=3, mem=4G) & duration=10m & cuda()*3"
    request, allocation = requested(need, block, (("a", 2), ("b", 1)))
    assert amount(request, allocation, quantity, per) == number


def test_how_many_of_a_type_an_untyped_request_has_is_not_known():
    request, allocation = requested("cuda()", nodes(gpus=[gpus(2, type="a")]), ((None, 1),))
    assert amount(request, allocation, "gres/gpu:a") is None
    assert amount(request, allocation, "cpu", Per.MINUTE) is None  # no time limit
