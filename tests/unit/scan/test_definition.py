"""Definitions: which file is meant, what is read from it, and ESIS's own files."""

import json
from pathlib import Path

import pytest
from scans import esis_scan, executable, scan, write_yaml

from launchers.files.problems import ConfigError
from launchers.requirement import parse
from launchers.scan import DefinitionError, load_definition
from launchers.scan.definition import find_definition


def test_the_file_of_this_folder_is_the_default():
    with pytest.raises(DefinitionError) as caught:
        find_definition(None)
    assert str(caught.value) == (
        "this folder has no scan.yaml or wf.esis2.json or wf.esis.json: launchers scan setup writes one"
    )
    for name in ("wf.esis.json", "scan.yaml"):
        Path(name).write_text("{}")
        assert find_definition(None) == Path(name)
        Path(name).rename(f"{name}.old")
    Path("scan.yaml").write_text("{}")
    Path("wf.esis.json").write_text("{}")
    with pytest.raises(DefinitionError, match=r"several definitions: name one of scan.yaml, wf.esis.json$"):
        find_definition(None)
    assert find_definition("other.yaml") == Path("other.yaml")


def test_a_file_that_does_not_exist():
    with pytest.raises(ConfigError, match=r"gone.yaml:1:1: error LC100: No such file"):
        load_definition("gone.yaml")


def test_everything_in_a_definition(tmp_path):
    executable(Path("A/work.sh"), "#!/bin/sh\n")
    Path("A/i.json").write_text("1")
    scan("B")
    frozen = "ab" * 32
    write_yaml("A/scan.yaml", {
        "name": "swept", "worker": "work.sh", "needs": "cpu(cores=2)", "parameters": {"product": {"x": [1, 2]}},
        "includes": ["i.json"], "at_once": 3, "workdir": "../runs", "requires": {"b": "../B/scan.yaml"},
        "frozen": {"b": frozen},
    })  # fmt: skip
    definition = load_definition("A/scan.yaml")
    assert definition.file == tmp_path / "A" / "scan.yaml"
    assert (definition.name, definition.worker, definition.at_once) == ("swept", "work.sh", 3)
    assert (definition.setup, definition.generator, definition.template) == (None, None, None)
    assert definition.need == parse("cpu(cores=2)")
    assert definition.rows == ({"x": 1}, {"x": 2})
    assert definition.includes == ("i.json",)
    assert definition.run_folder("0a") == tmp_path / "runs" / "wrkdir.0a"
    assert definition.path("work.sh") == tmp_path / "A" / "work.sh"
    (required,) = definition.requires
    assert (required.name, required.written, required.frozen) == ("b", "../B/scan.yaml", frozen)
    assert required.file == tmp_path / "B" / "scan.yaml"


def test_defaults(tmp_path):
    definition = load_definition(scan("A"))
    assert (definition.at_once, definition.workdir, definition.name) == (10, tmp_path / "A", "A")
    assert (definition.need, definition.rows, definition.includes, definition.requires) == (None, None, (), ())


@pytest.mark.parametrize(
    ("folder", "file", "name"),
    [("a b", "scan.yaml", "a_b"), ("a", "my scan.yaml", "my_scan"), ("-=x", "scan.yaml", "x"), ("+", "scan.yaml", "scan")],
)  # fmt: skip
def test_a_scan_has_the_name_of_its_folder_or_file(folder, file, name):
    Path(scan(folder)).rename(Path(folder, file))
    assert load_definition(Path(folder, file)).name == name


def test_a_file_of_esis(tmp_path):
    esis_scan("A")
    file = esis_scan("B", ["../A/wf.esis.json"])
    entry = json.loads(Path(file).read_text())
    run = "cd" * 32
    for key in ("freeze_requirements", "freezes"):
        Path(file).write_text(json.dumps({**entry, key: {"../A/wf.esis.json": run, "other.json": run}}))
        definition = load_definition(file)
        (required,) = definition.requires
        assert (required.name, required.file, required.frozen) == ("data", tmp_path / "A" / "wf.esis.json", run)
    assert (definition.setup, definition.generator) == ("setup.sh", "generate.py")
    assert (definition.template, definition.worker) == ("template.sh", "work.py")
    assert (definition.at_once, definition.workdir, definition.name) == (10, tmp_path / "B", "B")
    Path(file).write_text(json.dumps({**entry, "maxparallel": 4, "requires_names": {}}))
    definition = load_definition(file)
    assert (definition.at_once, definition.requires[0].name) == (4, "../A/wf.esis.json")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"maxparallel": "many"}, "maxparallel: a whole number is expected here, not many"),
        ({"maxparallel": "0"}, "maxparallel: must be 1 or more"),
        ({"setupscript": None}, "setupscript is missing: ESIS requires four scripts"),
        ({"param_generator": "gone.py"}, "param_generator: there is no file gone.py"),
        ({"param_includes": ["gone"]}, "param_includes: there is no file or folder gone"),
        ({"worker": 1}, "LC101: worker: unknown key 'worker'"),
    ],
)
def test_mistakes_in_a_file_of_esis_have_its_keys(change, problem):
    file = Path(esis_scan("A"))
    entry = {**json.loads(file.read_text()), **change}
    file.write_text(json.dumps({key: value for key, value in entry.items() if value is not None}))
    with pytest.raises(ConfigError) as caught:
        load_definition(file)
    (line,) = [str(problem) for problem in caught.value.problems]
    assert line.startswith("A/wf.esis.json:1:")
    assert problem in line


def test_a_file_of_esis_that_is_no_object():
    Path("wf.esis.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"a wf.esis.json is a JSON object, not a list"):
        load_definition("wf.esis.json")
