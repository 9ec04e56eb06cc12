"""Scripts of a run folder: who runs them, where their output is, and whether their run says that it is done."""

import subprocess

import pytest
from fake_backend import stored_run, submission

from launchers.runs.cancel import cancel_steps
from launchers.runs.gate import WHOLE, Runner, runner, take, withhold
from launchers.runs.journal import Submitted
from launchers.runs.run import PlanRun
from launchers.runs.script import script_logs, states_completed, write_gate


@pytest.fixture
def run(fake, tmp_path):
    """A run whose script has the items 0 and 12, and whose jobs wrote to files of these names."""
    run = stored_run(tmp_path, submission("m", items=[0, 12], script="job.sh"))
    (run.folder.path / "job.sh").write_bytes(b"#!/bin/sh\n# \xff\n")
    (run.folder.path / "cwd" / "logs").mkdir(parents=True)
    return run


def logs(run, fake, patterns, item, job, *names):
    fake.output_patterns = lambda request, script: patterns
    for name in names:
        (run.folder.path / "cwd" / name).touch()
    found = script_logs(run, run.submissions[0], item, job)
    return [str(path.relative_to(run.folder.path / "cwd")) for path in found]


@pytest.mark.parametrize(
    ("patterns", "item", "job", "found"),
    [
        (["%A_%a.out"], 12, "7", ["7_12.out"]),
        (["%A_%a.out"], 12, None, ["7_12.out", "8_12.out"]),
        (["%A_%4a.out"], 0, "7", ["7_0.out"]),
        (["logs/%j.err", "%A_%a.out"], 0, "7", ["logs/9.err", "7_0.out"]),
        (["100%%"], 0, "7", ["100%"]),
        (["%x_%a.out"], 12, "7", ["7_12.out", "8_12.out"]),
        (["nothing"], 12, "7", []),
    ],
)
def test_where_the_output_of_an_item_is(run, fake, patterns, item, job, found):
    names = ("7_0.out", "7_12.out", "8_12.out", "logs/9.err", "100%")
    assert logs(run, fake, patterns, item, job, *names) == found


def test_the_script_and_its_run_are_what_is_asked(run, fake):
    asked = []
    fake.output_patterns = lambda request, script: asked.append((request.submission.name, script)) or []
    script_logs(run, run.submissions[0], 0, None)
    assert asked == [("m", "#!/bin/sh\n# \ufffd\n")]


@pytest.mark.parametrize(
    ("text", "done"), [(b"1", True), (b" 1\n", True), (b"0", False), (b"", False), (b"\xff", False)]
)
def test_whether_a_run_says_that_it_is_done(tmp_path, text, done):
    assert not states_completed(tmp_path)
    (tmp_path / "__esis__").mkdir()
    assert not states_completed(tmp_path)
    (tmp_path / "__esis__" / "completed.state").write_bytes(text)
    assert states_completed(tmp_path) == done


# -- gate.sh ---------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path):
    """Run a command through gate.sh for an item of the submission m: exit status, output and errors."""
    folder = tmp_path / "it's a $run"
    folder.mkdir()
    write_gate(folder)

    def run(item, job, *command):
        words = [folder / "gate.sh", folder / "jobs" / "m", str(item), job, *command]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env={})
        return done.returncode, done.stdout, done.stderr

    run.folder = folder / "jobs" / "m"
    return run


def test_a_command_is_run_by_one_job(gate):
    assert gate(3, "12_3", "echo", "a  b", "$HOME") == (0, "a  b $HOME\n", "")
    assert gate(3, "13_3", "echo") == (113, "", "launchers: job 12_3 runs this already, so job 13_3 does not\n")
    assert gate(3, "12_3", "sh", "-c", "exit 7")[0] == 7  # queued again
    assert gate(4, "13_4")[0] == 0  # no command: who asked goes on itself
    assert sorted(path.name for path in gate.folder.iterdir()) == ["runner.3", "runner.4"]


def test_both_sides_read_what_the_other_has_written(gate):
    gate(3, "12_3", "true")
    assert runner(gate.folder, 3) == Runner(job="12_3")
    assert withhold(gate.folder, 3, "taken for lost") == Runner(job="12_3")
    assert take(gate.folder, 4, "12_4") == Runner(job="12_4")
    assert gate(4, "13_4", "echo")[0] == 113
    withhold(gate.folder, 5, "taken for lost")
    assert gate(5, "12_5", "echo") == (113, "", "launchers: this job is cancelled: taken for lost\n")


def test_all_of_a_submission_is_cancelled_before_it_comes(gate):
    withhold(gate.folder, WHOLE, "cancelled before it was submitted")
    assert gate(0, "12_0", "echo") == (113, "", "launchers: this job is cancelled: cancelled before it was submitted\n")
    assert runner(gate.folder, 0) is None


def test_one_of_many_jobs_that_come_at_the_same_moment(gate):
    words = [gate.folder.parents[1] / "gate.sh", gate.folder, "0"]
    racers = [subprocess.Popen([*words, str(n), "echo", "ran"], stdout=subprocess.PIPE) for n in range(12)]
    assert b"".join(racer.communicate()[0] for racer in racers) == b"ran\n"


@pytest.mark.parametrize("in_the_way", ["jobs/m", "jobs/m/runner.0", "jobs/m/runner.all"])
def test_a_name_that_cannot_be_taken_is_no_success(gate, in_the_way):
    """A folder or a file is where another kind of thing should be: root may write to what is read-only."""
    path = gate.folder.parents[1] / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if in_the_way == "jobs/m" else path.mkdir()
    status, out, error = gate(0, "12_0", "echo", "ran")
    assert (status, out) == (74, "")
    assert f"launchers: nothing is run, as {gate.folder} cannot be read or written\n" in error


def test_a_disk_that_is_full_is_no_success(gate):
    gate.folder.mkdir(parents=True)
    words = [str(gate.folder.parents[1] / "gate.sh"), str(gate.folder), "0", "12_0", "echo", "ran"]
    limited = ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", *words]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (74, "")
    assert list(gate.folder.iterdir()) == []


@pytest.mark.parametrize("content", ["", "hello", "job"])
def test_what_launchers_did_not_write_runs_nothing(gate, content):
    gate.folder.mkdir(parents=True)
    (gate.folder / "runner.0").write_text(content)
    assert gate(0, "12_0", "echo", "ran")[:2] == (113, "")


def test_what_was_withheld_is_cancelled_and_not_failed(fake, tmp_path):
    """By the number of the item, which is what a job of a retry knows."""
    z = submission("z", items=[0], script="job.sh")
    run = stored_run(tmp_path, submission("m", items=[4, 7], script="job.sh"), z)
    cancel_steps(run, ["z"])
    withhold(run.folder.job_folder("m"), 7, "taken for lost")
    take(run.folder.job_folder("m"), 4, "100_4")
    run.folder.journal.append(Submitted({"m": "100", "z": "101"}))
    for job, item in (("100", 4), ("100", 7), ("101", 0)):
        fake.end(job, "FAILED", item, exit="113:0")
    members = [member for step in PlanRun(run).status() for member in step.members]
    assert [(member.step, member.item, member.info.state, member.info.reason) for member in members] == [
        ("m", 4, "FAILED", ""), ("m", 7, "CANCELLED", "taken for lost"),
        ("z", 0, "CANCELLED", "cancelled before it was submitted"),
    ]  # fmt: skip
