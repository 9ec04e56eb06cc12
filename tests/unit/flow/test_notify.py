"""Messages through apprise, to a local HTTP server; a URL is a secret and is in no file."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from flows import flow, job, page, plan_of, sweep
from webhook import SECRET

from launchers.cli import main
from launchers.flow.notify import (
    EVENTS,
    Message,
    add_messages,
    locate_urls,
    redact_urls,
    send,
    unsent_messages,
)
from launchers.flow.run import run_flow
from launchers.plan.graph import graph_of
from launchers.plan.tree import PlanError

pytest.importorskip("apprise")

REFUSED = "the service cannot be reached, or refuses the message"
GOOD = [job("a"), job("b", depends_on="a")]
BAD = [job("a", "exit 3"), job("b", depends_on="a")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")


def ran(jobs, notify):
    """Run a flow that sends messages to its end; the run, and whether it succeeded."""
    run = run_flow("f.yaml", text=page(*jobs, notify=notify))
    return run, run.wait(60, check=False)


# -- where the URLs are ------------------------------------------------------------------------------------------


def test_where_jobs_find_each_url(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "json://secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    secret = tmp_path / "hook"
    secret.touch(mode=0o600)
    urls = ["$HOOK", "json://one", "file:~/hook", "file:hook", "json://two"]
    assert locate_urls(urls) == (
        ["$HOOK", "$LAUNCHERS_NOTIFY_URL_1", f"file:{secret}", f"file:{secret}", "$LAUNCHERS_NOTIFY_URL_4"],
        {"LAUNCHERS_NOTIFY_URL_1": "json://one", "LAUNCHERS_NOTIFY_URL_4": "json://two"},
    )


def test_places_that_cannot_be_used_are_all_reported(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    for name, mode in (("all", 0o644), ("group", 0o620), ("own", 0o700)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    with pytest.raises(PlanError) as caught:
        locate_urls(["$NO_SUCH_HOOK", "file:all", "file:group", "file:own", "file:nowhere"])
    assert caught.value.problems == (
        "notify: $NO_SUCH_HOOK is not set in the environment",
        f"notify: other users can read {tmp_path / 'all'} (mode 644): chmod 600 {tmp_path / 'all'}",
        f"notify: other users can read {tmp_path / 'group'} (mode 620): chmod 600 {tmp_path / 'group'}",
        f"notify: {tmp_path / 'nowhere'}: No such file or directory",
    )


def test_a_flow_whose_urls_cannot_be_used_is_not_run(monkeypatch):
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    with pytest.raises(PlanError, match="NO_SUCH_HOOK is not set"):
        run_flow("f", text=page(*GOOD, notify={"urls": "$NO_SUCH_HOOK"}))
    assert list(Path("runs").iterdir()) == []


def test_a_command_line_without_its_urls():
    words = ["launchers", "--notify", "json://a", "--notify=json://b", "x"]
    assert redact_urls(words, ["json://a", "json://b", ""]) == ("launchers", "--notify", "...", "--notify=...", "x")


# -- the jobs that send ------------------------------------------------------------------------------------------


def senders(events, *jobs, **keys):
    """For each job that sends what it waits for, and its message."""
    plan = add_messages(plan_of(flow(*jobs, **keys)), ["$HOOK"], events)
    tasks = [task for task in graph_of(plan).tasks if task.name.startswith("notify.")]
    assert not any(task.step.srun for task in tasks)
    return {task.name: (dict(task.waits), task.step.func) for task in tasks}


def test_jobs_that_send():
    started = {"notify.started": ({"a": "started"}, Message(("started",), ("$HOOK",)))}
    after_all = {"a": "any", "b": "any"}
    assert senders(["started"], *GOOD) == started
    assert senders(["failed"], *GOOD) == {"notify.finished": (after_all, Message(("failed",), ("$HOOK",)))}
    both = {"notify.finished": (after_all, Message(("finished", "failed"), ("$HOOK",)))}
    assert senders(["failed", "finished"], *GOOD) == both
    assert senders(EVENTS, *GOOD) == {**started, **both}


def test_the_start_is_that_of_a_job_that_waits_for_none():
    waits, _ = senders(["started"], job("b", depends_on="a"), job("a"))["notify.started"]
    assert waits == {"a": "started"}


def test_the_end_is_that_of_all_cells():
    waits, _ = senders(["failed"], job("a", cpus_per_task="{{ n }}"), **sweep([1, 2]))["notify.finished"]
    assert waits == {"a-0": "any", "a-1": "any"}


# -- what is sent ------------------------------------------------------------------------------------------------


def test_a_message_at_the_start_and_at_the_end(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    run, succeeded = ran(GOOD, {"urls": "$HOOK"})
    assert succeeded
    finished, started = sorted(webhook.heard, key=lambda message: message["title"])
    assert started["title"] == f"x {run.record.id} started"
    assert started["message"] == f"2 steps on here\n{run.folder}"
    assert finished["title"] == f"x {run.record.id} finished"
    assert finished["message"] == f"all 2 steps completed\n{run.folder}"
    assert finished["path"] == f"/{SECRET}"
    webhook.nowhere_in(run.folder)


def test_a_message_about_a_failure(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    run, succeeded = ran(BAD, {"urls": ["$HOOK"], "on": ["failed"]})
    assert not succeeded
    (message,) = webhook.heard
    assert message["title"] == f"x {run.record.id} failed"
    first, second, last = message["message"].splitlines()
    assert first.startswith("a: FAILED")
    assert second.startswith("b: CANCELLED")
    assert last == str(run.folder)


def test_a_handler_that_nobody_needed_is_no_failure(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    handler = job("rescue", depends_on="afternotok:a")
    run, succeeded = ran([*GOOD, handler], {"urls": ["$HOOK"], "on": ["finished", "failed"]})
    assert succeeded
    (message,) = webhook.heard
    assert message["title"].endswith(" finished")
    assert message["message"] == f"completed; not needed: rescue\n{run.folder}"


@pytest.mark.parametrize(("jobs", "on"), [(GOOD, "failed"), (BAD, "finished")])
def test_no_message_about_what_nobody_asked_for(webhook, monkeypatch, jobs, on):
    monkeypatch.setenv("HOOK", webhook.url)
    ran(jobs, {"urls": ["$HOOK"], "on": [on]})
    assert webhook.heard == []


def test_urls_of_the_caller_are_used_too(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    run = run_flow("f", text=page(job(), notify={"urls": "$HOOK", "on": ["finished"]}), notify=[f"{webhook.url}/other"])
    assert run.wait(60)
    assert [message["path"] for message in webhook.heard] == [f"/{SECRET}", f"/{SECRET}/other"]
    webhook.nowhere_in(run.folder)


def test_a_URL_of_the_command_line_is_in_no_file(webhook):
    Path("f.yaml").write_text(page(*GOOD))
    command = [sys.executable, "-m", "launchers", "flow", "run", "f.yaml"]
    done = subprocess.run([*command, "--notify", webhook.url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(webhook.heard) == 2
    assert SECRET not in done.stdout + done.stderr
    webhook.nowhere_in(Path("runs"))
    detached = [*command, f"--notif={webhook.url}", "--detach"]
    assert subprocess.run(detached, check=False, capture_output=True).returncode == 0
    deadline = time.monotonic() + 20
    while len(webhook.heard) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    webhook.nowhere_in(Path("runs"))


def test_a_URL_in_the_page_and_one_in_a_file(webhook, tmp_path):
    secret = tmp_path / "hook"
    secret.write_text(f"{webhook.url}\n")
    secret.chmod(0o600)
    _, succeeded = ran(GOOD, {"urls": [f"file:{secret}", webhook.url]})
    assert succeeded
    assert len(webhook.heard) == 4
    webhook.nowhere_in(Path("runs"))


# -- what cannot be sent -----------------------------------------------------------------------------------------


def test_what_cannot_be_sent_is_reported_without_a_URL_and_fails_nothing(webhook, monkeypatch, capsys):
    monkeypatch.setenv("HOOK", f"json://127.0.0.1:1/{SECRET}")
    monkeypatch.setenv("HOOK2", f"nothing-like-that://{SECRET}")
    run, succeeded = ran(GOOD, {"urls": ["$HOOK", "$HOOK2"]})
    assert succeeded
    unknown = "apprise does not know this kind of URL"
    why = f"cannot send a message through $HOOK ({REFUSED}), $HOOK2 ({unknown})"
    assert unsent_messages(run.folder) == [f"notify.started: {why}", f"notify.finished: {why}"]
    for step in ("notify.started", "notify.finished"):
        log = "".join(path.read_text() for path in run.logs(step))
        assert f"launchers: {step}: {why}\n" in log
        assert "Traceback" not in log
    webhook.nowhere_in(run.folder)
    assert main(["wait", str(run.folder)]) == 0
    assert capsys.readouterr().err.splitlines() == [f"launchers: {line}" for line in unsent_messages(run.folder)]


def test_a_message_that_the_service_refuses(webhook, monkeypatch):
    webhook.answer = 403
    monkeypatch.setenv("HOOK", webhook.url)
    run, _ = ran(BAD, {"urls": ["$HOOK"], "on": ["failed"]})
    assert unsent_messages(run.folder) == [f"notify.finished: cannot send a message through $HOOK ({REFUSED})"]


def test_a_run_whose_messages_were_sent(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    run, _ = ran(GOOD, {"urls": ["$HOOK"]})
    assert unsent_messages(run.folder) == []


def test_the_other_places_get_the_message_that_one_refuses(webhook, monkeypatch, capsys):
    monkeypatch.setenv("HOOK", webhook.url)
    monkeypatch.setenv("BAD", f"nothing-like-that://{SECRET}")
    with pytest.raises(RuntimeError, match=r"^cannot send a message through \$BAD \(apprise does not know"):
        send(["$BAD", "$HOOK"], "title", "body")
    assert [message["title"] for message in webhook.heard] == ["title"]
    send(["$HOOK"], "title", "body")
    assert capsys.readouterr() == ("", "launchers: sent 'title'\n")


def test_a_variable_that_the_job_does_not_have(monkeypatch):
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(RuntimeError, match=r"^\$HOOK is not in the environment of this job: keep the URL in a file"):
        send(["$HOOK"], "title", "body")


def test_apprise_is_wanted_only_by_the_job_that_sends(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(RuntimeError, match=r"messages need apprise: pip install 'launchers\[notify\]'"):
        send(["$HOOK"], "title", "body")


def test_apprise_logs_nothing_while_a_message_is_sent(webhook, monkeypatch, caplog):
    import logging

    webhook.answer = 403
    monkeypatch.setenv("HOOK", webhook.url)
    with pytest.raises(RuntimeError):
        send(["$HOOK"], "title", "body")
    assert [record for record in caplog.records if record.name == "apprise"] == []
    assert not logging.getLogger("apprise").disabled
