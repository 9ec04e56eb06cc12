"""`launchers convert`: write a launchers.yaml from what a cluster prints, or from the live cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from launchers.cli.exit_status import BAD_INPUT, FOUND, NO_CLUSTER, UNREACHABLE
from launchers.cli.output import add_output, write
from launchers.config.reading import ClusterError
from launchers.files.decoding import decode
from launchers.files.output import check_output, is_stream
from launchers.files.reading import read_named, read_stdin
from launchers.launcher.conversion import (
    Conversion,
    ConversionError,
    ConversionOptions,
    NoClusterError,
    convert_live_oar,
    convert_live_slurm,
    convert_texts,
    facts_diff,
    facts_path,
)

LARGEST = 1 << 29
"""Bytes of an input: the largest clusters print some tens of megabytes."""
OTHER_FILE = "write the facts to a file of their own, such as -o cluster.yaml, and name it with facts: in yours"
OWN_ENTRY = "move your changes into an entry that names it with facts:"


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
    add_output(command, "write to FILE (default: -, stdout)", default="-")
    command.add_argument(
        "--update", metavar="FILE", help="rewrite the facts: file of this launchers.yaml and print what changed"
    )


def run(options: argparse.Namespace) -> int:
    """Convert and write; the exit statuses are those of docs/command-line.md."""
    if options.update and options.output != "-":
        print("launchers convert: use --update or --output, not both: --update knows the file", file=sys.stderr)
        return BAD_INPUT
    output = str(facts_path(Path(options.update))) if options.update else options.output
    check_output(output, OWN_ENTRY if options.update else OTHER_FILE, force=options.force)
    try:
        conversion = _convert(options, None if is_stream(output) else Path(output))
    except ConversionError as error:
        _print_remarks([*error.remarks, str(error)])
        return NO_CLUSTER if isinstance(error, NoClusterError) else BAD_INPUT
    except ClusterError as error:
        _print_remarks([f"the cluster cannot be read: {error}"])
        return UNREACHABLE
    _print_remarks(conversion.remarks)
    if options.update:
        write_facts("launchers convert", output, conversion.text, force=options.force)
    else:
        write("launchers convert", output, conversion.text, force=options.force, advice=OTHER_FILE)
    return FOUND


def write_facts(command: str, name: str, text: str, *, force: bool) -> None:
    """Replace a facts file, and print what differs. `command` is the command that does it, for messages.

    Raises OSError.
    """
    lines = facts_diff(Path(name), text)
    write(command, name, text, force=force, advice=OWN_ENTRY)
    sys.stdout.writelines(lines)
    if not lines:
        print(f"{command}: {name} is up to date", file=sys.stderr)


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
    files = options.files or ["-"]
    names = ["<stdin>" if name == "-" else name for name in files] if len(files) > 1 else []
    return convert_texts([_read(name) for name in files], kept, output, names)


def _read(name: str) -> str:
    """A file, which may be a pipe of the shell. Raises OSError, also for one without an end."""
    return decode(read_stdin(LARGEST) if name == "-" else read_named(Path(name), LARGEST))


def _print_remarks(remarks: Iterable[str]) -> None:
    for remark in remarks:
        print(f"launchers convert: {remark}", file=sys.stderr)
