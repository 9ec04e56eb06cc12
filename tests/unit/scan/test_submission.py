"""A run of a scan as submissions: where it goes, what it waits for, how many there are."""

from pathlib import Path

import pytest
from fake_oar import GRID, fake_oar
from scans import SCRIPTS, executable, scan

from launchers import LauncherNotFoundError, run_scan
from launchers.jobs.submission import Parent
from launchers.scan import ScanError, load_definition
from launchers.scan import submission as room
from launchers.scan.submission import find_scan_launcher

NEED = {"worker": "work.py", "needs": "cpu(cores=2) & duration=90 min"}


def with_parameters(count, **more):
    return {**NEED, "parameters": {"product": {"x": list(range(count))}}, **more}


def submissions(**entries):
    """What a scan is submitted as, wherever that goes; and its step."""
    (outcome,) = run_scan(scan("A", entries=entries, worker="#!/bin/sh\n"))
    record = outcome.run.record
    (step,) = record.steps
    return record.submissions, step


@pytest.fixture
def oar(tmp_path, monkeypatch):
    """An OAR that takes everything and runs nothing; each of its jobs is an array of its own."""
    return fake_oar(tmp_path, monkeypatch, {7: (7, 1), 8: (8, 1), 9: (9, 1)})


def test_on_this_machine_each_task_is_a_submission():
    parts, step = submissions(**with_parameters(3, at_once=1))
    assert [(part.name, part.members, part.token[-2:]) for part in parts] == [
        (f"scan.{n}", (("scan", n),), f"-{n}") for n in range(3)
    ]
    assert {(part.script, part.at_once, part.parents) for part in parts} == {("sbatch.sh", 1, ())}
    assert (step.name, step.count, step.function, step.seconds) == ("scan", 3, "work.py", 5400)
    assert step.need == "duration=1h30m & cpu(cores=2)"


def test_what_a_template_asks_for_is_not_known():
    (outcome,) = run_scan(scan("A"))
    (step,) = outcome.run.record.steps
    assert (step.place, step.seconds, step.need) == ("template", None, None)
    outcome.run.wait()


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [2, 2, 1])])
def test_on_oar_arrays_of_at_most_so_many_tasks_follow_each_other(count, sizes, oar):
    parts, step = submissions(**with_parameters(count, at_once=2))
    assert [len(part.members) for part in parts] == sizes
    assert [member for part in parts for member in part.members] == [("scan", n) for n in range(count)]
    assert {(part.script, part.numbered) for part in parts} == {("oarsub.sh", False)}
    assert step.need is None  # a retry cannot ask OAR for more
    if len(sizes) == 1:
        assert (parts[0].name, parts[0].parents) == ("scan", ())
        return
    assert [part.name for part in parts] == [f"scan.{n}" for n in range(len(sizes))]
    assert [part.token.rpartition("-")[2] for part in parts] == [str(n) for n in range(len(sizes))]
    assert parts[0].parents == ()
    assert [part.parents for part in parts[1:]] == [(Parent(f"scan.{n}", "afterany"),) for n in range(len(sizes) - 1)]


# -- where it goes ---------------------------------------------------------------------------------------------


def test_a_template_goes_to_the_sbatch_that_is_there_where_no_file_describes_it(monkeypatch):
    definition = load_definition(scan("A"))
    Path("launchers.yaml").unlink()
    executable(Path("bin/sbatch"), "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{Path('bin').absolute()}:/usr/bin:/bin")
    assert find_scan_launcher(definition, None, ()) is None
    Path("other.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")
    assert find_scan_launcher(definition, "other.yaml", ()).group.name == "box"


def test_a_template_without_sbatch_goes_where_a_job_of_one_core_would(no_slurm):
    assert find_scan_launcher(load_definition(scan("A")), None, ()).group.name == "box"


def test_a_template_cannot_go_to_oar(oar):
    definition = load_definition(scan("A"))
    with pytest.raises(ScanError) as caught:
        find_scan_launcher(definition, None, ())
    assert str(caught.value) == (
        f"{Path('A/template.sh').absolute()} is an sbatch file, but grid has OAR: "
        "give needs: instead of template:, or select another group with --tag"
    )


def test_a_need_that_nothing_has():
    scripts = {role: name for role, name in SCRIPTS.items() if role != "template"}
    definition = load_definition(scan("A", {"needs": "cuda(mem=80G)"}, entries=scripts))
    with pytest.raises(LauncherNotFoundError):
        find_scan_launcher(definition, None, ())


def test_a_required_run_elsewhere_cannot_be_waited_for(oar):
    box = "local: [{id: box, tags: [box], cpu: {cores: 2, memory: 2G}}]\n"
    Path("launchers.yaml").write_text(GRID.replace("id: grid", "id: grid, tags: [grid]") + box)
    a = scan("A", entries=with_parameters(1), worker="#!/bin/sh\nsleep 5\n")
    (outcome,) = run_scan(a, tags=["box"])
    b = scan("B", entries=with_parameters(1, requires={"data": "../A/scan.yaml"}), worker="#!/bin/sh\n")
    folder = outcome.identity.folder
    with pytest.raises(ScanError) as caught:
        run_scan(b, tags=["grid"])
    assert str(caught.value) == (
        f"{folder} runs elsewhere, and jobs here cannot wait for it: first run launchers wait {folder}"
    )
    assert not list(Path("B").glob("wrkdir.*"))
    outcome.run.cancel()
    outcome.run.wait(check=False)


class Arrays:
    supports_arrays = True

    def largest_array(self):
        return 4


def test_an_array_has_a_largest_size():
    """Its largest number is one less, and tasks are numbered from 0."""
    room.check_array_size(Arrays(), 5)
    with pytest.raises(ScanError, match=r"^6 tasks are more than one array may have here \(5, MaxArraySize\): split"):
        room.check_array_size(Arrays(), 6)
    arrays = Arrays()
    arrays.supports_arrays = False
    room.check_array_size(arrays, 6)


def test_a_required_run_that_fails_meanwhile(monkeypatch):
    """Between looking and submitting."""
    slurm = Arrays()
    slurm.sends_attempts_whole = False
    monkeypatch.setattr(room, "backend", lambda name: slurm)
    monkeypatch.setattr(room, "live_jobs", lambda folders: None)
    with pytest.raises(ScanError, match=r"^a required run failed just now: $"):
        room.jobs_before([], "slurm")
    monkeypatch.setattr(room, "live_jobs", lambda folders: ["12"])
    assert room.jobs_before([], "slurm") == ["12"]
    slurm.sends_attempts_whole = True
    assert room.jobs_before([], "slurm") == []
