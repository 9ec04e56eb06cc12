"""Reading flows: what is right is understood, everything wrong is said at once with its place, and nothing else happens."""

import json
import re

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launchers.cli import main
from launchers.files.problems import ConfigError
from launchers.flow.compile import compile_plan, job_identities, job_need, lay_out
from launchers.flow.read import loads
from launchers.flow.schema import Environment, FlowDocument, JobDefaults, JobSpec, Resources
from launchers.flow.script import render_script

SMALLEST = "name: x\njobs:\n- {name: a, command: [ls]}\n"


def wrong(text, **more):
    with pytest.raises(ConfigError) as caught:
        loads(text, **more)
    return [
        f"{one.line}:{one.column} {one.code} {one.path}: {one.message} ({one.suggestion})"
        for one in caught.value.problems
    ]


def only(text):
    (problem,) = wrong(text)
    return problem


def with_keys(keys):
    """A flow of one job that has these keys too."""
    return f"name: x\njobs:\n- name: a\n  command: [ls]\n  {keys}\n"


EVERYTHING = """
name: finetune.v1
args: {model: base, out: "out/{{ model }}", lr: 0.1, seed: 1}
defaults:
  needs: "cpu(cores=2)"
  environment: {venv: /venv, env: {A: 1, B: 2}}
  retry: 2
sweep:
  matrix: {lr: [0.1, 0.2]}
  include: [{lr: 0.3, seed: 5}]
  exclude: [{lr: 0.2}]
  max_parallel: 3
  fail_fast: true
notify: {urls: [$HOOK], on: [finished, failed]}
jobs:
  - name: prepare
    command: ["python", "prepare.py", "--out", "{{ out }}"]
    exports: {DATA: "{{ out }}/data"}
  - name: train
    script: train.sh
    depends_on: [prepare]
    resources: {nodes: 2, gpus_per_node: 2, ntasks_per_node: 4, cpus_per_task: 3, memory_per_node: 32GB, time_limit: "4:00:00",
                partition: "gpu,big", nodelist: "n[1-2]", account: a, qos: q, constraint: "x&y", mail_type: [END, FAIL], mail_user: u}
    environment: {conda: ml_env, modules: [gcc], env: {B: 3}}
    setup: ["export A=1"]
    teardown: "rm x"
    work_dir: /tmp
    retry: 0
    retry_delay: 5
    inputs: [a]
    outputs: [b]
  - name: score
    python: steps:score
    with: {data: "{{ deps.train }}", n: 3}
    depends_on: ["afterany:train", "after:prepare"]
    escalate: "mem*2"
    conda: older
"""


def test_everything_that_a_flow_may_say():
    text = EVERYTHING.replace('data: "{{ deps.train }}"', "data: x")
    flow = loads(text)
    assert [dict(cell.values) for cell in flow.cells] == [{"lr": 0.1}, {"lr": 0.3, "seed": 5}]
    assert flow.jobs["score"].waits == (("train", "any"), ("prepare", "started"))
    train = flow.jobs["train"]
    assert (train.environment.conda, train.environment.venv) == ("ml_env", None)
    assert train.environment.env == {"A": 1, "B": 3}
    assert train.spec.retry == 0
    assert flow.jobs["prepare"].spec.retry == 2
    asked = job_need(train)
    assert str(asked.requirement) == "duration=4h & nodes=2 & cpu(mem=32G, cores=12) & gpu() * 2"
    assert dict(asked.options) == {
        "partition": "gpu,big", "nodelist": "n[1-2]", "account": "a", "qos": "q", "constraint": "x&y",
        "mail_type": ("END", "FAIL"), "mail_user": "u", "ntasks_per_node": 4, "cpus_per_task": 3,
    }  # fmt: skip
    assert str(job_need(flow.jobs["prepare"])) == "cpu(cores=2)"


def test_keys_of_resources_and_environment_may_stand_in_the_job_itself():
    nested = loads(with_keys("resources: {nodes: 2, time_limit: '10'}\n  environment: {conda: c, env_vars: {A: 1}}"))
    flat = loads(with_keys("nodes: 2\n  time_limit: 10\n  conda: c\n  env: {A: 1}"))
    assert job_need(nested.jobs["a"]) == job_need(flat.jobs["a"])
    assert nested.jobs["a"].environment == flat.jobs["a"].environment


def test_a_time_limit_beside_a_requirement_that_has_none():
    assert str(job_need(loads(with_keys("needs: cuda()|mps()\n  time_limit: '30'")).jobs["a"])) == (
        "duration=30m & cuda() | duration=30m & mps()"
    )
    assert "LC114" in only(with_keys("needs: duration=1h\n  time_limit: '30'"))


def test_amounts_of_a_job_replace_a_requirement_of_the_defaults_and_the_other_way_round():
    text = "name: x\ndefaults: {DEFAULT}\njobs:\n- {name: a, command: [ls], JOB}\n"
    one = loads(text.replace("DEFAULT", "needs: cuda()").replace("JOB", "cpus_per_task: 3"))
    two = loads(text.replace("DEFAULT", "cpus_per_task: 3").replace("JOB", "needs: cuda()"))
    assert str(job_need(one.jobs["a"])) == "cpu(cores=3)"
    assert str(job_need(two.jobs["a"])) == "cuda()"


def test_GPUs_named_as_GRES_are_asked_of_the_broker_too():
    asked = job_need(loads(with_keys("gres: 'gpu:a100:2,tmp:5'")).jobs["a"])
    assert str(asked.requirement) == "gpu() * 2", "how many cores a GPU brings is the cluster's to say"
    assert dict(asked.options) == {"gres": "gpu:a100:2,tmp:5"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1 LC114 : a flow has a name (write name: my-flow)|1:1 LC114 : a flow has jobs (write jobs: and a list below it)"),
        ("[1]", "1:1 LC102 : a flow is a mapping with name: and jobs:, not a list ()"),
        ("name: x\njobs: 3", "2:7 LC102 jobs: a list is expected here, not a number (3) (write [a, b])"),
        ("name: x\njobs: []", "1:1 LC114 : a flow has jobs (write jobs: and a list below it)"),
        ("name: x\ntasks: []", "2:1 LC101 tasks: unknown key 'tasks' (known here: name, args, defaults, jobs, sweep, notify)"),
        ("name: a b\njobs: [{name: a, command: [ls]}]", "1:7 LC109 name: 'a b' is not a name: no spaces, commas, quotes or shell signs ()"),
        ("name: x\njobs: [{command: [ls]}]", "2:8 LC114 jobs[0]: a job has a name (write name: ...)"),
        ("name: x\njobs: [{name: a}]", "2:8 LC114 jobs[0]: a job has one of command, script, python; it has none of them ()"),
        ("name: x\njobs: [{name: a, command: []}]", "2:27 LC114 jobs[0].command: the command is empty ()"),
        ("name: x\njobs: [{name: a, command: ls, script: s}]", "2:39 LC114 jobs[0].script: a job has one of command, script, python; it has command too ()"),
        ("name: x\njobs: [{name: a, command: ls}, {name: a, command: ls}]", "2:39 LC106 jobs[1].name: there is a job 'a' already ()"),
        (with_keys("gpus_per_nod: 1"), "5:3 LC101 jobs[0].gpus_per_nod: unknown key 'gpus_per_nod' (did you mean gpus_per_node?)"),
        (with_keys("depends_on: [b]"), "5:16 LC116 jobs[0].depends_on[0]: there is no job 'b' (there are: a)"),
        (with_keys("depends_on: afterokk:a"), "5:15 LC110 jobs[0].depends_on: 'afterokk' is no kind of dependency (did you mean afterok?)|"
         "5:15 LC116 jobs[0].depends_on: these wait for each other: a -> a ()"),
        ("name: x\njobs: [{name: i, command: ls}, {name: j, command: ls, depends_on: [i, 'afterany:i', 'afterok:i']}]",
         "2:71 LC106 jobs[1].depends_on[1]: it waits for 'i' already, and otherwise (afterok) (keep one of them)"),
        ("name: x\njobs: [{name: notify.finished, command: ls}]", "2:15 LC109 jobs[0].name: 'notify.finished' is the job that sends a message (name it otherwise)"),
        (with_keys("needs: cpu(cors=1)"), "5:10 LC112 jobs[0].needs: 'cors' is not an argument here, at column 5 of 'cpu(cors=1)' (did you mean cores=?)"),
        (with_keys("needs: cuda()\n  nodes: 2"), "6:3 LC114 jobs[0].nodes: that is for needs to say (cuda()) (leave nodes or needs out)"),
        (with_keys("gpus_per_node: 1\n  gres: gpu:1"), "6:9 LC114 jobs[0].gres: gpus_per_node says that already (keep one of them)"),
        (with_keys("resources: {nodes: 0}"), "5:22 LC102 jobs[0].resources.nodes: nodes is 1 or more ()"),
        (with_keys("gpus_per_node: 1\n  gres: ':2'"), "6:9 LC110 jobs[0].gres: ':2' is not a GRES: it has no name ()"),
        (with_keys("constraint: 'a&(b&'"), "5:15 LC110 jobs[0].constraint: 'a&(b&' is not a constraint: a parenthesis is not closed, or something is missing ()"),
        (with_keys("mail_type: ENDD"), "5:14 LC110 jobs[0].mail_type: 'ENDD' is nothing that Slurm writes mail about (did you mean END?)"),
        (with_keys("escalate: mem^2"), "5:13 LC110 jobs[0].escalate: 'mem^2': write mem*2, cores*2, duration*2, gpu_mem*2, with commas ()"),
        (with_keys("with: {a: 1}"), "5:9 LC114 jobs[0].with: arguments are for python: module:function ()"),
        (with_keys("env: {a-b: 1}"), "5:9 LC109 jobs[0].env.a-b: 'a-b' is not the name of a variable ()"),
        (with_keys("env: {LAUNCHERS_RUN_DIR: 1}"), "5:9 LC109 jobs[0].env.LAUNCHERS_RUN_DIR: variables that begin with SLURM_, SBATCH_, OAR_, LAUNCHERS_ are not yours ()"),
        (with_keys("exports: {a-b: 1}"), "5:18 LC109 jobs[0].exports.a-b: 'a-b' is not a name that templates can use ()"),
        (with_keys("environment: {conda: a, venv: b}"), "5:33 LC114 jobs[0].environment.venv: a job runs in a conda environment or in a virtual environment, not in both ()"),
        (with_keys("environment: {container: {runtime: podman}}"), "5:28 LC114 jobs[0].environment.container: a container has an image ()"),
        (with_keys("environment: {container: {image: x, nv: true}}"), "5:39 LC114 jobs[0].environment.container.nv: it means something to apptainer and singularity, not to pyxis ()"),
        (with_keys("account: \"a\\nb\""), "5:12 LC109 jobs[0].account: 'a\\nb' must be one line of printable text: it may reach an sbatch file ()"),
        (with_keys("env: {A: \"\\0\"}"), "5:12 LC109 jobs[0].env.A: '\\x00' has characters that no file or command can have ()"),
        ("name: x\nargs: {a: 1}\nsweep: {matrix: {b: [1]}}\njobs: [{name: a, command: [ls]}]", "3:18 LC115 sweep.matrix.b: there is no argument 'b' to be swept (there are: a)"),
        ("name: x\nargs: {a: 1}\nsweep: {matrix: {a: []}}\njobs: [{name: a, command: [ls]}]", "3:8 LC102 sweep: it has no cells: every combination is left out, or none is given ()"),
        ("name: x\nargs: {a: 1}\nsweep: {matrix: {a: [1]}, exclude: [{a: 1}]}\njobs: [{name: a, command: [ls]}]",
         "3:8 LC102 sweep: it has no cells: every combination is left out, or none is given ()"),
        ("name: x\nargs: {a: 1}\nsweep: {matrix: {a: [1, 2]}}\njobs: [{name: 'a{{ a }}', command: [ls]}]", "4:15 LC115 jobs[0].name: the name of a job is the same in all cells of a sweep ()"),
        ("name: 'x{{ a }}'\nargs: {a: 1}\nsweep: {matrix: {a: [1, 2]}}\njobs: [{name: a, command: [ls]}]", "1:7 LC115 name: the name of a flow is the same in all cells of a sweep ()"),
        ("name: x\nargs: {a: 1}\nsweep: {matrix: {a: [1, 2]}}\njobs: [{name: b, once: true, command: ['{{ a }}']}]",
         "4:24 LC114 jobs[0].once: it runs once for all cells, and is not the same in all of them ()"),
        ("name: x\njobs: [{name: a, python: 'm:f', with: {x: '{{ range }}'}}]",
         "2:43 LC115 jobs[0].with.x: '{{ range }}': it is neither text, a number, a list nor a mapping but a function ()"),
        ("name: x\njobs:\n- &a {name: a, command: !!python/object:os.system [ls]}\n", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text, said):
    found = wrong(text)
    assert said is None or found == said.split("|")


def test_arguments_of_a_function_are_plain_values():
    flow = loads(
        "name: x\nargs: {n: 3, m: '{{ n }}'}\njobs: [{name: a, python: 'm:f', with: {x: '{{ args }}', y: '{{ range(n) }}'}}]"
    )
    assert flow.jobs["a"].spec.with_ == {"x": {"n": 3, "m": 3}, "y": [0, 1, 2]}
    assert json.dumps({"x": {"n": 3, "m": 3}, "y": [0, 1, 2]}) in render_script(flow.jobs["a"])


def test_circles_are_named_with_their_path():
    text = "name: x\njobs:\n- {name: a, command: x, depends_on: [afterany:b]}\n- {name: b, command: x, depends_on: c}\n- {name: c, command: x, depends_on: [a]}\n"
    assert only(text) == "3:37 LC116 jobs[0].depends_on: these wait for each other: a -> b -> c -> a ()"


def test_every_problem_is_said_at_once():
    text = """name: x
args: {lr: 1, a: "{{ b }}", b: "{{ a }}"}
defaults: {retrys: 2, needs: "cpu(cors=1)"}
sweep: {matrix: {lr: [1, 2], sed: [1]}, max_paralel: 3}
notify: {urls: "json://x", on: [finish]}
jobs:
  - {name: a, command: [echo, "{{ lrr }}"], depends_on: [b], time_limit: 3 parsecs}
  - {name: b, command: echo, depends_on: [a, afterokk:a, zz], gpus_per_nod: 1}
  - {name: b, python: nope, with: 3}
  - {name: d, comand: x, nodes: "2", depends_on: [3, yy]}
  - 7
"""
    codes = [problem.partition(": ")[0] for problem in wrong(text)]
    assert codes == [
        "2:18 LC115 args.a", "2:32 LC115 args.b", "3:12 LC101 defaults.retrys", "3:30 LC112 defaults.needs",
        "4:30 LC115 sweep.matrix.sed", "4:41 LC101 sweep.max_paralel", "5:33 LC110 notify.on[0]",
        "7:31 LC115 jobs[0].command[1]", "7:57 LC116 jobs[0].depends_on", "7:74 LC104 jobs[0].time_limit",
        "8:46 LC110 jobs[1].depends_on[1]", "8:58 LC116 jobs[1].depends_on[2]", "8:63 LC101 jobs[1].gpus_per_nod",
        "9:12 LC106 jobs[2].name", "9:23 LC109 jobs[2].python", "9:35 LC102 jobs[2].with",
        "10:15 LC101 jobs[3].comand", "10:33 LC102 jobs[3].nodes", "10:51 LC102 jobs[3].depends_on[0]",
        "10:54 LC116 jobs[3].depends_on[1]", "11:5 LC102 jobs[4]",
    ]  # fmt: skip


def test_a_sweep_too_large_is_refused_at_once():
    axes = "\n".join(f"    a{n}: [{', '.join(map(str, range(50)))}]" for n in range(9))
    args = "\n".join(f"  a{n}: 0" for n in range(9))
    assert "cells are more than 10000" in only(f"args:\n{args}\nsweep:\n  matrix:\n{axes}\n{SMALLEST}")


# -- no YAML makes a traceback -----------------------------------------------------------------------------------

KEYS = sorted(
    {
        field.name.rstrip("_")
        for kind in (FlowDocument, JobSpec, JobDefaults, Environment, Resources)
        for field in kind.__attrs_attrs__
    }
)
TEXTS = st.one_of(
    st.sampled_from(
        ["a", "b", "a b", "{{ a }}", "{{ b }}", "{{ c", "{{ deps.a.A }}", "{{ [1, 2] }}", "{{ {} }}", "{{ none }}", "{{ run }}",
         "{{ args }}", "{% for x in a %}{{ x }}{% endfor %}", "afterany:a", "zz:a", "cuda(mem=2G)*2", "32GB", "1:00:00", "mod:f",
         "mem*2", "gpu:a100:2", ":2", "gpu:1(S", "a&(b|c", "n[1-2", "{{ a * a }}", "{{ a ** 99999 }}", "{{ deps }}", "{{ '\\ud800' }}"]
    ),
    st.text(max_size=6),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), inner, max_size=4)
    ),
    max_leaves=8,
)
JOBS = st.lists(
    st.one_of(
        VALUES,
        st.builds(
            lambda more, name, after: {"command": ["ls"], **more, "name": name, "depends_on": after},
            st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
            st.sampled_from("abc"),
            st.one_of(VALUES, st.lists(st.sampled_from(["a", "afterany:b", "after:c"]), max_size=2)),
        ),
    ),
    max_size=3,
)
FLOWS = st.builds(
    lambda more, args, jobs, sweep: {
        "name": "x",
        "args": args,
        "jobs": jobs,
        **({"sweep": sweep} if sweep else {}),
        **more,
    },
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2),
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2),
    JOBS,
    st.one_of(
        st.none(), VALUES, st.fixed_dictionaries({"matrix": st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)})
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(FLOWS)
@example({"name": "x", "": 3, "jobs": [{"name": "a", "command": ["{{ [[1], 2] }}"], "": {"": ""}}]})
@example({"name": "x", "args": {"a": [1], "b": {"c": 2}}, "sweep": {"matrix": {"a": [[1], {"b": 2}]}, "exclude": [{"a": [1]}]}, "jobs": [{"name": "a", "command": ["{{ a }}"]}]})  # fmt: skip
def test_no_yaml_makes_a_traceback(data):
    """Whatever a file says, it is a flow that makes a plan, or it is refused with places in the file."""
    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        flow = loads(text)
    except ConfigError as error:
        assert error.problems
        assert all(one.line >= 1 and one.code.startswith("LC1") for one in error.problems)
        return
    compile_plan(lay_out(flow), job_identities(flow)).graph()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("abn:{}[]-,'\" \n%&*!|>#")))
def test_no_text_makes_a_traceback(text):
    try:
        loads(text)
    except ConfigError as error:
        assert error.problems


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")
    return tmp_path


def test_check(scratch, capsys, monkeypatch):
    (scratch / "good.yaml").write_text(SMALLEST)
    (scratch / "bad.yaml").write_text(with_keys("nods: 1"))
    assert main(["flow", "check", "good.yaml"]) == 0
    assert main(["flow", "check", "bad.yaml"]) == 1
    assert (
        "bad.yaml:5:3: error LC101: jobs[0].nods: unknown key 'nods' (did you mean nodes?)" in capsys.readouterr().out
    )
    assert main(["flow", "check", "bad.yaml", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["suggestion"] == "did you mean nodes?"
    assert main(["flow", "run", "bad.yaml"]) == 2
    assert main(["flow", "check", "nowhere.yaml"]) == 1
    assert main(["flow", "run", "nowhere.yaml"]) == 2
    assert not (scratch / "runs").exists()


def test_show(scratch, capsys):
    (scratch / "f.yaml").write_text(
        "args: {lr: 1}\nsweep: {matrix: {lr: [1, 2]}}\n"
        + SMALLEST
        + "- {name: b, command: 'echo {{ lr }}', depends_on: afterany:a}\n"
    )
    assert main(["flow", "show", "f.yaml"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^a +1 +cpu\(cores=1\) +here +ls$", said, re.M)
    assert re.search(r"^b +2 +any:a +cpu\(cores=1\) +here +echo 1$", said, re.M)
    assert "cell 1: lr=2" in said
    assert main(["flow", "show", "f.yaml", "--json", "--sweep", "lr=5,6,7"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cells"] == [{"lr": 5}, {"lr": 6}, {"lr": 7}]
    assert told["jobs"][1] == {
        "name": "b", "cells": 3, "after": {"a": "any"}, "need": "cpu(cores=1)", "options": {}, "place": "here", "command": "echo 5",
    }  # fmt: skip


def test_graph(scratch, capsys):
    (scratch / "f.yaml").write_text(SMALLEST + "- {name: b, command: [ls], depends_on: [afternotok:a]}\n")
    for form, start in (("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")):
        assert main(["flow", "graph", "f.yaml", "--format", form]) == 0
        assert capsys.readouterr().out.startswith(start)
    assert main(["flow", "graph", "f.yaml", "--format", "svg", "-o", "f.svg"]) == 0
    assert (scratch / "f.svg").read_text().startswith("<svg")
    capsys.readouterr()
    assert main(["flow", "graph", "f.yaml", "-o", "/nonexistent/f.svg"]) == 2
    assert capsys.readouterr().err == "launchers flow graph: /nonexistent/f.svg: No such file or directory\n"


def test_a_file_where_run_folders_go(scratch, capsys):
    (scratch / "f.yaml").write_text(SMALLEST)
    (scratch / "runs").touch()
    assert main(["flow", "run", "f.yaml"]) == 2
    assert "runs is where run folders go, and it cannot be a folder: File exists" in capsys.readouterr().err


def test_a_png_is_drawn_by_graphviz(scratch, capsys, monkeypatch):
    (scratch / "f.yaml").write_text(SMALLEST)
    monkeypatch.setenv("PATH", str(scratch))
    assert main(["flow", "graph", "f.yaml", "--format", "png", "-o", "f.png"]) == 2
    assert "install graphviz" in capsys.readouterr().err
    (scratch / "dot").write_text('#!/bin/sh\n/bin/echo "$@"; /bin/cat\n')
    (scratch / "dot").chmod(0o755)
    assert main(["flow", "graph", "f.yaml", "--format", "png", "-o", "f.png"]) == 0
    assert (scratch / "f.png").read_text().startswith("-Tpng\ndigraph")


def test_a_dry_run_shows_the_scripts_and_leaves_nothing(scratch, capsys):
    (scratch / "f.yaml").write_text(
        "args: {lr: 1}\nsweep: {matrix: {lr: [1, 2]}}\n" + SMALLEST + "- {name: b, command: 'echo {{ lr }}'}\n"
    )
    assert main(["flow", "run", "f.yaml", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "# ---- a: what it runs\n#!/bin/bash" in said
    assert "# ---- b: what it runs in the first of 2 cells\n" in said
    assert not (scratch / "runs").exists()


def test_nothing_offers_it(scratch, capsys):
    (scratch / "f.yaml").write_text(with_keys("needs: cuda(mem=900G)*99"))
    assert main(["flow", "run", "f.yaml"]) == 1
    assert "here has no place for a" in capsys.readouterr().err
    assert not list((scratch / "runs").glob("*"))
    (scratch / "f.yaml").write_text(with_keys("partition: gpu"))
    assert main(["flow", "run", "f.yaml"]) == 1
    assert "it names a partition, which only Slurm has" in capsys.readouterr().err


def test_a_cluster_that_cannot_be_asked(scratch, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    (scratch / "launchers.yaml").write_text("slurm: [{id: away, query_slurm: true}]\n")
    (scratch / "f.yaml").write_text(SMALLEST)
    assert main(["flow", "run", "f.yaml"]) == 3
    assert "away has no place for a (query_slurm: there is no scontrol on PATH" in capsys.readouterr().err


def test_jobs_that_there_are_not(scratch, capsys):
    (scratch / "f.yaml").write_text(SMALLEST)
    assert main(["flow", "run", "f.yaml", "--from", "b", "--only", "c"]) == 2
    assert "there is no job c: a" in capsys.readouterr().err
    assert main(["flow", "run", "f.yaml", "--arg", "x=1"]) == 2
    with pytest.raises(SystemExit, match="2"):
        main(["flow", "run", "f.yaml", "--arg", "x"])


def test_the_schema_is_one_and_holds_for_what_we_read(capsys):
    assert main(["schema", "--flow"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    assert not list(checker.iter_errors(yaml.safe_load(EVERYTHING.replace(" on:", ' "on":'))))
    assert not list(checker.iter_errors(yaml.safe_load(with_keys("nodes: '{{ n }}'"))))
    assert list(checker.iter_errors(yaml.safe_load(with_keys("nodes: two"))))
    assert list(checker.iter_errors(yaml.safe_load(with_keys("nods: 2"))))
