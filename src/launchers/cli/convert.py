"""`launchers convert`: write a launchers.yaml from what a cluster prints, or from the live cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from launchers.config.reading import ClusterError
from launchers.files.decoding import decode
from launchers.files.reading import read_named, read_stdin
from launchers.launcher.conversion import (
    Conversion,
    ConversionError,
    ConversionOptions,
    convert_live_oar,
    convert_live_slurm,
    convert_texts,
    facts_path,
    replace_facts,
)
from launchers.terminal import put

LARGEST = 1 << 29
"""Bytes of an input: the largest clusters print some tens of megabytes."""
WRITTEN, BAD_INPUT, UNREACHABLE = 0, 2, 3


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    command.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="output of scontrol, sacctmgr, sinfo (text or JSON), or of oarnodes -J; - is stdin",
    )
    command.add_argument("--slurm", action="store_true", help="ask the live Slurm cluster (the default at a terminal)")
    command.add_argument("--oar", action="store_true", help="ask the live OAR cluster")
    command.add_argument("--user", metavar="NAME", help="whose associations count (default: yours, if live)")
    command.add_argument("--partition", metavar="P", action="append", default=[], help="only this partition (repeat)")
    command.add_argument("--no-hosts", action="store_true", help="leave host names out")
    command.add_argument("--anonymize", action="store_true", help="give everything other names, for a bug report")
    command.add_argument(
        "--arch",
        metavar="NAME",
        help="the architecture of the node where jobs are submitted, such as x86_64 (default: this machine's, if live)",
    )
    command.add_argument("--id", metavar="NAME", help="the name of the group (default: the cluster's name)")
    command.add_argument("-o", "--output", metavar="FILE", help="write to FILE (default: stdout)")
    command.add_argument(
        "--update", metavar="FILE", help="rewrite the facts: file of this launchers.yaml and print what changed"
    )


def run(options: argparse.Namespace) -> int:
    """Convert and write; 2 for input that cannot be used, 3 for a cluster that cannot be read."""
    if options.update and options.output:
        print("launchers convert: use --update or --output, not both: --update knows the file", file=sys.stderr)
        return BAD_INPUT
    facts_file = facts_path(Path(options.update)) if options.update else None
    output = facts_file or (Path(options.output) if options.output else None)
    try:
        conversion = _convert(options, output)
    except ConversionError as error:
        _print_remarks([*error.remarks, str(error)])
        return BAD_INPUT
    except ClusterError as error:
        _print_remarks([f"the cluster cannot be read: {error}"])
        return UNREACHABLE
    except OSError as error:
        _print_remarks([f"{error.filename}: {error.strerror}"])
        return BAD_INPUT
    _print_remarks(conversion.remarks)
    if output is None:
        put(conversion.text)
        return WRITTEN
    return write(output, conversion.text, "launchers convert", diff=facts_file is not None)


def _convert(options: argparse.Namespace, output: Path | None) -> Conversion:
    kept = ConversionOptions(
        user=options.user,
        partitions=tuple(options.partition),
        hosts=not options.no_hosts,
        anonymize=options.anonymize,
        id=options.id,
        arch=options.arch,
    )
    if options.oar:
        return convert_live_oar(kept)
    if options.slurm or (not options.files and sys.stdin.isatty()):
        return convert_live_slurm(kept, output)
    return convert_texts([_read(name) for name in options.files or ["-"]], kept, output)


def _read(name: str) -> str:
    """A file, which may be a pipe of the shell. Raises OSError, also for one without an end."""
    return decode(read_stdin(LARGEST) if name == "-" else read_named(Path(name), LARGEST))


def _print_remarks(remarks: Iterable[str]) -> None:
    for remark in remarks:
        print(f"launchers convert: {remark}", file=sys.stderr)


def write(path: Path, text: str, command: str, *, diff: bool) -> int:
    """Write a launchers.yaml, and print the difference to the file of before where `diff`; 2 when it cannot be written.

    `command` is the command that writes it, for messages.
    """
    try:
        if not diff:
            path.write_text(text, encoding="utf-8")
            return WRITTEN
        lines = replace_facts(path, text)
    except OSError as error:
        print(f"{command}: cannot write {path}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    sys.stdout.writelines(lines)
    if not lines:
        print(f"{command}: {path} is up to date", file=sys.stderr)
    return WRITTEN
