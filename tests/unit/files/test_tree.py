"""Plain YAML with the place of every value; everything else is refused, quickly."""

import time

import pytest

from launchers.files import tree as tree_module
from launchers.files.problems import MAX_PROBLEMS, ConfigError
from launchers.files.tree import MAX_DEPTH, Tree, format_path, read_tree


def problems(text):
    with pytest.raises(ConfigError) as caught:
        read_tree(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_every_value_and_key_has_its_place():
    tree = read_tree("a: 1\nb:\n- {c: x}\n", "f.yaml")
    assert tree.data == {"a": 1, "b": [{"c": "x"}]}
    assert tree.places == {(): (1, 1), ("a",): (1, 4), ("b",): (3, 1), ("b", 0): (3, 3), ("b", 0, "c"): (3, 7)}
    assert tree.keys == {("a",): (1, 1), ("b",): (2, 1), ("b", 0, "c"): (3, 4)}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_text_has_no_data(text):
    assert read_tree(text, "f.yaml").data is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.5", 1.5),
        ("yes", True),
        ("~", None),
        ("x", "x"),
        ("'1'", "1"),
        ("1:30:00", "1:30:00"),
        ("2026-01-31", "2026-01-31"),
        ("0x1F", 31),
        ("0o9", "0o9"),
        ("0b2", "0b2"),
        ("!!int x", "x"),
        ("!!float x", "x"),
    ],
)
def test_scalars(text, value):
    found = read_tree(f"a: {text}", "f.yaml").data["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 0\na: 2", "f.yaml:3:1: error LC106: a: the key 'a' is given twice, first on line 1"),
        ("x: !!python/object 3", "f.yaml:1:4: error LC107: x: the tag tag:yaml.org,2002:python/object is not allowed (leave it out)"),
        ("x: !own [1]", "f.yaml:1:4: error LC107: x: the tag !own is not allowed (leave it out)"),
        ("x: !own {a: 1}", "f.yaml:1:4: error LC107: x: the tag !own is not allowed (leave it out)"),
        ("x: !!set {a}", "f.yaml:1:4: error LC107: x: the tag tag:yaml.org,2002:set is not allowed (leave it out)"),
        ("? [a]\n: b", "f.yaml:1:1: error LC107: a key must be plain text, not a list or a mapping"),
        ("\tx: 1", "f.yaml:1:1: error LC107: while scanning for the next token found character that cannot start any token (YAML indents with spaces, not tabs)"),
        ("a: &a\n  b: *a", "f.yaml:1:4: error LC107: a.b.b"),
        ("---\na: 1\n---\nb: 2", "f.yaml:3:1: error LC107: "),
        ("a: *x", "f.yaml:1:4: error LC107: "),
        ("\0", "f.yaml:1:1: error LC107: "),
    ],
)  # fmt: skip
def test_yaml_that_is_not_allowed(text, line):
    (found,) = problems(text)
    assert found.startswith(line)


def test_all_values_that_are_not_allowed_are_named_at_once():
    assert [line.split()[2] for line in problems("a: !x 1\nb: 1\nb: 2\n[c]: 3\n")] == ["LC107:", "LC107:", "LC106:"]


# -- bounds ----------------------------------------------------------------------------------------------------


def nested(depth, opening="[", closing="]"):
    return "a: " + opening * depth + closing * depth


def test_the_deepest_text_that_is_read():
    assert read_tree(nested(MAX_DEPTH), "f.yaml").data["a"]
    assert problems(nested(MAX_DEPTH + 1)) == ["f.yaml:1:43: error LC107: nested more than 40 deep"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[" * 100_000, "f.yaml:1:41: error LC107: nested more than 40 deep"),
        ("a: " + "{b: " * 300, "f.yaml:1:160: error LC107: nested more than 40 deep"),
        ("- " * 100_000, "f.yaml:1:81: error LC107: nested more than 40 deep"),
        ("? " * 100_000, "f.yaml:1:81: error LC107: nested more than 40 deep"),
        ("\n".join(" " * 2 * n + "a:" for n in range(50)), "f.yaml:41:81: error LC107: nested more than 40 deep"),
    ],
)
def test_deep_texts_are_refused(text, line):
    assert problems(text) == [line]


def test_brackets_in_text_are_no_depth():
    assert read_tree("a: '" + "[" * 50 + "'", "f.yaml").data == {"a": "[" * 50}


def test_a_bomb_of_aliases_is_refused_quickly():
    lines = ["a0: &a0 [1,2,3,4,5,6,7,8,9]"] + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()
    assert "aliases repeat too often or too deep here" in problems("\n".join(lines))[0]
    assert time.monotonic() - started < 10


def test_aliases_are_read_where_they_are_few():
    assert read_tree("a: &x {b: 1}\nc: *x", "f.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_values_are_counted_as_often_as_they_are_repeated(monkeypatch):
    monkeypatch.setattr(tree_module, "MAX_VALUES", 5)
    assert read_tree("[&x [1], *x]", "f.yaml").data == [[1], [1]]
    assert problems("[&x [1], *x, 2]") == ["f.yaml:1:14: error LC107: [2]: aliases repeat too often or too deep here"]


def test_a_long_text_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(tree_module, "MAX_LENGTH", 1 << 20)
    assert read_tree("#" * (1 << 20), "f.yaml").data is None
    assert problems("#" * ((1 << 20) + 1)) == ["f.yaml:1:1: error LC100: the file is longer than 1 MiB"]


# -- places ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("a", 0), False, (3, 5)),
        (("a", 0), True, (3, 5)),
        (("a",), True, (2, 1)),
        (("a",), False, (2, 4)),
        (("a", 7, "x"), False, (2, 4)),
        (("b",), False, (1, 9)),
    ],
)
def test_a_problem_is_at_its_value_or_key_or_at_what_is_above(path, key, place):
    tree = Tree("f.yaml", places={(): (1, 9), ("a",): (2, 4), ("a", 0): (3, 5)}, keys={("a",): (2, 1)})
    problem = tree.problem("LC101", path, "message", "hint", key=key)
    assert ((problem.line, problem.column), problem.path) == (place, format_path(path))


def test_without_any_place_a_problem_is_at_the_start():
    problem = Tree("f.yaml").problem("LC101", ("a",), "message")
    assert (problem.line, problem.column, problem.suggestion) == (1, 1, "")


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("slurm", 0, "partitions", "gpu"), "slurm[0].partitions.gpu"), ((0, "a"), "[0].a"), ((1, 2), "[1][2]")],
)
def test_a_path_as_people_write_it(path, text):
    assert format_path(path) == text


# -- what takes long, or has many mistakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-" * 120 + "x y: [", "did not find expected"),
        ("- " * 100_000, "nested more than 40 deep"),
        ("a:\r" + "- " * 100_000, "nested more than 40 deep"),
        ("a:\u2028" + "? " * 100_000, "nested more than 40 deep"),
        ("- a\n" * 1_000_000, "more than 100000 values"),
        ("a: [" + "1," * 100_000 + "1]", "more than 100000 values"),
        ("a: &a [" + "x," * 99 + "x]\nb: &b [" + "*a," * 99 + "*a]\nc: [" + "*b," * 99 + "*b]", "aliases repeat too often"),
        ("a: \ud800", "half a character"),
    ],
)  # fmt: skip
def test_what_would_take_long_is_refused_soon(text, message):
    start = time.process_time()
    with pytest.raises(ConfigError, match=message):
        read_tree(text, "f")
    assert time.process_time() - start < 2


def test_a_line_of_dashes_takes_no_time():
    start = time.process_time()
    assert read_tree("-" * 120 + "!", "f").data == "-" * 120 + "!"
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "0b" + "1" * 300, "1" + ":30" * 1000 + ".5", "1e999"])
def test_a_number_that_is_too_long_is_text(text):
    assert read_tree(f"a: {text}", "f").data == {"a": text}


@pytest.mark.parametrize("text", ["a: 1\n" * 2000, "?\n" * 2000, "".join(f"k{i}: !x 1\n" for i in range(2000))])
def test_no_more_problems_than_anybody_reads(text):
    with pytest.raises(ConfigError) as caught:
        read_tree(text, "f")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_a_long_key_is_cut_off():
    assert format_path(("a", "b" * 1000, 3)) == f"a.{'b' * 100}[3]"
