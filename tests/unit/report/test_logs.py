"""The ends of logs."""

from launchers.report.logs import tail


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 70_000 + b"\nlast \xff \x1b]0;title\x07\x1b[1;31mred\x1b[0m\tgone\rhere\r\n\n")
    assert tail(log, 5) == ["here"]
    log.write_text("\n".join(map(str, range(100_000))))
    assert tail(log, 3) == ["99997", "99998", "99999"]
    log.write_text("y" * 1000)
    assert len(tail(log, 3)[0]) == 501
    log.write_text("\n \n")
    assert tail(log, 3) == []
