"""Plans on OAR: what oarsub, oarstat and oardel are given, and what becomes of their answers."""

import shlex
import sys
from pathlib import Path

import pytest
from connectors import Answers
from fake_oar import Oarsub, oarstat
from fake_oar import record as job

from launchers import LauncherNotFoundError
from launchers.errors import RunError
from launchers.jobs.backend import RefusedError, SubmissionRequest, Wait
from launchers.jobs.submission import Submission
from launchers.oar.args import OarArgs
from launchers.oar.backend import OarBackend
from launchers.oar.jobs import LONGEST_NAME

OAR = OarBackend()


@pytest.fixture
def oar(monkeypatch, tmp_path_factory):
    """Says what OAR's commands answer; what oarsub was asked is in its `asked`."""
    oarsub = Oarsub(tmp_path_factory.mktemp("oarsub"), monkeypatch)

    def answer(answers):
        commands = Answers(answers)
        monkeypatch.setattr("launchers.oar.backend.LocalConnector", lambda: commands)
        oarsub.answer(answers.get("oarsub"))
        commands.oarsub = oarsub
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
    (argv,) = commands.oarsub.asked
    options = flags_of(argv)
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
    commands = oar({"oarsub": "OAR_JOB_ID=12\nOAR_JOB_ID=13\nOAR_ARRAY_ID=12\n"})
    assert OAR.send([request(tmp_path, members=(("m", 0), ("m", 1)))]) == ["12"]
    assert flags_of(commands.oarsub.asked[0])["--array"] == "2"
    oar({"oarsub": "OAR_JOB_ID=12\n"})
    OAR.send([request(tmp_path / "other")])
    assert "--array" not in commands.oarsub.asked[1]


@pytest.mark.parametrize("name", ["%jobid%", "\u00e9", "a;b"])
def test_a_folder_that_oarsub_would_misread_gets_no_output_there(oar, tmp_path, name):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    OAR.send([request(tmp_path / name)])
    options = flags_of(commands.oarsub.asked[0])
    assert (options["-O"], options["-E"]) == ("/dev/null", "/dev/null")


def test_names_are_as_long_as_the_database_takes(oar, tmp_path):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    submission = Submission("s" * 200, "launchers-id-0", (("a", None),), (), PARAMETERS)
    OAR.send([SubmissionRequest(tmp_path, "id", "p", submission)])
    name = flags_of(commands.oarsub.asked[0])["-n"]
    assert len(name) == LONGEST_NAME == 100
    assert name.startswith("p.sss")
    assert name.endswith("s.launchers-id-0")


# -- what OAR cannot quote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["'", '"', "\\", "$", "`"])
def test_a_folder_that_oar_cannot_quote_is_refused_before_it_is_sent(oar, tmp_path, character):
    """One quote in a path, and OAR suspects the nodes, for everybody."""
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    bad = tmp_path / f"it{character}s"
    for refused, role in ((request(bad), "run folder"), (request(tmp_path, cwd=str(bad)), "working folder")):
        words = rf"the {role} .*it.s has a .* in it, which OAR does not quote on its nodes: use a folder without it"
        with pytest.raises(RunError, match=words):
            OAR.prepare([request(tmp_path / "good"), refused])
        with pytest.raises(RefusedError, match=words) as caught:
            OAR.send([refused])
        assert not caught.value.transient
    assert commands.oarsub.asked == []
    assert list(tmp_path.iterdir()) == []


def test_folders_that_oar_can_quote(oar, tmp_path):
    oar({"oarsub": "OAR_JOB_ID=12\n"})
    fine = tmp_path / "a b;c#d&e\u00e9\u20ac%x{y}(z)@+,=:!~\t"
    OAR.prepare([request(fine, cwd=str(fine))])
    assert OAR.send([request(fine, cwd=str(fine))]) == ["12"]


def test_an_option_that_oar_cannot_quote_is_refused(tmp_path):
    parameters = OarArgs(project="it's").submitit()
    for act in (lambda asked: OAR.prepare([asked]), lambda asked: OAR.send([asked]), OAR.render_script):
        with pytest.raises((RunError, RefusedError, ValueError), match=r"the option project of oarsub.* has a quote"):
            act(request(tmp_path, parameters=parameters))
    with pytest.raises(RunError, match=r"the option p of oarsub.* has a line break"):
        OAR.prepare([request(tmp_path, parameters={"additional_parameters": {"p": "gpu > 0\n"}})])


def test_a_name_is_made_of_what_oar_can_quote(oar, tmp_path):
    commands = oar({"oarsub": "OAR_JOB_ID=12\n"})
    submission = Submission("a", "launchers-id-0", (("a", None),), (), PARAMETERS)
    OAR.send([SubmissionRequest(tmp_path, "id", "it's $x\n", submission)])
    assert flags_of(commands.oarsub.asked[0])["-n"] == "it_s__x_.a.launchers-id-0"


# -- parents -----------------------------------------------------------------------------------------------------


def ours(id, **more):
    """A record of a job of a run."""
    return job(id, name="p.x.launchers-0a-3", **more)


def test_parents_are_waited_for_under_the_ids_that_they_have_now(oar, tmp_path):
    """OAR submits an idempotent job again under a new id."""
    jobs = [ours(5), ours(7, array=7, index=1), ours(8, array=7, index=2), ours(9, array=5, index=1)]
    commands = oar({"oarstat": oarstat(*jobs), "oarsub": "OAR_JOB_ID=12\n"})
    waits = [Wait("afterok", ("5", None)), Wait("afterok", ("7", 1)), Wait("afterok", ("7", None))]
    OAR.send([request(tmp_path, waits=waits)])
    assert flags_of(commands.oarsub.asked[0])["-a"] == ["9", "8", "7"]
    assert commands.asked[0][-1].startswith("(array_id IN (5, 7)) OR ")


def test_a_parent_that_oar_does_not_know_is_refused(oar, tmp_path):
    """oarsub would take it, and the job would wait for ever (docs/oar-facts.md)."""
    commands = oar({"oarstat": oarstat(ours(5), job(4, name="precious")), "oarsub": "OAR_JOB_ID=12\n"})
    for element in (("6", None), ("5", 1), ("4", None)):
        with pytest.raises(RefusedError, match=f"it waits for job {element[0]}, which OAR does not know") as caught:
            OAR.send([request(tmp_path, waits=[Wait("afterok", element)])])
        assert not caught.value.transient
    assert commands.oarsub.asked == []


def test_parents_that_cannot_be_looked_up_are_worth_asking_again(oar, tmp_path):
    oar({"oarsub": "OAR_JOB_ID=12\n"})
    with pytest.raises(RefusedError, match="cannot ask OAR") as caught:
        OAR.send([request(tmp_path, waits=[Wait("afterok", ("5", None))])])
    assert caught.value.transient


THREE = "OAR_JOB_ID=12\nOAR_JOB_ID=13\nOAR_JOB_ID=14\nOAR_ARRAY_ID=12\n"


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
    commands = oar({"oarsub": THREE})
    assert OAR.send([script(run, 0, 1, 2)]) == ["12"]
    cwd = str(run / "cwd")
    tasks = ["--array-param-file", "../oar/tasks.a"]
    assert commands.oarsub.asked == [["-S", "-n", "p.a.launchers-id-0", "-d", cwd, *tasks, "../job.sh"]]
    assert commands.oarsub.folders == [cwd]
    assert not (run / "jobs").exists()


def test_each_job_of_a_script_is_told_its_task_and_where_its_name_is(oar, run):
    oar({"oarsub": "OAR_JOB_ID=12\nOAR_JOB_ID=13\nOAR_ARRAY_ID=12\n"})
    OAR.send([script(run, 0, 2)])
    assert (run / "oar" / "tasks.a").read_text() == "0 ../jobs/a 0\n2 ../jobs/a 1\n"
    assert (run / "oar" / "tasks").read_text() == "0\n1\n2\n"  # what the script says by hand


def test_a_script_waits_for_jobs(oar, run):
    commands = oar({"oarsub": THREE, "oarstat": oarstat(ours(5))})
    OAR.send([script(run, 0, 1, 2, waits=[Wait("afterok", ("5", None))])])
    assert flags_of(commands.oarsub.asked[0][1:])["-a"] == "5"


# -- finding and asking ------------------------------------------------------------------------------------------


def test_a_token_is_the_end_of_a_name(oar):
    commands = oar({"oarstat": oarstat(job(9, array=7, name="p.a.launchers-id-0"))})
    assert OAR.find_token("launchers-id-0", 0.0) == "7"
    assert commands.asked[0][-1].startswith("(job_name LIKE '%.launchers-id-0') OR ")
    oar({"oarstat": oarstat()})
    assert OAR.find_token("launchers-id-0", 0.0) is None


def test_states_and_cancellations_go_by_the_token(oar, tmp_path):
    commands = oar({"oarstat": oarstat(job(9, name="p.a.t-1")), "oardel": ""})
    assert OAR.states(tmp_path, {"9": "t-1"}).infos["9", None].state == "RUNNING"
    assert not OAR.states(tmp_path, {"9": "t-2"}).infos
    OAR.cancel(tmp_path, [("9", None)], {"9": "t-2"})
    assert not any(argv[0] == "oardel" for argv in commands.asked)


# -- functions ---------------------------------------------------------------------------------------------------


def test_functions_go_through_submitit_oar(tmp_path, monkeypatch):
    submitit_oar = pytest.importorskip("submitit_oar.oar")
    monkeypatch.setattr(submitit_oar.OarExecutor, "affinity", classmethod(lambda _: 1))  # as if oarsub were here
    executor = OAR.executor(tmp_path, OarArgs(walltime=600, queue="night"), name="n")
    assert executor.parameters["queue"] == "night"
    assert executor.parameters["n"] == "n"
    assert executor._options("t")["n"] == "n.t" if "d" in executor.parameters["additional_parameters"] else True
    assert executor.parameters["timeout_min"] == 10
    assert "n" not in OAR.executor(tmp_path, OarArgs()).parameters


def test_without_submitit_oar_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "launchers.oar.executor", None)
    with pytest.raises(
        LauncherNotFoundError, match=r"submitit-oar, which is not installed .* pip install 'launchers\[oar\]'"
    ):
        OAR.executor(tmp_path, OarArgs())
