"""Matching and ranking, rule by rule; the defects of experimaestro in facts/peers.md are each a test."""

import json
import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.config.build import build
from launchers.config.load import load, loads
from launchers.matching import match
from launchers.matching.funnel import funnels
from launchers.matching.rank import RANKS
from launchers.matching.relax import relaxations
from launchers.matching.words import reason
from launchers.requirement import Requirement, parse
from launchers.slurm.render import render

G = 1024**3


def groups(text):
    return build(loads(text).document)


def find(text, need, **options):
    return match(parse(need), groups(text), **options).selection


@pytest.fixture(scope="module")
def reference(shared):
    return build(load(shared / "launchers.reference.yaml").document)


# -- the reference file ----------------------------------------------------------------------------------------


def test_the_headline_matches_on_the_reference(reference):
    """Defect 1: its own headline found nothing on its own example, since unknown CPU counted as zero."""
    found = match(parse("duration=4 days & cuda(mem=24G)*2 & cpu(mem=400M, cores=4)"), reference).selection
    assert found.partitions == ("biggpus", "smallgpus")
    assert render(found).constraint == "GPU2&GPUM24G"
    assert render(found).gpus_per_node == "2"
    assert render(found).time == 96 * 60
    assert found.assumed == ("the number of cores, which is not known", "the memory of the nodes, which is not known")


def test_min_mem_ratio_stands_in_the_way(reference):
    answer = match(parse("duration=4 days & cuda(mem=4G)*2 & cpu(mem=400M, cores=4)"), reference)
    assert answer.selection is None
    reasons = {reason(one) for trial in answer.trials[0] for one in trial.outcome}
    assert "asked 4G of GPU memory, its owner wants at least 16.8G (min_mem_ratio 0.7)" in reasons
    assert "would match biggpus, smallgpus if GPU memory were 17G or more" in [one.text for one in relaxations(answer)]


def test_a_relaxation_that_only_changes_more_is_no_news():
    """What is nearest for a partition was said again with the shorter time of another QoS."""
    text = (
        "slurm: [{id: c, qos: {a: {max_duration: 20h}, b: {max_duration: 1h}}, partitions: {"
        "p: {qos: [a, b], configuration: {gpu: {count: 2, memory: 40G}}},"
        "q: {qos: [b], configuration: {gpu: {count: 4, memory: 40G}}}}}]"
    )
    answer = match(parse("duration=2 days & gpu(mem=24G)*3"), build(loads(text).document))
    assert [one.text for one in relaxations(answer)] == [
        "would match q if duration were 1h or less",
        "would match p if GPUs per node were 2 or fewer and duration were 20h or less",
    ]


def test_priority_and_qos_decide_before_waste(reference):
    """Defect 6: priority only ordered; priority 10 and 0 both landed in --partition."""
    found = match(parse("duration=10h & cuda(mem=40G)*2"), reference).selection
    assert found.partitions == ("gpu_p4",)
    assert (render(found).qos, render(found).account) == ("qos_gpu-t3", "iea@a100")
    assert [why for _, why in found.passed_over] == ["priority", "priority"]


# -- other defects of experimaestro ----------------------------------------------------------------------------


def test_cpu_memory_is_checked_even_with_few_cores():
    """Defect 3: the check was an AND, so cpu(mem=1000G, cores=1) matched a host of 8G."""
    assert find("local: [{cpu: {cores: 40, memory: 8G}}]", "cpu(mem=1000G, cores=1)") is None


def test_alternatives_are_tried_in_their_order():
    """Defects 4 and 5: `&` and `|` lost the preference across nodes."""
    text = "slurm: [{partitions: {p: {nodes: [{hosts: [a], gpu: {count: 1, memory: 8G}}, {hosts: [b], gpu: {count: 1, memory: 80G}}]}}}]"
    assert find(text, "cuda(mem=80G) | cuda(mem=8G)").offers[0].shape.hosts == "b"
    assert find(text, "cuda(mem=99G) | cuda(mem=8G) | cuda(mem=80G)").offers[0].shape.hosts == "a"


def test_nodes_without_features_make_no_empty_clause():
    """Defect 7: a node without features gave `()|(F24)`, which Slurm refuses."""
    text = """slurm:
- partitions:
    p: {nodes: [{hosts: [a], gpu: {count: 1, memory: 24G}}, {hosts: [b], features: [F24], gpu: {count: 1, memory: 24G}},
                {hosts: [c], features: [F8], gpu: {count: 1, memory: 8G}}]}
"""
    found = find(text, "cuda(mem=24G)")
    assert "()" not in (render(found).constraint or "")
    assert (render(found).constraint, render(found).exclude) in [("F24", None), (None, "c")]


def test_min_mem_ratio_of_a_partition():
    """Defect 8: it was ignored."""
    text = "slurm: [{partitions: {p: {configuration: {gpu: {count: 1, memory: 40G, min_mem_ratio: 0.5}}}}}]"
    assert find(text, "cuda(mem=19G)") is None
    assert find(text, "cuda(mem=20G)")


def test_the_answer_depends_on_no_hash_seed(tmp_path, shared):
    """Defect 10."""
    code = (
        "import sys; from launchers.cli import main; "
        "sys.exit(main(['find', '--json', '--config', sys.argv[1], 'cuda(mem=24G) | cpu(cores=1)', '--tag', 'slurm']))"
    )
    argv = [sys.executable, "-c", code, str(shared / "launchers.reference.yaml")]
    answers = {
        subprocess.run(
            argv, env={**os.environ, "PYTHONHASHSEED": seed, "PATH": "/bin"}, capture_output=True, check=True
        ).stdout
        for seed in ["0", "1", "2", "77"]
    }
    assert len(answers) == 1
    assert json.loads(answers.pop())["version"] == 1


def test_no_match_says_why():
    """Defect 14: no match was a bare None."""
    answer = match(parse("cuda(mem=80G)"), groups("local: [{id: here, gpu: {count: 1, memory: 8G}}]"))
    assert [reason(one) for one in answer.trials[0][0].outcome] == ["asked 80G of GPU memory, offers 8G"]


# -- ranking, level by level -----------------------------------------------------------------------------------

TWO = "slurm:\n- {{id: a, {a}, partitions: {{p: {{{p}}}}}}}\n- {{id: b, {b}, partitions: {{q: {{{q}}}}}}}\n"
ONE_GPU = "configuration: {gpu: {count: 1, memory: 24G}}"


@pytest.mark.parametrize(
    ("parts", "group", "why"),
    [
        ({"a": "weight: 1", "b": "weight: 2", "p": ONE_GPU, "q": ONE_GPU}, "b", "weight"),
        ({"a": "weight: 1", "b": "weight: 1", "p": ONE_GPU, "q": f"priority: 1, {ONE_GPU}"}, "b", "priority"),
        (
            {"a": "weight: 0", "b": "weight: 0", "p": "configuration: {gpu: {count: 1}}", "q": ONE_GPU},
            "b",
            "known",
        ),
        (
            {"a": "weight: 0", "b": "weight: 0", "p": "configuration: {gpu: {count: 1, memory: 32G}}", "q": ONE_GPU},
            "b",
            "waste",
        ),
        ({"a": "weight: 0", "b": "weight: 0", "p": ONE_GPU, "q": ONE_GPU}, "a", "name"),
    ],
)
def test_ranks(parts, group, why):
    found = find(TWO.format(**parts), "cuda(mem=20G)")
    assert found.group.name == group
    assert [decided for _, decided in found.passed_over] == [why]
    assert why in (*RANKS, "name")


def test_waste_counts_only_the_devices_that_would_be_allocated():
    text = """slurm:
- partitions:
    p: {nodes: [{hosts: [big], features: [x], cpu: {cores: 999, memory: 9T}, gpu: {count: 8, memory: 24G}},
                {hosts: [small], features: [y], cpu: {cores: 1, memory: 1G}, gpu: {count: 1, memory: 24G}}]}
"""
    assert {offer.shape.hosts for offer in find(text, "cuda(mem=24G)").offers} == {"big", "small"}


def test_exclusive_nodes_waste_what_they_bring():
    text = """slurm:
- partitions:
    shared: {configuration: {cpu: {cores: 64}, gpu: {count: 8, memory: 24G}}}
    whole: {exclusive: true, configuration: {cpu: {cores: 64}, gpu: {count: 8, memory: 24G}}}
"""
    assert find(text, "cuda(mem=24G)").partitions == ("shared",)


def test_what_you_get_by_default_goes_before_names():
    text = "slurm: [{defaults: {account: z}, accounts: {a: {}, z: {}}, partitions: {p: {}}}]"
    assert render(find(text, "cpu(cores=1)")).account == "z"


def test_widest_merges_what_fits():
    text = """slurm:
- {choose}
  partitions:
    p: {{nodes: [{{hosts: [a], features: [S], gpu: {{count: 1, memory: 24G}}}}, {{hosts: [b], features: [L], gpu: {{count: 1, memory: 48G}}}},
                {{hosts: [c], features: [T], gpu: {{count: 1, memory: 8G}}}}]}}
"""
    tight, wide = text.format(choose="choose: tightest"), text.format(choose="choose: widest")
    assert render(find(tight, "cuda(mem=20G)")).constraint == "S"
    assert render(find(wide, "cuda(mem=20G)")).constraint == "(L)|(S)"
    assert render(find(tight, "cuda(mem=20G)", widest=True)).constraint == "(L)|(S)"
    assert render(find(wide, "cuda(mem=1G)")).constraint is None


def test_random_draws_by_weight():
    text = "local: [{id: a, weight: 3, choose: random}, {id: b, weight: 1, choose: random}, {id: c, weight: 9, disabled: true}]"
    rng = random.Random(1)
    drawn = [match(parse("cpu(cores=1)"), groups(text), rng=rng).selection.group.name for _ in range(400)]
    assert 250 < drawn.count("a") < 350
    assert drawn.count("a") + drawn.count("b") == 400


def test_tags():
    text = "local: [{id: a, tags: [x, slurm]}, {id: b, weight: 1, tags: [y]}]"
    assert find(text, "cpu(cores=1)", tags=["slurm", "nope"]).group.name == "a"
    assert find(text, "cpu(cores=1)", tags="slurm").group.name == "a"  # one tag, not five letters
    answer = match(parse("cpu(cores=1)"), groups(text), tags="z")
    assert answer.selection is None
    assert [why for _, why in answer.skipped] == ["has none of the tags asked for"] * 2


# -- nodes, spelling, limits -----------------------------------------------------------------------------------


def test_a_job_of_many_nodes_may_take_several_shapes():
    text = """slurm:
- partitions:
    p: {nodes: [{hosts: "a[1-2]", count: 2, features: [A], cpu: {cores: 8}}, {hosts: "b[1-2]", count: 2, features: [B], cpu: {cores: 16}},
                {hosts: "c[1-9]", count: 9, features: [C], cpu: {cores: 4}}]}
"""
    found = find(text, "nodes=4 & cpu(cores=8)")
    assert render(found).nodes == 4
    assert {offer.shape.hosts for offer in found.offers} == {"a[1-2]", "b[1-2]"}
    assert find(text, "nodes=5 & cpu(cores=8)") is None
    assert [one.text for one in relaxations(match(parse("nodes=5 & cpu(cores=8)"), groups(text)))]


@pytest.mark.parametrize(
    ("gres", "types", "option"),
    [
        ("gpus_per_node", "type: a100", "--gpus-per-node=a100:2"),
        ("gpus_per_node", "model: A100", "--gpus-per-node=2"),
        ("gres_typed", "type: a100", "--gres=gpu:a100:2"),
        ("gres", "type: a100", "--gres=gpu:2"),
    ],
)
def test_gpus_are_spelled_as_the_cluster_takes_them(gres, types, option):
    text = f"slurm: [{{gres: {gres}, partitions: {{p: {{nodes: [{{accelerators: [{{{types}, count: 4, memory: 40G}}]}}]}}}}}}]"
    assert option in render(find(text, "cuda(mem=40G)*2")).flags()


def test_two_kinds_of_device_on_one_node():
    text = """slurm:
- partitions:
    p: {nodes: [{accelerators: [{type: a100, count: 2, memory: 40G, kind: cuda}, {type: v100, count: 2, memory: 16G, kind: cuda}]}]}
"""
    assert render(find(text, "cuda(mem=16G)*3")).gpus_per_node == "a100:1,v100:2"
    assert render(find(text, "cuda(mem=40G)*2")).gpus_per_node == "a100:2"
    assert find(text, "cuda(mem=40G)*3") is None


def test_memory_by_cores_where_memory_cannot_be_asked_for():
    text = "slurm: [{use_memory_constraint: false, configuration: {cpu: {mem_per_cpu: 4G, cores: 32}}, partitions: {p: {}}}]"
    flags = render(find(text, "cpu(mem=10G, cores=2)")).flags()
    assert "--cpus-per-task=3" in flags
    assert not any(flag.startswith("--mem") for flag in flags)


def test_capped_memory_per_cpu_costs_cores():
    text = (
        "slurm: [{partitions: {p: {limits: {max_mem_per_cpu: 4G}, configuration: {cpu: {cores: 32, memory: 128G}}}}}]"
    )
    assert render(find(text, "cpu(mem=10G)")).cpus_per_task == 3
    assert find(text, "cpu(mem=129G)") is None


def test_a_memory_that_fits_is_asked_for_where_the_default_would_not_fit():
    text = (
        "slurm: [{partitions: {p: {limits: {max_mem_per_node: 10G}, configuration: {cpu: {cores: 32, memory: 128G}}}}}]"
    )
    assert render(find(text, "cpu(cores=1)")).mem == 10 * G
    of_the_job = text.replace("max_mem_per_node: 10G", "max_tres: {mem: 128G}")
    assert render(find(of_the_job, "cpu(cores=1)")).mem == 128 * G  # unsaid, sbatch holds more against it
    roomy = "slurm: [{partitions: {p: {def_mem_per_cpu: 1G, limits: {max_mem_per_node: 10G}, configuration: {cpu: {cores: 32, memory: 128G}}}}}]"
    assert render(find(roomy, "cpu(cores=1)")).mem is None


def test_a_minimum_of_cpus_is_met_where_the_need_leaves_it_open():
    text = "slurm: [{limits: {min_tres: {cpu: 4}}, partitions: {p: {configuration: {cpu: {cores: 32, memory: 128G}}}}}]"
    assert render(find(text, "duration=5m")).cpus_per_task == 4
    assert find(text, "cpu(cores=2)") is None


def test_cores_are_said_where_the_default_per_gpu_of_the_partition_fits_no_node():
    text = """slurm:
- partitions:
    p:
      def_cpu_per_gpu: 4
      nodes: [{count: 1, cpu: {cores: 6, memory: 64G}, accelerators: [{type: t, count: 2, memory: 8G, kind: cuda}]}]
"""
    assert render(find(text, "cuda(mem=8G)")).cpus_per_task is None
    assert render(find(text, "cuda(mem=8G)*2")).cpus_per_task == 1
    assert render(find(text, "cuda(mem=8G)*2 & cpu(cores=3)")).cpus_per_task == 3


def test_cores_are_said_where_gpus_of_several_types_have_a_default_per_gpu():
    text = """slurm:
- partitions:
    p:
      def_cpu_per_gpu: 2
      nodes:
      - count: 1
        cpu: {cores: 16, memory: 64G}
        accelerators: [{type: a, count: 2, memory: 8G, kind: cuda}, {type: b, count: 2, memory: 8G, kind: cuda}]
"""
    assert render(find(text, "cuda(mem=8G)*2")).cpus_per_task is None
    both = render(find(text, "cuda(mem=8G)*3"))
    assert (both.gpus_per_node, both.cpus_per_task) == ("a:2,b:1", 6)
    assert render(find(text, "cuda(mem=8G)*3 & cpu(cores=3)")).cpus_per_task == 3


def test_cpus_that_memory_costs_are_not_said_where_they_would_be_held_against_the_partition():
    text = """slurm:
- partitions:
    p:
      limits: {max_mem_per_cpu: 4000M, max_cpus_per_node: 8}
      configuration: {cpu: {cores: 16, memory: 64000M}}
"""
    assert render(find(text, "cpu(cores=4, mem=64000M)")).cpus_per_task == 4
    assert render(find(text, "cpu(cores=4, mem=20000M)")).cpus_per_task == 5
    assert find(text, "cpu(cores=9)") is None


def test_max_cpus_per_node_is_held_against_what_is_asked_and_a_qos_against_what_is_allocated():
    text = """slurm:
- partitions:
    p:
      limits: {max_cpus_per_node: 3}
      configuration: {cpu: {cores: 16, memory: 64G, threads_per_core: 2}}
"""
    assert find(text, "cpu(cores=3)") is not None
    assert find(text, "cpu(cores=4)") is None
    qos = text.replace("max_cpus_per_node: 3", "max_tres_per_node: {cpu: 3}")
    assert find(qos, "cpu(cores=2)") is not None
    assert find(qos, "cpu(cores=3)") is None


def test_an_exclusive_job_has_all_cpus_and_gpus_of_its_nodes_counted():
    text = """slurm:
- limits: {LIMIT}
  partitions:
    p:
      exclusive: true
      nodes: [{count: 1, cpu: {cores: 8, memory: 64G}, accelerators: [{type: t, count: 4, memory: 8G, kind: cuda}]}]
"""
    assert find(text.replace("LIMIT", "min_tres: {cpu: 2}"), "cpu(cores=1)") is not None
    assert find(text.replace("LIMIT", "max_tres: {gres/gpu: 4}"), "cuda()") is not None
    assert find(text.replace("LIMIT", "max_tres: {gres/gpu: 2}"), "cuda()") is None


def test_nodes_where_a_job_may_not_run_for_so_long_are_kept_out():
    """One thread of a core with two costs two CPUs, and so half of the time that CPU minutes leave."""
    text = """slurm:
- limits: {grp_tres_run_mins: {cpu: 600}}
  partitions:
    p:
      nodes:
      - {hosts: plain, features: [plain], cpu: {cores: 4, memory: 8G}}
      - {hosts: smt, features: [smt], cpu: {cores: 16, memory: 64G, threads_per_core: 2}}
"""
    args = render(find(text, "cpu(mem=1G)"))
    assert (args.time, args.constraint) == (600, "plain")


def test_the_time_of_a_QoS_is_that_of_all_partitions_of_a_job():
    """Slurm gives it to a job that asks for none, and refuses the job where another partition has a lower limit."""
    text = """slurm:
- qos: {all: {}, long: {max_duration: 4h, flags: [PartitionTimeLimit]}}
  partitions:
    p: {qos: [all], limits: {max_duration: 10m}, configuration: {cpu: {cores: 4, memory: 8G}}}
    q: {qos: [all], partition_qos: long, limits: {max_duration: 4h}, configuration: {cpu: {cores: 4, memory: 8G}}}
    r: {qos: [all], limits: {max_duration: 20m}, configuration: {cpu: {cores: 4, memory: 8G}}}
"""
    assert render(find(text, "cpu(cores=2)")).partition == "p,r"
    assert render(find(text, "cpu(cores=2) & duration=5m")).partition == "p,q,r"


def test_a_shape_that_has_enough_nodes_is_not_mixed_with_others():
    """Equal to them otherwise: what was merged were those of the others that have enough nodes together."""
    text = """slurm:
- partitions:
    p:
      nodes:
      - {hosts: "a1", features: [a], cpu: {cores: 4, memory: 8G}}
      - {hosts: "b1", features: [b], cpu: {cores: 4, memory: 8G}}
      - {hosts: "c[1-2]", features: [c], cpu: {cores: 4, memory: 8G}}
"""
    assert [offer.shape.name for offer in find(text, "nodes=2 & cpu(cores=3)").offers] == ["c[1-2]"]


def test_shapes_of_different_size_share_a_job_that_needs_no_memory():
    """A cap on memory has it said in words, and then it has to be what the smallest of them has."""
    text = """slurm:
- partitions:
    p:
      limits: {max_mem_per_node: 10G}
      nodes:
      - {count: 1, features: [small], cpu: {cores: 4, memory: 4G}}
      - {count: 2, features: [big], cpu: {cores: 8, memory: 64G}}
"""
    assert render(find(text, "nodes=3 & duration=11m")).mem == 4 * G


@pytest.mark.parametrize(
    ("limits", "need", "code"),
    [
        ("max_duration: 1h", "duration=61 min", "duration"),
        ("max_nodes: 2", "nodes=3", "nodes"),
        ("min_nodes: 2", "cpu(cores=1)", "minimum"),
        ("max_cpus_per_node: 4", "cpu(cores=5)", "limit"),
        ("max_mem_per_node: 4G", "cpu(mem=5G)", "limit"),
        ("max_tres: {cpu: 8}", "nodes=2 & cpu(cores=5)", "limit"),
        ("max_tres_per_node: {cpu: 4}", "cpu(cores=5)", "limit"),
        ("max_tres_per_user: {gres/gpu: 1}", "cuda()*2", "limit"),
        ("grp_tres: {mem: 4G}", "cpu(mem=5G)", "limit"),
        ("'max_tres': {'gres/gpu:t': 1}", "cuda()*2", "limit"),
        ("min_tres: {gres/gpu: 2}", "cuda()", "minimum"),
        ("max_tres_mins: {cpu: 100}", "cpu(cores=2) & duration=51 min", "limit"),
    ],
)
def test_every_limit_has_its_reason(limits, need, code):
    text = f"""slurm:
- partitions:
    p:
      limits: {{{limits}}}
      nodes: [{{count: 4, cpu: {{cores: 64, memory: 64G}}, accelerators: [{{type: t, count: 4, memory: 8G, kind: cuda}}]}}]
"""
    text = (
        text
        if "tres" not in limits
        else text.replace("- partitions:", f"- limits: {{{limits}}}\n  partitions:", 1).replace(
            f"      limits: {{{limits}}}\n", ""
        )
    )
    answer = match(parse(need), groups(text))
    assert answer.selection is None
    assert {one.code for one in answer.trials[0][0].outcome} == {code}


def test_threads_come_whole_cores_at_a_time():
    text = "slurm: [{limits: {max_tres: {cpu: 3}}, partitions: {p: {configuration: {cpu: {cores: 64, threads_per_core: 2}}}}}]"
    assert find(text, "cpu(cores=2)")
    assert find(text, "cpu(cores=3)") is None


def test_nodes_that_are_all_down_come_last_and_it_is_said():
    text = "slurm: [{partitions: {a: {nodes: [{hosts: [x], available: 0}]}, b: {nodes: [{hosts: [y]}]}}}]"
    assert find(text, "duration=1h").partitions == ("b",)
    alone = "slurm: [{partitions: {a: {nodes: [{hosts: [x], available: 0}]}}}]"
    assert find(alone, "duration=1h").assumed == ("that a node comes back: all were down or drained when last seen",)


# -- merging never admits what does not fit --------------------------------------------------------------------

SHAPES = st.lists(
    st.tuples(
        st.sampled_from([4, 8, 16]),
        st.sampled_from([8, 24, 48, None]),
        st.integers(0, 4),
        st.sampled_from([None, "a", "b"]),
        st.sets(st.sampled_from("FGHI"), max_size=3),
    ),
    min_size=1,
    max_size=5,
)
NEEDS = st.sampled_from(["cuda(mem=20G)", "cuda(mem=20G)*2", "cuda()*3", "cpu(cores=8)", "cuda(mem=8G) & cpu(cores=8)"])


@settings(max_examples=300, deadline=None)
@given(SHAPES, SHAPES, NEEDS, st.booleans())
def test_a_merge_never_admits_a_node_that_does_not_fit(first, second, need, widest):
    """An independent reading of what Slurm would do with the options, against the plain meaning of the need."""

    def nodes(shapes, letter):
        return ", ".join(
            f"{{hosts: [{letter}{index}], features: [{', '.join(sorted(features))}], cpu: {{cores: {cores}}}, accelerators: ["
            + (
                f"{{kind: cuda, count: {count}"
                + (f", memory: {mem}G" if mem else "")
                + (f", type: {kind}" if kind else "")
                + "}"
                if count
                else ""
            )
            + "]}"
            for index, (cores, mem, count, kind, features) in enumerate(shapes)
        )

    text = f"slurm: [{{partitions: {{p: {{nodes: [{nodes(first, 'x')}]}}, q: {{nodes: [{nodes(second, 'y')}]}}}}}}]"
    found = find(text, need, widest=widest)
    if found is None:
        return
    args = render(found)
    excluded = set((args.exclude or "").split(","))
    clauses = [set(part.strip("()").split("&")) for part in (args.constraint or "").split("|") if part]
    kind, _, number = str(args.gpus_per_node).rpartition(":")
    wanted = parse(need).alternatives[0]
    admitted = 0
    for partition, shapes, letter in (("p", first, "x"), ("q", second, "y")):
        for index, (cores, mem, count, gres, features) in enumerate(shapes):
            inside = partition in args.partition.split(",") and f"{letter}{index}" not in excluded
            by_features = not clauses or any(clause <= features for clause in clauses)
            if not (inside and by_features and cores >= (args.cpus_per_task or 1)):
                continue
            if int(number or 0) > count or (kind and gres != kind):
                continue
            admitted += 1
            least = wanted.accelerators[0].memory if wanted.accelerators else 0
            fits = cores >= wanted.cores and count >= len(wanted.accelerators)
            assert fits
            assert not least or mem is None or mem * G >= least
    assert admitted


# -- models of several sizes -----------------------------------------------------------------------------------

SIZES = (
    "slurm: [{partitions: {p: {nodes: ["
    "{hosts: [a], accelerators: [{count: 4, model: A100, type: a100}]},"
    "{hosts: [v], accelerators: [{count: 4, model: V100, type: v100}]},"
    "{hosts: [r], accelerators: [{count: 4, model: RTX3090, type: rtx3090}]}]}}}]"
)


@pytest.mark.parametrize("need", ["cuda(mem=200G)", "cuda(model=V100,mem=90G)", "cuda(model=V100,mem=33G)"])
def test_no_device_has_more_than_the_largest_size_of_its_model(need):
    answer = match(parse(need), groups(SIZES))
    assert answer.selection is None
    assert "gpu-memory" in {one.code for trial in answer.trials[0] for one in trial.outcome}


@pytest.mark.parametrize(
    ("need", "kind", "assumed"),
    [
        ("cuda(mem=40G)", "a100", ()),
        ("cuda(mem=80G)", "a100", ("GPU memory, which is not known",)),
        ("cuda(mem=16G)", "v100", ()),
        ("cuda(mem=17G)", "rtx3090", ()),
        ("cuda(model=V100,mem=32G)", "v100", ("GPU memory, which is not known",)),
        ("gpu()", "v100", ()),
        ("cuda(mem=24G)", "rtx3090", ()),
    ],
)
def test_the_smallest_size_of_a_model_is_certain_and_counts_as_waste(need, kind, assumed):
    found = find(SIZES, need)
    assert found.ask.devices == ((kind, 1),)
    assert found.assumed == assumed


def test_the_owners_share_of_an_unknown_memory_is_that_of_the_smallest_size():
    text = "slurm: [{partitions: {p: {configuration: {gpu: {count: 1, model: A100, min_mem_ratio: 0.5}}}}}]"
    assert find(text, "cuda(mem=19G)") is None
    assert find(text, "cuda(mem=20G)")


# -- GPUs of several GRES types ---------------------------------------------------------------------------------


def types(*shapes, more=""):
    """A cluster with nodes of these (type, memory in G, number of nodes), each with the type as its feature."""
    nodes = ", ".join(
        f"{{hosts: '{kind}-[1-{count}]', features: [{kind}],"
        f" accelerators: [{{type: {kind}, kind: cuda, memory: {memory}G, count: 2}}]}}"
        for kind, memory, count in shapes
    )
    return f"slurm: [{{{more} partitions: {{p: {{nodes: [{nodes}]}}}}}}]"


SMALL = (("a100", 40, 2), ("rtx3090", 24, 2), ("v100", 16, 2))


@pytest.mark.parametrize(
    ("need", "constraint", "number"),
    [
        ("cuda()*2 & nodes=4", "(rtx3090)|(v100)", 2),
        ("cuda(mem=24G)*2 & nodes=4", "(a100)|(rtx3090)", 2),
        ("cuda() & nodes=6", None, 1),
    ],
)
def test_several_nodes_may_have_gpus_of_different_types(need, constraint, number):
    found = find(types(*SMALL), need)
    assert render(found).gpus_per_node == str(number)
    assert render(found).constraint == constraint


def test_one_type_is_named_where_it_has_nodes_enough():
    assert render(find(types(*SMALL), "cuda(mem=24G)*2 & nodes=2")).gpus_per_node == "rtx3090:2"


@pytest.mark.parametrize("more", ["gres: gres_typed,", "limits: {max_tres_per_user: {'gres/gpu:a100': 100}},"])
def test_types_are_not_left_out_where_they_matter(more):
    assert find(types(*SMALL, more=more), "cuda()*2 & nodes=4") is None


@pytest.mark.parametrize(("count", "found"), [(2, False), (1, True)])
def test_gpus_without_a_type_are_of_one_type_on_each_node(count, found):
    """slurmctld 22.05 refuses --gpus-per-node=4 on nodes with gpu:a100:3,gpu:l40s:3, and takes 3."""
    cards = ", ".join(f"{{type: {kind}, kind: cuda, memory: 24G, count: 1}}" for kind in "ab")
    nodes = (
        f"{{hosts: 'm[1-2]', accelerators: [{cards}]}},"
        "{hosts: 'n[1-2]', accelerators: [{type: c, kind: cuda, memory: 24G, count: 2}]}"
    )
    for more in ("", "gres: gres,"):
        selection = find(f"slurm: [{{{more} partitions: {{p: {{nodes: [{nodes}]}}}}}}]", f"cuda()*{count} & nodes=4")
        assert (selection is not None) is found


def test_widest_merges_gpus_of_different_types():
    text = types(("rtx3090", 24, 2), ("rtx4090", 24, 2), ("v100", 16, 2), ("a100", 40, 2), more="choose: widest,")
    args = render(find(text, "cuda(mem=24G)"))
    assert (args.gpus_per_node, args.constraint) == ("1", "(a100)|(rtx3090)|(rtx4090)")
    assert render(find(text, "cuda(mem=24G)*2 & nodes=2")).gpus_per_node == "2"
    assert render(find(text, "cuda(mem=32G)")).gpus_per_node == "a100:1"
    assert render(find(text.replace("widest", "tightest"), "cuda(mem=24G)")).gpus_per_node == "rtx3090:1"


# -- explanation -----------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    SHAPES, st.sampled_from(["cuda(mem=99G)", "cuda(mem=20G)*9", "cpu(cores=99)", "cuda(mem=48G)*3 & cpu(cores=16)"])
)
def test_relaxations_match_and_funnels_add_up(shapes, need):
    nodes = ", ".join(
        f"{{hosts: [n{i}], cpu: {{cores: {cores}}}, gpu: {{count: {count}, memory: {mem or 8}G}}}}"
        for i, (cores, mem, count, _, _) in enumerate(shapes)
    )
    built = groups(f"slurm: [{{partitions: {{p: {{nodes: [{nodes}], limits: {{max_duration: 1h}}}}}}}}]")
    answer = match(parse(f"{need} & duration=2h"), built)
    assert answer.selection is None
    for one in relaxations(answer):
        assert match(Requirement((one.alternative,)), built).selection
    for funnel in funnels(answer):
        left = [funnel.offers, *(step.left for step in funnel.steps)]
        assert left == sorted(left, reverse=True)
        assert left[-1] == 0


def pool(*configurations):
    """A partition with two nodes of each of these."""
    nodes = ", ".join(f"{{hosts: '{chr(97 + i)}[1-2]', {one}}}" for i, one in enumerate(configurations))
    return groups(f"slurm: [{{partitions: {{p: {{nodes: [{nodes}]}}}}}}]")


def told(built, need):
    answer = match(parse(need), built)
    assert answer.selection is None
    return [one.text for one in relaxations(answer)]


def test_the_nearest_change_for_several_nodes_may_be_met_by_several_shapes():
    built = pool("cpu: {memory: 10G}", "cpu: {memory: 20G}")
    assert told(built, "nodes=4 & cpu(mem=11G)") == [
        "would match p if memory were 10G or less",
        "would match p if nodes were 2 or less",
    ]
    cards = "accelerators: [{{type: {}, kind: cuda, memory: {}G, count: {}}}]"
    built = groups(
        "slurm: [{partitions: {p: {nodes: ["
        f"{{hosts: [x], features: [x], {cards.format('a', 40, 8)}}},"
        f"{{hosts: [y], features: [y], {cards.format('b', 40, 8)}}},"
        f"{{hosts: ['z[1-2]'], features: [z], {cards.format('c', 24, 2)}}}]}}}}}}]"
    )
    assert told(built, "cuda(mem=80G)*8 & nodes=2")[0] == "would match p if GPU memory were 40G or less"


def test_what_several_shapes_object_to_is_met_together():
    built = pool("cpu: {memory: 10G, cores: 8}", "cpu: {memory: 20G, cores: 4}")
    assert "would match p if memory were 10G or less and cores were 4 or less" in told(
        built, "nodes=4 & cpu(mem=20G, cores=8)"
    )


def test_a_change_that_changes_nothing_is_not_told():
    text = (
        "slurm: [{partitions: {p: {nodes: [{hosts: 'n[1-2]', gpu: {count: 4, memory: 24G}}],"
        " limits: {max_tres: {'gres/gpu': 8}}}}}]"
    )
    assert told(groups(text), "nodes=4 & gpu()*3") == ["would match p if nodes were 2 or less"]


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.integers(2, 5), st.sampled_from(["cuda(mem=20G)", "cuda(mem=48G)*2", "cpu(cores=9)", "gpu()*3"]))
def test_relaxations_for_several_nodes_match(shapes, number, need):
    nodes = ", ".join(
        f"{{hosts: [n{i}], features: [f{i}], cpu: {{cores: {cores}}},"
        f" accelerators: [{{type: t{i % 2}, kind: cuda, count: {count}, memory: {mem or 8}G}}]}}"
        for i, (cores, mem, count, _, _) in enumerate(shapes)
    )
    built = groups(f"slurm: [{{partitions: {{p: {{nodes: [{nodes}], limits: {{max_tres: {{'gres/gpu': 6}}}}}}}}}}]")
    asked = parse(f"{need} & nodes={number}")
    answer = match(asked, built)
    for one in relaxations(answer):
        assert one.alternative != asked.alternatives[0]
        assert match(Requirement((one.alternative,)), built).selection
    if answer.selection is not None:
        (funnel,) = funnels(answer)
        assert funnel.steps[-1].left >= len(answer.selection.fits)


def test_the_funnel_counts_shapes_that_hold_a_job_together():
    answer = match(parse("nodes=4 & cpu(cores=64)"), pool("cpu: {cores: 64}", "cpu: {cores: 128}"))
    (funnel,) = funnels(answer)
    assert len(answer.selection.offers) == 2
    assert [step.left for step in funnel.steps] == [2, 2]
    assert all(not trial.rejections for trial in answer.trials[0])


def test_the_funnel_of_the_reference(reference):
    answer = match(parse("duration=4 days & cuda(mem=40G)*8"), reference, thorough=True)
    manual = next(funnel for funnel in funnels(answer) if funnel.group.name == "manual")
    text = f"{manual.offers} offers" + "".join(f" -> {step.label}: {step.left}" for step in manual.steps)
    assert text == "5 offers -> cuda: 5 -> mem>=40G: 3 -> count>=8: 2 -> duration<=4d: 1"


def test_equal_entries_in_another_order_give_the_same_answer():
    one = "{hosts: [a], features: [S], gpu: {count: 1, memory: 24G}}"
    two = "{hosts: [b], features: [S], gpu: {count: 1, memory: 24G}}"
    texts = [f"slurm: [{{partitions: {{p: {{nodes: [{x}, {y}]}}}}}}]" for x, y in ((one, two), (two, one))]
    first, second = (find(text, "cuda(mem=24G)") for text in texts)
    assert render(first) == render(second)
    assert [o.name for o in first.offers] == [o.name for o in second.offers]
