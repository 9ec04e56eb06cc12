"""What goes wrong on the real OAR: nothing is lost, nothing is doubled, and no node is suspected."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from steps import CPU, double, slow

from launchers import LauncherNotFoundError, find_launcher
from launchers.cli import main
from launchers.commands import LocalConnector
from launchers.errors import RunError
from launchers.jobs.backend import RefusedError
from launchers.oar.backend import OarBackend
from launchers.oar.jobs import find_token
from launchers.oar.states import Condition, find_jobs
from launchers.oar.submission import submit
from launchers.plan import Plan, Step

SMALL = ("-l", "core=1,walltime=0:2:0", "-O", "/dev/null", "-E", "/dev/null")
OAR = OarBackend()


@pytest.fixture(autouse=True)
def _all_nodes_alive(oar):
    """Every test leaves all nodes as they were."""
    yield
    nodes = json.loads(subprocess.run(["oarnodes", "-J"], capture_output=True, text=True, check=True).stdout)
    assert {node["state"] for node in nodes.values()} == {"Alive"}


def named(text):
    """The jobs whose names have a text in them."""
    return find_jobs(LocalConnector(), Condition(f"job_name LIKE '%{text}%'", lambda job: text in job.name))


def until(ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.2)
    return ready()


@pytest.mark.parametrize("name", ["it's", 'a"b', "a\\b", "$HOME", "`id`"])
def test_what_oar_cannot_quote_never_reaches_it(oar, monkeypatch, tmp_path, name):
    """A quote in the path of a folder has OAR suspect the node; a double quote runs what follows as the user oar."""
    folder = Path.cwd() / name
    folder.mkdir()
    (folder / "launchers.yaml").write_text(Path("launchers.yaml").read_text())
    before = len(named(""))
    monkeypatch.chdir(folder)
    for act in (
        lambda: Plan("p", Step("a", CPU, double, 1)).submit(tags="grid"),
        lambda: find_launcher("cpu(cores=1) & duration=5m", tags="grid").submit(double, 1),
        lambda: find_launcher("cpu(cores=1) & duration=5m", tags="grid").executor(tmp_path).submit(double, 1),
    ):
        with pytest.raises(
            (RunError, LauncherNotFoundError), match=r"the (run|working) folder .* has a|has a backslash"
        ):
            act()
    assert len(named("")) == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["-l", "core=1,walltime=abc"], "walltime=abc"), (["-l", "/host="], "host="), (["-q", "nosuch"], "nosuch"),
        (["-p", "nosuch = 1"], 'column "nosuch" does not exist'), (["-l", "host=40"], "There are not enough resources"),
        (["-t", "nosuch"], "nosuch"), (["-O", "a;b"], "stdout file name"),
    ],
)  # fmt: skip
def test_a_refusal_is_certain_and_in_the_words_of_oar(oar, monkeypatch, argv, words):
    """Also where perl has a warning in front of them, as of a locale that the machine has not got."""
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    with pytest.raises(RefusedError) as caught:
        submit([*argv, "true"], Path("oarsub.out"))
    assert not caught.value.transient
    assert words in caught.value.lines[0]
    assert "perl" in Path("oarsub.err").read_text()
    assert named("nosuch") == []


CLIENT = "import sys; from pathlib import Path; from launchers.oar.submission import submit; submit(sys.argv[2:], Path(sys.argv[1]))"


def test_an_oarsub_outlives_its_client(oar):
    """Killed at any moment, the client leaves one job for each token, and none that oarsub has deleted."""
    words, moments = f"launchers-{os.getpid()}x", random.Random(1)
    for number in range(6):
        token = f"{words}-{number}"
        argv, log = [*SMALL, "-n", f"x.{token}", "true"], Path(f"{token}.out")
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(log), *argv], start_new_session=True, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.1, 1))
        os.killpg(client.pid, moments.choice([signal.SIGKILL, signal.SIGINT, signal.SIGHUP]))
        client.wait()
        again(token, argv, log)
    assert until(lambda: all(job.state == "COMPLETED" for job in named(words)), 90)
    assert Counter(job.name for job in named(words)) == {f"x.{words}-{number}": 1 for number in range(6)}


def again(token, argv, log):
    """What `resume` does: look for the token, and submit where there is none."""

    def look():
        return find_token(LocalConnector(), token)

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return look() or submit(argv, log, find=look)
        except RefusedError as error:
            assert error.transient
            time.sleep(0.1)
    raise AssertionError("it is never submitted")


def test_an_admission_rule_that_prints_an_id(oar, capfd):
    """submitit-oar takes the first number for the job's."""
    oar.sql("INSERT INTO admission_rules (priority, enabled, rule) VALUES (0, 'YES', 'print(\"OAR_JOB_ID=1\\n\");')")
    try:
        assert main(["run", CPU, "--tag", "grid", "--", "sh", "-c", "echo $OAR_JOB_ID; exit 4"]) == 4
        run = Plan("p", Step("a", CPU, double, 1)).submit(tags="grid")
    finally:
        oar.sql("DELETE FROM admission_rules WHERE rule LIKE '%OAR_JOB_ID=1%'")
    assert int(capfd.readouterr().out) > 1
    assert run.record.folder.journal.state().jobs["a"] != "1"
    assert run.wait(90)


def test_an_id_that_is_used_again(oar, tmp_path):
    """A database that was made anew counts from 1: the job with our id is another one."""
    run = Plan("p", Step("a", CPU, slow, str(Path.cwd() / "on"))).submit(tags="grid")
    (job,) = run.record.folder.journal.state().jobs.values()
    token = run.record.submissions[0].token
    name = oar.sql(f"SELECT job_name FROM jobs WHERE job_id = {int(job)}")
    oar.sql(f"UPDATE jobs SET job_name = 'precious' WHERE job_id = {int(job)}")
    try:
        assert OAR.states(run.folder, {job: token}).infos == {}
        OAR.cancel(run.folder, [(job, None)], {job: token})
        assert not oar.sql(f"SELECT frag_id_job FROM frag_jobs WHERE frag_id_job = {int(job)}")
    finally:
        oar.sql(f"UPDATE jobs SET job_name = '{name}' WHERE job_id = {int(job)}")
    OAR.cancel(run.folder, [(job, None)], {job: token})
    assert not run.wait(60, check=False)
    assert OAR.states(run.folder, {job: token}).infos[job, None].state == "CANCELLED"


def test_a_late_database(oar):
    """oarsub and oarstat wait for it: the job is made once."""
    lock = "BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8); COMMIT"
    url = "postgresql://oar:oarpw@127.0.0.1:15432/oar"
    holder = subprocess.Popen(["psql", "-qAtX", url, "-c", lock], stdout=subprocess.DEVNULL)
    time.sleep(1)
    run = Plan("p", Step("a", CPU, double, 1)).submit(tags="grid")
    holder.wait()
    assert run.wait(90)
    assert len(named(run.record.submissions[0].token)) == 1


def test_nothing_becomes_besteffort_that_does_not_ask(oar):
    with pytest.raises(LauncherNotFoundError, match="--tag besteffort asks for that"):
        find_launcher("cpu(cores=1) & duration=8 days", tags="none", config=with_limit())
    launcher = find_launcher("cpu(cores=1) & duration=8 days", tags="besteffort", config=with_limit())
    assert launcher.oar_args.types == ("besteffort",)


def with_limit():
    Path("limit.yaml").write_text(
        "oar: [{id: grid, tags: [none], query_oar: true, queues: {default: {limits: {max_duration: 7 days}}}}]\n"
    )
    return "limit.yaml"
