"""What sbatch is asked for a selection."""

import pytest
from config_files import partition, slurm_entry, write_config

from launchers import SlurmArgs, find_launcher
from launchers.slurm.render import render

GPUS = [{"model": "A100", "type": "a100", "memory": "40G", "count": 4}]


def gpu_partition():
    return {"configuration": {"cpu": {"cores": 8, "memory": "64G"}, "accelerators": GPUS}}


def args(tmp_path, need, **keys):
    """What is asked on a cluster of two partitions."""
    partitions = {"c": partition(cores=8, memory="64G"), "g": gpu_partition()}
    config = write_config(tmp_path, slurm=[slurm_entry("far", partitions, **keys)])
    return render(find_launcher(need, config=config).selection)


def test_cores_memory_and_time(tmp_path):
    config = write_config(tmp_path, slurm=[slurm_entry("far", {"c": partition(cores=8, memory="64G")})])
    found = render(find_launcher("cpu(cores=2, mem=4G) & duration=1h", config=config).selection)
    assert found == SlurmArgs(partition="c", cpus_per_task=2, mem="4G", time=60)


@pytest.mark.parametrize(("duration", "minutes"), [("60s", 1), ("61s", 2), ("119s", 2), ("120s", 2), ("1s", 1)])
def test_a_time_is_rounded_up_to_minutes(tmp_path, duration, minutes):
    assert args(tmp_path, f"cpu(cores=2) & duration={duration}").time == minutes


def test_what_is_not_asked_is_not_said(tmp_path):
    plain = args(tmp_path, "cpu()")
    assert (plain.time, plain.cpus_per_task, plain.mem, plain.gres, plain.gpus_per_node) == (None, None, None, None, 0)
    assert (plain.constraint, plain.exclude, plain.qos, plain.account) == (None, None, None, None)


@pytest.mark.parametrize(("gres", "gpus_per_node", "gres_option"), [
    ("gpus_per_node", "2", None), (None, "2", None), ("gres", "0", "gpu:2"), ("gres_typed", "0", "gpu:a100:2"),
])  # fmt: skip
def test_each_way_to_ask_for_gpus(tmp_path, gres, gpus_per_node, gres_option):
    found = args(tmp_path, "cuda(mem=24G)*2", **({"gres": gres} if gres else {}))
    assert (str(found.gpus_per_node).rpartition(":")[2], found.gres) == (gpus_per_node, gres_option)
    assert found.partition == "g"


def test_options_of_the_group_come_with_it(tmp_path):
    found = args(tmp_path, "cpu(cores=2)", sbatch={"licenses": "a:1"})
    assert dict(found.additional_params) == {"licenses": "a:1"}


def test_several_nodes(tmp_path):
    config = write_config(
        tmp_path, slurm=[slurm_entry("far", {"c": partition(nodes=[{"hosts": "n[1-4]", "cpu": {"cores": 8}}])})]
    )
    found = render(find_launcher("cpu(cores=2) & nodes=3", config=config).selection)
    assert (found.nodes, found.cpus_per_task) == (3, 2)
