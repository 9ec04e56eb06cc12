"""Templates: what they see, what type they give, and what is said of those that cannot be worked out."""

import pytest

from launchers.files.problems import ConfigError
from launchers.flow.read import loads

HEAD = """
name: x
args:
  lr: 0.1
  n: 3
  out: "runs/{{ tag }}"
  tag: "lr{{ lr }}"
  when: 2024-01-31
jobs:
"""


def words(template, head=HEAD, **more):
    flow = loads(f"{head}  - {{name: a, command: [echo, {template!r}]}}\n", **more)
    return flow.jobs["a"].spec.command[1]


def wrong(text, **more):
    with pytest.raises(ConfigError) as caught:
        loads(text, **more)
    return [f"{one.line}:{one.column} {one.code} {one.message}" for one in caught.value.problems]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ lr }}", 0.1),
        ("{{ args.lr }}", 0.1),
        ("{{ args.lr * 2 }}", 0.2),
        ("{{ n * 2 }}", 6),
        ("n={{ n }}", "n=3"),
        ("{{ out }}/x", "runs/lr0.1/x"),
        ("{{ when }}", "2024-01-31"),
        ("{{ run.dir }}/x", "RUN_DIR/x"),
        ("{{ n > 2 and 'big' or 'small' }}", "big"),
        ("{% if n > 2 %}big{% endif %}", "big"),
        ("{{ '%03d' | format(n) }}", "003"),
        ("{{ 2 ** 0.5 }}", 2**0.5),
        ("${HOME} {n}", "${HOME} {n}"),
    ],
)
def test_what_a_template_gives(template, value):
    assert words(template) == value


def test_a_number_becomes_text_where_text_stands_and_stays_one_elsewhere():
    flow = loads(
        "name: x\nargs: {n: 2, part: 7}\njobs:\n- {name: a, command: '{{ n }}', nodes: '{{ n }}', account: '{{ part }}'}\n"
    )
    spec = flow.jobs["a"].spec
    assert (spec.command, spec.nodes, spec.account) == ("2", 2, "7")


def test_the_command_line_wins_and_is_read_as_in_the_file():
    assert words("{{ lr }}", args={"lr": 0.5}) == 0.5
    assert words("{{ out }}", args={"lr": 0.5}) == "runs/lr0.5"


def test_exports_of_the_jobs_before_and_of_no_others():
    text = """
name: x
args: {model: base}
jobs:
  - {name: "fetch-{{ model }}", command: [ls], exports: {PATH_1: "d/{{ model }}", N: 3}}
  - {name: train, command: [t, "{{ deps['fetch-base'].PATH_1 }}", "{{ deps['fetch-base'].N + 1 }}"], depends_on: "fetch-{{ model }}",
     exports: {M: "{{ deps['fetch-base'].PATH_1 }}/m"}}
  - {name: eval, command: [e, "{{ deps.train.M }}"], depends_on: ["afterany:train"]}
"""
    jobs = loads(text).jobs
    assert jobs["train"].spec.command == ("t", "d/base", 4)
    assert jobs["eval"].spec.command == ("e", "d/base/m")
    (problem,) = wrong(text.replace('"{{ deps.train.M }}"', "\"{{ deps['fetch-base'].N }}\""))
    assert "deps has no 'fetch-base', it has: train" in problem
    (problem,) = wrong(text.replace("deps.train.M ", "deps.train.MM "))
    assert "deps.train has no 'MM', it has: M" in problem


BY_OTHERS = ""
"""Jinja2 or Python says what is wrong, in words that are theirs."""


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ lrr }}", "there is no 'lrr'"),
        ("{{ args.lrr }}", "args has no 'lrr', it has: lr, n, out, tag, when"),
        ("{{ n.lrr }}", "a number (3) has no 'lrr'"),
        ("{{ lr", BY_OTHERS),
        ("{{ n | nothing }}", BY_OTHERS),
        ("{{ 1 / 0 }}", BY_OTHERS),
        ("{{ n + 'a' }}", BY_OTHERS),
        ("{{ n.__class__.__mro__ }}", BY_OTHERS),
        ("{{ 'a' * 10000000000 }}", "longer than"),
        ("{{ [1] * 10000000000 }}", "longer than"),
        ("{{ 10 ** 10000000000 }}", "too large"),
        ("{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaa' }}{% endfor %}", "longer than"),
    ],
)
def test_what_cannot_be_worked_out_is_said_with_its_place(template, said):
    (problem,) = wrong(f"{HEAD}  - {{name: a, command: [echo, {template!r}]}}\n")
    start = f"10:31 LC115 {template!r}: "
    assert problem.startswith(start)
    assert len(problem) > len(start)
    assert said in problem


def test_values_made_of_each_other():
    first, second = wrong("name: x\nargs:\n  a: '{{ b }}'\n  b: '{{ a }}'\njobs: [{name: a, command: [ls]}]\n")
    assert first.startswith("3:6")
    assert "made of each other: b -> a -> b" in first
    assert "a -> b -> a" in second


def test_names_that_templates_have_already():
    (problem,) = wrong("name: x\nargs: {run: 1}\njobs: [{name: a, command: [ls]}]\n")
    assert problem == "2:13 LC108 in templates run means something already"


def test_a_value_of_the_command_line_that_there_is_not():
    text = "name: x\nargs: {lr: 1}\njobs: [{name: a, command: [ls]}]\n"
    assert wrong(text, args={"lrr": 2}) == ["2:7 LC115 --arg lrr: there is no such argument"]
    assert wrong(text, sweep={"seed": [2]}) == ["2:7 LC115 --sweep seed: there is no such argument"]
