"""Runs that a scan requires: what is missing, running, failed or frozen."""

import json
import shutil
from pathlib import Path

import pytest
from scans import SCRIPTS, WAITS, WORKER, scan, write_yaml

import launchers
from launchers import open_run, run_scan
from launchers.scan import ScanError, freeze_requirement, read_family
from launchers.scan.running import check_required
from launchers.scan.runs import RequiredRun, required_runs


def write_diamond(worker):
    """D requires B and C, which both require A, whose worker this is."""
    scan("A", worker=worker)
    scan("B", {"requires": {"a": "../A/scan.yaml"}})
    scan("C", {"requires": {"a": "../A/scan.yaml"}})
    return scan("D", {"requires": {"b": "../B/scan.yaml", "c": "../C/scan.yaml"}})


def folders(file):
    """The run folders of a scan and of all that it requires, by the scan's name."""
    return {identity.definition.name: identity.folder for identity in read_family(Path(file)).identities.values()}


def test_what_is_missing_is_named():
    d = write_diamond(WORKER)
    with pytest.raises(ScanError) as caught:
        run_scan(d)
    there = folders(d)
    assert str(caught.value) == (
        "D requires runs that are missing or did not succeed:\n"
        f"  b MISSING: {there['B']}\n    launchers scan run {Path('B/scan.yaml').absolute()}\n"
        f"  c MISSING: {there['C']}\n    launchers scan run {Path('C/scan.yaml').absolute()}\n"
        "launchers scan dependency runs what is missing"
    )
    assert not list(Path().rglob("wrkdir.*"))


def test_what_is_missing_is_submitted_in_order_and_once(tmp_path):
    gate = tmp_path / "gate"
    d = write_diamond(WAITS.format(gate=gate) + WORKER)
    outcomes = run_scan(d, dependencies=True)
    names = [outcome.identity.definition.name for outcome in outcomes]
    assert sorted(names) == ["A", "B", "C", "D"]
    assert (names[0], names[-1]) == ("A", "D")
    assert all(outcome.submitted for outcome in outcomes)
    assert len(list(Path().rglob("wrkdir.*"))) == 4
    last = outcomes[-1].run
    assert last.status()[0].counts == {"PENDING": 3}
    gate.touch()
    assert last.wait()
    scan("C", {"requires": {"a": "../A/scan.yaml"}}, worker=WORKER + "# other\n")
    outcomes = run_scan(d, dependencies=True)
    assert [outcome.identity.definition.name for outcome in outcomes if outcome.submitted] == ["C", "D"]
    assert outcomes[-1].run.wait()


def test_force_is_for_the_scan_itself_alone():
    scan("A")
    b = scan("B", {"requires": {"a": "../A/scan.yaml"}})
    run_scan(b, dependencies=True)[-1].run.wait()
    outcomes = run_scan(b, dependencies=True, force=True)
    assert [outcome.submitted for outcome in outcomes] == [False, True]
    assert outcomes[-1].run.wait()


def test_what_waits_for_a_run_that_fails_is_cancelled_and_can_be_retried(tmp_path):
    gate = tmp_path / "gate"
    scan("A", worker=WAITS.format(gate=gate) + "raise SystemExit(1)\n")
    b = scan("B", {"requires": {"a": "../A/scan.yaml"}})
    run_scan(b, dependencies=True)
    gate.touch()
    there = folders(b)
    run = open_run(there["B"])
    assert not run.wait(check=False)
    (step,) = run.status()
    assert step.state == "CANCELLED"
    assert step.reason.startswith("DependencyNeverSatisfied")
    with pytest.raises(ScanError) as caught:
        run_scan(b, force=True)
    assert f"a FAILED: {there['A']}\n    launchers retry {there['A']}" in str(caught.value)
    assert "launchers scan dependency" not in str(caught.value)
    (there["A"] / "work.py").write_text(WORKER)
    launchers.retry(open_run(there["A"]))
    launchers.retry(open_run(there["B"]))  # it waits for the other's second attempt
    assert open_run(there["B"]).wait()


def required(state, *, frozen=False):
    return RequiredRun("data", Path("/a/scan.yaml"), Path("/a/wrkdir.0a"), frozen, state)


@pytest.mark.parametrize(
    ("run", "advice"),
    [
        (required("MISSING"), "launchers scan run /a/scan.yaml\nlaunchers scan dependency runs what is missing"),
        (required("MISSING", frozen=True), "its folder was removed"),
        (required("FAILED"), "launchers retry /a/wrkdir.0a"),
        (required("UNSUBMITTED"), "launchers resume /a/wrkdir.0a"),
        (
            required("UNKNOWN"),
            "no scheduler knows it any more; if it succeeded, write 1 into /a/wrkdir.0a/__esis__/completed.state",
        ),
    ],
)
def test_each_state_has_its_advice(run, advice):
    family = read_family(Path(scan("B")))
    definition = family.identities[family.target].definition
    with pytest.raises(ScanError) as caught:
        check_required(definition, [required("COMPLETED"), run, required("RUNNING")])
    mark = " (frozen)" if run.frozen else ""
    assert str(caught.value) == (
        f"B requires runs that are missing or did not succeed:\n  data{mark} {run.state}: /a/wrkdir.0a\n    {advice}"
    )


def test_what_is_frozen_is_used_whatever_its_files_are_now():
    a, b = scan("A"), scan("B", {"requires": {"data": "../A/scan.yaml"}})
    (outcome,) = run_scan(a)
    outcome.run.wait()
    old = outcome.identity.folder
    name = folders(b)["B"].name
    Path("A/work.py").write_text("broken(\n")
    assert folders(b)["B"].name != name
    freeze_requirement(Path(b), "data", old.name)
    Path("A/work.py").unlink()
    assert folders(b)["B"].name == name
    (outcome,) = run_scan(b)
    outcome.run.wait()
    entry = json.loads((outcome.identity.folder / "parameters" / "parameters.0.json").read_text())
    assert entry["required"] == {"data": str(old)}
    family = read_family(Path(b))
    (run,) = required_runs(family, family.identities[family.target].definition)
    assert (run.name, run.folder, run.frozen, run.state) == ("data", old, True, "COMPLETED")
    assert run.hash == old.name.removeprefix("wrkdir.")
    shutil.rmtree(old)
    with pytest.raises(ScanError, match=r"data \(frozen\) MISSING"):
        run_scan(b, dependencies=True, force=True)


def test_two_scans_that_require_the_same_file_under_two_names():
    a = scan("A")
    write_yaml("B/scan.yaml", SCRIPTS)
    b = scan("B", {"requires": {"x": "../A/scan.yaml", "y": "../A/scan.yaml"}})
    run_scan(a)[0].run.wait()
    family = read_family(Path(b))
    runs = required_runs(family, family.identities[family.target].definition)
    assert [(run.name, run.state, run.frozen) for run in runs] == [("x", "COMPLETED", False), ("y", "COMPLETED", False)]
