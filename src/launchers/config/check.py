"""Find what loads and still cannot work (errors), or does not mean what it seems to mean (warnings)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from launchers.config.access import is_judged
from launchers.config.build import SIMPLER, features_of, slurm_group
from launchers.config.facts_file import G, load_facts_for
from launchers.config.features import Captured, SlowRegexError, read_features
from launchers.config.layer import overlay_group
from launchers.config.load import Config
from launchers.config.nodes import REGEX_GROUPS, read_captured
from launchers.config.schema import (
    AcceleratorSpec,
    LimitsSpec,
    NodeConfiguration,
    NodesSpec,
    OarGroup,
    OarNodes,
    PartitionSpec,
    SlurmGroup,
)
from launchers.files.problems import ConfigError, Problem
from launchers.files.tree import KeyPath
from launchers.gpus.catalogue import identify
from launchers.offer.model import Limit, Partition
from launchers.quantities.architectures import KNOWN, normalize_architecture
from launchers.quantities.hosts import host_set, join_hosts

_TRES_FIELDS = ("max_tres", "max_tres_per_node", "max_tres_per_user", "max_tres_per_account", "grp_tres", "min_tres")
_UNKNOWN_COUNT = 10**6
"""Stands for a number of nodes or devices that is not known: no minimum is above it."""


def check(config: Config) -> list[Problem]:
    """Everything that is wrong with a file that loads, and with the facts files it names, in the order of the file."""
    problems = [*_ids(config), *_connectors(config), *_tags(config), *_models(config), *_architectures(config)]
    for index, cluster in enumerate(config.document.oar or ()):
        problems += _oar_problems(config, cluster, ("oar", index))
    for index, group in enumerate(config.document.slurm or ()):
        problems += _slurm_problems(config, group, ("slurm", index))
    return sorted(problems)


def _oar_problems(config: Config, cluster: OarGroup, path: KeyPath) -> list[Problem]:
    facts, problems = _facts(config, cluster, path)
    if facts is not None:
        problems += _not_in_facts(config, cluster.queues or {}, facts.queues or {}, (*path, "queues"))
    problems += _two_sources(config, cluster, "query_oar", path)
    problems += _counts(config, cluster.nodes, path)
    return problems


def _slurm_problems(config: Config, group: SlurmGroup, path: KeyPath) -> list[Problem]:
    facts, problems = _facts(config, group, path)
    whole = overlay_group(facts, group) if facts else group
    stands_alone = not (group.facts or group.query_slurm)
    if facts is not None:
        problems += _not_in_facts(config, group.partitions or {}, facts.partitions or {}, (*path, "partitions"))
    problems += _two_sources(config, group, "query_slurm", path)
    for name, spec in (group.partitions or {}).items():
        problems += _counts(config, spec.nodes, (*path, "partitions", name))
        if stands_alone:
            problems += _hosts_in_two_blocks(config, spec, (*path, "partitions", name))
    try:
        read_features(whole.features_regex or (), features_of(whole))
    except SlowRegexError as error:
        return [*problems, config.tree.problem("LC105", (*path, "features_regex", error.index), str(error), SIMPLER)]
    problems += _regexes(config, group, features_of(whole), path)
    problems += _unknown_features(config, group, features_of(whole), path)
    if facts or stands_alone:
        problems += _undefined_names(config, group, facts, whole, path)
    problems += _unused_qos(config, group, whole, path)
    problems += _unjudged_limits(config, group, path)
    if stands_alone:
        problems += _unreachable(config, group, path)
    return problems


def _facts(config: Config, entry: G, path: KeyPath) -> tuple[G | None, list[Problem]]:
    """The facts that an entry is laid over (None: there are none), and what is wrong with its facts file."""
    try:
        return None if entry.disabled else load_facts_for(FilePath(config.file), entry), []
    except ConfigError as error:
        problems = []
        for problem in error.problems:
            if problem.code in ("LC100", "LC111"):  # the file as a whole: shown where it is named
                message, hint = (
                    f"{problem.file}: {problem.message}",
                    problem.suggestion or "launchers convert -o writes one",
                )
                problem = config.tree.problem("LC111", (*path, "facts"), message, hint)
            problems.append(problem)
        return None, problems


# -- all groups ------------------------------------------------------------------------------------------------


def _groups(config: Config) -> Iterator[tuple[str, int, Any]]:
    """Every group with the key that it stands under and its number there."""
    for key in ("local", "slurm", "oar"):
        for index, group in enumerate(getattr(config.document, key) or ()):
            yield key, index, group


def _ids(config: Config) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key, index, group in _groups(config):
        if group.id in seen:
            message = f"{seen[group.id]} has the id {group.id} too"
            yield config.tree.problem("LC210", (key, index, "id"), message, "give each group an id of its own")
        elif group.id:
            seen[group.id] = f"{key}[{index}]"


def _connectors(config: Config) -> Iterator[Problem]:
    for key, index, group in _groups(config):
        if group.connector is not None:
            message = "connector has no effect yet: commands always run on this machine"
            yield config.tree.problem("LC214", (key, index, "connector"), message, "leave it out", key=True)


def _tags(config: Config) -> Iterator[Problem]:
    for key, index, group in _groups(config):
        for number, tag in enumerate(group.tags or ()):
            if tag != tag.strip() or "," in tag:
                path, message = (key, index, "tags", number), f"the tag {tag!r} cannot be selected"
                yield config.tree.problem("LC205", path, message, "use no commas, and no blanks around it")


def _models(config: Config) -> Iterator[Problem]:
    defined = config.document.gpus or {}
    for path, spec in _accelerators(config):
        if spec.model and spec.memory is None and spec.model not in defined and identify(spec.model) is None:
            message, hint = f"the GPU model {spec.model!r} is not known", "give memory:, or define it under gpus:"
            yield config.tree.problem("LC207", (*path, "model"), message, hint)


def _architectures(config: Config) -> Iterator[Problem]:
    for path, name in _named_architectures(config):
        if normalize_architecture(name) not in KNOWN:
            message = f"{name!r} is not an architecture that is known here"
            yield config.tree.problem("LC215", path, message, f"uname -m prints it; known: {', '.join(KNOWN)}")


def _named_architectures(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Every architecture that the file names, and its path."""
    for key, index, group in _groups(config):
        for field in ("arch", "login_arch"):
            if name := getattr(group, field, None):
                yield (key, index, field), name
    for index, cluster in enumerate(config.document.oar or ()):
        for number, nodes in enumerate(cluster.nodes or ()):
            if nodes.arch:
                yield ("oar", index, "nodes", number, "arch"), nodes.arch
    for index, group in enumerate(config.document.slurm or ()):
        for name, spec in (group.partitions or {}).items():
            for number, block in enumerate(spec.nodes or ()):
                if block.arch:
                    yield ("slurm", index, "partitions", name, "nodes", number, "arch"), block.arch


def _accelerators(config: Config) -> Iterator[tuple[KeyPath, Any]]:
    """Every description of accelerators and its path."""
    for index, local in enumerate(config.document.local or ()):
        gpus = local.gpu if isinstance(local.gpu, tuple) else (local.gpu,) if local.gpu else ()
        yield from ((("local", index, "gpu", number), gpu) for number, gpu in enumerate(gpus))
        yield from _listed_accelerators(local.accelerators, ("local", index))
    for index, cluster in enumerate(config.document.oar or ()):
        for number, nodes in enumerate(cluster.nodes or ()):
            yield from _listed_accelerators(nodes.accelerators, ("oar", index, "nodes", number))
    for index, group in enumerate(config.document.slurm or ()):
        for path, layer in _layers(group, ("slurm", index)):
            if layer.gpu:
                yield (*path, "gpu"), layer.gpu
            yield from _listed_accelerators(layer.accelerators, path)


def _listed_accelerators(
    specs: Iterable[AcceleratorSpec] | None, path: KeyPath
) -> Iterator[tuple[KeyPath, AcceleratorSpec]]:
    yield from (((*path, "accelerators", number), spec) for number, spec in enumerate(specs or ()))


def _layers(group: SlurmGroup, path: KeyPath) -> Iterator[tuple[KeyPath, NodeConfiguration]]:
    """Every layer that describes nodes of a group, and its path."""
    if group.configuration:
        yield (*path, "configuration"), group.configuration
    for name, spec in (group.partitions or {}).items():
        if spec.configuration:
            yield (*path, "partitions", name, "configuration"), spec.configuration
        for number, nodes in enumerate(spec.nodes or ()):
            block = (*path, "partitions", name, "nodes", number)
            yield block, NodeConfiguration(cpu=nodes.cpu, gpu=nodes.gpu, accelerators=nodes.accelerators)
            if nodes.configuration:
                yield (*block, "configuration"), nodes.configuration


# -- facts and hosts -------------------------------------------------------------------------------------------


def _two_sources(config: Config, entry: SlurmGroup | OarGroup, query: str, path: KeyPath) -> Iterator[Problem]:
    if entry.facts and getattr(entry, query):
        message = f"{query} has no effect beside facts:"
        yield config.tree.problem("LC114", (*path, query), message, "leave out one of the two", key=True)


def _not_in_facts(config: Config, own: Mapping[str, Any], facts: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    """Partitions, queues and hosts that the file describes and the facts do not have."""
    for name, spec in own.items() if facts else ():
        if name not in facts:
            message = f"{name!r} is not in the facts file; it is treated as a new {str(path[-1]).removesuffix('s')}"
            yield config.tree.problem("LC209", (*path, name), message, _nearest(name, facts), key=True)
            continue
        blocks = getattr(facts[name], "nodes", None) or ()
        known = host_set(",".join(join_hosts(nodes.hosts) for nodes in blocks if nodes.hosts))
        for number, nodes in enumerate(spec.nodes or () if blocks else ()):
            unknown = host_set(join_hosts(nodes.hosts)) - known
            if unknown:
                message = f"{unknown} of {name} is not in the facts file; these hosts are treated as new nodes"
                yield config.tree.problem("LC209", (*path, name, "nodes", number, "hosts"), message)


def _nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a name that is not known."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"the facts have {', '.join(known)}"


def _counts(config: Config, blocks: Iterable[NodesSpec | OarNodes] | None, path: KeyPath) -> Iterator[Problem]:
    for index, nodes in enumerate(blocks or ()):
        named = len(host_set(join_hosts(nodes.hosts)))
        if named and nodes.count is not None and nodes.count != named:
            message, hint = f"count is {nodes.count}, but hosts: names {named}", f"write {named}, or leave count out"
            yield config.tree.problem("LC211", (*path, "nodes", index, "count"), message, hint)


def _hosts_in_two_blocks(config: Config, spec: PartitionSpec, path: KeyPath) -> Iterator[Problem]:
    seen = host_set("")
    for index, nodes in enumerate(spec.nodes or ()):
        hosts = host_set(join_hosts(nodes.hosts))
        if seen & hosts:
            message = f"{seen & hosts} is also in a block above; it counts as another node here"
            yield config.tree.problem("LC212", (*path, "nodes", index, "hosts"), message)
        seen |= hosts


# -- features --------------------------------------------------------------------------------------------------


def _regexes(config: Config, group: SlurmGroup, features: set[str], path: KeyPath) -> Iterator[Problem]:
    """Regular expressions that read nothing from the features of the nodes, or what is not a number or amount."""
    for number, pattern in enumerate(group.features_regex or ()):
        where = (*path, "features_regex", number)
        named = set(re.compile(pattern).groupindex)
        captured = read_features([pattern], features)
        if not named & set(REGEX_GROUPS):
            hint = f"use (?P<cuda_memory>...) or another of {', '.join(REGEX_GROUPS)}"
            yield config.tree.problem("LC203", where, f"{pattern!r} has no group that launchers reads", hint)
        elif features and not captured:
            hint = "it must match a whole feature"
            yield config.tree.problem("LC204", where, f"{pattern!r} matches none of the features listed here", hint)
        for message in _misread_features(captured):
            yield config.tree.problem("LC213", where, message)


def _unknown_features(config: Config, group: SlurmGroup, features: set[str], path: KeyPath) -> Iterator[Problem]:
    """Entries of `features:` that are about no node, where the nodes have features."""
    for name in group.features or {}:
        if features and name not in features:
            message = f"no node here has the feature {name}"
            yield config.tree.problem("LC206", (*path, "features", name), message, key=True)


def _misread_features(captured: Captured) -> Iterator[str]:
    """A message for each group that captures no number or amount, and so says nothing about the nodes."""
    for feature in sorted(captured):
        for name, text in captured[feature][0].items():
            if text is None or name not in REGEX_GROUPS:
                continue
            try:
                read_captured(name, text)
            except ValueError:
                what = "a number" if name.endswith("count") else "an amount of memory"
                yield f"in the feature {feature}, {name} captures {text!r}, which is not {what}"


# -- QoS, accounts and limits ----------------------------------------------------------------------------------


def _undefined_names(
    config: Config, group: SlurmGroup, facts: SlurmGroup | None, whole: SlurmGroup, path: KeyPath
) -> Iterator[Problem]:
    """QoS and accounts that the group names and nobody defines.

    The facts may name QoS and accounts that the user has no part in, so those count as defined.
    """
    for field, default in (("qos", "qos"), ("accounts", "account")):
        defined = getattr(whole, field) or {}
        named = list(_named_by_partitions(group, field, path))
        chosen = getattr(group.defaults, default, None)
        if chosen and not defined and chosen not in _used_names(whole, field):
            message = f"nothing here names {chosen}, so this default has no effect"
            yield config.tree.problem("LC202", (*path, "defaults", default), message)
        elif chosen:
            named.append(((*path, "defaults", default), chosen))
        known = {*defined, *(_used_names(facts, field) if facts else ())}
        for where, name in named if defined else ():
            if name not in known:
                message = f"{name} is not defined under {field}:"
                yield config.tree.problem("LC108", where, message, f"defined: {', '.join(defined)}")


def _named_by_partitions(group: SlurmGroup, field: str, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """The QoS or accounts that partitions name, each with its path."""
    for partition, spec in (group.partitions or {}).items():
        for number, name in enumerate(getattr(spec, field) or ()):
            yield (*path, "partitions", partition, field, number), name


def _unused_qos(config: Config, group: SlurmGroup, whole: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    """QoS that no partition and no account uses, where partitions say which QoS they take."""
    used = _used_names(whole, "qos")
    if all(spec.qos is None for spec in (whole.partitions or {}).values()):
        return
    for name in group.qos or {}:
        if name not in used:
            message = f"no partition or account uses the QoS {name}"
            yield config.tree.problem("LC202", (*path, "qos", name), message, key=True)


def _used_names(group: SlurmGroup, field: str) -> set[str]:
    """The QoS or accounts that partitions name, and the QoS that accounts name."""
    partitions = (group.partitions or {}).values()
    used = {name for spec in partitions for name in getattr(spec, field) or ()}
    if field == "qos":
        used |= {spec.partition_qos for spec in partitions if spec.partition_qos}
        used |= {name for account in (group.accounts or {}).values() for name in account.qos or ()}
    return used


def _unjudged_limits(config: Config, group: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    specs: list[tuple[KeyPath, LimitsSpec | None]] = [((*path, "limits"), group.limits)]
    for table in ("qos", "accounts", "partitions"):
        for name, spec in (getattr(group, table) or {}).items():
            specs.append(((*path, table, name, "limits"), spec.limits))
    for where, limits in specs:
        for field in _TRES_FIELDS:
            for tres in (getattr(limits, field) or {}) if limits else ():
                if not is_judged(tres):
                    message = f"launchers cannot check a limit on {tres}; jobs may still wait for it in Slurm"
                    yield config.tree.problem("LC208", (*where, field, tres), message, key=True)


# -- partitions in which no job can start ----------------------------------------------------------------------


def _unreachable(config: Config, group: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    built = {partition.name: partition for partition in slurm_group(group, "checked").partitions}
    for name, spec in (group.partitions or {}).items():
        if spec.disabled or spec.state not in (None, "UP"):
            continue  # on purpose
        reason = _why_no_job_starts(spec, built[name])
        if reason:
            where = (*path, "partitions", name)
            yield config.tree.problem("LC201", where, f"no job can start in this partition: {reason}", key=True)


def _why_no_job_starts(spec: PartitionSpec, partition: Partition) -> str | None:
    if partition.closed_reason:
        return partition.closed_reason
    if spec.nodes is not None and not spec.nodes:
        return "it has no nodes"
    reasons = [access.closed_reason or _contradiction(access.limits, partition) for access in partition.accesses]
    return reasons[0] if all(reasons) else None


def _contradiction(limits: tuple[Limit, ...], partition: Partition) -> str | None:
    """Why no job can keep within all these limits: a maximum of 0, or a minimum above what is allowed or there."""
    maximums = [limit for limit in limits if not limit.is_minimum]
    for limit in limits:
        if not limit.is_minimum:
            if limit.value == 0 and limit.subject in ("duration", "nodes", "cpu"):
                return f"{limit.origin} is 0"
            continue
        for maximum in maximums:
            if maximum.subject == limit.subject and maximum.value < limit.value:
                return f"{limit.origin} ({limit.value}) is above {maximum.origin} ({maximum.value})"
        if limit.subject == "gres/gpu" and _most_gpus(partition) < limit.value:
            return f"{limit.origin} requires {limit.value} GPUs, but its nodes have {_most_gpus(partition)}"
    return None


def _most_gpus(partition: Partition) -> int:
    return sum(
        sum(device.count or _UNKNOWN_COUNT for device in shape.devices) * (shape.count or _UNKNOWN_COUNT)
        for shape in partition.shapes
    )
