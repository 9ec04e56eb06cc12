"""Runs of another user: they are looked at when that is asked for, and nothing of them is run, written or unpickled."""

import json
import os
import pickle
from pathlib import Path

import pytest
from recorded import Recorder

from launchers.cli import main

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: only root can give a run to another user")
OTHER = 54321
VIEWS = (["status"], ["status", "--json"], ["status", "--watch"], ["logs", "a"], ["report", "-o", "-"], ["advise"])
ACTS = (["wait", "--timeout=1"], ["cancel"], ["retry"], ["resume"], ["resume", "--break-lock"], ["clean", "--yes"])


class Trap:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.fixture
def canary(tmp_path):
    """A file that is there when something of the run was run."""
    return tmp_path / "canary"


@pytest.fixture
def foreign(tmp_path, monkeypatch, canary):
    """A run of another user, with a trap wherever something could be run: a job that waits to be started on this
    machine, functions, items and results."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    recorder = Recorder(Path("runs"))
    recorder.step("a", jobs=[(0, 60)])
    recorder.step("b", jobs=[()])
    recorder.logs = {"a": "hello\n"}
    folder = recorder.run("p").folder
    local = folder / "local" / "1"
    table = (local / "jobs.jsonl").read_text().replace('["x"]', json.dumps(["touch", str(canary)]))
    assert str(canary) in table
    (local / "jobs.jsonl").write_text(table)
    trap = pickle.dumps(("success", Trap(canary)))
    for name in ("steps/a/call.pkl", "steps/b/call.pkl", "steps/b/items.pkl", "jobs/a/a_0_result.pkl", "jobs/b/b_0_result.pkl",
                 "jobs/b/b_submitted.pkl"):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(trap)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    return folder


def files(folder):
    """All files of a folder with what is in them."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [*VIEWS, *ACTS], ids=" ".join)
def test_a_run_of_another_user_is_refused(foreign, canary, capfd, words):
    before = files(foreign)
    command, *more = words
    assert main([command, str(foreign), *more]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        f"launchers {command}: {foreign} belongs to uid {OTHER}, not to root (uid 0);"
        f" to look at the run once: launchers status --trust {foreign}\n"
    )
    assert not canary.exists()
    assert files(foreign) == before


@pytest.mark.parametrize("words", [words for words in VIEWS if "--watch" not in words], ids=" ".join)
def test_to_look_at_it_runs_and_writes_nothing(foreign, canary, capfd, words):
    before = files(foreign)
    command, *more = words
    assert main([command, str(foreign), *more, "--trust"]) == 0
    assert capfd.readouterr().out
    assert not canary.exists()
    assert files(foreign) == before


def test_a_report_does_not_go_into_the_run_of_another_user(foreign, capfd, tmp_path):
    before = files(foreign)
    assert main(["report", str(foreign), "--trust"]) == 2
    assert capfd.readouterr().err.endswith("is not yours, so nothing is written there: name a file with -o FILE\n")
    assert files(foreign) == before
    assert main(["report", str(foreign), "--trust", "-o", str(tmp_path / "page.html")]) == 0


@pytest.mark.parametrize("words", ACTS, ids=" ".join)
def test_what_acts_has_no_option_for_it(foreign, words, capsys):
    command, *more = words
    with pytest.raises(SystemExit):
        main([command, str(foreign), *more, "--trust"])
    assert foreign.exists()


def test_the_runs_of_others_are_listed_by_their_owner(foreign, canary, capfd):
    own = Recorder(Path("runs"))
    own.step("a")
    mine = own.run("q").folder
    assert main(["runs"]) == 0
    out, err = capfd.readouterr()
    assert mine.name in out
    assert foreign.name not in out
    assert f"{foreign.name} belongs to uid {OTHER}" in err
    assert main(["runs", "--trust"]) == 0
    assert foreign.name in capfd.readouterr().out
    assert not canary.exists()


def test_clean_leaves_the_runs_of_others(foreign, capfd):
    assert main(["clean", "--yes"]) == 0
    assert foreign.exists()
    assert "belongs to" in capfd.readouterr().err


@pytest.mark.parametrize("part", ["local/1/jobs.jsonl", "jobs/b", "steps/b", "journal.jsonl"])
def test_a_part_that_another_user_put_into_ones_own_run(foreign, canary, capfd, part):
    for path in (foreign, *foreign.rglob("*")):
        os.chown(path, 0, 0)
    os.chown(foreign / part, OTHER, OTHER)
    for command, *more in (*VIEWS, *ACTS):
        assert main([command, str(foreign), *more]) == 2
        assert f"{foreign / part} belongs to" in capfd.readouterr().err
    assert not canary.exists()
