"""The reference file, and what experimaestro gets wrong on it: each of its defects has a test."""

import json
import os
import subprocess
import sys

import pytest
from clusters import cluster, gpus, nodes, select

from launchers.config.build import build
from launchers.config.load import load
from launchers.matching import match
from launchers.matching.funnel import funnels
from launchers.matching.relax import relaxations
from launchers.matching.words import rejection_text, relaxation_text
from launchers.offer.assumption import Unstated
from launchers.requirement import parse
from launchers.slurm.render import render


@pytest.fixture(scope="module")
def reference(shared):
    return build(load(shared / "launchers.reference.yaml").document)


def test_the_headline_matches_on_the_reference(reference):
    """Defect 1: its own headline found nothing on its own example, since unknown CPU counted as zero."""
    selection = match(parse("duration=4 days & cuda(mem=24G)*2 & cpu(mem=400M, cores=4)"), reference).selection
    assert selection.partitions == ("biggpus", "smallgpus")
    args = render(selection)
    assert (args.constraint, args.gpus_per_node, args.time) == ("GPU2&GPUM24G", "2", 96 * 60)
    assert [assumption.fact for assumption in selection.assumed] == [Unstated.CORES, Unstated.MEMORY]


def test_cpu_memory_is_checked_even_with_few_cores():
    """Defect 3: the check was an AND, so cpu(mem=1000G, cores=1) matched a host of 8G."""
    small = cluster(nodes("a", cores=40, memory="8G"))
    assert select(small, "cpu(mem=1000G, cores=1)") is None


def test_alternatives_are_tried_in_their_order():
    """Defects 4 and 5: `&` and `|` lost the preference across nodes."""
    two = cluster(nodes("a", gpus=[gpus(1, "8G")]), nodes("b", gpus=[gpus(1, "80G")]))
    assert select(two, "cuda(mem=80G) | cuda(mem=8G)").offers[0].shape.hosts == "b"
    assert select(two, "cuda(mem=99G) | cuda(mem=8G) | cuda(mem=80G)").offers[0].shape.hosts == "a"


def test_priority_and_qos_decide_before_waste(reference):
    """Defect 6: priority only ordered; priority 10 and 0 both landed in --partition."""
    selection = match(parse("duration=10h & cuda(mem=40G)*2"), reference).selection
    assert selection.partitions == ("gpu_p4",)
    assert (render(selection).qos, render(selection).account) == ("qos_gpu-t3", "iea@a100")
    assert [rank for _, rank in selection.passed_over] == ["priority", "priority"]


def test_nodes_without_features_make_no_empty_clause():
    """Defect 7: a node without features gave `()|(F24)`, which Slurm refuses."""
    three = cluster(
        nodes("a", gpus=[gpus(1, "24G")]),
        nodes("b", features=["F24"], gpus=[gpus(1, "24G")]),
        nodes("c", features=["F8"], gpus=[gpus(1, "8G")]),
    )
    args = render(select(three, "cuda(mem=24G)"))
    assert (args.constraint, args.exclude) in [("F24", None), (None, "c")]


def test_min_mem_ratio_of_a_partition():
    """Defect 8: it was ignored."""
    half = cluster(partition={"configuration": {"gpu": {"count": 1, "memory": "40G", "min_mem_ratio": 0.5}}})
    assert select(half, "cuda(mem=19G)") is None
    assert select(half, "cuda(mem=20G)")


def test_min_mem_ratio_is_explained(reference):
    answer = match(parse("duration=4 days & cuda(mem=4G)*2 & cpu(mem=400M, cores=4)"), reference)
    assert answer.selection is None
    texts = {rejection_text(trial.offer, rejection) for trial in answer.trials[0] for rejection in trial.outcome}
    assert "needs 4G of GPU memory; min_mem_ratio 0.7 keeps this GPU for jobs that need 16.8G or more" in texts
    nearest = list(map(relaxation_text, relaxations(answer)))
    assert "would match biggpus, smallgpus if GPU memory were 17G or more" in nearest


def test_the_answer_depends_on_no_hash_seed(shared):
    """Defect 10."""
    code = (
        "import sys; from launchers.cli import main; "
        "sys.exit(main(['find', '--json', '--config', sys.argv[1], 'cuda(mem=24G) | cpu(cores=1)', '--tag', 'slurm']))"
    )
    argv = [sys.executable, "-c", code, str(shared / "launchers.reference.yaml")]
    environments = [{**os.environ, "PYTHONHASHSEED": seed, "PATH": "/bin"} for seed in ("0", "1", "2", "77")]
    answers = {subprocess.run(argv, env=env, capture_output=True, check=True).stdout for env in environments}
    assert len(answers) == 1
    assert json.loads(answers.pop())["version"] == 1


def test_the_funnel_of_the_reference(reference):
    answer = match(parse("duration=4 days & cuda(mem=40G)*8"), reference, thorough=True)
    manual = next(funnel for funnel in funnels(answer) if funnel.group.name == "manual")
    text = f"{manual.offers} offers" + "".join(f" -> {stage.label}: {stage.left}" for stage in manual.stages)
    assert text == "5 offers -> cuda: 5 -> mem>=40G: 3 -> count>=8: 2 -> duration<=4d: 1"
