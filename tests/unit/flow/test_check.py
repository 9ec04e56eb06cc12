"""What is wrong with a flow as a whole."""

import pytest
from flows import codes, flow, job, page, problems, sweep, with_keys

from launchers.flow.check import suggest_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "",
            "1:1 LC114 : the flow has no jobs (write jobs: and a list below it)|"
            "1:1 LC114 : the flow has no name (write name: my-flow)",
        ),
        ("name: x\njobs: []", "1:1 LC114 : the flow has no jobs (write jobs: and a list below it)"),
        ("name: x\njobs: [{command: [ls]}]", "2:8 LC114 jobs[0]: this job has no name (write name: ...)"),
        (
            "name: .x\njobs: [{name: a, command: ls}]",
            "1:7 LC109 name: '.x' is not a valid name "
            "(use letters, digits and _ . + @ = -, beginning with a letter, a digit or _)",
        ),
        (
            "name: x\njobs: [{name: -a, command: ls}]",
            "2:15 LC109 jobs[0].name: '-a' is not a valid name "
            "(use letters, digits and _ . + @ = -, beginning with a letter, a digit or _)",
        ),
        (
            "name: x\njobs: [{name: a, command: ls}, {name: a, command: ls}]",
            "2:39 LC106 jobs[1].name: another job has the name 'a' already (choose another name)",
        ),
        (
            "name: x\njobs: [{name: notify.finished, command: ls}]",
            "2:15 LC109 jobs[0].name: the name 'notify.finished' is reserved for a job that sends messages "
            "(choose another name)",
        ),
    ],
)
def test_names(text, expected):
    assert problems(text) == expected.split("|")


def test_both_names_of_jobs_that_send_messages_are_reserved():
    assert codes(job("notify.started"), job("notify.finished")) == ["LC109 jobs[0].name", "LC109 jobs[1].name"]


# -- dependencies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depends_on", "expected"),
    [
        ("[b]", "5:16 LC116 jobs[0].depends_on[0]: there is no job 'b' (known here: a)"),
        ("b", "5:15 LC116 jobs[0].depends_on: there is no job 'b' (known here: a)"),
        (
            "afterokk:b",
            "5:15 LC110 jobs[0].depends_on: unknown kind of dependency 'afterokk' (did you mean afterok?)|"
            "5:15 LC116 jobs[0].depends_on: there is no job 'b' (known here: a)",
        ),
        (
            "afterokk:a",
            "5:15 LC110 jobs[0].depends_on: unknown kind of dependency 'afterokk' (did you mean afterok?)|"
            "5:15 LC116 jobs[0].depends_on: these jobs wait for each other: a -> a ()",
        ),
        ("'{{ {} }}'", "5:15 LC116 jobs[0].depends_on: there is no job '{}' (known here: a)"),  # it becomes text
    ],
)
def test_dependencies_on_nothing(depends_on, expected):
    assert problems(with_keys(f"depends_on: {depends_on}")) == expected.split("|")


def test_a_job_waits_for_another_in_one_way_only():
    text = page(job("i"), job("j", depends_on=["i", "afterany:i", "afterok:i"]))
    assert problems(text) == [
        "9:5 LC106 jobs[1].depends_on[1]: this job waits for 'i' already, with afterok (keep one of them)"
    ]
    assert codes(job("i"), job("j", depends_on=["nope:i", "afterany:i"])) == ["LC110 jobs[1].depends_on[0]"]


def test_a_circle_is_named_with_its_path():
    text = page(job("a", depends_on="afterany:b"), job("b", depends_on="c"), job("c", depends_on=["a"]))
    assert problems(text) == ["5:15 LC116 jobs[0].depends_on: these jobs wait for each other: a -> b -> c -> a ()"]


def test_a_circle_has_its_place_at_a_job_that_is_in_it():
    jobs = [job("first", depends_on="x"), job("x", depends_on="y"), job("y", depends_on="x"), job("last")]
    assert problems(page(*jobs)) == ["8:15 LC116 jobs[1].depends_on: these jobs wait for each other: x -> y -> x ()"]


def test_a_name_that_is_not_known():
    assert suggest_name("tran", ["train", "test"]) == "did you mean train?"
    assert suggest_name("zzz", ["train", "test"]) == "known here: train, test"
    assert suggest_name("zzz", []) == "known here: none"


# -- arguments and sweeps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["args", "run", "sweep", "deps"])
def test_names_with_a_meaning_of_their_own_in_templates(name):
    assert problems(f"name: x\nargs: {{{name}: 1}}\njobs: [{{name: a, command: [ls]}}]\n") == [
        f"2:{10 + len(name)} LC108 args.{name}: {name!r} has a meaning of its own in templates (choose another name)"
    ]


def test_values_of_the_command_line_for_arguments_that_the_flow_does_not_have():
    text = "name: x\nargs: {lr: 1}\njobs: [{name: a, command: [ls]}]\n"
    assert problems(text, args={"lrr": 2}) == [
        "2:7 LC115 args: --arg lrr: the flow has no such argument (did you mean lr?)"
    ]
    assert problems(text, sweep={"seed": [2]}) == [
        "2:7 LC115 args: --sweep seed: the flow has no such argument (known here: lr)"
    ]
    assert problems(text, args={"lr": 2}, sweep={"lr": [3]}) == []


def test_a_sweep_of_arguments_that_the_flow_does_not_have():
    text = "name: x\nargs: {a: 1}\nsweep: {matrix: {b: [1]}}\njobs: [{name: a, command: [ls]}]"
    assert problems(text) == ["3:18 LC115 sweep.matrix.b: the flow has no argument 'b' (known here: a)"]
    cells = {"matrix": {"n": [1, 2]}, "include": [{"n": 3}, {"m": 1}], "exclude": [{"k": 1}]}
    assert codes(job(), args={"n": 0}, sweep=cells) == ["LC115 sweep.include[1].m", "LC115 sweep.exclude[0].k"]


def test_what_must_be_the_same_in_all_cells():
    same = "must be the same in all cells of the sweep"
    text = page(job("a{{ n }}"), **sweep([1, 2]))
    assert problems(text) == [f"10:9 LC115 jobs[0].name: the name of a job {same} ()"]
    text = page(job(), **{**sweep([1, 2]), "name": "x{{ n }}"})
    assert problems(text) == [f"1:7 LC115 name: the name of the flow {same} ()"]
    text = page(job(), job("b", depends_on="{{ ['a', 'afterany:a'][n] }}"), **sweep([0, 1]))
    assert problems(text) == [f"14:15 LC115 jobs[1].depends_on: what a job waits for {same} ()"]
    text = page(job("b", "{{ n }}", once=True), **sweep([1, 2]))
    assert problems(text) == [f"12:9 LC114 jobs[0].once: a job that runs once for all cells {same} ()"]


def test_a_difference_in_the_last_cell_is_noticed():
    assert codes(job("{{ 'a' if n < 3 else 'b' }}"), **sweep()) == ["LC115 jobs[0].name"]
    assert codes(job("b", "{{ n > 2 }}", once=True), **sweep()) == ["LC114 jobs[0].once"]


def test_a_job_that_runs_once_and_is_the_same_in_all_cells():
    assert len(flow(job("a", "ls {{ n }}"), job("b", once=True, depends_on="a"), **sweep()).cells) == 3
