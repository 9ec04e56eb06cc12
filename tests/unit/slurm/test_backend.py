"""Plans on Slurm: what sbatch, scontrol and scancel are given, and what becomes of their answers."""

import os
import subprocess
from pathlib import Path

import pytest
from connectors import Answers
from slurm_queue import pretend_srun
from slurm_rows import found, queued

from launchers import SlurmArgs
from launchers.commands import CommandError, Outcome
from launchers.jobs.backend import RefusedError, SubmissionRequest, Wait
from launchers.jobs.submission import Submission
from launchers.slurm.backend import ACCOUNT, SlurmBackend, dependency

SLURM = SlurmBackend()


class Commands(Answers):
    """Answers, and the folder and the variables that each command had."""

    def __init__(self, answers):
        super().__init__(answers)
        self.folders, self.accounts = [], []

    def run(self, argv, *, cwd=None, env=None, **keys):
        self.folders.append(cwd)
        self.accounts.append({**os.environ, **(env or {})}.get("SBATCH_ACCOUNT"))
        return super().run(argv, **keys)


@pytest.fixture
def slurm(monkeypatch):
    """Says what Slurm's commands answer."""

    def answer(answers):
        commands = Commands(answers)
        monkeypatch.setattr("launchers.slurm.backend.LocalConnector", lambda: commands)
        return commands

    return answer


# -- what the cluster allows -------------------------------------------------------------------------------------


def test_what_the_cluster_says_of_itself(slurm):
    commands = slurm({"scontrol show config": "ClusterName = c\nMinJobAge = 20 sec\nMaxArraySize = 51\n"})
    assert (SLURM.cluster(), SLURM.forget_after(), SLURM.largest_array()) == ("c", 20.0, 50)
    assert len(commands.asked) == 1


def test_what_is_assumed_where_the_cluster_cannot_be_asked(slurm):
    slurm({})
    assert (SLURM.cluster(), SLURM.forget_after(), SLURM.largest_array()) == ("", 0.0, 1000)


@pytest.mark.parametrize(("config", "largest"), [
    ("MaxArraySize            = 1001\n", 1000), ("X = 1\nMaxArraySize=4000001\n", 4000000),
    ("NotMaxArraySize = 5\n", 1000), ("", 1000),
])  # fmt: skip
def test_the_largest_array_is_one_less_than_the_cluster_says(slurm, config, largest):
    slurm({"scontrol show config": config})
    assert SLURM.largest_array() == largest


def test_a_barrier_runs_where_the_first_step_may():
    first = {"partition": "p", "account": "a", "time": 60, "gpus_per_node": 4, "qos": None}
    assert SLURM.barrier_parameters(first) == {
        "time": 1, "cpus_per_task": 1, "nodes": 1, "partition": "p", "account": "a",
    }  # fmt: skip
    assert SLURM.barrier_parameters({}) == {"time": 1, "cpus_per_task": 1, "nodes": 1}
    assert SLURM.barrier_parameters({"qos": "q"}) is None


def test_a_warning_of_the_persons_own_counts():
    assert SLURM.checkpoint_parameters({"time": 1}) == {"time": 1, "signal_delay_s": 90}
    assert SLURM.checkpoint_parameters({"signal_delay_s": 5}) == {"signal_delay_s": 5}


# -- executors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "parameters"), [
    ({}, {}), ({"name": "n"}, {"job_name": "n"}), ({"early_signal": False}, {"signal_delay_s": 0}),
    ({"name": "n", "early_signal": True}, {"job_name": "n"}),
])  # fmt: skip
def test_an_executor_asks_for_what_was_found(tmp_path, monkeypatch, keys, parameters):
    pretend_srun(monkeypatch)
    executor = SLURM.executor(tmp_path, SlurmArgs(partition="p", time=5), **keys)
    assert executor.parameters == {**SlurmArgs(partition="p", time=5).submitit(), **parameters}
    assert executor.token.startswith("launchers-")
    assert executor.folder == tmp_path


# -- sbatch ----------------------------------------------------------------------------------------------------


def request(run, *, waits=(), parameters=None, members=(("m", 0), ("m", 1)), **keys):
    submission = Submission("m", "launchers-id-0", members, (), parameters or {}, script="job.sh", **keys)
    return SubmissionRequest(run, "id", "p", submission, tuple(waits))


@pytest.fixture
def run(tmp_path):
    """A run folder with a script."""
    (tmp_path / "job.sh").write_text("#!/bin/sh\n#SBATCH --time=5\nexec work\n")
    return tmp_path


def test_what_is_sent_asks_for_what_a_script_asks_for_and_runs_it_once(slurm, run):
    commands = slurm({"sbatch": "12\n"})
    (run / "job.sh").write_bytes(
        b"#!/bin/bash -l\n#SBATCH --time=5\n\n  # caf\xe9\n#PBS -l x\nexec work\n#SBATCH -n 2\n"
    )
    assert SLURM.send([request(run)]) == ["12"]
    sent = run / "jobs" / "m" / "job.sh"
    assert commands.asked == [("sbatch", "--parsable", "--comment=launchers-id-0", "--dependency=", str(sent))]
    assert commands.folders == [str(run / "cwd")]
    head, last = sent.read_bytes().split(b"exec ")
    assert head == b"#!/bin/sh\n#SBATCH --time=5\n\n  # caf\xe9\n#PBS -l x\n"
    task = '"$SLURM_ARRAY_TASK_ID" "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'
    assert last.decode() == f"{run}/gate.sh {run}/jobs/m {task} {run}/job.sh\n"


def test_names_that_a_shell_would_read_and_a_script_without_a_command(slurm, tmp_path):
    run = tmp_path / "it's $HOME"
    run.mkdir()
    (run / "job.sh").write_text("#!/bin/sh\n#SBATCH --time=5")
    slurm({"sbatch": "12\n"})
    SLURM.send([request(run)])
    (run / "gate.sh").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (run / "gate.sh").chmod(0o700)
    env = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_JOB_ID": "12"}
    done = subprocess.run(["sh", run / "jobs" / "m" / "job.sh"], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{run}/jobs/m", "3", "12_3", f"{run}/job.sh"]


def test_a_script_waits_for_jobs_and_elements(slurm, run):
    waits = [Wait("afterok", ("1", None)), Wait("afterany", ("2", 3)), Wait("afterok", ("4", 0))]
    commands = slurm({"sbatch": "12\n"})
    SLURM.send([request(run, waits=waits)])
    assert commands.asked[0][3] == "--dependency=afterok:1:4_0,afterany:2_3"


def test_a_further_attempt_names_its_items(slurm, run):
    commands = slurm({"sbatch": "12\n"})
    SLURM.send([request(run, attempt=2, members=(("m", 4), ("m", 7)))])
    SLURM.send([request(run, attempt=2, members=(("m", 4),), at_once=3)])
    SLURM.send([request(run, attempt=1, at_once=3)])
    assert [argv[4] for argv in commands.asked] == ["--array=4,7", "--array=4%3", str(run / "jobs" / "m" / "job.sh")]


def test_larger_amounts_go_before_the_scripts_own(slurm, run):
    parameters = {
        "time": 10, "cpus_per_task": 4, "exclusive": True, "requeue": False, "qos": None,
        "additional_parameters": {"mem": "2048M", "kill_on_invalid_dep": "yes"},
    }  # fmt: skip
    commands = slurm({"sbatch": "12\n"})
    SLURM.send([request(run, parameters=parameters)])
    assert commands.asked[0][4:-1] == (
        "--time=10", "--cpus-per-task=4", "--exclusive", "--mem=2048M", "--kill-on-invalid-dep=yes",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "names_it"),
    [
        ("#SBATCH --account=a", True),
        ("#SBATCH -A a", True),
        ("#SBATCH -p p -Aa", True),
        ("#SBATCH \t -A a", True),
        ("#SBATCH\t-A a", True),
        ("#SBATCH -p p", False),
        ("echo -A", False),
    ],
)
def test_a_script_that_names_its_account(line, names_it, slurm, run, monkeypatch):
    """In its short form too: SBATCH_ACCOUNT of the environment would go before it."""
    text = f"#!/bin/sh\n{line}\nexec work\n"
    assert bool(ACCOUNT.search(text)) == names_it
    monkeypatch.setenv("SBATCH_ACCOUNT", "mine")
    (run / "job.sh").write_text(text)
    commands = slurm({"sbatch": "12\n"})
    SLURM.send([request(run)])
    assert commands.accounts == [None if names_it else "mine"]
    assert os.environ["SBATCH_ACCOUNT"] == "mine"


def test_a_script_that_is_refused(slurm, run):
    slurm({"sbatch": (1, "sbatch: error: Batch job submission failed: Invalid qos specification")})
    with pytest.raises(RefusedError, match="Invalid qos") as caught:
        SLURM.send([request(run)])
    assert (caught.value.code, caught.value.transient) == ("closed", False)


def test_a_dependency_is_grouped_by_type():
    assert dependency([]) == ""
    waits = [Wait("afterok", ("1", None)), Wait("afternotok", ("1", 0)), Wait("afterok", ("2", 0))]
    assert dependency(waits) == "afterok:1:2_0,afternotok:1_0"


def test_what_carries_its_token_is_cancelled(slurm, tmp_path):
    """A script of the run folder is known by its folder where no comment is stored."""
    lines = queued("1", comment="a") + queued("2", 7, comment="b") + queued("3", comment="", folder=tmp_path / "cwd")
    commands = slurm({"scancel": "", "squeue": lines + queued("4", comment="other")})
    with pytest.raises(CommandError, match="they have not ended"):
        SLURM.cancel(
            tmp_path,
            [("1", None), ("2", 0), ("2", 7), ("3", None), ("4", None)],
            {"1": "a", "2": "b", "3": "c", "4": "d"},
        )
    assert [argv for argv in commands.asked if argv[0] == "scancel"] == [("scancel", "1", "2_7", "3")]


# -- the output of scripts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "patterns"), [
    ("#SBATCH --output=out-%a\n#SBATCH --error err.%A\n", ["out-%a", "err.%A"]),
    ("#SBATCH -o a\n#SBATCH -e b\n", ["a", "b"]),
    ("#SBATCH -o'a'\n", ["a"]),
    ('#SBATCH --output="logs/%x"\n', ["logs/%x"]),
    ("#SBATCH --time=5\necho --output=x\n", ["slurm-%A_%a.out"]),
])  # fmt: skip
def test_where_a_script_says_that_it_writes(text, patterns):
    asked = SubmissionRequest(Path(), "id", "p", Submission("m", "t", (("m", 0),), (), {}))
    assert SLURM.output_patterns(asked, f"#!/bin/sh\n{text}") == patterns


# -- asking ----------------------------------------------------------------------------------------------------


def test_states_ask_the_commands_of_here(slurm, tmp_path):
    commands = slurm({"squeue": queued("12")})
    answer = SLURM.states(tmp_path, {"12": "tok"}, {("12", None)})
    assert {element: info.state for element, info in answer.infos.items()} == {("12", None): "RUNNING"}
    assert [argv[0] for argv in commands.asked] == ["squeue"]
    SLURM.states(tmp_path, {"12": "tok"}, {("12", None)}, usage=True)
    assert [argv[0] for argv in commands.asked] == ["squeue", "squeue", "sacct"]
    slurm({"squeue": queued("12", comment="", folder=tmp_path / "cwd")})
    assert SLURM.states(tmp_path, {"12": ""}).infos


def test_a_token_is_looked_for(slurm):
    slurm({"squeue": found("12", "launchers-id-0", "p.a.launchers-id-0")})
    assert SLURM.find_token("launchers-id-0", 0.0) == "12"
    assert SLURM.find_token("launchers-id-1", 0.0) is None


def test_what_the_partitions_do_now(slurm):
    slurm({})
    assert isinstance(SLURM.signals(), str)
    assert Outcome(("x",), 1, "", "").complaint == "exit status 1"
