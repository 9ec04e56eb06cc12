"""What submitit-oar's executor, mended, asks of oarsub; tests/cluster/oar/test_executor.py runs it on a real OAR."""

import logging
import shlex
from pathlib import Path

import pytest
from fake_oar import Oarsub, oarstat, record
from scans import executable

pytest.importorskip("submitit_oar")

from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from launchers import LauncherNotFoundError
from launchers.commands import CommandError
from launchers.jobs.backend import RefusedError
from launchers.oar.args import OarArgs
from launchers.oar.backend import OarBackend
from launchers.oar.executor import PatchedOarExecutor
from launchers.oar.quoting import UnquotableError

OAR = OarBackend()


class Commands:
    """An oarsub and an oarstat on PATH, that answer as they are told; calling it gives the last words of oarsub."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.oarsub = Oarsub(folder, monkeypatch)
        self.oarsub.answer("OAR_JOB_ID=9\n")
        self.oarstat(oarstat())

    def oarstat(self, text, status=0):
        """Have oarstat print a text and a warning of perl's."""
        (self.folder / "jobs").write_text(text)
        warning = "Possible precedence problem on bitwise & operator at x line 3."
        executable(
            self.folder / "bin" / "oarstat",
            f"#!/bin/sh\necho '{warning}' >&2\ncat '{self.folder}/jobs'\nexit {status}\n",
        )

    def __call__(self):
        return self.oarsub.asked[-1]


@pytest.fixture
def commands(tmp_path_factory, monkeypatch):
    return Commands(tmp_path_factory.mktemp("oar"), monkeypatch)


@pytest.fixture
def executor(tmp_path, monkeypatch, commands):
    """An executor whose folder has a space in its name, for jobs of two types with a condition in SQL."""
    monkeypatch.setenv("PYTHONPATH", "/some where")
    monkeypatch.chdir(tmp_path)
    found = PatchedOarExecutor(tmp_path / "the logs", token="launchers-x-0")
    found.update_parameters(**OarArgs(walltime=600, types=("a", "b"), properties="x = 'y z'").submitit())
    return found


class Resumable:
    def __call__(self):
        return 1

    def checkpoint(self):
        return DelayedSubmission(self)


def test_each_option_is_one_word_whatever_is_in_it(executor, commands, tmp_path):
    job = executor.submit(pow, 2, 3)
    words = commands()
    assert job.job_id == "9"
    pairs = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    assert pairs["-p"] == "x = 'y z'"
    assert pairs["-d"] == str(tmp_path)
    assert [words[number + 1] for number, word in enumerate(words) if word == "-t"] == ["a", "b"]
    assert any(str(tmp_path / "the logs") in value for value in pairs.values())
    assert pairs["-n"] == "submitit.launchers-x-0"
    inside = shlex.split(words[-1])
    assert "env" in inside
    assert "PYTHONPATH=/some where" in inside


def test_the_logs_have_no_folder_for_each_job(tmp_path, commands):
    assert PatchedOarExecutor(tmp_path / "logs" / "%j").folder == tmp_path / "logs"
    assert PatchedOarExecutor.name() == "oar"


THREE = "OAR_JOB_ID=9\nOAR_JOB_ID=10\nOAR_JOB_ID=11\nOAR_ARRAY_ID=9\n"


def array_of_three(commands):
    """Have oarsub take an array."""
    commands.oarsub.answer(THREE)
    commands.oarstat(oarstat(*(record(id, array=9, index=index) for id, index in ((10, 2), (9, 1), (11, 3)))))


def test_jobs_of_an_array_are_in_the_order_of_their_numbers(executor, commands):
    """submitit-oar sorts ids as text, 10 before 9."""
    array_of_three(commands)
    jobs = executor.map_array(pow, [2, 3, 4], [2, 2, 2])
    assert [job.job_id for job in jobs] == ["9", "10", "11"]
    assert dict(zip(commands(), commands()[1:], strict=False))["--array"] == "3"
    assert all(Path(job.paths.submitted_pickle).exists() for job in jobs)


def test_what_can_go_on_is_idempotent(executor, commands):
    executor.submit(Resumable())
    words = commands()
    assert [words[number + 1] for number, word in enumerate(words) if word == "-t"] == ["a", "b", "idempotent"]
    executor.submit(pow, 2, 3)
    assert "idempotent" not in commands()  # parameters persist, and this is not among them


def test_an_array_of_both_kinds_is_refused(executor, commands):
    def submit_both():
        with executor.batch():
            executor.submit(Resumable())
            executor.submit(pow, 2, 3)

    with pytest.raises(ValueError, match="only checkpointable functions, or none: submit them apart"):
        submit_both()


def test_oarsub_is_logged_without_the_environment(executor, commands, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    executor.submit(pow, 2, 3)
    array_of_three(commands)
    executor.map_array(pow, [2, 3, 4], [2, 2, 2])
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("oarsub ")]
    assert len(lines) == 2
    assert all(" (exit status 0, " in line and "env ..." in line for line in lines)
    assert not any("/some where" in line for line in lines)


# -- answers of oarsub -----------------------------------------------------------------------------------------


def test_an_id_in_the_words_of_an_admission_rule_is_no_id(executor, commands):
    """submitit-oar takes the first number that stands after OAR_JOB_ID=."""
    commands.oarsub.answer("[RULE] like OAR_JOB_ID=5 of yesterday\nOAR_JOB_ID=9\n")
    assert executor.submit(pow, 2, 3).job_id == "9"


def test_where_an_answer_is_not_certain_the_token_tells(executor, commands):
    commands.oarsub.answer("OAR_JOB_ID=5\nOAR_JOB_ID=9\n")
    commands.oarstat(oarstat(record(9, name="submitit.launchers-x-0")))
    assert executor.submit(pow, 2, 3).job_id == "9"
    commands.oarsub.answer((9, "Cannot connect to executor. Job is killed.", "OAR_JOB_ID=12\n"))
    commands.oarstat(oarstat(record(12, name="submitit.launchers-x-0-1")))
    assert executor.submit(pow, 2, 3).job_id == "12"  # each submission has a token of its own
    commands.oarstat(oarstat())
    with pytest.raises(FailedJobError, match="Cannot connect to executor"):
        executor.submit(pow, 2, 3)
    commands.oarstat("", status=1)
    with pytest.raises(FailedJobError, match=r"whether it took the job is not known: oarstat.*launchers-x-0-3"):
        executor.submit(pow, 2, 3)


def test_a_refusal_has_its_words_and_its_code(executor, commands):
    commands.oarsub.answer((8, "There are not enough resources for your request\n", "OAR_JOB_ID=-5\n"))
    with pytest.raises(RefusedError, match="There are not enough resources") as caught:
        OAR.submit_function(executor, OarArgs(), pow, 2, 3)
    assert (caught.value.code, caught.value.transient) == ("limit", False)


# -- what OAR cannot quote -------------------------------------------------------------------------------------


def test_a_folder_that_oar_cannot_quote_is_refused(tmp_path, commands, monkeypatch):
    with pytest.raises(LauncherNotFoundError, match=r"the run folder .*it's has a quote"):
        OAR.executor(tmp_path / "it's", OarArgs())
    with pytest.raises(LauncherNotFoundError, match="has a character in it that oarsub does not take"):
        OAR.executor(tmp_path / "a;b", OarArgs())
    made = OAR.executor(tmp_path / "good" / "%j", OarArgs(), name="it's")
    bad = tmp_path / "it's"
    bad.mkdir()
    monkeypatch.chdir(bad)
    with pytest.raises(LauncherNotFoundError, match=r"the working folder .*it's has a quote"):
        OAR.executor(tmp_path / "good", OarArgs())
    with pytest.raises(RefusedError, match=r"the working folder .*it's has a quote"):
        OAR.submit_function(made, OarArgs(), pow, 2, 3)
    assert commands.oarsub.asked == []
    monkeypatch.chdir(tmp_path)
    OAR.submit_function(made, OarArgs(), pow, 2, 3)
    assert commands()[commands().index("-n") + 1].startswith("it_s.launchers-")


def test_options_that_oar_cannot_quote_are_refused(executor, commands):
    for options, why in (({"project": "it's"}, "has a quote"), ({"notify": "a\nb"}, "has a line break")):
        executor.parameters["additional_parameters"] = options
        with pytest.raises(UnquotableError, match=why):
            executor.submit(pow, 2, 3)
    assert commands.oarsub.asked == []


# -- jobs ------------------------------------------------------------------------------------------------------


def test_a_job_is_asked_about_in_silence(executor, commands, capfd):
    job = executor.submit(pow, 2, 3)
    commands.oarstat(oarstat(record(9, state="Suspended", name="submitit.launchers-x-0")))
    assert job.state == "RUNNING"
    assert not job.done(force_check=True)
    commands.oarstat("", status=1)
    assert not job.done(force_check=True)
    assert job.stdout() is None
    assert capfd.readouterr() == ("", "")


def test_a_job_is_cancelled_only_where_it_is_ours(executor, commands):
    job = executor.submit(pow, 2, 3)
    log = commands.folder / "deleted"
    executable(commands.folder / "bin" / "oardel", f"#!/bin/sh\necho $@ >> {log}\n")
    commands.oarstat(oarstat(record(9, name="somebody else's")))
    job.cancel()
    assert not log.exists()
    commands.oarstat(oarstat(record(9, name="submitit.launchers-x-0")))
    with pytest.raises(CommandError, match="oardel did not delete job 9, although it did not fail"):
        job.cancel()
    job.cancel(check=False)
    assert log.read_text().split()[0] == "9"
