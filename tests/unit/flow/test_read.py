"""Reading a page: what is right is understood, and everything wrong is reported at once with its place."""

import json

import pytest
from flows import EVERYTHING, codes, flow, job, page, problems, with_keys

from launchers.files.problems import ConfigError
from launchers.flow.compile import job_need
from launchers.flow.read import load, loads, parse_value
from launchers.flow.script import render_script


def test_everything_that_a_flow_may_say():
    found = loads(EVERYTHING, "f.yaml")
    assert (found.name, found.file) == ("finetune.v1", "f.yaml")
    assert [dict(cell.values) for cell in found.cells] == [{"lr": 0.1}, {"lr": 0.3, "seed": 5}]
    assert found.jobs["score"].waits == (("train", "any"), ("prepare", "started"))
    train = found.jobs["train"]
    assert (train.environment.conda, train.environment.venv) == ("ml_env", None)
    assert train.environment.env == {"A": 1, "B": 3}
    assert train.spec.retry == 0
    assert found.jobs["prepare"].spec.retry == 2
    need = job_need(train)
    assert str(need.requirement) == "duration=4h & nodes=2 & cpu(mem=32G, cores=12) & gpu() * 2"
    assert dict(need.options) == {
        "partition": "gpu,big", "nodelist": "n[1-2]", "account": "a", "qos": "q", "constraint": "x&y",
        "mail_type": ("END", "FAIL"), "mail_user": "u", "ntasks_per_node": 4, "cpus_per_task": 3,
    }  # fmt: skip
    assert str(job_need(found.jobs["prepare"])) == "cpu(cores=2)"
    assert (found.sweep.max_parallel, found.sweep.fail_fast) == (3, True)
    assert (found.notify.urls, found.notify.on) == (("$HOOK",), ("finished", "failed"))


def test_a_file_is_read_like_text(tmp_path):
    (tmp_path / "f.yaml").write_text(page(job()))
    assert load(tmp_path / "f.yaml").file == str(tmp_path / "f.yaml")
    with pytest.raises(ConfigError, match="LC100: No such file or directory"):
        load(tmp_path / "g.yaml")


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("0.5", 0.5), ("true", True), ("[1, a]", [1, "a"]), ("a: b", {"a": "b"}), ("[", "[")]
)
def test_a_value_of_the_command_line_is_read_as_in_a_file(text, value):
    assert parse_value(text) == value


# -- text and numbers --------------------------------------------------------------------------------------------


def test_a_number_becomes_text_where_text_is_expected_and_stays_a_number_elsewhere():
    keys = {"nodes": "{{ n }}", "account": "{{ n }}", "time_limit": "{{ n }}", "setup": "{{ n }}", "retry": "{{ n }}"}
    found = flow(job(command="{{ n }}", **keys), args={"n": 2}).jobs["a"].spec
    assert (found.command, found.nodes, found.account, found.time_limit) == ("2", 2, "2", 2)
    assert (found.setup, found.retry) == ("2", 2)


def test_a_number_that_is_wrong_as_text_too_is_reported_as_a_number():
    text = page(job(account="{{ n }}", nodes="{{ half }}"), args={"n": 2, "half": 0.5})
    assert problems(text) == ["9:10 LC102 jobs[0].nodes: a whole number is expected here, not a number (0.5) ()"]
    text = page(job(memory_per_node="{{ n }}"), args={"n": 2})
    assert "memory is text with a unit, not a number (2)" in problems(text)[0]


def test_a_number_that_no_template_gave_is_not_made_text():
    assert codes(job(account=3)) == ["LC102 jobs[0].account"]


def test_arguments_of_a_function_are_plain_values():
    with_ = {"x": "{{ args }}", "y": "{{ range(n) }}"}
    found = flow(job(command=None, python="m:f", with_=with_), args={"n": 3, "m": "{{ n }}"}).jobs["a"]
    assert found.spec.with_ == {"x": {"n": 3, "m": 3}, "y": [0, 1, 2]}
    assert json.dumps({"x": {"n": 3, "m": 3}, "y": [0, 1, 2]}) in render_script(found)


# -- exports -----------------------------------------------------------------------------------------------------


def test_exports_of_a_job_that_does_not_run_again_refer_to_its_own_run():
    jobs = [
        job("a", exports={"FILE": "{{ run.dir }}/a.txt"}),
        job(
            "b",
            "cat {{ deps.a.FILE }} {{ run.dir }}/b.txt",
            depends_on="a",
            exports={"ALL": "{{ deps.a.FILE }} {{ run.dir }}"},
        ),
        job("c", "ls {{ deps.b.ALL }}", depends_on="b"),
    ]
    found = loads(page(*jobs), run="/new", done={"a": "/old"}).jobs
    assert found["b"].spec.command == "cat /old/a.txt /new/b.txt"
    assert found["c"].spec.command == "ls /old/a.txt /new"


def test_a_job_may_stand_before_the_jobs_whose_exports_it_uses():
    found = flow(job("b", "ls {{ deps.a.X }}", depends_on="a"), job("a", exports={"X": 1})).jobs
    assert found["b"].spec.command == "ls 1"


# -- what is wrong -----------------------------------------------------------------------------------------------


def test_every_problem_is_reported_at_once():
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
    assert [problem.partition(": ")[0] for problem in problems(text)] == [
        "2:18 LC115 args.a", "2:32 LC115 args.b", "3:12 LC101 defaults.retrys", "3:30 LC112 defaults.needs",
        "4:30 LC115 sweep.matrix.sed", "4:41 LC101 sweep.max_paralel", "5:33 LC110 notify.on[0]",
        "7:31 LC115 jobs[0].command[1]", "7:57 LC116 jobs[0].depends_on", "7:74 LC104 jobs[0].time_limit",
        "8:46 LC110 jobs[1].depends_on[1]", "8:58 LC116 jobs[1].depends_on[2]", "8:63 LC101 jobs[1].gpus_per_nod",
        "9:12 LC106 jobs[2].name", "9:23 LC109 jobs[2].python", "9:35 LC102 jobs[2].with",
        "10:15 LC101 jobs[3].comand", "10:33 LC102 jobs[3].nodes", "10:51 LC102 jobs[3].depends_on[0]",
        "10:54 LC116 jobs[3].depends_on[1]", "11:5 LC102 jobs[4]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", "1:1 LC102 : a flow is a mapping with name: and jobs:, not a list ()"),
        ("name: x\njobs: 3", "2:7 LC102 jobs: a list is expected here, not a number (3) (write [a, b])"),
        (
            "name: x\ntasks: []",
            "2:1 LC101 tasks: unknown key 'tasks' (known here: name, args, defaults, jobs, sweep, notify)",
        ),
        (
            "name: a b\njobs: [{name: a, command: [ls]}]",
            "1:7 LC109 name: 'a b' is not a name: use no spaces, commas, quotes or shell characters ()",
        ),
        (
            with_keys("gpus_per_nod: 1"),
            "5:3 LC101 jobs[0].gpus_per_nod: unknown key 'gpus_per_nod' (did you mean gpus_per_node?)",
        ),
        (
            with_keys('account: "a\\nb"'),
            "5:12 LC109 jobs[0].account: 'a\\nb' must be one line of printable text: it may reach an sbatch file ()",
        ),
        (
            with_keys('env: {A: "\\0"}'),
            "5:12 LC109 jobs[0].env.A: '\\x00' has characters that no file or command may contain ()",
        ),
    ],
)
def test_what_the_schema_refuses(text, expected):
    assert problems(text) == [expected]


def test_no_python_object_is_made():
    assert "LC107" in problems("name: x\njobs:\n- &a {name: a, command: !!python/object:os.system [ls]}\n")[0]


def test_what_cannot_be_read_is_not_reported_as_missing_too():
    assert codes(job(command=["{{ no }}"])) == ["LC115 jobs[0].command[0]"]
    assert codes(job(command={"a": 1})) == ["LC102 jobs[0].command"]
    assert codes({"name": "a b", "command": "ls"}) == ["LC109 jobs[0].name"]
    assert codes(job(), job("b", depends_on=["{{ no }}"])) == ["LC115 jobs[1].depends_on[0]"]


def test_what_is_missing_in_another_job_is_reported_all_the_same():
    assert codes(job(command=["{{ no }}"]), job("b", None)) == ["LC115 jobs[0].command[0]", "LC114 jobs[1]"]
    assert codes(7, {"command": "ls"}) == ["LC102 jobs[0]", "LC114 jobs[1]"]


def test_a_problem_that_all_cells_have_is_reported_once_and_that_of_a_single_cell_too():
    sweep = {"args": {"n": 0}, "sweep": {"matrix": {"n": [1, 2, 0]}}}
    assert codes(job(command="{{ 1 / 0 }}"), **sweep) == ["LC115 jobs[0].command"]
    assert codes(job(command="{{ 1 / n }}"), **sweep) == ["LC115 jobs[0].command"]
