"""YAML to objects: the kinds of container, all problems at once, and lenient reading."""

# ruff: noqa: RUF009 - attrs fields made by a function, as in every schema.py

import pytest
from attrs import frozen

from launchers.files.kinds import Count, Memory, Name, Scalar, documented
from launchers.files.problems import MAX_PROBLEMS, ConfigError
from launchers.files.structure import read_text, structure_leniently, structure_text
from launchers.files.tree import read_tree


@frozen
class Part:
    """A class inside a class."""

    count: Count | None = documented("how many")
    memory: Memory | None = documented("how much")


@frozen
class Whole:
    """A class with each kind of container."""

    import_: Name | None = documented("a key that is a keyword of Python")
    part: Part | None = documented("a class")
    parts: tuple[Part, ...] | None = documented("a list of classes")
    one_or_more: tuple[Name, ...] | Name | None = documented("a list or one value")
    named: dict[Name, Part] | None = documented("a mapping of names")
    amounts: dict[Name, Memory | Count] | None = documented("a mapping to a union")
    scalar: Scalar | None = documented("a union")
    gpu: Name | None = documented("the key that people write as gpus")


def whole(text):
    return structure_text(text, "f.yaml", Whole, "a whole is a mapping")[0]


def problems(text):
    with pytest.raises(ConfigError) as caught:
        whole(text)
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]


def test_every_container():
    assert whole("import: x\npart: {count: 1, memory: 1K}\nparts: [{count: 2}, {}]\nscalar: 1.5") == Whole(
        import_="x", part=Part(count=1, memory=1024), parts=(Part(count=2), Part()), scalar=1.5
    )
    assert whole("one_or_more: x") == Whole(one_or_more="x")
    assert whole("one_or_more: [x, y]") == Whole(one_or_more=("x", "y"))
    assert whole("named: {a: {count: 1}}\namounts: {mem: 1K, cpu: 3}") == Whole(
        named={"a": Part(count=1)}, amounts={"mem": 1024, "cpu": 3}
    )


def test_an_empty_file_says_nothing():
    assert whole("") == whole("{}") == Whole()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[1]", ["1:1: error LC102: a whole is a mapping, not a list"]),
        ("x", ["1:1: error LC102: a whole is a mapping, not text ('x')"]),
        ("part: 3", ["1:7: error LC102: part: a mapping is expected here, not a number (3) (write key: value)"]),
        ("parts: {}", ["1:8: error LC102: parts: a list is expected here, not a mapping (write [a, b])"]),
        ("named: []", ["1:8: error LC102: named: a mapping is expected here, not a list (write name: value)"]),
        ("part:", ["1:6: error LC102: part: the value is missing (give a value or leave the key out)"]),
        ("parts: [{count: x}, {count: 1}, {count: -1}]", [
            "1:17: error LC102: parts[0].count: a whole number is expected here, not text ('x')",
            "1:41: error LC102: parts[2].count: a number from 0 up is expected here, not -1",
        ]),
        ("one_or_more: [x, a b]", ["1:18: error LC109: one_or_more[1]: 'a b' is not a name: use no spaces, commas, quotes or shell characters"]),
        ("named: {a b: {count: x}, c: {count: x}}", ["1:9: error LC109: named.a b: 'a b' is not a name: use no spaces, commas, quotes or shell characters"]),
        ("amounts: {mem: 5 parsecs}", ["1:16: error LC103: amounts.mem: 'parsecs' is not a unit of memory: use K, M, G or T"]),
        ("prat: {}", ["1:1: error LC101: prat: unknown key 'prat' (did you mean part?)"]),
        ("gpus: x", ["1:1: error LC101: gpus: unknown key 'gpus' (did you mean gpu?)"]),
        ("part: {z: 1}", ["1:8: error LC101: part.z: unknown key 'z' (known here: count, memory)"]),
        ("import_: x", ["1:1: error LC101: import_: unknown key 'import_' (did you mean import?)"]),
    ],
)  # fmt: skip
def test_what_does_not_fit(text, found):
    assert problems(text) == found


def test_what_fits_is_read_where_something_else_does_not():
    tree = read_tree("scalar: 1\npart: {count: x, memory: 1K}\nnope: 1", "f.yaml")
    found, problems = structure_leniently(tree, Whole)
    assert found == Whole(scalar=1, part=Part(memory=1024))
    assert sorted(problem.path for problem in problems) == ["nope", "part.count"]


# -- files -----------------------------------------------------------------------------------------------------


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\n")
    assert read_text(tmp_path / "f.yaml") == "a: \N{LATIN SMALL LETTER E WITH ACUTE}\r\n"


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "f.yaml").write_bytes(b"a\xff")
    for path, reason in [
        (tmp_path / "f.yaml", "the file is not UTF-8 text (byte 1)"),
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(ConfigError) as caught:
            read_text(path)
        assert str(caught.value) == f"{path}:1:1: error LC100: {reason}"


@pytest.mark.parametrize("text", ["part: {" + ", ".join(f"k{i}: 1" for i in range(3000)) + "}",
                                  "parts: [" + "1, " * 30_000 + "1]"])  # fmt: skip
def test_no_more_problems_than_anybody_reads(text):
    with pytest.raises(ConfigError) as caught:
        structure_text(text, "f", Whole, "it")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_a_file_after_one_with_many_problems_is_read_as_ever():
    for _ in range(2):
        with pytest.raises(ConfigError):
            structure_text("parts: [" + "1, " * 5000 + "1]", "f", Whole, "it")
    with pytest.raises(ConfigError, match="a mapping is expected here"):
        structure_text("parts: [1]", "f", Whole, "it")
