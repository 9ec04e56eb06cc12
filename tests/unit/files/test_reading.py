"""What a person names is read, whatever it is, and nothing is waited for that may never come."""

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from launchers.files.reading import read_named, read_stdin


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 200_000)
    assert read_named(tmp_path / "f", 200_000) == b"x" * 200_000
    with pytest.raises(OSError, match="too large") as caught:
        read_named(tmp_path / "f", 199_999)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / "f")


def test_an_empty_file(tmp_path):
    (tmp_path / "f").touch()
    assert read_named(tmp_path / "f", 10) == b""
    assert read_named(Path(os.devnull), 10) == b""


def test_what_has_no_end_is_too_long():
    with pytest.raises(OSError, match="too large"):
        read_named(Path("/dev/zero"), 1 << 20)


def test_a_pipe_into_which_nothing_writes_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No program writes into this pipe"):
        read_named(tmp_path / "pipe", 10)


def test_a_pipe_is_read_to_its_end_however_late_that_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)

    def write():
        os.write(writer, b"first ")
        release.wait(10)
        os.write(writer, b"last")
        os.close(writer)

    release = threading.Event()
    thread = threading.Thread(target=write)
    thread.start()
    threading.Timer(0.2, release.set).start()
    assert read_named(tmp_path / "pipe", 100) == b"first last"
    thread.join()


def test_a_pipe_of_the_shell_that_has_nothing_yet():
    code = (
        "import sys; from pathlib import Path; from launchers.files.reading import read_named;"
        "print(read_named(Path(sys.argv[1]), 100))"
    )
    script = f"exec {sys.executable} -c '{code}' <(sleep 0.3; echo late)"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "b'late\\n'\n", done.stderr


def test_a_folder_is_an_error_with_its_name(tmp_path):
    with pytest.raises(IsADirectoryError) as caught:
        read_named(tmp_path, 10)
    assert caught.value.filename == str(tmp_path)


def test_stdin_has_a_limit(monkeypatch):
    for content in (b"12345", b"123456"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        if len(content) == 5:
            assert read_stdin(5) == content
        else:
            with pytest.raises(OSError, match="too large"):
                read_stdin(5)
