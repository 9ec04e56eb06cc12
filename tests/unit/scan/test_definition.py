"""Definitions: what they may say, and everything that is wrong with one at once, with its place."""

import json
from pathlib import Path

import pytest
from scans import GENERATOR, YAML, executable, scan

from launchers.cli import main
from launchers.files.problems import ConfigError
from launchers.scan import ScanError, load_definition
from launchers.scan.folder import counted
from launchers.scan.names import include_names


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def scans(words):
    return main(["scan", *words.split()])


def said(text):
    Path("scan.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_definition("scan.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_has_its_place():
    executable(Path("work.py"), "#!/bin/sh\n")
    Path("generate.py").write_text(GENERATOR)
    assert said(
        "worker: work.py\n"
        "generator: generate.py\n"
        "needs: cdua(mem=1G)\n"
        "includes: [here.json]\n"
        "requires:\n"
        "  a: ../a/scan.yaml\n"
        "frozen: {b: 0123}\n"
    ) == [
        "scan.yaml:2:12: error LC113: generator: generate.py is run as a program, and is not executable (chmod +x generate.py)",
        "scan.yaml:3:8: error LC112: needs: column 1 of it: 'cdua' is not something a job can need (did you mean cuda?)",
        f"scan.yaml:4:12: error LC113: includes[0]: there is no file or folder here.json (looked in {Path.cwd()})",
        f"scan.yaml:6:6: error LC113: requires.a: there is no definition file ../a/scan.yaml (looked in {Path.cwd()})",
        "scan.yaml:7:13: error LC108: frozen.b: b is not under requires:",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("worker: w\nparamters: {}\n", "scan.yaml:2:1: error LC101: paramters: unknown key 'paramters' (did you mean parameters?)"),
        ("[a]\n", "a scan.yaml is a mapping with worker:, not a list"),
        ("parameters: {list: [{a: 1}]}\n", "worker: is missing"),
        ("worker: w\n", "there is one of generator: and parameters:"),
        ("worker: w\ngenerator: g\nparameters: {list: [{a: 1}]}\n", "there is one of generator: and parameters:"),
        ("worker: w\ntemplate: t\nneeds: cpu(cores=1)\n", "template: says already what jobs ask for"),
        ("worker: w\nat_once: 0\n", "at least one task has to run at once"),
        ("worker: w\nat_once: '4'\n", "a whole number is expected here, not text ('4') (write 4 without quotes)"),
        ("worker: w\nname: a b\n", "'a b': a name has letters"),
        ("worker: README\n", "README is a name that run folders use themselves"),
        ("worker: 'a b.sh'\n", "a b.sh: a script's name has letters"),
        ("worker: w\nparameters: {zip: {a: [1], b: [1, 2]}}\n", "the lists have different lengths: a 1, b 2"),
        ("worker: w\nparameters: {product: {a: []}}\n", "there is nothing in it"),
        ("worker: w\nparameters: {product: {a: [1]}, zip: {a: [1]}}\n", "a is in more than one of product, zip and list"),
        ("worker: w\nparameters: {product: {a: [.nan]}}\n", "a number in it is not finite"),
        ("worker: w\nrequires: {a: x}\nfrozen: {a: 12}\n", "a frozen run is named by its 64 hexadecimal digits"),
        ("worker: ../w\nsetup: w\n", "two scripts would be w in the run folder"),
        ("worker: w\nincludes: [i, ../i]\n", "i and ../i would both be includes/i"),
        ("worker: w\nincludes: [.]\n", ". has the run folders in it (include less, or move them (workdir:))"),
        ("worker: !!python/name:os.system x\n", "the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
        ('worker: "w\\nrm"\n', "must be one line of printable text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text, problem):
    for name in ("w", "README", "a b.sh", "../w", "i", "../i"):
        executable(Path(name), "#!/bin/sh\n")
    assert any(problem in line for line in said(text)), said(text)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("#SBATCH --array=TASKARRAYDEFINITION\nWORKERSCRIPT\n", "sbatch wants #! in the first line"),
        ("#!/bin/sh\nTASKARRAYDEFINITION\n", "template.sh has no WORKERSCRIPT"),
        ("#!/bin/sh\nWORKERSCRIPT\n", "template.sh has no TASKARRAYDEFINITION"),
    ],
)
def test_templates_are_checked(template, problem):
    scan(".", template=template)
    assert problem in said(YAML)[0]


def test_parameter_spaces():
    scan(".")
    text = "worker: work.py\nparameters:\n  product: {a: [1, 2], b: [x]}\n  zip: {c: [1, 2], d: [3, 4]}\n  list: [{e: {f: [0]}}]\n"
    Path("scan.yaml").write_text(text)
    common = {"b": "x", "e": {"f": [0]}}
    assert load_definition("scan.yaml").rows == (
        {**common, "c": 1, "d": 3, "a": 1},
        {**common, "c": 1, "d": 3, "a": 2},
        {**common, "c": 2, "d": 4, "a": 1},
        {**common, "c": 2, "d": 4, "a": 2},
    )


def test_what_includes_are_called():
    assert include_names(("x.json", "a/y.json", "../b/z.json")) == ["x.json", "y.json", "z.json"]
    assert include_names(("a/x.json", "b/x.json", "c/y.json")) == ["a/x.json", "b/x.json", "y.json"]
    assert include_names(("a/q/x.json", "b/q/x.json", "data/")) == ["a/q/x.json", "b/q/x.json", "data"]


@pytest.mark.parametrize(("printed", "numbers"), [("3\n", [0, 1, 2]), ("2\n", [0, 1, 2]), ("1", [0]), ("0", [0])])
def test_both_conventions_of_the_printed_number(printed, numbers):
    assert counted(printed, numbers) == len(numbers)


@pytest.mark.parametrize(
    ("printed", "numbers", "problem"),
    [
        ("5", [0, 1, 2], "printed '5', and it wrote 3 files parameters.<n>.json: it prints 3 (how many) or 2 (the last one)"),
        ("three", [0, 1, 2], "printed 'three'"),
        ("", [0], "printed ''"),
        ("-1", [0], "printed '-1'"),
        ("0", [], "it wrote 0 files parameters.<n>.json, 0 is not there"),
        ("2", [0, 2], "it wrote 2 files parameters.<n>.json, 1 is not there"),
        ("2", [1, 2], "0 is not there"),
    ],
)  # fmt: skip
def test_other_numbers_are_refused(printed, numbers, problem):
    with pytest.raises(ScanError, match=__import__("re").escape(problem)):
        counted(printed, numbers)


# -- writing them ----------------------------------------------------------------------------------------------


def test_setup_in_both_orders_and_by_name(capsys):
    scan(".")
    Path("scan.yaml").unlink()
    Path("shared.json").write_text("{}")
    assert scans("setup setup.sh generate.py template.sh work.py shared.json -m 3 -o a.yaml") == 0
    assert scans("setup --esis-order setup.sh template.sh work.py generate.py shared.json -m 3 -o b.yaml") == 0
    assert (
        scans(
            "setup --worker work.py --setup setup.sh --generator generate.py --template template.sh shared.json -m 3 -o c.yaml"
        )
        == 0
    )
    assert Path("a.yaml").read_text() == Path("b.yaml").read_text() == Path("c.yaml").read_text()
    assert Path("a.yaml").read_text() == YAML + "includes:\n- shared.json\nat_once: 3\n"
    assert scans("setup setup.sh generate.py template.sh -o d.yaml") == 2
    assert scans("setup setup.sh template.sh work.py generate.py -o d.yaml") == 2  # the wrong order
    assert "work.py has no WORKERSCRIPT" in capsys.readouterr().err
    assert not Path("d.yaml").exists()
    assert scans("setup setup.sh generate.py template.sh work.py -o a.yaml") == 2
    assert "is there already: --force" in capsys.readouterr().err


def test_setup_writes_what_esis_reads(capsys):
    scan("A")
    assert scans("setup A/setup.sh A/generate.py A/template.sh A/work.py -o A/wf.esis2.json") == 0
    assert json.loads(Path("A/wf.esis2.json").read_text()) == {
        "setupscript": "setup.sh", "sbatchtemplate": "template.sh", "workerscript": "work.py",
        "param_generator": "generate.py", "param_includes": [], "status": {}, "requires": [], "maxparallel": "10",
        "workdirpath": ".", "requires_names": {},
    }  # fmt: skip
    Path("A/wf.esis2.json").write_text('{"setupscript": "setup.sh", "worker": 1}')
    assert main(["scan", "show", "A/wf.esis2.json"]) == 2
    assert "A/wf.esis2.json:1:29: error LC101" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scan.yaml", "wf.esis2.json", "wf.esis.json"])
def test_require_freeze_and_unfreeze(name, capsys):
    """In both kinds of file; comments stay, what is wrong is refused, and what is frozen exists."""
    for folder in "AB":
        scan(folder)
        Path(folder, "scan.yaml").unlink()
        assert (
            scans(
                f"setup {folder}/setup.sh {folder}/generate.py {folder}/template.sh {folder}/work.py -o {folder}/{name}"
            )
            == 0
        )
    b = Path("B", name)
    if name == "scan.yaml":
        b.write_text("# mine\n" + b.read_text().replace("worker: work.py", "worker: work.py  # the worker"))
    before = b.read_text()
    assert main(["scan", "require", f"A/{name}", "data", str(b)]) == 0
    required = b.read_text()
    assert [(one.name, one.written) for one in load_definition(b).requires] == [("data", f"../A/{name}")]
    assert main(["scan", "require", f"A/{name}", "again", str(b)]) == 2
    assert main(["scan", "require", str(b), "data", f"A/{name}"]) == 2
    assert "that would be a cycle (A, B)" in capsys.readouterr().err
    assert main(["scan", "freeze", "data", "0" * 64, str(b)]) == 2
    assert "there is no such run" in capsys.readouterr().err
    assert main(["scan", "freeze", "nothing", "0" * 64, str(b)]) == 2
    old = Path("A", "wrkdir." + "ab" * 32, "__esis__")
    old.mkdir(parents=True)
    assert main(["scan", "freeze", "data", "abab", str(b)]) == 0
    assert load_definition(b).requires[0].frozen == "ab" * 32
    assert main(["scan", "unfreeze", "data", str(b)]) == 0
    assert main(["scan", "unfreeze", "data", str(b)]) == 2
    assert load_definition(b).requires[0].frozen is None
    if name == "scan.yaml":
        assert b.read_text() == required == before + f"requires:\n  data: ../A/{name}\n"


def test_which_definition_is_meant(capsys):
    assert main(["scan", "show"]) == 2
    assert (
        "there is no scan.yaml or wf.esis2.json or wf.esis.json here (launchers scan setup makes one)"
        in capsys.readouterr().err
    )
    scan(".")
    assert main(["scan", "show"]) == 0
    Path("wf.esis.json").write_text("{}")
    assert main(["scan", "show"]) == 2
    assert "name one of scan.yaml, wf.esis.json" in capsys.readouterr().err
    assert main(["scan", "show", "gone.yaml"]) == 2
    assert "gone.yaml:1:1: error LC100: No such file" in capsys.readouterr().err
