"""GRES and TRES lists; the numbers are read off the texts by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.slurm.gres import Gres, read_gres, read_tres

G, M = 1024**3, 1024**2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu:a100:8(S:0-1)", (Gres("gpu", "a100", 8, "0-1"),)),
        ("gpu:2", (Gres("gpu", None, 2),)),
        ("gpu", (Gres("gpu", None, 1),)),
        ("gpu:h100:2(S:0-1),gpu:h200:4(S:2,3)", (Gres("gpu", "h100", 2, "0-1"), Gres("gpu", "h200", 4, "2,3"))),
        (
            "gpu:titan:6,VramPerGpu:no_consume:12G",
            (Gres("gpu", "titan", 6), Gres("VramPerGpu", None, 12 * G, None, True)),
        ),
        ("gpfs:scratch:1", (Gres("gpfs", "scratch", 1),)),
        ("gpu:nvidia_h100_80gb_hbm3_3g.40gb:2", (Gres("gpu", "nvidia_h100_80gb_hbm3_3g.40gb", 2),)),
        ("gpu:a-b.c_d:1", (Gres("gpu", "a-b.c_d", 1),)),
        ("gpu:no_consume:2", (Gres("gpu", None, 2, None, True),)),
        ("gpu:a:b:3", (Gres("gpu", "a:b", 3),)),
        ("gpu:a100(IDX:0-1)", (Gres("gpu", "a100", 1),)),
        ("craynetwork:4K,,bandwidth:1.5M", (Gres("craynetwork", None, 4096), Gres("bandwidth", None, 3 * 2**19))),
        ("(null)", ()),
        (" N/A ", ()),
        ("none", ()),
    ],
)
def test_gres(text, found):
    assert read_gres(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":2", "':2' is not a GRES: it has no name"), ("no_consume", "'no_consume' is not a GRES: it has no name"),
        ("gpu:2(S:0)x", r"'gpu:2\(S:0\)x' is not a GRES: something follows the parenthesis"),
    ],
)  # fmt: skip
def test_what_is_no_gres(text, message):
    with pytest.raises(ValueError, match=message):
        read_gres(text)


def test_tres():
    text = "cpu=128,mem=75512.50G,billing=1763704832,gres/GPU=64,gres/gpu:a100=8,license/x@osc=1"
    assert dict(read_tres(text)) == {
        "cpu": 128, "mem": int(75512.5 * G), "billing": 1763704832, "gres/gpu": 64, "gres/gpu:a100": 8,
        "license/x@osc": 1,
    }  # fmt: skip
    assert read_tres("mem=1000000M") == (("mem", 1000000 * M),)
    assert read_tres("mem=5,node=5,cpu=,,billing=2K") == (("mem", 5 * M), ("node", 5), ("billing", 2048))
    assert read_tres("gres/GPU:A100=1") == (("gres/GPU:A100", 1),)
    assert read_tres(" (null) ") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=5", "'=5' is not a TRES: it has no name and amount"), ("cpu", "'cpu' is not a TRES: it has no name and amount"),
        ("cpu=x", "'cpu=x' is not a TRES: 'x' is not a number"), ("cpu=1,mem=1GG", "'mem=1GG' is not a TRES: '1GG' is not a number"),
    ],
)  # fmt: skip
def test_what_is_no_tres(text, message):
    with pytest.raises(ValueError, match=message):
        read_tres(text)


@settings(max_examples=200)
@given(st.text(alphabet="gpu:a10(S,)-_.KMG%", max_size=30))
def test_gres_gives_resources_or_a_value_error(text):
    try:
        assert all(one.count >= 0 for one in read_gres(text))
    except ValueError as error:
        assert str(error)
