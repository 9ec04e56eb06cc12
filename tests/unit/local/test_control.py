"""What is asked of the scheduler of a folder, which is not started here."""

import os
import signal
import socket

import pytest
from attrs import evolve
from local_jobs import finished, job, wait_until

from launchers.errors import RunError
from launchers.events import append, line_of
from launchers.local import control
from launchers.local.control import (
    PAUSES,
    cancel_jobs,
    cancelled_ids,
    revive_scheduler,
    submit_jobs,
    why_nothing_moves,
)
from launchers.local.health import (
    Health,
    name_scheduler,
    only_scheduler,
    read_health,
    scheduler_of,
    unname_scheduler,
    write_health,
)
from launchers.local.jobs import Capacity, Wanted, read_table, write_table
from launchers.local.journal import JOB_EVENTS, JobEnd, journal_path
from launchers.local.ledger import LedgerError
from launchers.processes import Process, boottime, process

ME = process(os.getpid())
GONE = f"{2**22 + 1} 1 {ME.boot}/{ME.pids} {socket.gethostname()}\n"
BEFORE_REBOOT = f"{ME.pid} {ME.born} 0123456789abcdef/{ME.pids} {socket.gethostname()}\n"
ELSEWHERE = f"{ME.pid} {ME.born} 0123456789abcdef/{ME.pids} elsewhere\n"


@pytest.fixture
def started(monkeypatch):
    """The commands that were started instead."""
    commands = []

    def start(argv, **more):
        commands.append((argv[1:], more))
        return type("Child", (), {"pid": 2**22 + 1})

    monkeypatch.setattr(control.subprocess, "Popen", start)
    return commands


@pytest.fixture
def folder(tmp_path):
    """A folder with a job, and no scheduler."""
    write_table(tmp_path, Capacity(cores=2), [job("a", "true")])
    return tmp_path


@pytest.fixture
def signals():
    """The signals that come."""
    came = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


# -- submitting ------------------------------------------------------------------------------------------------


def test_jobs_are_written_and_a_scheduler_started(tmp_path, started):
    submit_jobs(tmp_path / "r", Capacity(cores=2), [job("a", "true"), job("b", "true")])
    assert list(read_table(tmp_path / "r")[1]) == ["a", "b"]
    ((argv, more),) = started
    assert argv == ["-P", "-m", "launchers.local.scheduler", str(tmp_path / "r")]
    assert more["start_new_session"]
    assert (tmp_path / "r" / "scheduler.log").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (job("x", "true", cores=9), "job x can never run here: it asks for 9 cores; this machine offers 2"),
        (
            job("x", "true", name="train", wanted=(Wanted(),)),
            "job train can never run here: it asks for 1 accelerators",
        ),
    ],
)
def test_what_can_never_run_is_refused_before_anything_is_written(tmp_path, started, wrong, message):
    with pytest.raises(ValueError, match=message):
        submit_jobs(tmp_path / "r", Capacity(cores=2), [job("a", "true"), wrong])
    assert not (tmp_path / "r").exists()
    assert started == []


# -- cancelling ------------------------------------------------------------------------------------------------


def test_nothing_was_to_be_cancelled(folder):
    assert cancelled_ids(folder) == []


def test_the_scheduler_is_told_of_jobs_to_cancel(folder, started, signals):
    name_scheduler(folder)
    cancel_jobs(folder, ["a", "b"])
    cancel_jobs(folder, ["c"])
    assert cancelled_ids(folder) == ["a", "b", "c"]
    assert signals == [signal.SIGUSR1] * 2
    assert started == []


def test_a_line_that_is_being_written_is_left_for_later(folder):
    (folder / "cancel").write_text("a\nb")
    assert cancelled_ids(folder) == ["a"]


def test_what_a_full_disk_cut_off_spoils_no_order_to_cancel(folder, started):
    (folder / "cancel").write_text("a\nb")
    cancel_jobs(folder, ["c"])
    assert cancelled_ids(folder) == ["a", "c"]


def test_to_cancel_says_so_where_it_cannot(folder, started):
    (folder / "cancel").mkdir()
    with pytest.raises(RunError, match="cancel cannot be written, so nothing is cancelled: Is a directory"):
        cancel_jobs(folder, ["a"])
    (folder / "scheduler.pid").write_text(ELSEWHERE)
    with pytest.raises(RunError, match="are those of elsewhere: cancel them there"):
        cancel_jobs(folder, ["a"])
    assert started == []


@pytest.mark.parametrize("text", [GONE, BEFORE_REBOOT, None, ""], ids=range(4))
def test_without_a_scheduler_one_is_started_to_cancel(folder, started, signals, text):
    if text is not None:
        (folder / "scheduler.pid").write_text(text)
    cancel_jobs(folder, ["a"])
    assert cancelled_ids(folder) == ["a"]
    assert (len(started), signals) == (1, [])


# -- reviving --------------------------------------------------------------------------------------------------


def test_which_process_it_is(folder):
    assert scheduler_of(folder) is None
    for _ in range(2):  # also where an earlier one was killed
        name_scheduler(folder)
        assert scheduler_of(folder) == (ME, socket.gethostname())
        assert (folder / "scheduler.pid").read_text().split()[0] == str(os.getpid())
    unname_scheduler(folder)
    unname_scheduler(folder)
    assert not (folder / "scheduler.pid").exists()


@pytest.mark.parametrize(
    "text", [GONE, BEFORE_REBOOT, None, "", "one two three\n", f"{GONE}{GONE}", "\0" * 4096], ids=range(7)
)
def test_a_scheduler_that_has_gone_is_started_again(folder, started, text):
    if text is not None:
        (folder / "scheduler.pid").write_text(text)
    revive_scheduler(folder)
    assert len(started) == 1


def test_a_scheduler_of_another_machine_is_left_alone(folder, started):
    (folder / "scheduler.pid").write_text(ELSEWHERE)
    revive_scheduler(folder)
    assert started == []
    why = f"look at the run there, or remove {folder}/scheduler.pid if that machine is gone"
    assert why_nothing_moves(folder, folder) == (f"its scheduler runs on elsewhere: {why}", False)


def test_a_scheduler_of_another_container_lives_as_long_as_its_file_is_locked(folder, started):
    (folder / "scheduler.pid").write_text(f"7 1 {ME.boot}/0123456789abcdef container\n")
    with only_scheduler(folder) as is_first:
        assert is_first
        revive_scheduler(folder)
        assert started == []
        assert "runs on container" in why_nothing_moves(folder, folder)[0]
        with only_scheduler(folder) as is_second:
            assert not is_second
    revive_scheduler(folder)
    assert len(started) == 1


def test_a_scheduler_that_runs_is_left_alone(folder, started):
    name_scheduler(folder)
    revive_scheduler(folder)
    assert started == []


def test_where_all_has_ended_nothing_is_started(folder, started):
    append(journal_path(folder), line_of(JobEnd("a", "COMPLETED", 0), JOB_EVENTS))
    (folder / "scheduler.pid").write_text(GONE)
    revive_scheduler(folder)
    assert started == []


def test_a_scheduler_that_is_coming_up_is_left_alone(folder, started):
    write_health(folder, Health(starts=1, started=boottime() - 100, process=str(ME)))
    revive_scheduler(folder)
    assert started == []
    assert why_nothing_moves(folder, folder) == ("", False)


def test_one_that_dies_at_once_is_started_again_later_and_later_and_only_so_often(folder, started, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(control, "boottime", lambda: now[0])
    starts = []

    def wait():
        for tick in range(1000):
            now[0] = 1000.0 + tick / 10
            revive_scheduler(folder)
            if len(started) > len(starts):
                starts.append(now[0] - 1000.0)
                write_health(folder, evolve(read_health(folder), trouble="No space left on device"))

    with pytest.raises(
        RunError, match=r"the scheduler of .* cannot run: No space left on device: when that is mended, run"
    ):
        wait()
    assert starts == pytest.approx([0.0, 1.0, 3.0, 7.0, 15.0])
    assert len(starts) == len(PAUSES)
    revive_scheduler(folder)  # as somebody who was told does
    assert len(started) == len(PAUSES) + 1


def test_one_that_is_killed_again_and_again_is_started_again_at_once(folder, started):
    for count in range(1, 20):
        write_health(folder, Health())  # it had come up
        revive_scheduler(folder)
        assert len(started) == count


@pytest.mark.parametrize("name", ["jobs.jsonl", "events.jsonl", "capacity.json"])
@pytest.mark.parametrize("ask", [revive_scheduler, lambda folder: cancel_jobs(folder, ["a"])])
def test_no_scheduler_is_started_that_could_not_read_its_files(folder, started, name, ask):
    (folder / "scheduler.pid").write_text(GONE)
    (folder / name).write_text("?\n")
    with pytest.raises(RunError, match=name):
        ask(folder)
    assert (started, cancelled_ids(folder)) == ([], [])


def test_a_table_that_is_gone(folder, started):
    (folder / "jobs.jsonl").unlink()
    for ask in (revive_scheduler, lambda folder: cancel_jobs(folder, ["a"])):
        with pytest.raises(RunError, match=r"jobs\.jsonl is missing, so its jobs cannot run: restore it"):
            ask(folder)
    assert started == []


def test_a_folder_that_is_gone(folder):
    with pytest.raises(
        RunError, match=r"no scheduler can be started for .*: No such file or directory: .*scheduler\.log"
    ):
        control.start_scheduler(folder / "gone")


def test_a_started_scheduler_needs_no_client(folder):
    """It has its own session, its messages go to scheduler.log, and what it died of is kept."""
    (folder / "capacity.json").write_text("?")
    control.start_scheduler(folder)
    wait_until(lambda: read_health(folder).trouble)
    assert "capacity.json:1: this is not what a machine offers to a run" in read_health(folder).trouble
    assert (folder / "scheduler.log").read_text().startswith("launchers: ")
    assert read_health(folder).starts == 1


def test_a_scheduler_runs_no_code_of_the_current_folder(tmp_path, folder, monkeypatch):
    (tmp_path / "here").mkdir()
    for name in ("launchers", "json", "attr", "selectors"):
        (tmp_path / "here" / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path / "here")
    control.start_scheduler(folder)
    finished(folder, 1)
    assert not (tmp_path / "ran").exists()


def test_a_scheduler_comes_up_where_the_current_folder_was_removed(tmp_path, folder, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    control.start_scheduler(folder)
    assert finished(folder, 1)["a"].state == "COMPLETED"


# -- how it does -----------------------------------------------------------------------------------------------


def test_why_nothing_moves(folder):
    assert why_nothing_moves(folder, "RUN") == ("its scheduler has gone: to start another: launchers resume RUN", True)
    write_health(folder, Health(trouble="No space left on device"))
    assert why_nothing_moves(folder, "RUN") == (
        "its scheduler cannot run: No space left on device: to try again: launchers resume RUN", True,
    )  # fmt: skip
    name_scheduler(folder)
    assert why_nothing_moves(folder, "RUN") == ("No space left on device", False)
    write_health(folder, Health())
    assert why_nothing_moves(folder, "RUN") == ("", False)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"starts": -1}', '{"starts": "x"}', '{"more": 1}', "\0" * 9, "[" * 9999]
)
def test_a_note_that_is_not_ours_says_nothing(folder, text):
    (folder / "health.json").write_text(text)
    assert read_health(folder) == Health()


@pytest.mark.parametrize("trouble", ["x", "ä" * 5000, "\udcff" * 5000, "a\n\0b"])
def test_a_note_keeps_its_size(folder, trouble):
    size = (folder / "health.json").stat().st_size
    write_health(folder, Health(7, 1.5, str(ME), trouble))
    assert (folder / "health.json").stat().st_size == size
    assert read_health(folder) == Health(7, 1.5, str(ME), trouble[:600])
    write_health(folder / "gone", Health())


def test_a_process_is_another_one_after_a_reboot():
    assert ME.is_alive()
    assert not Process(ME.pid, ME.born, "0" * 16, ME.pids).is_alive()
    assert not Process(ME.pid, ME.born + 1, ME.boot, ME.pids).is_alive()
    assert 0 <= ME.age() < boottime()


def test_where_no_job_could_start_nothing_is_written(tmp_path, monkeypatch):
    """Else a scheduler would wait for ever for another environment than its own."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "file"))
    with pytest.raises(LedgerError, match="file cannot be made: File exists: set LAUNCHERS_LOCAL_STATE to another"):
        submit_jobs(tmp_path / "r", Capacity(cores=2), [job("a", "true")])
    assert not (tmp_path / "r").exists()
