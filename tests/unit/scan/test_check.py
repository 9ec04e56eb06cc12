"""Everything that is wrong with a definition is reported at once, with its place."""

import os
from pathlib import Path

import pytest
from scans import GENERATOR, SCRIPTS, executable, scan, write_yaml

from launchers.files.problems import ConfigError
from launchers.scan import load_definition

ONE_ROW = {"list": [{"a": 1}]}


def problems(path="scan.yaml"):
    with pytest.raises(ConfigError) as caught:
        load_definition(path)
    return [str(problem) for problem in caught.value.problems]


def problems_of(entries):
    write_yaml("scan.yaml", entries)
    return problems()


def test_every_problem_has_its_place():
    executable(Path("work.py"), "#!/bin/sh\n")
    Path("generate.py").write_text(GENERATOR)
    here = Path.cwd()
    Path("scan.yaml").write_text(
        "worker: work.py\n"
        "generator: generate.py\n"
        "needs: cdua(mem=1G)\n"
        "includes: [here.json]\n"
        "requires:\n"
        "  a: ../a/scan.yaml\n"
        "frozen: {b: 0123}\n"
    )
    assert problems() == [
        "scan.yaml:2:12: error LC113: generator: generate.py is run as a program, but it is not executable (chmod +x generate.py)",
        "scan.yaml:3:8: error LC112: needs: column 1 of it: 'cdua' is not something a job can need (did you mean cuda?)",
        f"scan.yaml:4:12: error LC113: includes[0]: there is no file or folder here.json (looked in {here})",
        f"scan.yaml:6:6: error LC113: requires.a: there is no definition file ../a/scan.yaml (looked in {here})",
        "scan.yaml:7:13: error LC108: frozen.b: b is not under requires:",
    ]  # fmt: skip


def test_the_files_of_a_frozen_run_need_not_exist():
    write_yaml("scan.yaml", {"worker": "gone.py", "parameters": ONE_ROW, "requires": {"a": "gone.yaml"}})
    assert load_definition("scan.yaml", files=False).worker == "gone.py"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"worker": "w", "paramters": {}}, "paramters: unknown key 'paramters' (did you mean parameters?)"),
        ({"parameters": ONE_ROW}, "worker: is missing (name the script that every task runs)"),
        ({"worker": "w"}, "generator: and parameters: are both missing (give one of them)"),
        ({"worker": "w", "generator": "g", "parameters": ONE_ROW}, "generator: and parameters: exclude each other"),
        ({"worker": "w", "template": "t", "needs": "cpu(cores=1)"}, "needs: and template: exclude each other"),
        ({"worker": "w", "workdir": "~nobody-of-that-name/runs"},
         "LC113: workdir: ~nobody-of-that-name/runs: there is no such user, or no home (write ./ before it"),
        ({"worker": "w", "at_once": 0}, "LC102: at_once: must be 1 or more"),
        ({"worker": "w", "at_once": "4"}, "a whole number is expected here, not text ('4') (write 4 without quotes)"),
        ({"worker": "w", "name": "a b"}, "LC109: name: 'a b': a name has letters, digits"),
        ({"worker": "w", "needs": "cpu(cores=0)"}, "LC112: needs: column 11 of it:"),
        ({"worker": "w", "needs": "cpu(cores=0)"}, "(see docs/requirements.md)"),
        ({"worker": "README"}, "launchers makes a file or folder README in the run folder (rename it)"),
        ({"worker": "slurm/w"}, "launchers makes a file or folder slurm in the run folder (rename it)"),
        ({"worker": "a b.sh"}, "a b.sh: the name of a script has letters, digits"),
        ({"worker": "w", "parameters": {"zip": {"a": [1], "b": [1, 2]}}}, "LC102: parameters.zip: the lists have different"),
        ({"worker": "w", "parameters": {"product": {"a": []}}}, "LC102: parameters: it has no parameters"),
        ({"worker": "w", "requires": {"a": "x"}, "frozen": {"a": 12}}, "not the hash of a run, which has 64 hexadecimal digits"),
        ({"worker": "w", "requires": {"a": "x"}, "frozen": {"a": "g" * 64}}, "frozen.a: not the hash of a run"),
        ({"worker": "../w", "setup": "w"}, "two scripts would have the name w in the run folder (rename one)"),
        ({"worker": "w", "includes": ["i", "../i"]}, "i and ../i would both be includes/i"),
        ({"worker": "w", "includes": ["."]}, ". contains the run folders (include less, or set workdir: to a folder"),
        ({"worker": "w", "includes": ["/dev/zero"]}, "/dev/zero is neither a file nor a folder (write what it gives"),
        ({"worker": "w", "includes": ["pipe"]}, "pipe is neither a file nor a folder"),
        ({"worker": "w", "includes": ["runs"], "workdir": "runs/here"}, "runs contains the run folders"),
        ({"worker": "w\nrm"}, "must be one line of printable text"),
    ],
)  # fmt: skip
def test_mistakes(entries, problem):
    for name in ("w", "README", "slurm/w", "a b.sh", "../w", "i", "../i", "runs/x"):
        executable(Path(name), "#!/bin/sh\n")
    os.mkfifo("pipe")
    assert any(problem in line for line in problems_of(entries)), problems_of(entries)


def test_a_file_of_another_kind():
    Path("scan.yaml").write_text("[a]\n")
    assert problems() == ["scan.yaml:1:1: error LC102: a scan.yaml is a mapping with worker:, not a list"]
    Path("scan.yaml").write_text("worker: !!python/name:os.system x\n")
    assert "the tag tag:yaml.org,2002:python/name:os.system is not allowed" in problems()[0]


def test_one_script_may_have_two_roles():
    executable(Path("w"), "#!/bin/sh\n")
    write_yaml("scan.yaml", {"worker": "w", "setup": "./w", "parameters": ONE_ROW})
    assert load_definition("scan.yaml").setup == "./w"


def test_the_worker_of_a_template_need_not_be_executable():
    scan(".", entries=SCRIPTS)
    Path("work.py").chmod(0o644)
    assert load_definition("scan.yaml").worker == "work.py"
    assert (
        "work.py is run as a program, but it is not executable"
        in problems_of({"worker": "work.py", "parameters": ONE_ROW})[0]
    )


def test_a_script_that_cannot_be_read(monkeypatch):
    scan(".")
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "work.py")
    assert problems() == ["scan.yaml:4:9: error LC113: worker: work.py cannot be read (chmod u+r work.py)"]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("#SBATCH --array=TASKARRAYDEFINITION\nWORKERSCRIPT\n", "the first line must start with #!, or sbatch refuses it (such as #!/bin/bash)"),
        ("#!/bin/sh\nTASKARRAYDEFINITION\n", "template.sh has no WORKERSCRIPT (write it where the worker runs)"),
        ("#!/bin/sh\nWORKERSCRIPT\n", "template.sh has no TASKARRAYDEFINITION (write it as #SBATCH --array=)"),
    ],
)  # fmt: skip
def test_templates(template, problem):
    scan(".", template=template)
    (line,) = problems()
    assert problem in line
