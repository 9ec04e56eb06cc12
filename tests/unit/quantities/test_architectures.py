"""The names of processor architectures."""

import pytest

from launchers.quantities.architectures import KNOWN, normalize_architecture


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, name) for name in KNOWN),
        ("AMD64", "x86_64"),
        ("x86-64", "x86_64"),
        ("x86_64_v3", "x86_64"),
        ("arm64", "aarch64"),
        (" aarch64\n", "aarch64"),
        ("ppc64el", "ppc64le"),
        ("e2k", "e2k"),
        *((text, None) for text in ("", "(null)", "N/A", "Unknown", "a b", "$(id)", "64", "true", "x6" * 40)),
    ],
)
def test_names(name, expected):
    assert normalize_architecture(name) == expected
