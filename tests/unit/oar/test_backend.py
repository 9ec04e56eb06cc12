"""Plans on OAR: what oarsub, oarstat and oardel are given, and what becomes of their answers."""

import json
import shlex
import sys
import time
from pathlib import Path

import pytest
from connectors import Answers

from launchers import LauncherNotFoundError
from launchers.jobs.backend import RefusedError, SubmissionRequest, Wait
from launchers.jobs.submission import Submission
from launchers.oar.args import OarArgs
from launchers.oar.backend import LONGEST_NAME, OarBackend, job_infos

OAR = OarBackend()


def job(id, *, array=None, index=1, state="Running", **more):
    """A record of oarstat; single jobs are arrays of one."""
    return {"Job_Id": id, "array_id": array or id, "array_index": index, "state": state, "events": [], **more}


def oarstat(*jobs):
    """What oarstat prints of these jobs."""
    return json.dumps({str(record["Job_Id"]): record for record in jobs})


class Commands(Answers):
    """Answers, and the folder that each command had."""

    def __init__(self, answers):
        super().__init__(answers)
        self.folders = []

    def run(self, argv, *, cwd=None, **keys):
        self.folders.append(cwd)
        return super().run(argv, **keys)


@pytest.fixture
def oar(monkeypatch):
    """Says what OAR's commands answer."""

    def answer(answers):
        commands = Commands(answers)
        monkeypatch.setattr("launchers.oar.backend.LocalConnector", lambda: commands)
        return commands

    return answer


PARAMETERS = OarArgs(walltime=600, queue="night", types=("besteffort",), properties="gpu_count > 0").submitit()


def request(run=Path("/runs/p-id"), *, parameters=PARAMETERS, members=(("a", None),), waits=(), cwd="/here", **keys):
    submission = Submission("a", "launchers-id-0", members, (), parameters, **keys)
    return SubmissionRequest(run, "id", "p", submission, tuple(waits), cwd)


def flags_of(argv):
    """The options of an oarsub command; the value of one that comes several times is a list."""
    words, options = list(argv), {}
    while len(words) > 1:
        flag, value = words.pop(0), words.pop(0)
        options[flag] = [*options[flag], value] if isinstance(options.get(flag), list) else (
            [options[flag], value] if flag in options else value
        )  # fmt: skip
    return options


# -- what a plan asks --------------------------------------------------------------------------------------------


def test_a_barrier_is_in_the_queue_of_the_first_step():
    assert OAR.barrier_parameters(PARAMETERS) == {
        "queue": "night", "timeout_min": 1, "additional_parameters": {"l": "walltime=0:1:0", "t": ["besteffort"]},
    }  # fmt: skip
    plain = OarArgs(types=("deploy",)).submitit()
    assert OAR.barrier_parameters(plain) == {
        "queue": None, "timeout_min": 1, "additional_parameters": {"l": "walltime=0:1:0"},
    }  # fmt: skip


@pytest.mark.parametrize(("types", "after"), [
    ((), ["idempotent"]), (("besteffort",), ["besteffort", "idempotent"]),
    (("idempotent", "besteffort"), ["idempotent", "besteffort"]),
])  # fmt: skip
def test_what_can_go_on_is_idempotent_and_told(types, after):
    before = OarArgs(types=types, walltime=600).submitit()
    found = OAR.checkpoint_parameters(before)
    assert found["additional_parameters"] == {
        **before["additional_parameters"], "t": after, "checkpoint": "90", "signal": "12",
    }  # fmt: skip
    assert found["timeout_min"] == 10


def test_a_script_shows_what_oarsub_would_be_asked():
    text = OAR.render_script(request(waits=[Wait("afterok", ("<b>", None))]))
    lines = text.splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "#OAR -q night" in lines
    assert "#OAR -n p.a.launchers-id-0" in lines
    assert "#OAR -a afterok:<b>" in lines
    assert "#OAR -d /here" in lines
    assert lines[-1].endswith("launchers.runs.node /runs/p-id a")


# -- oarsub ----------------------------------------------------------------------------------------------------


def test_a_step_is_one_oarsub(oar, tmp_path):
    commands = oar({"oarsub": "[ADMISSION RULE] hello\nOAR_JOB_ID=12\n"})
    assert OAR.send([request(tmp_path)]) == ["12"]
    (argv,) = commands.asked
    options = flags_of(argv[1:])
    own = str(tmp_path / "oar" / "%jobid%")
    assert options == {
        "-l": PARAMETERS["additional_parameters"]["l"], "-p": "gpu_count > 0", "-t": "besteffort", "-q": "night",
        "-n": "p.a.launchers-id-0", "-d": "/here", "-O": own, "-E": own,
    }  # fmt: skip
    words = shlex.split(argv[-1])
    assert words[0] == "env"
    assert words[-6:] == [sys.executable, "-u", "-m", "launchers.runs.node", str(tmp_path), "a"]
    assert "SUBMITIT_EXECUTOR=launchersoar" in words
    assert (tmp_path / "oar").is_dir()
    assert (tmp_path / "jobs" / "a").stat().st_mode & 0o777 == 0o700


def test_an_array_says_how_many(oar, tmp_path):
    commands = oar({"oarsub": "OAR_JOB_ID=12\nOAR_JOB_ID=13\n"})
    assert OAR.send([request(tmp_path, members=(("m", 0), ("m", 1)))]) == ["12"]
    assert flags_of(commands.asked[0][1:])["--array"] == "2"
    OAR.send([request(tmp_path)])
    assert "--array" not in commands.asked[1]


def test_a_folder_that_oarsub_would_misread_gets_no_output_there(oar, tmp_path):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    OAR.send([request(tmp_path / "$(x)")])
    options = flags_of(commands.asked[0][1:])
    assert (options["-O"], options["-E"]) == ("/dev/null", "/dev/null")


def test_names_are_as_long_as_the_database_takes(oar, tmp_path):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    submission = Submission("s" * 200, "launchers-id-0", (("a", None),), (), PARAMETERS)
    OAR.send([SubmissionRequest(tmp_path, "id", "p", submission)])
    name = flags_of(commands.asked[0][1:])["-n"]
    assert len(name) == LONGEST_NAME == 100
    assert name.startswith("p.sss")
    assert name.endswith("s.launchers-id-0")


@pytest.mark.parametrize(("answer", "lines", "code", "transient"), [
    ((1, "# There are not enough resources for your request\nOAR_JOB_ID=-5\n"),
     ("There are not enough resources for your request", "OAR_JOB_ID=-5"), "limit", False),
    ((1, "Cannot connect to the database"), ("Cannot connect to the database",), "", True),
    ("no id here", ("no id here",), "", False),
    ((3, ""), ("exit status 3",), "", False),
])  # fmt: skip
def test_what_oarsub_says_when_it_refuses(oar, tmp_path, answer, lines, code, transient):
    oar({"oarsub": answer})
    with pytest.raises(RefusedError) as caught:
        OAR.send([request(tmp_path)])
    assert (caught.value.lines, caught.value.code, caught.value.transient) == (lines, code, transient)


def test_an_oarsub_that_gives_no_answer_is_worth_asking_again(oar, tmp_path):
    oar({})
    with pytest.raises(RefusedError, match="Cannot connect") as caught:
        OAR.send([request(tmp_path)])
    assert caught.value.transient


# -- parents -----------------------------------------------------------------------------------------------------


def test_parents_are_waited_for_under_the_ids_that_they_have_now(oar, tmp_path):
    """OAR submits an idempotent job again under a new id."""
    jobs = [job(5), job(7, array=7, index=1), job(8, array=7, index=2), job(9, array=5, index=1)]
    commands = oar({"oarstat": oarstat(*jobs), "oarsub": "OAR_JOB_ID=12\n"})
    waits = [Wait("afterok", ("5", None)), Wait("afterok", ("7", 1)), Wait("afterok", ("7", None))]
    OAR.send([request(tmp_path, waits=waits)])
    assert flags_of(commands.asked[1][1:])["-a"] == ["9", "8", "7"]
    assert commands.asked[0][-1] == "array_id IN (5, 7)"


def test_a_parent_that_oar_does_not_know_is_refused(oar, tmp_path):
    """oarsub would take it, and the job would wait for ever (docs/oar-facts.md)."""
    commands = oar({"oarstat": oarstat(job(5)), "oarsub": "OAR_JOB_ID=12\n"})
    for element in (("6", None), ("5", 1)):
        with pytest.raises(RefusedError, match=f"it waits for job {element[0]}, which OAR does not know") as caught:
            OAR.send([request(tmp_path, waits=[Wait("afterok", element)])])
        assert not caught.value.transient
    assert not any(argv[0] == "oarsub" for argv in commands.asked)


def test_parents_that_cannot_be_looked_up_are_worth_asking_again(oar, tmp_path):
    oar({"oarsub": "OAR_JOB_ID=12\n"})
    with pytest.raises(RefusedError, match="Cannot connect") as caught:
        OAR.send([request(tmp_path, waits=[Wait("afterok", ("5", None))])])
    assert caught.value.transient


# -- scripts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """A run folder with a script for three items."""
    (tmp_path / "oar").mkdir()
    (tmp_path / "cwd").mkdir()
    (tmp_path / "oar" / "tasks").write_text("0\n1\n2\n")
    return tmp_path


def script(run, *items, **keys):
    return request(run, members=tuple(("m", item) for item in items), script="job.sh", parameters={}, **keys)


def test_a_script_is_sent_from_its_folder(oar, run):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    assert OAR.send([script(run, 0, 1, 2)]) == ["12"]
    cwd = str(run / "cwd")
    assert commands.asked == [("oarsub", "-S", "-n", "p.a.launchers-id-0", "-d", cwd, "../job.sh")]
    assert commands.folders == [cwd]
    assert [path.name for path in (run / "oar").iterdir()] == ["tasks"]


def test_some_items_of_a_script_have_a_file_of_their_own(oar, run):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    OAR.send([script(run, 0, 2)])
    assert commands.asked[0][-3:-1] == ("--array-param-file", "../oar/tasks.a")
    assert (run / "oar" / "tasks.a").read_text() == "0\n2\n"


def test_a_script_waits_for_jobs(oar, run):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n", "oarstat": oarstat(job(5))})
    OAR.send([script(run, 0, 1, 2, waits=[Wait("afterok", ("5", None))])])
    assert flags_of(commands.asked[1][2:])["-a"] == "5"


# -- asking and cancelling -----------------------------------------------------------------------------------------


def infos(*jobs, ids=("5", "7")):
    return {key: info.state for key, info in job_infos(Answers({"oarstat": oarstat(*jobs)}), ids).items()}


def test_an_array_of_one_is_asked_about_as_either():
    assert infos(job(5)) == {("5", None): "RUNNING", ("5", 0): "RUNNING"}
    assert infos(job(7), job(8, array=7, index=2, state="Waiting")) == {("7", 0): "RUNNING", ("7", 1): "PENDING"}


def test_nothing_is_asked_of_no_job():
    answers = Answers({})
    assert job_infos(answers, []) == {}
    assert answers.asked == []
    assert job_infos(answers, ["5"]) == {}  # OAR does not answer: the run folder says what is known


def test_what_is_told_of_a_job():
    record = job(
        9, array=5, state="Terminated", exit_code=256, assigned_network_address=["n1", "n2"], queue="night",
        submissionTime=10, startTime=20, stopTime=50,
    )  # fmt: skip
    info = job_infos(Answers({"oarstat": oarstat(record)}), ["5"])["5", None]
    assert (info.state, info.exit, info.nodes, info.partition, info.job) == ("FAILED", "1", "n1,n2", "night", "9")
    assert (info.submitted, info.started, info.ended, info.elapsed) == (10, 20, 50, "30 s")


def test_what_is_told_of_a_job_that_has_not_started():
    info = job_infos(Answers({"oarstat": oarstat(job(5, state="Waiting", message="no resources"))}), ["5"])["5", None]
    assert (info.state, info.reason, info.exit, info.elapsed) == ("PENDING", "no resources", "", "")
    assert (info.submitted, info.started, info.ended) == (None, None, None)


def test_a_job_that_runs_counts_until_now():
    started = int(time.time()) - 100
    info = job_infos(Answers({"oarstat": oarstat(job(5, startTime=started))}), ["5"])["5", None]
    assert 99 <= int(info.elapsed.removesuffix(" s")) <= 110
    assert info.ended is None


def test_a_job_whose_parent_failed_counts_as_cancelled():
    info = job_infos(Answers({"oarstat": oarstat(job(5, state="Terminated", exit_code=113 << 8))}), ["5"])["5", None]
    assert (info.state, info.reason, info.exit) == ("CANCELLED", "parent failed", "113")


def test_jobs_are_cancelled_under_the_ids_that_they_have_now(oar, tmp_path):
    jobs = [
        job(5), job(9, array=5), job(7, array=7, index=1), job(8, array=7, index=2),
        job(20, state="Terminated", exit_code=0),
    ]  # fmt: skip
    commands = oar({"oarstat": oarstat(*jobs), "oardel": ""})
    OAR.cancel(tmp_path, [("5", None), ("7", 1), ("20", None)], {"5": "", "7": "", "20": ""})
    assert commands.asked[1:] == [("oardel", "9", "8")]
    OAR.cancel(tmp_path, [("20", None)], {"20": ""})
    assert len(commands.asked) == 3  # there is nothing to delete


def test_a_token_is_the_end_of_a_name(oar):
    commands = oar({"oarstat": oarstat(job(9, array=7, name="p.a.launchers-id-0"))})
    assert OAR.find_token("launchers-id-0", 0.0) == "7"
    assert commands.asked[0][-1] == "job_name LIKE '%.launchers-id-0'"
    oar({"oarstat": ""})
    assert OAR.find_token("launchers-id-0", 0.0) is None


# -- functions ---------------------------------------------------------------------------------------------------


def test_functions_go_through_submitit_oar(tmp_path, monkeypatch):
    submitit_oar = pytest.importorskip("submitit_oar.oar")
    monkeypatch.setattr(submitit_oar.OarExecutor, "affinity", classmethod(lambda _: 1))  # as if oarsub were here
    executor = OAR.executor(tmp_path, OarArgs(walltime=600, queue="night"), name="n")
    assert executor.parameters["queue"] == "night"
    assert executor.parameters["n"] == "n"
    assert executor.parameters["timeout_min"] == 10
    assert "n" not in OAR.executor(tmp_path, OarArgs()).parameters


def test_without_submitit_oar_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "launchers.oar.executor", None)
    with pytest.raises(
        LauncherNotFoundError, match=r"submitit-oar, which is not installed .* pip install 'launchers\[oar\]'"
    ):
        OAR.executor(tmp_path, OarArgs())
