"""The ends of logs."""

from recorded import Recorder

from launchers.report.logs import FAILED_LINES, LINES, last_line, log_ends, tail


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 70_000 + b"\nlast \xff \x1b]0;title\x07\x1b[1;31mred\x1b[0m\tgone\rhere\r\n\n")
    assert tail(log, 5) == ["here"]
    log.write_text("\n".join(map(str, range(100_000))))
    assert tail(log, 3) == ["99997", "99998", "99999"]
    log.write_text("y" * 501)
    assert tail(log, 3) == ["y" * 500 + "\N{HORIZONTAL ELLIPSIS}"]
    log.write_text("y" * 500)
    assert tail(log, 3) == ["y" * 500]
    log.write_text("\n \n")
    assert tail(log, 3) == []


# -- which logs are shown --------------------------------------------------------------------------------------


def recorded(root, **logs):
    """A run whose step `ok` completed and whose map `bad` has five failed items, with these logs."""
    recorder = Recorder(root)
    recorder.step("ok")
    recorder.step("bad", jobs=[(0, 10, {"state": "FAILED"})] * 5)
    recorder.logs = {unit.replace("_", "."): text for unit, text in logs.items()}
    return recorder.run()


def test_the_logs_of_failed_jobs_come_first_and_only_of_a_few(tmp_path):
    run = recorded(tmp_path, ok="fine\n", **{f"bad_{at}": f"error {at}\n" for at in range(5)})
    entries = list(log_ends(run, run.status()))
    assert [entry["name"] for entry in entries] == ["bad:0", "bad:1", "bad:2", "ok"]
    assert [entry["class"] for entry in entries] == ["bad", "bad", "bad", "ok"]
    assert [entry["more"] for entry in entries] == [0, 0, 2, 0]
    assert entries[0]["files"][0]["lines"] == ["error 0"]


def test_more_lines_of_a_failed_job_are_shown(tmp_path):
    text = "".join(f"{at}\n" for at in range(100))
    run = recorded(tmp_path, ok=text, bad_0=text)
    bad, ok = log_ends(run, run.status())
    assert (len(bad["files"][0]["lines"]), len(ok["files"][0]["lines"])) == (FAILED_LINES, LINES)


def test_the_last_line_is_the_jobs_own(tmp_path):
    run = recorded(tmp_path, bad_0="ValueError: no\nsrun: error: node1\nsubmitit ERROR (x) - failed\n")
    ok, bad = run.status()
    assert last_line(run, bad) == "ValueError: no"
    assert last_line(run, ok) == ""
