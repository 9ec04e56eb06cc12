"""Trouble that is not launchers' own: one line, an exit status that is documented, and never a traceback."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from email.message import Message
from pathlib import Path

import pytest
from effort import LONG
from recorded import Recorder
from trouble import TROUBLES, in_trouble, why_not

from launchers import ConfigError, LauncherNotFoundError, RequirementSyntaxError, RunError
from launchers.cli import main, trouble
from launchers.cli.exit_status import BUG
from launchers.cli.parsing import COMMANDS
from launchers.cli.trouble import status_of
from launchers.commands import CommandError
from launchers.errors import UNREACHABLE
from launchers.files.problems import Problem
from launchers.plan.tree import PlacementError, PlanError, UnreachableError
from launchers.requirement import parse
from launchers.runs.run import NoSuchStepError
from launchers.runs.send import SubmitError
from launchers.scan.errors import DefinitionError, ScanError
from launchers.terminal import OutputError

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = str(ROOT / "launchers.example.yaml")
STATUSES = (0, 1, 2, 3, 65)


def recorded(**jobs):
    """A run of this machine in ./runs, with files of all kinds."""
    recorder = Recorder(Path("runs"))
    for name, times in (jobs or {"a": [(0, 60)], "b": [(0, 60)]}).items():
        recorder.step(name, jobs=times)
        recorder.logs[name] = "hello\n"
    run = recorder.run("p")
    (run.folder / "jobs" / "a" / "a_0_result.pkl").write_bytes(b"\x80\x04\x95junk")
    return run


def parsed(text):
    """The error of a text that is no requirement."""
    with pytest.raises(RequirementSyntaxError) as caught:
        parse(text)
    return caught.value


# -- each error --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (LauncherNotFoundError("nothing fits", "nothing-matches"), 1, "launchers: nothing fits"),
        (LauncherNotFoundError("far away", UNREACHABLE), 3, "launchers: far away"),
        (parsed("cdua()"), 2, "launchers: line 1"),
        (ConfigError([Problem("f", 1, 2, "LC100", "", "bad", "")]), 2, "f:1:2: error LC100: bad"),
        (RunError("no run"), 2, "launchers x: no run"),
        (NoSuchStepError("there is no step y"), 2, "launchers x: there is no step y"),
        (PlanError(["bad"]), 2, "launchers x: bad"),
        (PlacementError(["no place"]), 1, "launchers x: no place"),
        (UnreachableError(["away"]), 3, "launchers x: away"),
        (SubmitError("refused"), 1, "launchers x: refused"),
        (SubmitError("no answer", transient=True), 3, "launchers x: no answer"),
        (ScanError("failed"), 1, "launchers x: failed"),
        (DefinitionError("bad"), 2, "launchers x: bad"),
        (CommandError("squeue gave no answer within 30 s"), 3, "launchers x: squeue gave no answer within 30 s"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/f"), 2, "launchers x: /f: No such file"),
        (PermissionError(errno.EACCES, "Permission denied", b"/f"), 2, "launchers x: /f: Permission denied"),
        (OSError(errno.ENOSPC, "No space left", "/f"), 1, "launchers x: /f: No space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 1, "launchers x: Disk quota exceeded"),
        (TimeoutError("too long"), 1, "launchers x: too long"),
        (OutputError(errno.ENOSPC, "No space left"), 1, "launchers: cannot write the output: No space left"),
        (MemoryError(), 1, "launchers x: there is not enough memory"),
        (UnicodeDecodeError("utf-8", b"abc\xff", 3, 4, "bad"), 2, "launchers x: b'abc\\xff' is not UTF-8 text"),
    ],
)
def test_an_error_that_can_be_mended_is_a_line(capsys, error, status, line):
    assert status_of(error, "launchers x") == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1 or isinstance(error, RequirementSyntaxError)  # which shows the place


def test_a_closed_pipe_needs_no_word(capsys):
    assert status_of(OutputError(errno.EPIPE, "Broken pipe"), "launchers x") == 0
    assert capsys.readouterr().err == ""


def test_a_name_of_thousands_of_characters_is_cut(capsys):
    status_of(OSError(errno.ENAMETOOLONG, "File name too long", "/" + "x" * 100_000), "launchers x")
    assert len(capsys.readouterr().err) < 500


@pytest.mark.parametrize("number", ["SIGINT"])
def test_ctrl_c_is_130_without_a_word(capsys, monkeypatch, number):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("launchers.cli.where.run", interrupted)
    assert main(["where"]) == 130
    assert capsys.readouterr() == ("", "")


# -- bugs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def bug(monkeypatch, tmp_path):
    """`launchers where` has a bug; where temporary files go."""

    def broken(options):
        raise ZeroDivisionError("first\nsecond \x1b[31m")

    monkeypatch.setattr("launchers.cli.where.run", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("SECRET", "geheim")
    return tmp_path


def test_a_bug_is_a_line_and_a_file(bug, capsys):
    assert main(["where", "--config", "geheim"]) == BUG
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    found = re.fullmatch(
        r"launchers where: this is a bug of launchers: ZeroDivisionError: first second \\x1b\[31m;"
        r" please send (\S+/traceback\.txt) to .+\n",
        err,
    )
    path = Path(found[1])
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = path.read_text()
    assert "Traceback (most recent call last)" in text
    assert "geheim" not in text
    assert "launchers where\n" in text


def test_a_bug_on_a_full_disk_is_a_line(bug, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")
    assert main(["where"]) == BUG
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: first second" in err
    assert f"please send this line to {trouble.NO_ADDRESS}; LAUNCHERS_DEBUG=1 prints the traceback" in err


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ([], trouble.NO_ADDRESS),
        ([("Author", "The launchers authors")], trouble.NO_ADDRESS),
        ([("Author-email", "Ann <ann@x.org>"), ("Project-URL", "Home, https://x.org")], "Ann <ann@x.org>"),
        ([("Project-URL", "Home, https://x.org")], "https://x.org"),
        ([("Project-URL", "Home, https://x.org"), ("Project-URL", "Bug Tracker, https://x.org/i")], "https://x.org/i"),
    ],
)
def test_where_a_bug_is_reported(bug, capsys, monkeypatch, fields, place):
    about = Message()
    for name, value in fields:
        about[name] = value
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: about)
    assert main(["where"]) == BUG
    assert capsys.readouterr().err.endswith(f" to {place}\n")


def test_the_traceback_of_a_bug_is_printed_on_demand(bug, capsys, monkeypatch):
    monkeypatch.setenv(trouble.DEBUG, "1")
    assert main(["where"]) == BUG
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_what_fails_while_an_error_is_looked_at_is_a_line_too(bug, capsys, monkeypatch):
    monkeypatch.setattr(trouble, "_line", lambda *_: 1 / 0)
    assert main(["where"]) == BUG
    assert capsys.readouterr().err.count("\n") == 1


# -- every command in every trouble ------------------------------------------------------------------------------

ARGUMENTS = {
    "find": ["cpu(cores=1)"],
    "explain": ["cpu(cores=1)"],
    "run": ["cpu(cores=1)", "--", "true"],
    "flow": ["check", "{here}/flow.yaml"],
    "status": ["{run}"],
    "logs": ["{run}", "a"],
    "cancel": ["{run}"],
    "wait": ["{run}", "--timeout", "5"],
    "retry": ["{run}"],
    "resume": ["{run}"],
    "runs": ["{here}/runs"],
    "clean": ["--folder", "{here}/runs"],
    "report": ["{run}", "-o", "-"],
    "advise": ["{run}"],
    "scan": ["list"],
    "list": ["--json"],
    "check": [EXAMPLE],
    "convert": [str(ROOT / "examples" / "scontrol.txt")],
    "probe": [EXAMPLE],
    "schema": [],
    "where": [],
    "completion": ["bash"],
}
PAIRS = [(command, name) for command in COMMANDS for name in TROUBLES]
EVERY = len(TROUBLES) + 1
"""Without LONG every so many of all pairs is tried: each command and each trouble comes about once."""


@pytest.mark.no_coverage
@pytest.mark.parametrize(
    ("command", "name"), PAIRS if LONG else PAIRS[::EVERY], ids=lambda text: text.replace(" ", "-")
)
def test_a_command_in_trouble(tmp_path, monkeypatch, command, name):
    if why := why_not(name):
        pytest.skip(why)
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    run = recorded().folder
    Path("flow.yaml").write_text("name: f\njobs: [{name: a, command: ls}]\n")
    words = [word.format(run=run, here=tmp_path) for word in ARGUMENTS[command]]
    argv = in_trouble(name, [sys.executable, "-m", "launchers", command, *words])
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        argv, capture_output=True, check=False, timeout=60, env=environment, stdin=subprocess.DEVNULL, cwd=tmp_path
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode in STATUSES, err
    assert "Traceback" not in out + err
    assert err.strip() or not done.returncode or "stderr" in name or "all streams" in name
    views = ("status", "logs", "runs", "advise", "report", "wait")
    if command in views and name in ("the run cannot be written", "the disk is full", "there is no home"):
        assert done.returncode == 0, err


def test_every_command_has_arguments_here():
    assert set(ARGUMENTS) == set(COMMANDS)


# -- a run folder in which something else is ----------------------------------------------------------------------


def as_folder(path):
    path.mkdir()


def as_pipe(path):
    os.mkfifo(path)


def as_zeros(path):
    path.symlink_to("/dev/zero")


def as_loop(path):
    path.symlink_to(path.name)


def as_nothing(path):
    pass


def as_empty(path):
    path.touch()


def as_bytes(path):
    path.write_bytes(bytes(range(256)) + b"\n\xff\xfe\n")


def as_list(path):
    path.write_bytes(b"[1, 2]\n3\nnull\n")


DAMAGES = (as_folder, as_pipe, as_zeros, as_loop, as_nothing, as_empty, as_bytes, as_list)
PLACES = ("plan.json", "journal.jsonl", "seen.json", "lock", "steps", "jobs", "local", "local/1", "local/1/jobs.jsonl",
          "local/1/events.jsonl", "jobs/a", "jobs/a/a_0_result.pkl", "report.html")  # fmt: skip
VERBS = (["status"], ["status", "--json"], ["logs", "a"], ["report"], ["advise"], ["wait", "--timeout=0"], ["clean"])


class LateError(BaseException):
    """Nothing that launchers catches."""


@pytest.fixture
def in_time():
    """What hangs is ended."""

    def late(*_):
        raise LateError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


DAMAGED = [(place, damage) for place in PLACES for damage in DAMAGES]


@pytest.mark.parametrize(
    ("place", "damage"), DAMAGED if LONG else DAMAGED[::5], ids=lambda part: getattr(part, "__name__", part)
)
def test_a_run_folder_in_which_something_else_is(tmp_path, monkeypatch, capfd, in_time, place, damage):
    monkeypatch.chdir(tmp_path)
    folder = recorded().folder
    path = folder / place
    if path.is_dir():
        path.rename(tmp_path / "away")
    else:
        path.unlink(missing_ok=True)
    damage(path)
    for command, *words in VERBS:
        status = main([command, str(folder), *words])
        err = capfd.readouterr().err
        assert status in STATUSES, f"{command}: {err}"
        assert "Traceback" not in err
        assert err.strip() or not status


# -- a ledger that cannot be -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["flow", "run", "flow.yaml"], ["run", "--detach", "cpu()", "--", "true"]], ids=" ".join
)
def test_a_ledger_that_cannot_be_made_is_a_line(tmp_path, monkeypatch, capfd, words):
    monkeypatch.chdir(tmp_path)
    Path("flow.yaml").write_text("name: f\njobs: [{name: a, command: ls}]\n")
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "flow.yaml"))
    assert main(words) == 2
    assert capfd.readouterr().err.endswith("cannot be made: File exists: set LAUNCHERS_LOCAL_STATE to another folder\n")
    assert not list(tmp_path.glob("runs/*"))


# -- clean -------------------------------------------------------------------------------------------------------


def test_clean_does_not_follow_a_link(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = recorded().folder.rename(tmp_path / "elsewhere")
    link = tmp_path / "runs" / "link"
    link.symlink_to(folder)
    for argv in (
        ["clean", "--yes", str(link)],
        ["clean", "--yes", f"{link}/"],
        ["clean", "--yes"],
        ["clean", "--yes", "link"],
    ):
        assert main(argv) == 0
        assert capsys.readouterr() == ("", f"kept, it is a symbolic link to {folder}: {link}\n")
    assert (folder / "plan.json").exists()
    assert link.is_symlink()


def test_clean_of_what_is_no_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()
    assert main(["clean", "--yes", "data"]) == 2
    assert main(["clean", "--yes", "--folder", "data"]) == 0
    assert (tmp_path / "data" / "precious").exists()


def test_clean_goes_on_when_one_cannot_be_removed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first, second = recorded().folder, recorded().folder

    def refuse(folder):
        if folder == first:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr("launchers.cli.clean.shutil.rmtree", refuse)
    assert main(["clean", "--yes", str(first), str(second)]) == 1
    said = capsys.readouterr()
    assert said.err == f"launchers clean: cannot remove {first}: Permission denied\n"
    assert said.out == f"removed: {second}\n"


# -- Ctrl-C ------------------------------------------------------------------------------------------------------


@pytest.mark.no_coverage
@pytest.mark.parametrize("delay", [0.02 * step for step in range(1, 60)] if LONG else [0.1, 0.25])
def test_ctrl_c_at_any_moment(delay):
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from launchers.cli import main; sys.stderr.write('.'); sys.stderr.flush();"
         "sys.exit(main())", "explain", "cpu()"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr.read(1) == b"."
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert b"Traceback" not in err
