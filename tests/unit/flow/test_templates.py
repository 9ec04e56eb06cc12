"""Templates: what they see, the type of what they give, and what is reported where they cannot be rendered."""

import pytest
from flows import codes, flow, job, page, problems, sweep

from launchers.files.tree import Tree
from launchers.flow.read import loads
from launchers.flow.templates import (
    MAX_ITEMS,
    MAX_LENGTH,
    MAX_POWER,
    CircularValuesError,
    Renderer,
    TemplateValues,
    new_scope,
    render,
)

ARGS = {"lr": 0.1, "n": 3, "out": "runs/{{ tag }}", "tag": "lr{{ lr }}", "when": "2024-01-31", "a-b": 1}


def rendered(template, **options):
    """A template as a word of a command."""
    return loads(page(job(command=["echo", template]), args=ARGS), **options).jobs["a"].spec.command[1]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ lr }}", 0.1),
        ("{{ args.lr }}", 0.1),
        ("{{ args['lr'] }}", 0.1),
        ("{{ args['a-b'] }}", 1),
        ("{{ args.lr * 2 }}", 0.2),
        ("{{ n * 2 }}", 6),
        ("{{ n }} ", 3),
        ("n={{ n }}", "n=3"),
        ("{{ n }}{{ n }}", "33"),
        ("{{ out }}/x", "runs/lr0.1/x"),
        ("{{ when }}", "2024-01-31"),
        ("{{ run.dir }}/x", "RUN_DIR/x"),
        ("{{ {1: 2, none: [3]} }}", "{'1': 2, 'None': [3]}"),
        ("{{ n > 2 and 'big' or 'small' }}", "big"),
        ("{% if n > 2 %}big{% endif %}", "big"),
        ("{{ '%03d' | format(n) }}", "003"),
        ("{{ 2 ** 0.5 }}", 2**0.5),
        ("${HOME} {n}", "${HOME} {n}"),
        ("no template", "no template"),
    ],
)
def test_what_a_template_gives(template, value):
    assert rendered(template) == value


def test_a_line_end_at_the_end_of_a_template_stays():
    assert flow(job(command="echo {{ n }}\n"), args={"n": 1}).jobs["a"].spec.command == "echo 1\n"


def test_values_of_the_caller_win_and_other_values_follow():
    assert rendered("{{ lr }}", args={"lr": 0.5}) == 0.5
    assert rendered("{{ out }}", args={"lr": 0.5}) == "runs/lr0.5"


def test_values_inside_of_arguments_are_templates_too():
    args = {"n": 1, "many": ["{{ n }}", {"x": "n={{ n }}"}], "named": {"y": ["{{ n }}"]}}
    found = flow(job(command=None, python="m:f", with_={"a": "{{ many }}", "b": "{{ named }}"}), args=args).jobs["a"]
    assert found.spec.with_ == {"a": [1, {"x": "n=1"}], "b": {"y": [1]}}


def test_the_values_of_a_cell():
    cells = flow(job(command="{{ sweep.n }} {{ args.n }} {{ n }}"), **sweep([1, 2])).cells
    assert [cell.jobs["a"].spec.command for cell in cells] == ["1 1 1", "2 2 2"]


def test_an_argument_that_is_called_as_a_method_of_mappings_is():
    assert flow(job(command="{{ args.items }}"), args={"items": "x"}).jobs["a"].spec.command == "x"


# -- exports -----------------------------------------------------------------------------------------------------


def chain(*commands):
    """Three jobs, each after the one before it, that run these commands."""
    fetch, train, score = commands
    return [
        job("fetch-{{ model }}", fetch, exports={"PATH_1": "d/{{ model }}", "N": 3}),
        job("train", train, depends_on="fetch-{{ model }}", exports={"M": "{{ deps['fetch-base'].PATH_1 }}/m"}),
        job("score", score, depends_on=["afterany:train"]),
    ]


def test_exports_of_the_jobs_before():
    jobs = chain("ls", ["{{ deps['fetch-base'].PATH_1 }}", "{{ deps['fetch-base'].N + 1 }}"], "{{ deps.train.M }}")
    found = flow(*jobs, args={"model": "base"}).jobs
    assert found["train"].spec.command == ("d/base", 4)
    assert found["score"].spec.command == "d/base/m"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ deps['fetch-base'].N }}", "deps has no 'fetch-base'; it has: train"),
        ("{{ deps.train.MM }}", "deps.train has no 'MM'; it has: M"),
    ],
)
def test_exports_of_no_other_jobs(template, message):
    (problem,) = problems(page(*chain("ls", "ls", template), args={"model": "base"}))
    assert message in problem


# -- what cannot be rendered -------------------------------------------------------------------------------------

ANY = ""
"""Jinja2 or Python says what is wrong, in words of its own."""


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ lrr }}", "'lrr' is not defined (known here: lr, n, out, tag, when, a-b, args, run, sweep, deps)"),
        ("{{ args.lrr }}", "args has no 'lrr'; it has: lr, n, out, tag, when, args['a-b'] (known here: "),
        ("{{ n.lrr }}", "a number (3) has no 'lrr'"),
        ("x {{ n.lrr }}", "a number (3) has no 'lrr'"),
        ("{{ lr", ANY),
        ("{{ n | nothing }}", ANY),
        ("{{ 1 / 0 }}", ANY),
        ("{{ n + 'a' }}", ANY),
        ("{{ n.__class__.__mro__ }}", ANY),
        ("{{ range }}", "the result is a function; it must be text, a number, a list or a mapping"),
        ("{{ 'a' * 10000000000 }}", "the result is longer than 1000000 ("),
        ("{{ 10000000000 * [1] }}", "the result is longer than 1000000 ("),
        ("{{ 10 ** 10000000000 }}", "10 ** 10000000000 is too large"),
        (
            "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaa' }}{% endfor %}",
            "the result is longer than 1000000 characters",
        ),
    ],
)
def test_what_cannot_be_rendered_is_reported_with_its_place(template, message):
    (problem,) = problems(page(job(command=["echo", template]), args=ARGS))
    start = f"13:5 LC115 jobs[0].command[1]: {template!r}: "
    assert problem.startswith(start)
    assert len(problem) > len(f"{start} ()")
    assert message.removesuffix("(") in problem


def test_values_that_refer_to_each_other():
    text = "name: x\nargs:\n  a: '{{ b }}'\n  b: '{{ c }}'\n  c: '{{ b }}'\njobs: [{name: a, command: [ls]}]\n"
    assert [problem.partition(": ")[2] for problem in problems(text)] == [
        "these values refer to each other: b -> c -> b ()",
        "these values refer to each other: c -> b -> c ()",
        "these values refer to each other: b -> c -> b ()",
    ]


def test_a_value_is_rendered_once_and_again_after_a_failure():
    scope = {"x": 1}
    values = TemplateValues("args", {"a": "{{ x }}", "b": "{{ no }}"}, scope)
    assert values["a"] == 1
    scope["x"] = 2
    assert values["a"] == 1
    for _ in range(2):
        with pytest.raises(Exception, match="'no' is not defined"):
            values["b"]
    assert (list(values), len(values)) == (["a", "b"], 2)
    with pytest.raises(KeyError):
        values["c"]


def test_a_circle_of_one():
    scope = new_scope({"a": "{{ a }}"}, {}, "R")
    with pytest.raises(CircularValuesError, match=r"^a -> a$"):
        scope["a"]


# -- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "most"), [("a", MAX_LENGTH), ([1], MAX_ITEMS)])
def test_the_longest_value_and_one_more(value, most):
    scope = {"v": value}
    assert len(render(f"{{{{ v * {most} }}}}", scope)) == most
    assert len(render(f"{{{{ {most} * v }}}}", scope)) == most
    for template in (f"{{{{ v * {MAX_LENGTH + 1} }}}}", f"{{{{ {MAX_LENGTH + 1} * v }}}}"):
        with pytest.raises(ValueError, match="the result is longer than"):
            render(template, scope)


def test_text_and_lists_that_were_made_otherwise():
    assert len(render("{{ v }}", {"v": "a" * MAX_LENGTH})) == MAX_LENGTH
    with pytest.raises(ValueError, match="longer than 1000000 characters"):
        render("{{ v }}", {"v": "a" * (MAX_LENGTH + 1)})
    with pytest.raises(ValueError, match="longer than 100000 items"):
        render("{{ v }}", {"v": [1] * (MAX_ITEMS + 1)})
    assert render("{{ v }}", {"v": [1] * MAX_ITEMS}) == [1] * MAX_ITEMS


def test_items_count_where_they_are_inside_of_others():
    half = MAX_ITEMS // 2 - 2
    assert render("{{ v }}", {"v": [[1] * half, {"x": [1] * half}]}) == [[1] * half, {"x": [1] * half}]
    with pytest.raises(ValueError, match="longer than 100000 items"):
        render("{{ [v] * 3 }}", {"v": [1] * half})


def test_the_largest_power_and_one_more():
    assert render(f"{{{{ 1 ** {MAX_POWER} }}}}", {}) == 1
    assert render(f"{{{{ {MAX_POWER} ** 2 }}}}", {}) == MAX_POWER**2
    assert render(f"{{{{ 1.0 ** {MAX_POWER + 1} }}}}", {}) == 1.0
    for template in (
        f"{{{{ 1 ** {MAX_POWER + 1} }}}}",
        f"{{{{ {MAX_POWER + 1} ** 1 }}}}",
        f"{{{{ 2 ** -{MAX_POWER + 1} }}}}",
    ):
        with pytest.raises(ValueError, match="is too large"):
            render(template, {})


def test_numbers_may_be_multiplied():
    assert render(f"{{{{ {MAX_LENGTH} * {MAX_LENGTH} }}}}", {}) == MAX_LENGTH**2


# -- the renderer ------------------------------------------------------------------------------------------------


def test_the_renderer_remembers_what_failed_and_what_is_no_text():
    renderer = Renderer(Tree("f"))
    value = {"a": ["{{ 1 }}", "{{ x }}", 7, "{{ no }}"], "b": "{{ 1 / 0 }}", "c": "t"}
    assert renderer.render(value, {"x": "text"}, ("p",)) == {
        "a": [1, "text", 7, "{{ no }}"], "b": "{{ 1 / 0 }}", "c": "t",
    }  # fmt: skip
    assert renderer.typed == {("p", "a", 0)}
    assert renderer.failed == {("p", "a", 3), ("p", "b")}
    assert [problem.path for problem in renderer.problems] == ["p.a[3]", "p.b"]


def test_every_place_of_a_page_is_rendered():
    bad = "{{ no }}"
    found = codes(
        job(depends_on=[bad], env={"A": bad}, exports={"B": bad}),
        args={"c": bad},
        defaults={"account": bad},
        sweep={"max_parallel": bad},
        notify={"urls": bad},
    )
    assert sorted(found) == [
        "LC115 args.c", "LC115 defaults.account", "LC115 jobs[0].depends_on[0]", "LC115 jobs[0].env.A",
        "LC115 jobs[0].exports.B", "LC115 notify.urls", "LC115 sweep.max_parallel",
    ]  # fmt: skip
