"""The facts of an OAR cluster as an entry of launchers.yaml."""

import pytest
from oarnodes import oarnodes, resource

from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.oar.convert import convert
from launchers.oar.facts import read_oarnodes

GIB = 1024**3


def test_the_recorded_cluster(shared):
    recorded = (shared / "oar-2.5.9" / "oarnodes_J.txt").read_text()
    (group,) = build(loads(to_yaml(convert(read_oarnodes(recorded)))).document)
    assert group.levels == ("host", "gpu", "core")
    default, besteffort = group.partitions
    shapes = {shape.hosts: shape for shape in default.shapes}
    assert {name: (shape.cores, shape.memory // GIB) for name, shape in shapes.items()} == {
        "oarnode1": (4, 64), "oarnode2": (4, 64), "oarnode3": (4, 32), "oarnode4": (4, 128),
    }  # fmt: skip
    gpus = {name: [(d.kind, d.count, d.memory // GIB) for d in shape.devices] for name, shape in shapes.items()}
    assert gpus == {
        "oarnode1": [("cuda", 2, 32)], "oarnode2": [("cuda", 2, 16)], "oarnode3": [], "oarnode4": [("cuda", 4, 40)],
    }  # fmt: skip
    assert "gpu_model=Tesla V100" in shapes["oarnode1"].features
    assert besteffort.types == ("besteffort",)
    assert default.defaults.duration == 7200


def test_the_text():
    text = oarnodes(
        resource(1, "a-1", core=1, memnode=1024),
        resource(2, "a-2", core=2, memnode=1024, state="Absent", available_upto=2147483647),
        resource(3, "a-3", core=3, memnode=1024, state="Dead"),
        resource(4, "b-1", core=4, memnode=2048, gpu=1, gpu_model="A100", gpu_mem=40536),
        resource(5, "c-1", core=4, gpu=1, gpu_model="Tesla T4"),
        resource(6, "disk1", type="disk", core=5),
    )
    assert (
        to_yaml(convert(read_oarnodes(text)))
        == """oar:
- id: oar
  tags: [oar]
  resources: [host, gpu, core]
  queues:  # oarnodes does not list the queues: add yours, with their limits
    default:
      default_time: "02:00:00"  # OAR's own rule; your site may have another
    besteffort:
      priority: -1
      types: [besteffort]
      default_time: "02:00:00"
  nodes:
  - hosts: "a-[1-3]"
    count: 3
    available: 2  # Dead
    cpu: {cores: 1, memory: 1G}
    properties: {memnode: "1024"}
  - hosts: b-1
    count: 1
    cpu: {cores: 1, memory: 2G}
    accelerators:
    - {kind: cuda, model: A100, memory: 40G, count: 1}  # gpu_model, gpu_mem, gpu_count
    properties: {gpu_model: A100, gpu_mem: "40536", memnode: "2048"}
  - hosts: c-1
    count: 1
    cpu: {cores: 1}
    accelerators:
    - {kind: cuda, model: "Tesla T4", memory: 16G, count: 1}  # gpu_model, gpu_count
    properties: {gpu_model: "Tesla T4"}
"""
    )


def test_options_of_the_conversion():
    facts = read_oarnodes(oarnodes(resource(1, "a-1", core=1)))
    group = convert(facts, hosts=False, id="mine").group
    assert (group.id, group.nodes[0].hosts, group.nodes[0].count) == ("mine", None, 1)


def test_the_architecture_separates_nodes_and_is_written():
    text = oarnodes(
        resource(1, "a", cpuarch="x86_64"), resource(2, "b", cpuarch="ppc64le"), resource(3, "c", cpuarch="x86_64")
    )
    blocks = convert(read_oarnodes(text)).group.nodes
    assert [(block.hosts, block.arch) for block in blocks] == [("a,c", "x86_64"), ("b", "ppc64le")]


@pytest.mark.parametrize(
    ("model", "kind"), [("AMD Next", "rocm"), ("Nvidia A100-SXM4-40GB", "cuda"), ("Max 1550", "xpu"), ("gen", None)]
)
def test_a_maker_settles_the_kind(model, kind):
    (block,) = convert(read_oarnodes(oarnodes(resource(1, "a", gpu=1, gpu_model=model)))).group.nodes
    assert block.accelerators[0].kind == kind
