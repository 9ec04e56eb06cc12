"""Bytes of a file as text."""

import pytest

from launchers.files.decoding import decode

TEXT = "NodeName=n1 Reason=défaut\n   CPUTot=4\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_every_encoding_gives_the_same_text(encoding):
    assert decode(TEXT.encode(encoding)) == TEXT


def test_a_mark_of_utf_16_in_the_other_order():
    assert decode(b"\xfe\xff" + TEXT.encode("utf-16-be")) == TEXT


def test_only_the_line_that_is_no_utf_8_is_taken_for_latin_1():
    assert decode("❯ sinfo\n".encode() + b"d\xe9faut\n") == "❯ sinfo\ndéfaut\n"


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff", b"\xff\xfe", b"\xff\xfea", b"\0a\0", b"a\0b\0c", bytes(range(256))]
)
def test_no_bytes_are_refused(content):
    assert isinstance(decode(content), str)


def test_zeros_in_a_text_do_not_make_it_utf_16():
    assert decode(b"NodeName=a\0\0\0\0\n" * 9).startswith("NodeName=a\0")
