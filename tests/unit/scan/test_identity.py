"""The name of a run: a hash of everything that its results depend on, and of nothing else."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from scans import SCRIPTS, TEMPLATE, esis_scan, scan, write_yaml

from launchers.files.problems import ConfigError
from launchers.scan import DefinitionError, read_family
from launchers.scan.identity import sha256_of


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def identity(file, **options):
    family = read_family(Path(file), **options)
    return family.identities[family.target]


def hash_of(file, **options):
    return identity(file, **options).hash


def write_two(folder):
    """A scan B that requires A, which has an include and a folder of includes."""
    scan(folder / "A", {"includes": ["shared.json", "tables"]})
    (folder / "A" / "shared.json").write_text("[1]")
    (folder / "A" / "tables").mkdir()
    (folder / "A" / "tables" / "t.csv").write_text("1,2")
    scan(folder / "B", {"requires": {"data": "../A/scan.yaml"}})
    return folder / "A" / "scan.yaml", folder / "B" / "scan.yaml"


def test_the_hash_is_a_function_of_the_contents(tmp_path):
    a, b = write_two(tmp_path / "here")
    hashes = hash_of(a), hash_of(b)
    assert identity(a).folder == tmp_path / "here" / "A" / f"wrkdir.{hashes[0]}"
    assert not list(tmp_path.rglob("wrkdir.*"))
    shutil.copytree("here", "elsewhere")
    for path in Path("elsewhere").rglob("*"):
        os.utime(path, (1, 1))
    assert (hash_of("elsewhere/A/scan.yaml"), hash_of("elsewhere/B/scan.yaml")) == hashes


@pytest.mark.parametrize("name", ["setup.sh", "generate.py", "work.py", "shared.json", "tables/t.csv"])
def test_a_change_of_any_file_changes_it_and_that_of_all_who_require_it(tmp_path, name):
    a, b = write_two(tmp_path)
    hashes = hash_of(a), hash_of(b)
    with (tmp_path / "A" / name).open("a") as file:
        file.write("\n")
    assert hash_of(a) != hashes[0]
    assert hash_of(b) != hashes[1]


def test_a_change_does_not_reach_what_is_required(tmp_path):
    a, b = write_two(tmp_path)
    hashes = hash_of(a), hash_of(b)
    (tmp_path / "B" / "work.py").write_text("other")
    assert hash_of(a) == hashes[0]
    assert hash_of(b) != hashes[1]


def test_parameters_in_the_definition_count():
    entries = {"worker": "work.py", "template": "template.sh"}
    product = hash_of(scan("A", {"parameters": {"product": {"x": [1, 2]}}}, entries=entries))
    assert hash_of(scan("A", {"parameters": {"list": [{"x": 1}, {"x": 2}]}}, entries=entries)) == product
    assert hash_of(scan("A", {"parameters": {"list": [{"x": 2}, {"x": 1}]}}, entries=entries)) != product
    assert hash_of(scan("A", {"parameters": {"product": {"x": [1, 3]}}}, entries=entries)) != product


def test_how_and_where_it_runs_does_not_count():
    first = hash_of(scan("A"))
    assert hash_of(scan("A", template=TEMPLATE.replace("0:09", "5:00"))) == first
    assert hash_of(scan("A", {"at_once": 3, "name": "other", "workdir": "runs"})) == first
    without_template = {role: file for role, file in SCRIPTS.items() if role != "template"}
    for cores in (1, 2):
        assert hash_of(scan("A", {"needs": f"cpu(cores={cores})"}, entries=without_template)) == first


def test_the_text_that_is_hashed(tmp_path):
    """A line for each part; includes and required runs are sorted by their names."""
    scan("A", {"includes": ["z.json", "b.json"], "requires": {"y": "../B/scan.yaml", "x": "../C/scan.yaml"}})
    Path("A/z.json").write_text("z")
    Path("A/b.json").write_text("b")
    scan("B")
    scan("C", worker="other\n")
    digests = {role: sha(Path("A", SCRIPTS[role]).read_text()) for role in SCRIPTS}
    assert identity("A/scan.yaml").text.splitlines() == [
        f"setup {digests['setup']}",
        f"worker {digests['worker']}",
        f"generator {digests['generator']}",
        f"include b.json {sha('b')}",
        f"include z.json {sha('z')}",
        f"requires x {hash_of('C/scan.yaml')}",
        f"requires y {hash_of('B/scan.yaml')}",
    ]


def test_a_folder_is_the_names_and_bytes_of_its_files(tmp_path):
    (tmp_path / "f" / "deep").mkdir(parents=True)
    (tmp_path / "f" / "b").write_text("1")
    (tmp_path / "f" / "deep" / "a").write_text("2")
    assert sha256_of(tmp_path / "f") == sha(f"b\0{sha('1')}\ndeep/a\0{sha('2')}\n")
    assert sha256_of(tmp_path / "f" / "b") == sha("1")
    (tmp_path / "f" / "empty").mkdir()
    assert sha256_of(tmp_path / "f") == sha(f"b\0{sha('1')}\ndeep/a\0{sha('2')}\n")


# -- ESIS's rule -----------------------------------------------------------------------------------------------


def test_esis_has_a_rule_of_its_own():
    """As its code computes it: the scripts in its order, then includes and requirements, sorted by their paths."""
    scan("A", {"includes": ["z.json", "b.json"]})
    Path("A/z.json").write_text("z")
    Path("A/b.json").write_text("b")
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    names = {"setupscript": "setup.sh", "sbatchtemplate": "template.sh", "workerscript": "work.py",
             "param_generator": "generate.py"}  # fmt: skip
    scripts = "\n".join(f"{key}:{sha(Path('A', name).read_text())}" for key, name in names.items())
    a_hash = sha(f"{scripts}\nb.json:{sha('b')}\nz.json:{sha('z')}")
    assert hash_of("A/scan.yaml", esis=True) == a_hash
    assert hash_of(b, esis=True) == sha(f"{scripts}\n../A/scan.yaml:{a_hash}")
    scan("A", {"includes": ["z.json", "b.json"]}, template=TEMPLATE + "# more\n")
    assert hash_of("A/scan.yaml", esis=True) != a_hash


def test_esis_needs_four_scripts():
    scan("A")
    write_yaml("A/scan.yaml", {"worker": "setup.sh", "parameters": {"list": [{}]}})
    with pytest.raises(DefinitionError) as caught:
        read_family(Path("A/scan.yaml"), esis=True)
    assert str(caught.value) == (
        f"{Path('A/scan.yaml').absolute()}: ESIS's identity needs four scripts; "
        "there is no setup and no template and no generator"
    )


# -- families --------------------------------------------------------------------------------------------------


def write_diamond():
    """D requires B and C, which both require A."""
    scan("A")
    scan("B", {"requires": {"a": "../A/scan.yaml"}})
    scan("C", {"requires": {"a": "../A/scan.yaml"}})
    return Path(scan("D", {"requires": {"b": "../B/scan.yaml", "c": "../C/scan.yaml"}}))


def test_required_scans_come_first_and_once():
    family = read_family(write_diamond())
    names = [identity.definition.name for identity in family.identities.values()]
    assert sorted(names) == ["A", "B", "C", "D"]
    assert (names[0], names[-1]) == ("A", "D")
    assert family.identities[family.target].definition.name == "D"


def test_cycles_are_named():
    d = write_diamond()
    write_yaml("A/scan.yaml", {**SCRIPTS, "requires": {"d": "../D/scan.yaml"}})
    with pytest.raises(DefinitionError) as caught:
        read_family(d)
    message = str(caught.value)
    assert message.startswith("these scans require each other: ")
    assert "A requires D" in message
    assert message.endswith("scan.yaml): remove one of the requirements")


def test_mistakes_of_required_definitions_are_reported_too():
    d = write_diamond()
    Path("A/scan.yaml").write_text("worker: nothing\n")
    Path("C/work.py").unlink()
    with pytest.raises(ConfigError) as caught:
        read_family(d)
    lines = {str(problem) for problem in caught.value.problems}
    assert any("A/scan.yaml:1:9: error LC113: worker: there is no file nothing" in line for line in lines)
    assert any("C/scan.yaml:4:9: error LC113: worker: there is no file work.py" in line for line in lines)


def test_a_frozen_requirement_counts_by_its_hash_alone():
    a = scan("A")
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    following = hash_of(b)
    write_yaml(b, {**SCRIPTS, "requires": {"data": "../A/scan.yaml"}, "frozen": {"data": hash_of(a)}})
    assert hash_of(b) == following
    Path("A/work.py").unlink()
    assert hash_of(b) == following
    family = read_family(Path(b))
    assert list(family.frozen) == [Path(a).absolute()]
    assert list(family.identities) == [Path(b).absolute()]


def test_scans_of_esis_require_each_other_by_their_files():
    esis_scan("A")
    family = read_family(Path(esis_scan("B", ["../A/wf.esis.json"])))
    assert [identity.definition.name for identity in family.identities.values()] == ["A", "B"]
