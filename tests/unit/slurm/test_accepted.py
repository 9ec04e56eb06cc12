"""Whatever was pasted, `launchers convert` prints a file that `check` and `list` accept."""

import random
import re

import pytest
from slurm_texts import node, partition, text_of

from launchers.cli import main
from launchers.config.build import build
from launchers.config.check import check
from launchers.config.load import loads
from launchers.launcher.conversion import ConversionError, ConversionOptions, convert_texts

ODD = [
    "=", ",", '"', "'", "é", "\0", "\u2028", "[", "]", "{}", "0" * 30, "9" * 25, "-5", "$(x)", "`", "#", ": ", "\t", "&",
    "*", "|", "no", "~", "\x1b[31m",
]  # fmt: skip
NUMBERS = ["0", "-1", "99999999999999999999", "1.5", "x", "4294967295", "18446744073709551615"]
VALUES = [
    "", "(null)", "UNLIMITED", "NONE", "n/a", "ALL", "a b", "é", "UNKNOWN", "MAINT", "1:2:3", "9999-00:00:00", "0", "*",
    "none",
]  # fmt: skip


def mutated(rng, texts):
    """Captures cut, joined, shuffled, with words and values that no cluster should have."""
    lines = "\n".join(rng.choice(texts) for _ in range(rng.randint(1, 3))).splitlines(keepends=True)
    for _ in range(rng.randint(0, 8)):
        if not lines:
            break
        at = rng.randrange(len(lines))
        line = lines[at]
        cut = rng.randrange(len(line) + 1)
        lines[at] = rng.choice(
            [
                line[:cut],
                line + rng.choice(lines),
                "",
                line[:cut] + rng.choice(ODD) + line[cut:],
                re.sub(r"\d+", lambda found: rng.choice([found[0], *NUMBERS]), line),
                re.sub(r"=(\S*)", lambda found: "=" + rng.choice([found[1], *VALUES]), line),
                line.upper(),
                line.lower(),
            ]
        )
        if rng.random() < 0.2:
            end = rng.randrange(len(lines))
            lines[at:end] = lines[at:end][::-1]
    return "".join(lines)


def problems_of(text):
    """What is wrong with the file that is printed for this text; none where there is no file."""
    try:
        converted = convert_texts([text], ConversionOptions()).text
    except ConversionError:
        return []
    config = loads(converted)
    build(config.document)
    return [problem for problem in check(config) if problem.is_error]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_was_pasted_gives_a_file_that_is_accepted(shared, seed):
    rng = random.Random(seed)
    files = sorted(
        path for folder in ("pasted", "real-clusters", "slurm-22.05") for path in (shared / folder).rglob("*")
    )
    texts = [
        path.read_text(errors="replace")
        for path in files
        if path.is_file() and path.stat().st_size < 30_000 and "right" not in path.name
    ]
    for _ in range(8):
        assert problems_of(mutated(rng, texts)) == []


@pytest.mark.parametrize(
    "text",
    [
        partition(State="MAINT"), partition(State="UNKNOWN"), partition("a$(b)") + partition("p"),
        partition(MaxTime="9999-00:00:00"), partition(DenyAccounts="$(x),a"), partition(AllowQos="a b"),
        partition(nodes="(Resources)"), partition(nodes="n[1-3],,x"), partition(TotalNodes=10**30), partition(MinNodes=-1),
        partition(TRES="mem=9999999P,cpu=-1"), node(RealMemory=10**18), node(CPUTot=10**25), node(RealMemory=5, MemSpecLimit=9),
        node(ActiveFeatures="a,$(x),b c"), node("n1\x01", State="x"), partition(AllowGroups="\x07"),
        "PartitionName=only\n", "ClusterName = \x01\n" + node(), "Name|GrpTRES\nq|mem=0,cpu=0\n\n" + partition(AllowQos="q,other"),
    ],
)  # fmt: skip
def test_what_no_file_can_hold_is_left_out(text, tmp_path, capsys):
    assert problems_of(text) == []
    given, written = tmp_path / "pasted.txt", tmp_path / "cluster.yaml"
    given.write_text(text)
    assert main(["convert", str(given), "-o", str(written)]) == 0
    assert main(["check", str(written)]) == 0
    assert main(["list", "--config", str(written)]) == 0
    capsys.readouterr()


def test_what_is_left_out_is_told():
    conversion = convert_texts(
        [node(ActiveFeatures="a,$(x)") + partition(MaxTime="9999-00:00:00")], ConversionOptions()
    )
    assert [remark.partition(":")[0] for remark in conversion.remarks] == [
        "partitions.p.nodes.0.features.1",
        "partitions.p.limits.max_duration",
    ]


def test_a_state_that_launchers_does_not_know_closes_the_partition():
    text = text_of(node(), partition(State="MAINT"))
    assert "disabled: true  # State=MAINT, which is not a state in which jobs start" in text
    assert "state:" not in text
