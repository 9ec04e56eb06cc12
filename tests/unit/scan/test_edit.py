"""Writing definitions: new ones, and requirements into those that exist."""

import json
from pathlib import Path

import pytest
from scans import SCRIPTS, executable, scan, write_yaml

from launchers.files.output import UnownedFileError
from launchers.files.problems import ConfigError
from launchers.scan import (
    DefinitionError,
    add_requirement,
    freeze_requirement,
    load_definition,
    unfreeze_requirement,
    write_definition,
)
from launchers.scan.edit import assign_roles

KINDS = pytest.mark.parametrize("name", ["scan.yaml", "wf.esis2.json", "wf.esis.json"])
RUN, OTHER_RUN = "ab" * 32, "ac" * 32


@pytest.mark.parametrize(
    ("order", "files"),
    [(False, ["s", "g", "t", "w"]), (True, ["s", "t", "w", "g"])],
)
def test_files_have_roles_by_their_order(order, files):
    scripts = {"setup": "s", "generator": "g", "template": "t", "worker": "w"}
    assert assign_roles(files, esis_order=order) == (scripts, [])
    assert assign_roles([*files, "i", "j"], esis_order=order) == (scripts, ["i", "j"])
    with pytest.raises(DefinitionError, match=r"^give setup, .*, or name them: --worker FILE \.\.\.$"):
        assign_roles(files[:3], esis_order=order)


def test_paths_are_relative_to_the_new_file(tmp_path):
    scan("A")
    Path("i.json").write_text("1")
    file = Path("A/new.yaml")
    scripts = {role: f"A/{name}" for role, name in SCRIPTS.items() if role != "setup"}
    scripts["setup"] = str(tmp_path / "A" / "setup.sh")
    definition = write_definition(file, scripts, ["i.json"], at_once=3, workdir="runs")
    assert definition == load_definition(file)
    assert file.read_text() == (
        f"setup: {tmp_path}/A/setup.sh\ngenerator: generate.py\ntemplate: template.sh\nworker: work.py\n"
        "includes:\n- ../i.json\nat_once: 3\nworkdir: ../runs\n"
    )


def test_a_need_instead_of_a_template():
    scan("A")
    scripts = {role: f"A/{name}" for role, name in SCRIPTS.items() if role != "template"}
    executable(Path("A/work.py"), "#!/bin/sh\n")
    assert str(write_definition(Path("A/new.yaml"), scripts, [], needs="cpu(cores=2)").need) == "cpu(cores=2)"
    assert "needs: cpu(cores=2)\n" in Path("A/new.yaml").read_text()
    assert "workdir" not in Path("A/new.yaml").read_text()


def test_a_definition_that_exists_is_overwritten_only_by_force():
    file = Path(scan("."))
    with pytest.raises(UnownedFileError, match="launchers did not write this file"):
        write_definition(file, SCRIPTS, [], at_once=7)
    before = file.read_text()
    assert write_definition(file, SCRIPTS, [], at_once=7, overwrite=True).at_once == 7
    assert Path("scan.yaml.bak").read_text() == before


def test_nothing_is_written_with_mistakes_in_it():
    scan(".")
    wrong = {**SCRIPTS, "worker": "template.sh", "template": "work.py"}
    with pytest.raises(ConfigError, match=r"work.py has no WORKERSCRIPT"):
        write_definition(Path("new.yaml"), wrong, [])
    assert not Path("new.yaml").exists()


def test_what_esis_reads():
    scan("A")
    scripts = {role: f"A/{name}" for role, name in SCRIPTS.items()}
    write_definition(Path("A/wf.esis2.json"), scripts, [])
    assert json.loads(Path("A/wf.esis2.json").read_text()) == {
        "setupscript": "setup.sh", "sbatchtemplate": "template.sh", "workerscript": "work.py",
        "param_generator": "generate.py", "param_includes": [], "status": {}, "requires": [], "maxparallel": "10",
        "workdirpath": ".", "requires_names": {},
    }  # fmt: skip
    write_definition(Path("A/wf.esis2.json"), scripts, ["A/work.py"], at_once=4, workdir="runs", overwrite=True)
    entry = json.loads(Path("A/wf.esis2.json").read_text())
    assert (entry["maxparallel"], entry["workdirpath"], entry["param_includes"]) == ("4", "../runs", ["work.py"])


# -- requirements ----------------------------------------------------------------------------------------------


def write_pair(name):
    """Two definitions of a kind, A and B, with comments where that kind has them."""
    for folder in "AB":
        scan(folder)
        Path(folder, "scan.yaml").unlink()
        write_definition(Path(folder, name), {role: f"{folder}/{file}" for role, file in SCRIPTS.items()}, [])
    b = Path("B", name)
    if name.endswith(".yaml"):
        b.write_text("# mine\n" + b.read_text().replace("worker: work.py", "worker: 'work.py'  # the worker"))
    return Path("A", name), b


def make_run(folder, hash):
    Path(folder, f"wrkdir.{hash}", "__esis__").mkdir(parents=True)


@KINDS
def test_require(name):
    a, b = write_pair(name)
    definition = add_requirement(b, a, "data")
    assert [(required.name, required.written) for required in definition.requires] == [("data", f"../A/{name}")]
    assert load_definition(b) == definition
    with pytest.raises(DefinitionError, match=f"^B/{name} already requires A/{name}$"):
        add_requirement(b, a, "again")
    scan("C")
    with pytest.raises(DefinitionError, match=f"^B/{name} already has a requirement data$"):
        add_requirement(b, Path("C/scan.yaml"), "data")
    with pytest.raises(DefinitionError, match=r"^there is no definition file gone.yaml$"):
        add_requirement(b, Path("gone.yaml"), "more")
    with pytest.raises(DefinitionError, match=rf"^B/{name} already requires A/{name}: this would be a cycle \(A, B\)$"):
        add_requirement(a, b, "data")
    assert load_definition(b) == definition


@KINDS
def test_freeze_and_unfreeze(name):
    a, b = write_pair(name)
    add_requirement(b, a, "data")
    before = b.read_text()
    make_run("A", RUN)
    required = freeze_requirement(b, "data", "wrkdir.abab")
    assert (required.name, required.frozen) == ("data", RUN)
    assert load_definition(b).requires == (required,)
    unfreeze_requirement(b, "data")
    assert load_definition(b).requires[0].frozen is None
    if name.endswith(".yaml"):
        assert b.read_text() == before
    with pytest.raises(DefinitionError, match=r"^data is not frozen$"):
        unfreeze_requirement(b, "data")


def test_freezing_one_of_several_leaves_the_others():
    scan("A")
    scan("C")
    b = Path(scan("B", {"requires": {"a": "../A/scan.yaml", "c": "../C/scan.yaml"}}))
    make_run("A", RUN)
    make_run("C", OTHER_RUN)
    freeze_requirement(b, "a", RUN)
    freeze_requirement(b, "c", OTHER_RUN)
    definition = unfreeze_requirement(b, "a")
    assert [required.frozen for required in definition.requires] == [None, OTHER_RUN]


def test_only_a_run_that_exists_can_be_frozen():
    scan("A")
    b = Path(scan("B", {"requires": {"data": "../A/scan.yaml"}}))
    here = Path("A").absolute()
    for hash in ("ab", ""):
        with pytest.raises(
            DefinitionError,
            match=rf"^cannot freeze data to '{hash}': there is no such run in {here}; known runs: none$",
        ):
            freeze_requirement(b, "data", hash)
    make_run("A", RUN)
    make_run("A", OTHER_RUN)
    make_run("A", RUN + ".1")
    known = f"known runs: {RUN}, {OTHER_RUN}"
    with pytest.raises(DefinitionError, match=rf"^cannot freeze data to 'a': 2 runs begin with it; {known}$"):
        freeze_requirement(b, "data", "a")
    with pytest.raises(DefinitionError, match=rf"there is no such run in {here}; {known}$"):
        freeze_requirement(b, "data", "")
    assert freeze_requirement(b, "data", RUN).frozen == RUN


def test_only_a_requirement_can_be_frozen():
    a = Path(scan("A"))
    b = Path(scan("B", {"requires": {"data": "../A/scan.yaml"}}))
    with pytest.raises(DefinitionError, match=r"^B/scan.yaml has no requirement other; known requirements: data$"):
        freeze_requirement(b, "other", RUN)
    with pytest.raises(DefinitionError, match=r"^A/scan.yaml has no requirement data; known requirements: none$"):
        unfreeze_requirement(a, "data")


def test_json_keeps_its_indentation():
    a, b = write_pair("wf.esis.json")
    add_requirement(b, a, "data")
    assert b.read_text().count("\n") == 0
    b.write_text(json.dumps(json.loads(b.read_text()), indent=4))
    make_run("A", RUN)
    freeze_requirement(b, "data", RUN)
    assert b.read_text().startswith('{\n  "setupscript"')


def test_requirements_that_a_later_esis_froze_are_unfrozen():
    _, b = write_pair("wf.esis.json")
    entry = json.loads(b.read_text())
    written = "../A/wf.esis.json"
    b.write_text(
        json.dumps({**entry, "requires": [written], "requires_names": {written: "data"}, "freezes": {written: RUN}})
    )
    assert load_definition(b).requires[0].frozen == RUN
    assert unfreeze_requirement(b, "data").requires[0].frozen is None


def test_a_frozen_scan_need_not_have_its_files():
    scan("A")
    b = Path(scan("B", {"requires": {"data": "../A/scan.yaml"}}))
    make_run("A", RUN)
    Path("A/work.py").unlink()
    assert freeze_requirement(b, "data", RUN).frozen == RUN
    write_yaml("A/scan.yaml", {**SCRIPTS, "workdir": "elsewhere"})
    with pytest.raises(DefinitionError, match="there is no such run"):
        freeze_requirement(b, "data", RUN)
