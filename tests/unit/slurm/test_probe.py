"""Which nodes are probed, what the driver says, and where its answer is kept."""

import pytest
from attrs import evolve
from connectors import Answers
from slurm_texts import entry, node, partition

from launchers.gpus.drivers import LocalDevice
from launchers.slurm.probe import Probe, fill_in_probed, keep_probed, needed_probes, run_probe

GIB = 1024**3
DEVICE = LocalDevice("cuda", "GPU-x", "A100", 40 * GIB)


def cluster(*nodes, **pairs):
    return entry("".join(nodes), partition("p", **pairs))


def accelerator(group, partition="p"):
    (block,) = group.partitions[partition].nodes
    return block.accelerators[0]


def test_one_probe_for_each_shape_on_its_first_host():
    nodes = (
        node("a1", Gres="gpu:gen:2") + node("a2", Gres="gpu:gen:2") + node("b", Gres="gpu:gen:2", ActiveFeatures="x")
    )
    nodes += node("c", Gres="gpu:2") + node("d", Gres="gpu:h200:2") + node("e")
    assert needed_probes(cluster(nodes)) == {
        ("gen", ()): Probe("p", "a1", "gen"), ("gen", ("x",)): Probe("p", "b", "gen"), (None, ()): Probe("p", "c", None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "pairs", "probed"),
    [
        ({}, {}, True), ({"State": "DOWN"}, {}, False), ({}, {"State": "DRAIN"}, False), ({}, {"RootOnly": "YES"}, False),
    ],
)  # fmt: skip
def test_nodes_that_cannot_be_used_are_not_probed(more, pairs, probed):
    assert bool(needed_probes(cluster(node(Gres="gpu:gen:2", **more), **pairs))) is probed


def test_nodes_without_names_cannot_be_probed():
    assert needed_probes(entry(node(Gres="gpu:gen:2"), hosts=False)) == {}


@pytest.mark.parametrize(("type", "gpus"), [("gen", "gen:1"), (None, "1")])
def test_the_job(type, gpus):
    words = Probe("p", "n1", type).command()
    assert words[:9] == [
        "srun", "--partition=p", "--nodelist=n1", "--nodes=1", "--ntasks=1", f"--gpus-per-node={gpus}", "--time=2",
        "--immediate=120", "--job-name=launchers-probe",
    ]  # fmt: skip
    assert words[9:11] == ["sh", "-c"]
    assert "nvidia-smi" in words[11]
    assert "rocm-smi" in words[11] or "amd-smi" in words[11]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("0, GPU-x, A100, 40536, Disabled\n", DEVICE),
        ("0, GPU-x, A100, [N/A], Disabled\n1, GPU-y, A100, 40536, Disabled\n", evolve(DEVICE, handle="GPU-y")),
        ("", "exit status 0"),
        ((1, "one\ntwo\n\nthree\n"), "two; three"),
        ("0, GPU-x, A100, [N/A], Disabled\n", "0, GPU-x, A100, [N/A], Disabled"),
    ],
)
def test_what_the_driver_says(answer, expected):
    assert run_probe(Probe("p", "n1", None), Answers({"srun": answer})) == expected


def test_no_srun():
    assert run_probe(Probe("p", "n1", None), Answers()) == "there is no command srun"


def test_the_answer_goes_to_all_blocks_of_the_shape():
    nodes = node("a", Partitions="p,q", Gres="gpu:gen:2") + node(
        "b", Partitions="r", Gres="gpu:gen:2", ActiveFeatures="x"
    )
    group = entry(nodes)
    filled = fill_in_probed(group, {("gen", ()): (Probe("p", "a", "gen"), DEVICE)})
    for name in ("p", "q"):
        found = accelerator(filled, name)
        assert (found.kind, found.model, found.memory, found.probed, found.count) == ("cuda", "A100", 40 * GIB, "a", 2)
    assert filled.partitions["r"] == group.partitions["r"]


def test_what_is_known_stays():
    known = cluster(node(Gres="gpu:h200:2"))
    assert fill_in_probed(known, {("h200", ()): (Probe("p", "n1", "h200"), DEVICE)}) == known
    model = cluster(node(Gres="gpu:v100:2"))
    found = accelerator(fill_in_probed(model, {("v100", ()): (Probe("p", "n1", "v100"), DEVICE)}))
    assert (found.model, found.memory) == ("V100", 40 * GIB)
    empty = evolve(known, partitions=None)
    assert fill_in_probed(empty, {}) == empty


def test_a_new_reading_keeps_what_was_probed():
    now = cluster(node(Gres="gpu:gen:2") + node("n2"))
    before = fill_in_probed(now, {("gen", ()): (Probe("p", "n1", "gen"), DEVICE)})
    assert keep_probed(before, now) == before
    assert keep_probed(None, now) == now
    assert keep_probed(evolve(before, partitions=None), now) == now
    elsewhere = cluster(node(Gres="gpu:gen:2", ActiveFeatures="new"))
    assert keep_probed(before, elsewhere) == elsewhere
    stated = cluster(node(Gres="gpu:gen:2,VramPerGpu:24G"))
    assert keep_probed(before, stated) == stated


def test_what_was_known_without_a_probe_is_not_kept():
    """The site may have taken the feature away because it was wrong."""
    before = cluster(node(Gres="gpu:gen:2,VramPerGpu:24G"))
    now = cluster(node(Gres="gpu:gen:2"))
    assert keep_probed(before, now) == now
