"""oarsub: what is certain in its answer, and that a submission is sent once whatever becomes of its client."""

import os
import signal
import subprocess
import sys
import time

import pytest
from fake_oar import Oarsub

from launchers.commands import Outcome
from launchers.jobs.backend import RefusedError
from launchers.oar import submission
from launchers.oar.submission import read_id, submit


@pytest.fixture
def oarsub(tmp_path_factory, monkeypatch):
    return Oarsub(tmp_path_factory.mktemp("oarsub"), monkeypatch)


def read(stdout, count=1, status=0, stderr=""):
    return read_id(Outcome(("oarsub",), status, stdout, stderr), count)


# -- answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stdout", "count", "id"), [
    ("OAR_JOB_ID=7\n", 1, "7"),
    ("[ADMISSION RULE] was OAR_JOB_ID=5\n#OAR_JOB_ID=6\n OAR_JOB_ID=6\nOAR_JOB_ID=7\nbye\n", 1, "7"),
    ("OAR_JOB_ID=7\nOAR_ARRAY_ID=7\n", 1, "7"),
    ("OAR_JOB_ID=8\nOAR_JOB_ID=7\nOAR_ARRAY_ID=7\n", 2, "7"),
])  # fmt: skip
def test_the_id_is_in_a_line_of_its_own(stdout, count, id):
    assert read(stdout, count) == id


@pytest.mark.parametrize(("stdout", "count"), [
    ("", 1), ("no id here\n", 1), ("7\n", 1), ("OAR_JOB_ID=\n", 1), ("OAR_JOB_ID=0\n", 1), ("OAR_JOB_ID=7x\n", 1),
    ("OAR_JOB_ID=7", 2), ("OAR_JOB_ID=5\nOAR_JOB_ID=7\n", 1), ("OAR_JOB_ID=7\nOAR_JOB_ID=7\n", 1),
    ("OAR_JOB_ID=7\nOAR_ARRAY_ID=5\n", 1), ("OAR_JOB_ID=7\nOAR_JOB_ID=8\n", 2),
    ("OAR_JOB_ID=7\nOAR_JOB_ID=8\nOAR_ARRAY_ID=8\n", 2), ("OAR_JOB_ID=7\nOAR_JOB_ID=8\nOAR_JOB_ID=9\nOAR_ARRAY_ID=7\n", 2),
    ("OAR_JOB_ID=7\nOAR_JOB_ID=7\nOAR_ARRAY_ID=7\n", 2), ("OAR_JOB_ID=٧\n", 1),
])  # fmt: skip
def test_what_is_not_certain_is_for_the_token_to_tell(stdout, count):
    with pytest.raises(RefusedError, match="it is not certain what oarsub answered") as caught:
        read(stdout, count)
    assert caught.value.transient


@pytest.mark.parametrize(("status", "stdout", "stderr", "transient"), [
    (8, "OAR_JOB_ID=-5\n", "There are not enough resources", False),
    (254, "", "[ADMISSION RULE] no", False),
    (248, "", "The queue x does not exist", False),
    (244, "", "Invalid stdout file name (bad character)", False),
    (18, "", "# Error: cannot recognize -- ,walltime=abc -- resource", False),
    (9, "OAR_JOB_ID=7\n", "Cannot connect to executor. Job is killed.", True),
    (8, "OAR_JOB_ID=7\n", "", True),
    (255, "", "could not connect to the database", True),
    (1, "", "", True), (-9, "", "", True), (-13, "OAR_JOB_ID=7\n", "", True), (3, "", "", True), (127, "", "", True),
])  # fmt: skip
def test_only_what_is_certain_is_a_refusal(status, stdout, stderr, transient):
    with pytest.raises(RefusedError) as caught:
        read(stdout, 1, status, stderr)
    assert caught.value.transient is transient
    assert caught.value.lines


def test_a_refusal_has_the_words_of_oarsub():
    with pytest.raises(RefusedError) as caught:
        read("OAR_JOB_ID=-5\n", 1, 8, "# There are not enough resources for your request\n")
    assert (caught.value.lines, caught.value.code) == (("There are not enough resources for your request",), "limit")
    with pytest.raises(RefusedError, match="exit status 3"):
        read("", 1, 3)


@pytest.mark.parametrize("mark", ["", "# "])
def test_what_perl_and_the_database_say_beside_it_is_not_shown(mark):
    locale = (
        'perl: warning: Setting locale failed.\nperl: warning: Please check:\n\tLC_ALL = "x",\n    are supported.\n'
    )
    refusal = f'{mark}Bad request (ERROR:  column "x" does not exist\nLINE 4: ...default\') AND ((x...\n          )\n'
    with pytest.raises(RefusedError) as caught:
        read("OAR_JOB_ID=-5\n", 1, 8, f"{locale}{refusal}{mark}Error: please verify your request.\n")
    assert caught.value.lines == (
        'Bad request (ERROR:  column "x" does not exist',
        "Error: please verify your request.",
    )


# -- running ---------------------------------------------------------------------------------------------------


def test_oarsub_has_files_and_a_session_of_its_own(oarsub, tmp_path):
    seen = tmp_path / "seen"
    show = f"import os; print(*map(os.readlink, ['/proc/%s/fd/%d' % (os.getppid(), fd) for fd in (0, 1, 2)]), os.getsid(0), file=open('{seen}', 'w'))"
    oarsub.answer("OAR_JOB_ID=7\n", first=f'python3 -c "{show}"')
    assert submit(["true"], tmp_path / "a.out", cwd=str(tmp_path)) == "7"
    stdin, stdout, stderr, session = seen.read_text().split()
    assert (stdin, stdout, stderr) == (os.devnull, str(tmp_path / "a.out"), str(tmp_path / "a.err"))
    assert int(session) != os.getsid(0)
    assert oarsub.folders == [str(tmp_path)]
    assert (tmp_path / "a.out").read_text() == "OAR_JOB_ID=7\n"


def test_bytes_that_are_no_text(oarsub, tmp_path):
    oarsub.answer("OAR_JOB_ID=7\n", first="printf '\\377\\376 news\\n'; printf '\\200' >&2")
    assert submit(["true"], tmp_path / "a.out") == "7"


def test_an_oarsub_that_cannot_be_run(oarsub, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match="cannot run oarsub: No such file") as caught:
        submit(["true"], tmp_path / "a.out")
    assert not caught.value.transient
    with pytest.raises(RefusedError, match=r"cannot run oarsub: the folder /no/such does not exist"):
        submit(["true"], tmp_path / "a.out", cwd="/no/such")


def test_an_oarsub_that_still_runs_is_not_run_again(oarsub, tmp_path, monkeypatch):
    """Nobody can kill it, as it is setuid, and it makes its job in the end."""
    go = tmp_path / "go"
    oarsub.answer("OAR_JOB_ID=7\n", first=f"while [ ! -e {go} ]; do sleep 0.05; done")
    monkeypatch.setattr(submission, "TIMEOUT", 0.5)
    with pytest.raises(RefusedError, match=r"gave no answer within 0.5 s, and still runs") as caught:
        submit(["true"], tmp_path / "a.out")
    assert caught.value.transient
    for _ in range(3):
        with pytest.raises(RefusedError, match="an oarsub of this submission is still running") as caught:
            submit(["true"], tmp_path / "a.out")
        assert caught.value.transient
    assert len(oarsub.asked) == 1
    go.touch()
    assert submit_when_free(tmp_path / "a.out", find=lambda: "7") == "7"
    assert len(oarsub.asked) == 1
    assert submit(["true"], tmp_path / "b.out") == "7"  # another submission


def submit_when_free(log, find):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return submit(["true"], log, find=find)
        except RefusedError:
            time.sleep(0.05)
    raise AssertionError("it is never free")


def test_what_an_earlier_oarsub_made_is_found_under_the_lock(oarsub, tmp_path):
    """The token was looked for before the earlier one had ended, and is looked for again."""
    oarsub.answer("OAR_JOB_ID=7\n")
    found = []
    submit(["true"], tmp_path / "a.out", find=lambda: found.append(1))
    assert found == []  # there was no earlier one
    assert submit(["true"], tmp_path / "a.out", find=lambda: "5") == "5"
    assert submit(["true"], tmp_path / "a.out", find=lambda: None) == "7"
    assert len(oarsub.asked) == 2


CLIENT = "import sys; from pathlib import Path; from launchers.oar.submission import submit; submit(['x'], Path(sys.argv[1]))"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_client_that_dies_takes_nothing_with_it(oarsub, tmp_path, number):
    """oarsub goes on, is not told, and holds its lock until it has ended."""
    begun, go, end = (tmp_path / name for name in ("begun", "go", "end"))
    oarsub.answer(
        "OAR_JOB_ID=7\n",
        first=f"trap 'touch {end}.bad' HUP INT PIPE TERM; touch {begun}; while [ ! -e {go} ]; do sleep 0.05; done; touch {end}",
    )
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(tmp_path / "a.out")], start_new_session=True, stderr=subprocess.DEVNULL
    )
    while not begun.exists():
        time.sleep(0.02)
    os.killpg(client.pid, number)
    client.wait(10)
    with pytest.raises(RefusedError, match="still running"):
        submit(["true"], tmp_path / "a.out")
    go.touch()
    assert submit_when_free(tmp_path / "a.out", find=lambda: "7") == "7"
    assert end.exists()
    assert not end.with_name("end.bad").exists()
    assert "OAR_JOB_ID=7" in (tmp_path / "a.out").read_text()
