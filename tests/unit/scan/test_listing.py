"""The runs of a scan, and which of them `clean_runs` removes."""

import os
import shutil
from pathlib import Path

import pytest
from attrs import evolve
from scans import SCRIPTS, WORKER, scan, write_yaml

from launchers import run_scan
from launchers.cli import main
from launchers.scan import DefinitionError, clean_runs, list_runs, read_family
from launchers.scan import listing as room
from launchers.scan.runs import run_state


def family_of(file):
    return read_family(Path(file))


def finish(file, **options):
    """Run a scan to its end; the folder of the run."""
    (outcome,) = run_scan(file, **options)
    outcome.run.wait()
    return outcome.identity.folder


def make_run(folder, hash, mtime, of=None):
    """A run folder: a copy of `of` under another name, or of a run that ESIS made."""
    path = Path(folder, f"wrkdir.{hash}").absolute()
    if of is None:
        (path / "__esis__").mkdir(parents=True)
        (path / "__esis__" / "wf_status").write_text("")
    else:
        shutil.copytree(of, path)
    os.utime(path / "__esis__" / "wf_status", (mtime, mtime))
    return path


@pytest.fixture
def runs():
    """A scan with its current run, two old ones, one of ESIS, and one of another scan in the same place."""
    file = scan("A")
    current = finish(file)
    old = make_run("A", "0a" * 32, 1, of=current)
    moved = make_run("A", "0a" * 32 + ".1", 2, of=current)
    esis = make_run("A", "0e" * 32, 3)
    other = make_run("A", "0f" * 32, 4, of=current)
    plan = other / "plan.json"
    plan.write_text(plan.read_text().replace('"plan": "A"', '"plan": "B"'))
    return {"file": file, "current": current, "old": old, "moved": moved, "esis": esis, "other": other}


def test_runs_are_listed_the_oldest_first(runs):
    listed = list_runs(family_of(runs["file"]))
    assert [run.folder for run in listed] == [runs[name] for name in ("old", "moved", "esis", "other", "current")]
    assert [run.is_current for run in listed] == [False, False, False, False, True]
    assert [run.scan for run in listed] == ["A", "A", None, "B", "A"]
    assert [run.tasks for run in listed] == [3, 3, None, 3, 3]
    assert [(run.hash, run.copy) for run in listed[:2]] == [("0a" * 32, ""), ("0a" * 32, ".1")]
    assert (listed[2].state, listed[-1].state) == ("MISSING", "COMPLETED")
    assert listed[2].created == (runs["esis"] / "__esis__").stat().st_mtime
    assert listed[-1].hash == family_of(runs["file"]).identities[Path(runs["file"]).absolute()].hash


def test_old_runs_of_the_scan_are_removed(runs):
    family = family_of(runs["file"])
    old = [(runs["old"], True), (runs["moved"], True)]
    assert list(clean_runs(family, dry_run=True)) == old
    assert runs["old"].exists()
    assert list(clean_runs(family)) == old
    left = {name for name in ("current", "old", "moved", "esis", "other") if runs[name].exists()}
    assert left == {"current", "esis", "other"}


def test_runs_that_are_named_are_removed_whatever_they_are(runs):
    family = family_of(runs["file"])
    chosen = clean_runs(family, [runs["current"].name, "0e", "0a" * 32])
    assert [folder for folder, _ in chosen] == [runs["current"], runs["esis"], runs["old"]]
    assert (runs["moved"].exists(), runs["other"].exists()) == (True, True)


def test_a_beginning_that_several_runs_have(runs):
    where = runs["old"].parent
    with pytest.raises(DefinitionError, match=rf"^2 runs in {where} begin with 0a: name one run$"):
        list(clean_runs(family_of(runs["file"]), ["0e", "0a"]))
    with pytest.raises(DefinitionError, match=rf"^0 runs in {where} begin with 77: name one run$"):
        list(clean_runs(family_of(runs["file"]), ["77"]))
    assert runs["esis"].exists()


def test_a_run_that_still_runs_is_kept(runs, monkeypatch):
    busy = runs["old"]
    monkeypatch.setattr(room, "run_state", lambda path: "RUNNING" if path == busy else run_state(path))
    assert list(clean_runs(family_of(runs["file"]))) == [(busy, False), (runs["moved"], True)]
    assert (busy.exists(), runs["moved"].exists()) == (True, False)


def test_a_run_that_this_scan_is_frozen_to_is_kept():
    """A and B have their runs in the same place, and B the name of A."""
    a = scan("A", {"name": "same", "workdir": "../runs"})
    frozen = finish(a)
    scan("A", {"name": "same", "workdir": "../runs"}, worker=WORKER + "# other\n")
    old = finish(a)
    more = {"requires": {"a": "../A/scan.yaml"}, "frozen": {"a": frozen.name.removeprefix("wrkdir.")}}
    b = write_yaml("B/scan.yaml", {**SCRIPTS, "name": "same", "workdir": "../runs", **more})
    scan("B", more | {"name": "same", "workdir": "../runs"})
    assert list(clean_runs(family_of(b), dry_run=True)) == [(old, True)]


def test_the_copy_of_a_run_is_what_follows_its_hash():
    run = room.ScanRun(Path("/x/wrkdir.0a"), True, "COMPLETED", "A", 3, 0.0)
    assert (run.hash, run.copy) == ("0a", "")
    assert evolve(run, folder=Path("/x/wrkdir.0a.12")).copy == ".12"


# -- runs of another user --------------------------------------------------------------------------------------


OTHER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: only root can give a run to another user")


def give_away(folder):
    for path in (folder, *folder.rglob("*")):
        os.chown(path, OTHER, OTHER)
    return folder


@as_root
def test_runs_of_another_user_are_listed_as_such_among_ones_own(runs, capfd):
    for name in ("old", "esis"):
        give_away(runs[name])
    assert main(["scan", "list", runs["file"]]) == 0
    out, err = capfd.readouterr()
    assert [line.split()[-5] for line in out.splitlines()[1:]] == [
        "FOREIGN",
        "COMPLETED",
        "FOREIGN",
        "COMPLETED",
        "COMPLETED",
    ]
    assert err.splitlines() == [
        f"launchers: warning: {runs['old']} belongs to uid {OTHER}, not to root (uid 0); to look at the run once: "
        f"launchers status --trust {runs['old']}",
        f"launchers: warning: {runs['esis']} belongs to uid {OTHER}",
    ]
    assert main(["scan", "list", runs["file"], "--trust"]) == 0
    out, err = capfd.readouterr()
    assert (out.count(" COMPLETED "), err) == (4, "")
    assert [path for path, _ in clean_runs(family_of(runs["file"]))] == [runs["moved"]]
    assert runs["old"].exists()


@as_root
def test_a_run_of_another_user_is_shown_and_not_required(runs, capfd):
    give_away(runs["current"])
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    for file in (runs["file"], b):
        assert main(["scan", "show", file]) == 0
        out, err = capfd.readouterr()
        assert " FOREIGN" in out
        assert f"{runs['current']} belongs to uid {OTHER}" in err
    assert main(["scan", "show", runs["file"], "--trust"]) == 0
    assert " COMPLETED" in capfd.readouterr().out
    assert main(["scan", "run", b]) == 1
    assert f"data FOREIGN: {runs['current']}" in capfd.readouterr().err
    assert main(["scan", "run", runs["file"]]) == 2
    assert f"{runs['current']} belongs to uid {OTHER}" in capfd.readouterr().err


@pytest.mark.parametrize("damage", [b"{", b"\xff", None])
def test_a_run_that_cannot_be_read_is_one_line_of_the_list(runs, damage, capfd):
    plan = runs["old"] / "plan.json"
    if damage is None:
        plan.unlink(), plan.mkdir()
    else:
        plan.write_bytes(damage)
    assert main(["scan", "list", runs["file"]]) == 0
    out, err = capfd.readouterr()
    assert [line.split()[-5] for line in out.splitlines()[1:3]] == ["UNKNOWN", "COMPLETED"]
    assert err.startswith(f"launchers: warning: {plan}")
    assert [path for path, _ in clean_runs(family_of(runs["file"]))] == [runs["moved"]]
