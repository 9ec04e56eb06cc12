"""Submissions of plans and of functions: the sbatch file, and what is believed of sbatch."""

import logging
import stat
from pathlib import Path

import pytest
from submitit.core.utils import DelayedSubmission

from launchers.commands import CommandError
from launchers.jobs.backend import RefusedError, SubmissionRequest
from launchers.jobs.submission import Submission
from launchers.slurm import executor as room
from launchers.slurm.executor import FunctionExecutor, TokenExecutor


@pytest.fixture
def sbatch(no_slurm):
    """Writes a command sbatch that runs a script; submitit wants an srun, too."""

    def install(script, name="sbatch"):
        (no_slurm / name).write_text(f"#!/bin/sh\n{script}\n")
        (no_slurm / name).chmod(0o755)

    install("", "srun")
    return install


@pytest.fixture
def queue(monkeypatch):
    """What is found for each token, or raised; nothing is waited for."""
    answers, asked = [], []

    def find(connector, token, since):
        asked.append(token)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(room, "find_token", find)
    monkeypatch.setattr(room, "LOOKS", (0.0, 0.0, 0.0))
    return answers, asked


def request(folder):
    submission = Submission("a", "token", (("a", None),), (), {"time": 1})
    return SubmissionRequest(Path(folder) / "run", "1", "p", submission)


# -- plans ---------------------------------------------------------------------------------------------------------


def test_sbatch_is_logged(sbatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    sbatch("echo 12")
    assert TokenExecutor(request(tmp_path), "").send() == "12"
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(f"sbatch --parsable {tmp_path}/run/jobs/a/.submission_file_")
    assert " (exit status 0, " in line
    assert stat.S_IMODE((tmp_path / "run" / "jobs" / "a").stat().st_mode) == 0o700


def test_a_banner_of_sbatch_is_no_job_id(sbatch, tmp_path):
    sbatch("echo Submitted batch job 42; exit 0")
    with pytest.raises(RefusedError, match="named no job id") as caught:
        TokenExecutor(request(tmp_path), "").send()
    assert caught.value.transient


def options(folder, dependency="", members=(("a", None),), **keys):
    """The options in the sbatch file of a submission, by name; a flag is None."""
    parameters = keys.pop("parameters", {"time": 1})
    submission = Submission("s", "token", members, (), parameters, **keys)
    return read_options(TokenExecutor(SubmissionRequest(Path(folder) / "run", "1", "p", submission), dependency).text())


def read_options(text):
    lines = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_a_job_is_found_by_its_comment_and_its_name(sbatch, tmp_path):
    found = options(tmp_path)
    assert (found["comment"], found["job-name"]) == ("token", "p.s.token")
    assert {"dependency", "kill-on-invalid-dep", "array", "signal"} & set(found) == set()


def test_a_job_that_can_never_start_is_ended(sbatch, tmp_path):
    found = options(tmp_path, "afterok:1")
    assert (found["dependency"], found["kill-on-invalid-dep"]) == ("afterok:1", "yes")
    by_hand = options(tmp_path, "afterok:1", parameters={"additional_parameters": {"kill-on-invalid-dep": "no"}})
    assert by_hand["kill-on-invalid-dep"] == "no"


@pytest.mark.parametrize(("count", "at_once", "array"), [
    (2, None, "0-1%2"), (300, None, "0-299%256"), (300, 3, "0-299%3"), (256, None, "0-255%256"), (257, None, "0-256%256"),
])  # fmt: skip
def test_an_array_says_how_many_run_at_once(sbatch, tmp_path, count, at_once, array):
    members = tuple(("m", number) for number in range(count))
    assert options(tmp_path, members=members, at_once=at_once)["array"] == array


@pytest.mark.parametrize(("parameters", "told"), [
    ({}, False), ({"signal_delay_s": 0}, False), ({"signal_delay_s": 90}, True),
    ({"signal_delay_s": 90, "use_srun": False}, False), ({"signal_delay_s": 90, "use_srun": True}, True),
])  # fmt: skip
def test_only_what_can_go_on_is_told_before_its_time_is_up(sbatch, tmp_path, parameters, told):
    assert ("signal" in options(tmp_path, parameters={"time": 5, **parameters})) == told


def test_the_command_names_the_run_and_the_submission(sbatch, tmp_path):
    submission = Submission("a b", "token", (("a", None),), (), {})
    executor = TokenExecutor(SubmissionRequest(tmp_path / "the run", "1", "p", submission), "")
    assert executor.command().endswith(f" -u -m launchers.runs.node '{tmp_path}/the run' 'a b'")
    with pytest.raises(ValueError, match="foo"):
        options(tmp_path, parameters={"foo": 3})


# -- functions -----------------------------------------------------------------------------------------------------


def executor(folder, **parameters):
    made = FunctionExecutor(folder, token="tok")
    made.update_parameters(time=7, **parameters)
    return made


def sent(folder):
    """The options of what was sent last, and its command."""
    (newest,) = sorted(folder.glob("*_submission.sh"), key=lambda path: path.stat().st_mtime_ns)[-1:]
    text = newest.read_text()
    return read_options(text), text.strip().splitlines()[-1]


def test_a_function_is_a_job_that_carries_the_token(sbatch, tmp_path):
    sbatch("echo 13")
    job = executor(tmp_path / "logs", job_name="mine").submit(pow, 2, 3)
    assert (job.job_id, job.token, job.num_tasks) == ("13", "tok", 1)
    found, command = sent(tmp_path / "logs")
    assert (found["comment"], found["job-name"], found["time"]) == ("tok", "mine.tok", "7")
    assert command.endswith(f"-u -m submitit.core._submit {tmp_path}/logs")
    assert DelayedSubmission.load(job.paths.submitted_pickle).args == (2, 3)
    assert FunctionExecutor.name() == "slurm"


def test_each_submission_has_a_token_of_its_own(sbatch, tmp_path):
    sbatch("echo 13")
    made = executor(tmp_path)
    jobs = [made.submit(pow, 2, 3), *made.map_array(pow, [1, 2], [3, 4]), made.submit(pow, 2, 3)]
    assert [(job.job_id, job.token) for job in jobs] == [
        ("13", "tok"), ("13_0", "tok.1"), ("13_1", "tok.1"), ("13", "tok.2"),
    ]  # fmt: skip
    assert len({job.paths.result_pickle for job in jobs}) == 4  # even where an id is used again
    assert "map_count" not in made.parameters
    assert [DelayedSubmission.load(job.paths.submitted_pickle).args for job in jobs[1:3]] == [(1, 3), (2, 4)]


def test_an_array_of_functions_is_one_submission(sbatch, tmp_path):
    sbatch("echo x >> $0.calls; echo 13")
    executor(tmp_path / "logs", job_name="mine").map_array(pow, range(5), range(5))
    found, _ = sent(tmp_path / "logs")
    assert (found["array"], found["job-name"], found["comment"]) == ("0-4%5", "mine.tok", "tok")
    assert (tmp_path / "bin" / "sbatch.calls").read_text() == "x\n"


def test_a_comment_of_the_persons_own_stays(sbatch, tmp_path):
    sbatch("echo 13")
    executor(tmp_path, comment="project x").submit(pow, 2, 3)
    found, _ = sent(tmp_path)
    assert (found["comment"], found["job-name"]) == ("'project x'", "submitit.tok")


@pytest.mark.parametrize(
    "script", ["exit 1", "echo Welcome to cluster 42", "kill -9 $$", "echo 'Submitted batch job 9'"]
)
@pytest.mark.parametrize("looks", [["13"], [None, CommandError("away"), "13"]])
def test_a_job_whose_answer_was_lost_is_found(sbatch, queue, tmp_path, script, looks):
    answers, asked = queue
    answers += looks
    sbatch(script)
    made = executor(tmp_path)
    assert made.submit(pow, 2, 3).job_id == "13"
    assert set(asked) == {"tok"}


def test_a_refusal_is_believed_when_no_job_has_the_token(sbatch, queue, tmp_path):
    answers, asked = queue
    answers += [None]
    sbatch("echo 'sbatch: error: Invalid qos specification' >&2; exit 1")
    with pytest.raises(RefusedError, match="Invalid qos") as caught:
        executor(tmp_path).submit(pow, 2, 3)
    assert (caught.value.transient, len(asked)) == (False, 1)
    sbatch("exit 1")
    with pytest.raises(RefusedError, match="exit status 1") as caught:
        executor(tmp_path).submit(pow, 2, 3)
    assert caught.value.transient


@pytest.mark.parametrize("script", ["exit 1", "echo 'sbatch: error: Invalid qos specification' >&2; exit 1"])
def test_where_nobody_knows_it_is_said(sbatch, queue, tmp_path, script):
    answers, _ = queue
    answers += [CommandError("squeue: away")]
    sbatch(script)
    with pytest.raises(
        RefusedError, match="it cannot be found out whether the job was accepted: squeue: away"
    ) as caught:
        executor(tmp_path).submit(pow, 2, 3)
    assert (caught.value.transient, caught.value.lines[-1]) == (True, "its comment is tok")
