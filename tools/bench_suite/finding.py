"""Starting, parsing, finding, explaining, converting: what one process does alone."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_suite.peers import installed
from bench_suite.timing import OURS, Row, alternately, missing, printed, process, repeated, row

HEADLINE = "duration=4 days & cuda(mem=24G) * 2 & cpu(mem=400M, cores=4)"
NEED = "duration=4 days & cuda(mem=24G) * 2"
"""The headline without its CPU part, which experimaestro matches with nothing (it takes unknown CPUs for none)."""
LAUNCHERS = OURS.with_name("launchers")
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "slurm-22.05-10000-nodes"
XPM = """
import sys, pkg_resources
pkg_resources.EntryPoint.require = lambda *args, **more: None  # it asks for what it does not need
from pathlib import Path
from experimaestro.launcherfinder.registry import LauncherRegistry, find_launcher
LauncherRegistry.set_config_dir(Path(sys.argv[1]).parent)
"""


def config(folder: Path, partitions: int = 30) -> Path:
    """A launchers.yaml that both read: `partitions` partitions of three kinds of node each, told by features."""
    rng = random.Random(1)
    lines = ["slurm:", "- id: cluster", "  features_regex:", r"  - GPU(?P<cuda_count>\d+)"]
    lines += [
        r"  - GPUM(?P<cuda_memory>\d+G)",
        "  configuration: {cpu: {mem_per_cpu: 2048M}, gpu: {min_mem_ratio: 0.7}}",
    ]
    lines += ["  partitions:"]
    for number in range(partitions):
        lines += [f"    part{number:02}:", "      nodes:"]
        for kind in "abc":
            features = f"GPU{rng.choice([1, 2, 4, 8])}, GPUM{rng.choice([11, 16, 24, 32, 48, 80])}G"
            lines.append(f"      - {{hosts: [{kind}{number:02}x1, {kind}{number:02}x2], features: [{features}]}}")
    path = folder / "launchers.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def shapes(folder: Path, nodes: int) -> Path:
    """A launchers.yaml of 40 kinds of node with so many nodes in all."""
    lines = ["slurm:", "- id: cluster", "  partitions:", "    all:", "      nodes:"]
    for number in range(40):
        each = nodes // 40
        host = f"n{number:02}-[00001-{each:05}]" if each > 1 else f"n{number:02}-00001"
        gpu = f"{{kind: cuda, memory: {8 + number}G, count: {1 + number % 8}}}"
        lines.append(
            f'      - {{hosts: "{host}", count: {each}, cpu: {{cores: {16 + number}, memory: 128G}}, gpu: {gpu}}}'
        )
    path = folder / f"{nodes}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


# -- processes -------------------------------------------------------------------------------------------------


def find(rounds: int) -> Iterator[Row]:
    """`launchers find` and `launchers explain` as whole processes."""
    xpm = installed("experimaestro")
    with tempfile.TemporaryDirectory() as scratch:
        path = config(Path(scratch))
        works = {
            "find": process(LAUNCHERS, "find", NEED, "--config", path),
            "explain": process(LAUNCHERS, "explain", NEED, "--config", path),
            "bare": process(OURS, "-c", "pass"),
        }
        if isinstance(xpm, Path):
            works["xpm"] = process(xpm, "-c", f"{XPM}\nfind_launcher({NEED!r})", path)
        spent = alternately(works, rounds)
    yield row("launchers find, 30 partitions (process)", spent["find"], "python -c pass", spent["bare"], 5)
    if isinstance(xpm, Path):
        yield row("launchers find, 30 partitions (process)", spent["find"], "experimaestro", spent["xpm"], 1 / 5)
    else:
        yield missing("launchers find, 30 partitions (process)", "experimaestro", 1 / 5, xpm)
    yield row("launchers explain, 30 partitions (process)", spent["explain"], "launchers find", spent["find"], 2)


def imported(rounds: int) -> Iterator[Row]:
    """`import launchers`."""
    peer = installed("submitit")
    if isinstance(peer, str):
        yield missing("import launchers", "import submitit", 1 / 3, peer)
        return
    code = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    works = {"ours": printed(OURS, code.format("launchers")), "theirs": printed(peer, code.format("submitit"))}
    spent = alternately(works, rounds)
    yield row("import launchers", spent["ours"], "import submitit", spent["theirs"], 1 / 3)


# -- in a warm process -----------------------------------------------------------------------------------------


def parse(rounds: int) -> Iterator[Row]:
    """One requirement, text to object."""
    xpm = installed("experimaestro")
    if isinstance(xpm, str):
        yield missing("parse the headline (warm)", "experimaestro", 1 / 10, xpm)
        return
    works = {
        "ours": repeated(OURS, "from launchers import parse", f"parse({HEADLINE!r})"),
        "theirs": repeated(xpm, "from experimaestro.launcherfinder.parser import parse", f"parse({HEADLINE!r})"),
    }
    spent = alternately(works, rounds)
    yield row("parse the headline (warm)", spent["ours"], "experimaestro", spent["theirs"], 1 / 10)


OURS_WARM = """
from launchers import parse
from launchers.launcher.groups import load_groups
from launchers.matching import match
groups, _ = load_groups(sys.argv[1])
"""


def warm(rounds: int) -> Iterator[Row]:
    """Find in a process that has read its launchers.yaml: theirs is kept, so ours is too."""
    xpm = installed("experimaestro")
    if isinstance(xpm, str):
        yield missing("find, text requirement (warm)", "experimaestro", 1 / 5, xpm)
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = config(Path(scratch))
        works = {
            "ours": repeated(OURS, OURS_WARM, f"match(parse({NEED!r}), groups)", path),
            "theirs": repeated(xpm, XPM, f"find_launcher({NEED!r})", path),
        }
        spent = alternately(works, rounds)
        mine, theirs = both_answers(xpm, path)
    note = "the same partitions" if mine == theirs else f"ours: {','.join(mine)}; theirs: {','.join(theirs)}"
    yield row("find, text requirement (warm)", spent["ours"], "experimaestro", spent["theirs"], 1 / 5, note=note)


def both_answers(xpm: Path, path: Path) -> tuple[list[str], list[str]]:
    """The partitions that both choose, ours asked for all that fit, as theirs does."""
    import subprocess

    ours = subprocess.run(
        [LAUNCHERS, "find", NEED, "--widest", "--json", "--config", path], capture_output=True, text=True, check=True
    )
    code = f"{XPM}\nprint(find_launcher({NEED!r}).options.partition)"
    theirs = subprocess.run([xpm, "-c", code, path], capture_output=True, text=True, check=True)
    return sorted(json.loads(ours.stdout)["partitions"]), sorted(theirs.stdout.strip().split(","))


def nodes(rounds: int) -> Iterator[Row]:
    """Cost per kind of node, not per node: file read, offers built, need matched."""
    sizes = (100, 1_000, 10_000, 100_000)
    with tempfile.TemporaryDirectory() as scratch:
        setup = "from launchers import find_launcher"
        work = "find_launcher('cuda(mem=24G)*2', config=sys.argv[1])"
        works = {str(size): repeated(OURS, setup, work, shapes(Path(scratch), size)) for size in sizes}
        spent = alternately(works, rounds)
    for size in sizes[1:]:
        yield row(f"find among {size:,} nodes of 40 kinds", spent[str(size)], "100 nodes", spent["100"], 1.2)


# -- converting ------------------------------------------------------------------------------------------------

READ = "from pathlib import Path\ntext = Path(sys.argv[1]).read_text()\n"
ONE = "whole, text = text, text[:1000]; work(); text = whole"
"""Warm from the first node, so that nothing remembered of this text helps."""
CONVERT = """
from launchers.slurm.convert import convert
from launchers.config.emit import to_yaml
from launchers.slurm.read import read
"""
PEAK = """
import resource, sys
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{work}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def convert(rounds: int) -> Iterator[Row]:
    """10,000 nodes as `scontrol show nodes` prints them."""
    source = RECORDED / "scontrol-show-nodes.txt.gz"
    name = "convert 10,000 nodes"
    if not source.exists():
        yield missing(name, "re.findall", 5, f"{source} is not here")
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "nodes.txt"
        path.write_bytes(gzip.decompress(source.read_bytes()))
        works = {
            "ours": repeated(OURS, READ + CONVERT, "to_yaml(convert(read(text)))", path, first=ONE, least=0),
            "floor": repeated(OURS, READ + "import re", r"re.findall(r'(\w+)=(\S*)', text)", path, first=ONE, least=0),
        }
        xpm, snake = installed("experimaestro"), installed("snakemake")
        if isinstance(xpm, Path):
            setup = "import io\nfrom experimaestro.launchers.slurm.configuration import *\n" + READ
            call = "fill_nodes_configuration(io.StringIO(text), SlurmConfiguration(id='', partitions={}))"
            works["xpm"] = repeated(xpm, setup, call, path, first=ONE, least=0)
        if isinstance(snake, Path):
            setup = READ + "from snakemake_executor_plugin_slurm.partitions import *\n"
            setup += "text = text.replace('NodeName=', 'PartitionName=')"  # it reads partitions only
            works["snake"] = repeated(snake, setup, "parse_scontrol_partition_output(text)", path, first=ONE, least=0)
        spent = alternately(works, rounds)
        peak = printed(OURS, PEAK.format(imports=CONVERT, work=READ + "to_yaml(convert(read(text)))"), path)()
        size = path.stat().st_size
    yield row(name, spent["ours"], r"re.findall(r'(\w+)=(\S*)')", spent["floor"], 5)
    for peer, who, what in ((xpm, "xpm", "experimaestro"), (snake, "snake", "snakemake's plugin")):
        note = "names, features and partitions only" if who == "xpm" else "key=value pairs only, no sense made of them"
        beside = f"{what}'s reader".replace("'s's", "'s")
        if isinstance(peer, Path):
            yield row(name, spent["ours"], beside, spent[who], None, note=note)
        else:
            yield missing(name, beside, None, peer)
    yield Row("convert 10,000 nodes: memory (bytes)", peak, "the text", size, peak / size, 10)
