"""`launchers convert`: what a cluster prints, as a launchers.yaml."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path

from attrs import evolve

from launchers.config.emit import to_yaml
from launchers.config.schema import SlurmGroup
from launchers.oar.convert import convert as convert_oar
from launchers.oar.facts import is_oarnodes_output
from launchers.oar.facts import read_oarnodes as read_oar
from launchers.oar.query import ask as ask_oar
from launchers.quantities.hosts import fold_hosts
from launchers.slurm.anonymize import anonymize
from launchers.slurm.convert import Person, convert, outside
from launchers.slurm.facts import Facts
from launchers.slurm.probe import carried
from launchers.slurm.query import ClusterError, read_live_cluster
from launchers.slurm.read import read


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="output of scontrol, sacctmgr, sinfo (text or JSON), or of oarnodes -J; - is stdin",
    )
    command.add_argument("--slurm", action="store_true", help="ask the live cluster (what is done at a terminal)")
    command.add_argument("--oar", action="store_true", help="ask the live OAR")
    command.add_argument("--user", metavar="NAME", help="whose associations count (default: yours, if live)")
    command.add_argument("--partition", metavar="P", action="append", default=[], help="only this partition (repeat)")
    command.add_argument("--no-hosts", action="store_true", help="leave host names out")
    command.add_argument("--anonymize", action="store_true", help="give everything other names, for a bug report")
    command.add_argument("--id", metavar="NAME", help="what to call the group (default: the cluster's name)")
    command.add_argument("-o", "--output", metavar="FILE", help="write to FILE (default: stdout)")
    command.add_argument(
        "--update", metavar="FILE", help="rewrite the facts: file of this launchers.yaml and print what changed"
    )


def run(options: argparse.Namespace) -> int:
    """Read, convert, write; problems in the input go to stderr and are status 1 only when nothing could be read."""
    if options.update and options.output:
        print("launchers convert: --update knows where to write: leave --output out", file=sys.stderr)
        return 2
    target = facts_file(Path(options.update)) if options.update else None
    live = options.slurm or options.oar or (not options.files and sys.stdin.isatty())
    try:
        texts = [] if live else _texts(options.files or ["-"])
        if options.oar or any(map(is_oarnodes_output, texts)):
            return _oar(options, texts, target)
        facts, person, source = _facts(options, texts)
    except ClusterError as error:
        print(f"launchers convert: the cluster cannot be read: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"launchers convert: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    for problem in facts.problems:
        print(f"launchers convert: {problem}", file=sys.stderr)
    if not facts.nodes and not facts.partitions:
        print(
            "launchers convert: no node and no partition in this: give it the output of `scontrol show nodes` "
            "and `scontrol show partitions`, or of `oarnodes -J`",
            file=sys.stderr,
        )
        return 2
    if said := _unknown(options, facts):
        print(f"launchers convert: {said}", file=sys.stderr)
        return 2
    if left := outside(facts):
        names = fold_hosts(node.name for node in left)
        print(f"launchers convert: left out, as they are in no partition: {names}", file=sys.stderr)
    if options.user:
        person = evolve(person, user=options.user)
    if options.anonymize:
        facts, person = anonymize(facts), Person("user1" if person.user else None)
    found = convert(facts, person, only=options.partition, hosts=not options.no_hosts, id=options.id)
    kept = target or (Path(options.output) if options.output else None)
    if kept is not None and kept.exists():
        found = evolve(found, group=carried(_old(kept), found.group))
    counts = f"{len(facts.nodes)} nodes, {len(facts.partitions)} partitions"
    return _written(options, target, to_yaml(found, _head(counts, source)))


def _unknown(options: argparse.Namespace, facts: Facts) -> str:
    """What the options ask for and the cluster does not have, and what it has."""
    partitions = sorted(one.name for one in facts.partitions)
    for name in options.partition:
        if name not in partitions:
            return f"--partition {name}: there is none; there are {', '.join(partitions) or 'no partitions'}"
    users = sorted({one.user for one in facts.associations if one.user})
    if options.user and users and options.user not in users:
        known = ", ".join(users[:10]) + (f" and {len(users) - 10} more" if len(users) > 10 else "")
        return f"--user {options.user}: no association is of this user; there are those of {known}"
    return ""


def _oar(options: argparse.Namespace, texts: list[str], target: Path | None) -> int:
    """The same for OAR, which tells everything in one answer."""
    if options.anonymize or options.partition or options.user or len(texts) > 1:
        said = "one output of oarnodes -J, and no --anonymize, --partition or --user"
        print(f"launchers convert: of OAR it reads {said}", file=sys.stderr)
        return 2
    facts = ask_oar() if options.oar else read_oar(texts[0])
    if isinstance(facts, str):
        raise ClusterError(facts)
    for problem in facts.problems:
        print(f"launchers convert: {problem}", file=sys.stderr)
    found = convert_oar(facts, hosts=not options.no_hosts, id=options.id)
    source = "the live OAR" if options.oar else "what oarnodes printed"
    return _written(options, target, to_yaml(found, _head(f"{len(facts.nodes)} nodes", source)))


def _written(options: argparse.Namespace, target: Path | None, text: str) -> int:
    """Write where it belongs; 2 when that cannot be written."""
    if target is not None:
        return update(target, text)
    if options.output:
        return _put(Path(options.output), text)
    print(text, end="")
    return 0


def _put(path: Path, text: str) -> int:
    """Write a file; 2, and why on stderr, when that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"launchers convert: {path} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _texts(names: list[str]) -> list[str]:
    """What the files hold."""
    read = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes() for name in names)
    return [one.decode("utf-8", "replace") for one in read]


def _facts(options: argparse.Namespace, texts: list[str]) -> tuple[Facts, Person, str]:
    """The facts, for whom, and where they came from."""
    if not texts:
        asked = read_live_cluster()
        for failure in asked.failed:
            print(f"launchers convert: not asked: {failure}", file=sys.stderr)
        return asked.facts, asked.person, "the live cluster"
    return read(*texts), Person(options.user), "what Slurm printed"


def _old(path: Path) -> SlurmGroup | None:
    """The entry that a file written before holds; None when it is no such file."""
    from launchers.config.load import load
    from launchers.files.problems import ConfigError

    try:
        groups = load(path).document.slurm or ()
    except ConfigError:
        return None
    return groups[0] if len(groups) == 1 else None


def _head(counts: str, source: str) -> str:
    """What stands above the entry: where it came from and how to use it; no date, so that equal input is equal text."""
    return (
        f"Written by `launchers convert` from {source}: {counts}.\n"
        "To change something, do not edit this file: lay an entry of your own over it with `facts: THIS-FILE`,\n"
        "and `launchers convert --update YOUR-FILE` will refresh this one."
    )


def facts_file(path: Path) -> Path:
    """The facts file that a launchers.yaml names; ConfigError with what to do when it names none."""
    from launchers.config.load import load
    from launchers.files.problems import ConfigError, Problem

    document = load(path).document
    named = [one.facts for one in document.slurm or () if one.facts]
    named += [one.facts for one in document.oar or () if one.facts]
    if len(named) != 1:
        message = f"one slurm: or oar: entry has to name a facts: file, {len(named)} do"
        hint = "write the facts with `launchers convert -o cluster.yaml`, and `facts: cluster.yaml` in an entry here"
        raise ConfigError([Problem(str(path), 1, 1, "LC111", "slurm", message, hint)])
    return path.parent / Path(named[0]).expanduser()


def update(path: Path, text: str) -> int:
    """Rewrite a facts file and print the difference; 2 when it cannot be written."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before == text:
        print(f"launchers convert: {path} is up to date", file=sys.stderr)
        return 0
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), text.splitlines(keepends=True), f"{path} (before)", f"{path} (now)"
    )
    sys.stdout.writelines(lines)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    if status := _put(fresh, text):
        return status
    fresh.rename(path)
    return 0
