"""What oarsub is asked for a selection."""

import pytest
from config_files import oar_entry, write_config

from launchers import find_launcher
from launchers.oar.render import render

CPUS = {"hosts": "c-[1-4]", "cpu": {"cores": 8, "memory": "64G"}}
GPUS = {
    "hosts": "g-[1-2]", "cpu": {"cores": 8, "memory": "64G"},
    "accelerators": [{"model": "A100", "memory": "40G", "count": 4}],
}  # fmt: skip


def args(tmp_path, need, *nodes, select=(), **keys):
    config = write_config(tmp_path, oar=[oar_entry("grid", *(nodes or (CPUS,)), **keys)])
    return render(find_launcher(need, config=config, tags=select).selection)


@pytest.mark.parametrize(("need", "resources"), [
    ("cpu(cores=2) & duration=1h", "/host=1/core=2,walltime=1:00:00"),
    ("cpu()", "/host=1/core=1"),
    ("cpu(cores=3) & nodes=2", "/host=2/core=3"),
])  # fmt: skip
def test_cores_of_hosts(tmp_path, need, resources):
    found = args(tmp_path, need)
    assert (found.resources, found.guard) == (resources, "")


def test_gpus_are_a_level_of_their_own_and_guarded(tmp_path):
    """Without a guard a node whose gpu is NULL would be given whole (docs/oar-facts.md)."""
    found = args(tmp_path, "cuda(mem=24G)*2 & duration=1h", CPUS, GPUS)
    assert found.resources == "{gpu_count > 0}/host=1/gpu=2,walltime=1:00:00"


def test_where_gpus_are_no_level_nodes_are_given_whole(tmp_path):
    found = args(tmp_path, "cuda(mem=24G)*2", GPUS, resources=["host", "core"])
    assert found.resources == "{gpu_count >= 2}/host=1"


def test_where_cores_are_no_level_nodes_are_given_whole(tmp_path):
    assert args(tmp_path, "cpu(cores=2)", resources=["host"]).resources == "/host=1"
    assert args(tmp_path, "cuda(mem=24G)*2", GPUS, resources=["host"]).resources == "{gpu_count >= 2}/host=1"


def test_hosts_may_be_called_otherwise(tmp_path):
    assert (
        args(tmp_path, "cpu(cores=2)", resources=["network_address", "core"]).resources == "/network_address=1/core=2"
    )


def test_a_queue_with_its_types_and_the_project(tmp_path):
    queues = {"night": {"types": ["besteffort"], "properties": {"cluster": "c"}}}
    nodes = {**CPUS, "properties": {"cluster": "c"}}
    found = args(tmp_path, "cpu(cores=2)", nodes, queues=queues, project="lab", select="besteffort")
    assert (found.queue, found.types, found.project) == ("night", ("besteffort",), "lab")
    assert "cluster = 'c'" in found.properties
    assert args(tmp_path, "cpu(cores=2)").project is None
