"""What a cluster prints, or a live cluster, as the text of a launchers.yaml: `launchers convert` as functions."""

from __future__ import annotations

import difflib
import platform
from collections.abc import Iterable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from launchers.config.emit import Converted, to_yaml
from launchers.config.load import load
from launchers.config.schema import SlurmGroup
from launchers.files.output import YAML, seal, without_seal
from launchers.files.paths import expand_user
from launchers.files.problems import ConfigError, Problem
from launchers.oar import query as oar_query
from launchers.oar.convert import convert as convert_oar
from launchers.oar.facts import OarFacts, is_oarnodes_output, read_oarnodes
from launchers.quantities.architectures import normalize_architecture
from launchers.quantities.hosts import fold_hosts
from launchers.schedulers import SLURM
from launchers.slurm import query as slurm_query
from launchers.slurm.accounts import Person
from launchers.slurm.anonymize import anonymize
from launchers.slurm.convert import convert as convert_slurm
from launchers.slurm.facts import SlurmFacts
from launchers.slurm.members import members_by_partition, nodes_without_partition
from launchers.slurm.probe import keep_probed
from launchers.slurm.read import read as read_slurm


@frozen(kw_only=True)
class ConversionOptions:
    """What to keep of a cluster. Of OAR only `hosts` and `id` can be chosen.

    `user` is the person whose associations count, `partitions` are those to keep (all if empty). Without `hosts` the
    names of hosts are left out; `anonymize` gives everything other names. `id` is the name of the entry. `arch` is the
    architecture of the node where jobs are submitted; without it, a live cluster has that of this machine.
    """

    user: str | None = None
    partitions: tuple[str, ...] = ()
    hosts: bool = True
    anonymize: bool = False
    id: str | None = None
    arch: str | None = None


@frozen
class Conversion:
    """The text of a launchers.yaml, and remarks on what could not be read or was left out."""

    text: str
    remarks: tuple[str, ...] = ()


class ConversionError(ValueError):
    """Input or options that give no launchers.yaml, with the remarks made until then."""

    def __init__(self, message: str, remarks: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.remarks = tuple(remarks)


class NoClusterError(ConversionError):
    """Input in which no place for a job could be read. The message says which command prints one."""


def convert_texts(
    texts: Sequence[str], options: ConversionOptions, earlier: Path | None = None, names: Sequence[str] = ()
) -> Conversion:
    """Convert the output of scontrol, sacctmgr and sinfo, in any order, or one output of ``oarnodes -J``.

    `earlier` is the file that an earlier conversion wrote: what was probed then is kept. `names` are those of the texts
    in remarks; a single text needs none. Raises NoClusterError for texts without a cluster, and ConversionError for
    options that do not fit the cluster.
    """
    of_oar = [*map(is_oarnodes_output, texts)]
    if any(of_oar):
        _check_oar_options(options)
        if len(texts) > 1:
            which = next(iter(compress(names, of_oar)), "one of the inputs")
            raise ConversionError(f"of OAR, only one output of oarnodes -J can be converted at a time, as {which} is")
        try:
            facts = read_oarnodes(texts[0])
        except ValueError as error:
            raise NoClusterError(str(error)) from None
        return _convert_oar(facts, "what oarnodes printed", options)
    slurm = read_slurm(*texts, names=names)
    return _convert_slurm(slurm, Person(options.user), "what Slurm printed", (), options, earlier)


def convert_live_slurm(options: ConversionOptions, earlier: Path | None = None) -> Conversion:
    """Convert the live Slurm cluster; see `convert_texts`. Raises ClusterError too, where it does not answer."""
    options = _with_own_arch(options)
    cluster = slurm_query.read_live_cluster()
    remarks = tuple(f"not asked: {failure}" for failure in cluster.failed)
    return _convert_slurm(cluster.facts, cluster.person, "the live cluster", remarks, options, earlier)


def convert_live_oar(options: ConversionOptions) -> Conversion:
    """Convert the live OAR cluster. Raises ClusterError where it does not answer, and ConversionError."""
    _check_oar_options(options)
    return _convert_oar(oar_query.read_live_cluster(), "the live OAR", _with_own_arch(options))


def facts_path(config: Path) -> Path:
    """The facts file that a launchers.yaml names. Raises ConfigError where it does not name exactly one."""
    document = load(config).document
    named = [group.facts for group in document.slurm or () if group.facts]
    named += [group.facts for group in document.oar or () if group.facts]
    if len(named) != 1:
        message = f"exactly one slurm: or oar: entry must name a facts: file; {len(named)} do"
        hint = "write the facts with `launchers convert -o cluster.yaml`, and `facts: cluster.yaml` in an entry here"
        raise ConfigError([Problem(str(config), 1, 1, "LC111", SLURM, message, hint)])
    return config.parent / expand_user(named[0])


def facts_diff(path: Path, text: str) -> list[str]:
    """The lines of a unified diff from a facts file to its new text, but for the seals; none if nothing differs.

    Raises OSError where the file cannot be read.
    """
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    before_lines, lines = (without_seal(one).splitlines(keepends=True) for one in (before, text))
    return list(difflib.unified_diff(before_lines, lines, f"{path} (before)", f"{path} (now)"))


def _with_own_arch(options: ConversionOptions) -> ConversionOptions:
    """The options for a live cluster: this machine submits its jobs."""
    return options if options.arch else evolve(options, arch=platform.machine())


def _login_arch(options: ConversionOptions) -> str | None:
    """The architecture of the node where jobs are submitted. Raises ConversionError for text that is none."""
    if not options.arch:
        return None
    if (arch := normalize_architecture(options.arch)) is None:
        raise ConversionError(f"--arch {options.arch}: not the name of an architecture, such as x86_64 or aarch64")
    return arch


# -- Slurm -----------------------------------------------------------------------------------------------------


def _convert_slurm(
    facts: SlurmFacts,
    person: Person,
    source: str,
    remarks: tuple[str, ...],
    options: ConversionOptions,
    earlier: Path | None,
) -> Conversion:
    remarks = (*remarks, *map(str, facts.problems))
    if not facts.partitions:
        raise NoClusterError(_what_is_missing(facts), remarks)
    if error := _slurm_error(facts, options):
        raise ConversionError(error, remarks)
    if unreachable := nodes_without_partition(facts):
        names = fold_hosts(node.name for node in unreachable)
        remarks = (*remarks, f"these nodes are in no partition and are left out: {names}")
    if options.user:
        person = evolve(person, user=options.user)
    if options.anonymize:
        facts, person = anonymize(facts), Person("user1" if person.user else None)
    converted = convert_slurm(facts, person, only=options.partitions, hosts=options.hosts, id=options.id)
    remarks = (*remarks, *converted.left_out)
    before = _earlier_entry(earlier)
    group = keep_probed(before, converted.group)
    group = evolve(group, login_arch=_login_arch(options) or (before.login_arch if before else None))
    in_partitions = {node.name for members in members_by_partition(facts).values() for node in members.named}
    nodes, partitions = len({node.name for node in facts.nodes} | in_partitions), len(facts.partitions)
    counts = f"{nodes} node{'s' * (nodes != 1)}, {partitions} partition{'s' * (partitions != 1)}"
    return _conversion(evolve(converted, group=group), source, counts, remarks)


def _what_is_missing(facts: SlurmFacts) -> str:
    """Which command prints what facts without a partition lack."""
    if facts.nodes:
        return "no partition is known: give the output of `scontrol show partitions` too"
    return (
        "the input has no node and no partition: give it the output of `scontrol show nodes` "
        "and `scontrol show partitions`, or of `oarnodes -J`"
    )


def _slurm_error(facts: SlurmFacts, options: ConversionOptions) -> str:
    """Why these facts cannot be converted with these options; "" if they can."""
    partitions = sorted(partition.name for partition in facts.partitions)
    for name in options.partitions:
        if name not in partitions:
            return f"--partition {name}: there is no such partition; known: {', '.join(partitions)}"
    users = sorted({association.user for association in facts.associations if association.user})
    if options.user and users and options.user not in users:
        known = ", ".join(users[:10]) + (f" and {len(users) - 10} more" if len(users) > 10 else "")
        return f"--user {options.user}: this user has no association; users that have: {known}"
    return ""


def _earlier_entry(path: Path | None) -> SlurmGroup | None:
    """The entry in a file that was written before; None where there is no such file, or it holds something else."""
    if path is None or not path.exists():
        return None
    try:
        groups = load(path).document.slurm or ()
    except ConfigError:
        return None
    return groups[0] if len(groups) == 1 else None


# -- OAR -------------------------------------------------------------------------------------------------------


def _check_oar_options(options: ConversionOptions) -> None:
    if options.anonymize or options.partitions or options.user:
        raise ConversionError("--anonymize, --partition and --user work for Slurm only, not for OAR")


def _convert_oar(facts: OarFacts, source: str, options: ConversionOptions) -> Conversion:
    if not facts.nodes:
        raise NoClusterError("OAR names no host: look at what `oarnodes -J` prints", facts.problems)
    converted = convert_oar(facts, hosts=options.hosts, id=options.id)
    converted = evolve(converted, group=evolve(converted.group, login_arch=_login_arch(options)))
    remarks = (*facts.problems, *converted.left_out)
    return _conversion(converted, source, f"{len(facts.nodes)} nodes", remarks)


# -- the text --------------------------------------------------------------------------------------------------


def _conversion(converted: Converted[Any], source: str, counts: str, remarks: Sequence[str]) -> Conversion:
    return Conversion(seal(to_yaml(converted, _head(source, counts)), YAML), tuple(remarks))


def _head(source: str, counts: str) -> str:
    """The comment above the entry. It has no date, so that equal input gives equal text."""
    return (
        f"Written by `launchers convert` from {source}: {counts}.\n"
        "To change something, do not edit this file: lay an entry of your own over it with `facts: THIS-FILE`,\n"
        "and `launchers convert --update YOUR-FILE` will refresh this one."
    )
