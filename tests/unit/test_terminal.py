"""What may reach a terminal."""

import unicodedata

import pytest

from launchers.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("größe 東京 ✓ é", "größe 東京 ✓ é"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("over\rwritten\x08\x7f", r"over\x0dwritten\x08\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("a\u2066b\u200bc\ufeff", r"a\u2066b\u200bc\ufeff"),
        ("name\udce9", r"name\udce9"),
        ("\U000e0041", r"\U000e0041"),
        ("nul\x00", r"nul\x00"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text, shown):
    assert printable(text) == shown


def test_no_control_character_is_forgotten():
    """Every control and format character that this Python's Unicode knows, but for newline, tab, soft hyphen and those
    that only some scripts of writing have."""
    letters = {0xAD, 0x0600, 0x0601, 0x0602, 0x0603, 0x0604, 0x0605, 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2}
    left = [
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and code not in letters
        and not 0x11000 <= code <= 0x1FFFF
        and printable(chr(code)) == chr(code)
    ]
    assert left == [0x09, 0x0A]
