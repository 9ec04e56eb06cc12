"""Control characters of inputs, names, reasons and logs are shown, not sent."""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import Recorder

from launchers.cli import main, show
from launchers.terminal import OutputError, Shown, open_closed_streams, put, put_bytes, raw, shown_streams

ROOT = Path(__file__).resolve().parents[3]
EVIL = "\x1b]0;title\x07\x1b[2J\r\x9b31mred\u202egpj\x08"
SHOWN = r"\x1b]0;title\x07\x1b[2J\x0d\x9b31mred\u202egpj\x08"
LOG = b"\x1b[31mred\x1b[0m\nfirst\rsecond\r\nbytes \xe9\n\xe2\x80\xae\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run in whose reasons and logs a terminal would find orders."""
    monkeypatch.chdir(tmp_path)
    recorder = Recorder(Path("runs"))
    recorder.step("a", jobs=[(0, 60, {"state": "FAILED", "reason": f"{EVIL}\nb  COMPLETED"})])
    folder = recorder.run("p").folder
    (folder / "jobs" / "a").mkdir()
    (folder / "jobs" / "a" / "a_0_log.out").write_bytes(LOG)
    return folder


def obeyed(text):
    """The characters of an output that a terminal would obey."""
    return [
        each
        for each in text
        if (ord(each) < 0x20 and each not in "\n\t") or 0x7F <= ord(each) < 0xA0 or each in "\u202e"
    ]


@pytest.mark.parametrize(
    "argv",
    [
        ["find", EVIL],
        ["find", "--tag", EVIL, "cpu()"],
        ["find", "--config", f"/no/{EVIL}", "cpu()"],
        ["explain", EVIL],
        ["check", f"/no/{EVIL}"],
        ["status", EVIL],
        ["logs", "{run}", EVIL],
        ["cancel", "{run}", EVIL],
        ["clean", EVIL],
        ["runs", EVIL],
        ["convert", f"/no/{EVIL}"],
        ["flow", "check", f"/no/{EVIL}"],
        ["scan", "list", f"/no/{EVIL}"],
        ["retry", "{run}", "--escalate", EVIL],
        [EVIL],
        ["find", f"--{EVIL}"],
        ["status", "{run}"],
        ["wait", "{run}"],
        ["status", "{run}", "--json"],
        ["advise", "{run}"],
    ],
    ids=lambda argv: " ".join(argv).encode("unicode_escape").decode()[:40],
)
def test_nothing_that_is_printed_is_obeyed(run, capsys, argv):
    with contextlib.suppress(SystemExit):
        main([word.replace("{run}", str(run)) for word in argv])
    out, err = capsys.readouterr()
    assert obeyed(out + err) == []


def test_a_cell_is_one_line(run, capsys):
    main(["status", str(run)])
    _, _, row = capsys.readouterr().out.splitlines()
    assert row.endswith(f"{SHOWN}\\nb  COMPLETED")


def test_json_stays_json(run, capsys):
    main(["status", str(run), "--json"])
    out = capsys.readouterr().out
    assert json.loads(out)["steps"][0]["reason"] == f"{EVIL}\nb  COMPLETED"
    show.print_json({"name": "größe \x7f"})
    assert capsys.readouterr().out == json.dumps({"name": "größe \x7f"}, indent=2) + "\n"


def test_a_rich_table_has_no_colours_of_its_cells(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # without colours of our own
    show.print_table([(f"[red]{EVIL}", "b")], ("HEAD", "[bold]"), EVIL)
    out = capsys.readouterr().out
    assert "[red]" in out
    assert "[bold]" in out
    assert obeyed(out) == []


# -- logs --------------------------------------------------------------------------------------------------------


def at_a_terminal(*argv):
    """What a command writes to a terminal."""
    parent, child = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, "-m", "launchers", *argv], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 4096):
            seen += chunk
    except OSError:  # the end of the last process that has it open
        pass
    assert process.wait(30) == 0
    os.close(parent)
    return seen.replace(b"\r\n", b"\n")


def test_a_log_in_a_pipe_is_as_it_is(run):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    argv = [sys.executable, "-m", "launchers", "logs", str(run), "a"]
    assert subprocess.run(argv, capture_output=True, check=True, env=environment).stdout == LOG


def test_a_log_at_a_terminal_is_shown(run):
    expected = b"\\x1b[31mred\\x1b[0m\nfirst\nsecond\nbytes \\xe9\n\\u202e\n"
    assert at_a_terminal("logs", str(run), "a") == expected


# -- the streams -------------------------------------------------------------------------------------------------


def test_what_cannot_be_written_is_an_error_once_and_for_all():
    full = Shown(open("/dev/full", "w", encoding="utf-8", buffering=1), must=True)
    with pytest.raises(OutputError):
        full.write("text\n")
    with pytest.raises(OutputError):
        full.flush()


def test_what_cannot_be_said_on_stderr_is_lost():
    full = Shown(open("/dev/full", "w", encoding="utf-8", buffering=1), must=False)
    assert full.write("text\n") == 5
    full.flush()


def test_a_stream_is_asked_below(monkeypatch):
    below = io.StringIO()
    stream = Shown(below, must=True)
    stream.writelines([EVIL, "b"])
    assert stream.getvalue() == f"{SHOWN}b"
    assert raw(stream) is below
    assert raw(below) is below


def test_what_is_a_file_is_put_as_it_is(capfd, monkeypatch):
    with shown_streams():
        print("before")
        put(EVIL)
        put_bytes(b"end\n")
    assert capfd.readouterr().out == f"before\n{EVIL}end\n"
    with shown_streams():
        monkeypatch.setattr(raw(sys.stdout), "isatty", lambda: True)
        put(EVIL)
    assert capfd.readouterr().out == SHOWN


def test_streams_that_are_open_stay(capfd):
    before = (sys.stdin, sys.stdout, sys.stderr)
    open_closed_streams()
    assert (sys.stdin, sys.stdout, sys.stderr) == before
