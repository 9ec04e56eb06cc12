"""Telling people, through apprise, to a local HTTP server; a URL is a secret and stands nowhere."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from webhook import SECRET

from launchers.cli import main
from launchers.runs.run import open_run

pytest.importorskip("apprise")

REFUSED = "the service cannot be reached, or refuses the message"
GOOD = "name: told\nNOTIFY\njobs:\n- {name: a, command: [ls]}\n- {name: b, command: [ls], depends_on: [a]}\n"
BAD = GOOD.replace("[ls]", "'echo oh; exit 3'", 1)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")


def flow(text, notify, *options):
    Path("f.yaml").write_text(text.replace("NOTIFY", notify))
    status = main(["flow", "run", "f.yaml", *options])
    return status, open_run(next(Path("runs").iterdir()))


def test_started_and_finished(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    status, run = flow(GOOD, "notify: {urls: $HOOK}")
    assert status == 0
    assert sorted(one["title"] for one in webhook.heard) == [
        f"told {run.store.id} finished",
        f"told {run.store.id} started",
    ]
    finished = next(one for one in webhook.heard if one["title"].endswith("finished"))
    assert finished["message"] == f"all 2 steps completed\n{run.folder}"
    assert finished["path"] == f"/{SECRET}"
    webhook.nowhere_in(run.folder)


def test_failed(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    status, _ = flow(BAD, "notify: {urls: [$HOOK], on: [failed]}")
    assert status == 1
    (told,) = webhook.heard
    assert told["title"].endswith(" failed")
    assert "a: FAILED" in told["message"]
    assert "b: CANCELLED" in told["message"]


def test_a_handler_that_nobody_needed_is_no_failure_to_be_told_of(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    handler = "- {name: rescue, command: [ls], depends_on: ['afternotok:a']}\n"
    status, run = flow(GOOD + handler, "notify: {urls: [$HOOK], on: [finished, failed]}")
    assert status == 0
    (told,) = webhook.heard
    assert told["title"].endswith(" finished")
    assert told["message"] == f"completed; not needed: rescue\n{run.folder}"


def test_only_what_is_asked_for(webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    flow(GOOD, "notify: {urls: [$HOOK], on: [failed]}")
    assert webhook.heard == []


def test_a_URL_of_the_command_line_is_in_no_file(webhook):
    Path("f.yaml").write_text(GOOD.replace("NOTIFY\n", ""))
    done = subprocess.run(
        [sys.executable, "-m", "launchers", "flow", "run", "f.yaml", "--notify", webhook.url],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(webhook.heard) == 2
    assert SECRET not in done.stdout + done.stderr
    webhook.nowhere_in(Path("runs"))
    again = [sys.executable, "-m", "launchers", "flow", "run", "f.yaml", f"--notif={webhook.url}", "--detach"]
    assert subprocess.run(again, check=False, capture_output=True).returncode == 0
    deadline = time.monotonic() + 20
    while len(webhook.heard) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    webhook.nowhere_in(Path("runs"))


def test_a_URL_in_the_page_or_in_a_file_of_ones_own(webhook, tmp_path, capsys):
    secret = tmp_path / "hook"
    secret.write_text(f"{webhook.url}\n")
    secret.chmod(0o644)
    Path("f.yaml").write_text(GOOD.replace("NOTIFY", f"notify: {{urls: ['file:{secret}', {webhook.url!r}]}}"))
    assert main(["flow", "run", "f.yaml"]) == 2
    assert f"notify: other users can read {secret} (mode 644): chmod 600 {secret}" in capsys.readouterr().err
    secret.chmod(0o600)
    assert main(["flow", "run", "f.yaml"]) == 0
    assert len(webhook.heard) == 4
    webhook.nowhere_in(Path("runs"))


def test_what_cannot_be_told_is_said_without_a_URL_and_fails_nothing(webhook, monkeypatch, capsys):
    monkeypatch.setenv("HOOK", f"json://127.0.0.1:1/{SECRET}")
    monkeypatch.setenv("HOOK2", f"nothing-like-that://{SECRET}")
    status, run = flow(GOOD, "notify: {urls: [$HOOK, $HOOK2]}")
    assert status == 0
    said = capsys.readouterr().err.splitlines()
    unknown = "apprise does not know this kind of URL"
    why = f"cannot send a message through $HOOK ({REFUSED}), $HOOK2 ({unknown})"
    for step, line in zip(("notify.started", "notify.finished"), said, strict=True):
        assert line == f"launchers: {step}: {why}"
        logs = "".join(path.read_text() for path in run.logs(step))
        assert line in logs
        assert "Traceback" not in logs
    webhook.nowhere_in(run.folder)
    assert main(["wait", str(run.folder)]) == 0
    assert capsys.readouterr().err.splitlines() == said
    assert main(["retry", str(run.folder)]) == 0
    assert "nothing to retry" in capsys.readouterr().out


def test_a_message_that_the_service_refuses(webhook, monkeypatch, capsys):
    webhook.answer = 403
    monkeypatch.setenv("HOOK", webhook.url)
    status, _ = flow(BAD, "notify: {urls: [$HOOK], on: [failed]}")
    assert status == 1
    assert f"notify.finished: cannot send a message through $HOOK ({REFUSED})\n" in capsys.readouterr().err


def test_a_variable_that_is_not_set_is_said_first(capsys, monkeypatch):
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    Path("f.yaml").write_text(GOOD.replace("NOTIFY", "notify: {urls: $NO_SUCH_HOOK}"))
    assert main(["flow", "run", "f.yaml"]) == 2
    assert "notify: $NO_SUCH_HOOK is not set in the environment" in capsys.readouterr().err
