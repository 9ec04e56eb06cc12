"""What loads and still cannot work (errors), or does not mean what it seems to (warnings)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as File
from typing import Any

from launchers.config.access import is_judged
from launchers.config.build import REGEX_GROUPS, read_captured, slurm_group
from launchers.config.facts_file import G, load_facts_for
from launchers.config.layer import overlay_group
from launchers.config.load import Config
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
from launchers.quantities.hosts import join_hosts

_TRES_FIELDS = ("max_tres", "max_tres_per_node", "max_tres_per_user", "max_tres_per_account", "grp_tres", "min_tres")


def check(config: Config) -> list[Problem]:
    """Everything about a file that loads and the facts files it names, in the order of the file."""
    found = [*_ids(config), *_connectors(config), *_tags(config), *_models(config)]
    for index, cluster in enumerate(config.document.oar or ()):
        below = _facts(config, cluster, ("oar", index), found)
        found += _layer(config, cluster.queues or {}, (below and below.queues) or {}, ("oar", index, "queues"))
        found += _two_sources(config, cluster, "query_oar", ("oar", index))
        found += _counts(config, cluster.nodes, ("oar", index))
    for index, group in enumerate(config.document.slurm or ()):
        path: KeyPath = ("slurm", index)
        facts = _facts(config, group, path, found)
        found += _layer(config, group.partitions or {}, (facts and facts.partitions) or {}, (*path, "partitions"))
        found += _two_sources(config, group, "query_slurm", path)
        for name, spec in (group.partitions or {}).items():
            found += _counts(config, spec.nodes, (*path, "partitions", name))
            if not (group.facts or group.query_slurm):
                found += _twice(config, spec, (*path, "partitions", name))
        found += _regexes(config, group, overlay_group(facts, group) if facts else group, path)
        found += _names(config, group, facts, path)
        found += _limits(config, group, path)
        if not (group.facts or group.query_slurm):
            found += _unreachable(config, group, path)
    return sorted(found)


def _ids(config: Config) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for kind in ("local", "slurm", "oar"):
        for index, group in enumerate(getattr(config.document, kind) or ()):
            if group.id in seen:
                message = f"{seen[group.id]} is called {group.id} as well: nobody can tell them apart"
                yield config.tree.problem("LC210", (kind, index, "id"), message, "give each a name of its own")
            elif group.id:
                seen[group.id] = f"{kind}[{index}]"


def _connectors(config: Config) -> Iterator[Problem]:
    for kind in ("local", "slurm", "oar"):
        for index, group in enumerate(getattr(config.document, kind) or ()):
            if group.connector is not None:
                message = "connector does nothing yet: commands run on this machine"
                yield config.tree.problem("LC214", (kind, index, "connector"), message, "leave it out", key=True)


def _two_sources(config: Config, entry: SlurmGroup | OarGroup, query: str, path: KeyPath) -> Iterator[Problem]:
    if entry.facts and getattr(entry, query):
        message = f"{query} says nothing where there is a facts:"
        yield config.tree.problem("LC114", (*path, query), message, "leave one of the two out", key=True)


def _counts(config: Config, blocks: Iterable[NodesSpec | OarNodes] | None, path: KeyPath) -> Iterator[Problem]:
    for index, nodes in enumerate(blocks or ()):
        named = len(_hosts(join_hosts(nodes.hosts)))
        if named and nodes.count is not None and nodes.count != named:
            message = f"{nodes.count} nodes, and hosts: names {named}"
            yield config.tree.problem(
                "LC211", (*path, "nodes", index, "count"), message, f"write {named}, or leave it out"
            )


def _twice(config: Config, spec: PartitionSpec, path: KeyPath) -> Iterator[Problem]:
    seen = _hosts("")
    for index, nodes in enumerate(spec.nodes or ()):
        hosts = _hosts(join_hosts(nodes.hosts))
        if seen & hosts:
            message = f"{seen & hosts} is in a block above as well, and counts as another node"
            yield config.tree.problem("LC212", (*path, "nodes", index, "hosts"), message)
        seen |= hosts


def _tags(config: Config) -> Iterator[Problem]:
    for kind in ("local", "slurm", "oar"):
        for index, group in enumerate(getattr(config.document, kind) or ()):
            for number, tag in enumerate(group.tags or ()):
                if tag != tag.strip() or "," in tag:
                    path = (kind, index, "tags", number)
                    yield config.tree.problem(
                        "LC205", path, f"nobody can select the tag {tag!r}", "no blanks or commas"
                    )


def _regexes(config: Config, group: SlurmGroup, whole: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    features = {
        name
        for spec in (whole.partitions or {}).values()
        for nodes in spec.nodes or ()
        for name in nodes.features or ()
    }
    for number, pattern in enumerate(group.features_regex or ()):
        where = (*path, "features_regex", number)
        compiled = re.compile(pattern)
        if not set(compiled.groupindex) & set(REGEX_GROUPS):
            hint = f"use (?P<cuda_memory>...) or another of {', '.join(REGEX_GROUPS)}"
            yield config.tree.problem("LC203", where, f"{pattern!r} has no group that says anything", hint)
        elif features and not any(compiled.fullmatch(one) for one in features):
            hint = "it has to match a whole feature"
            yield config.tree.problem("LC204", where, f"{pattern!r} matches none of the features listed here", hint)
        yield from (config.tree.problem("LC213", where, said) for said in _unreadable(compiled, features))
    for name in group.features or {}:
        if features and name not in features:
            yield config.tree.problem(
                "LC206", (*path, "features", name), f"no node here has the feature {name}", key=True
            )


def _unreadable(pattern: re.Pattern[str], features: Iterable[str]) -> Iterator[str]:
    """What groups capture that is no number or amount, so that they say nothing of the nodes that have the feature."""
    for feature in sorted(features):
        match = pattern.fullmatch(feature)
        for name, text in (match.groupdict() if match else {}).items():
            try:
                if text is not None and name in REGEX_GROUPS:
                    read_captured(name, text)
            except ValueError:
                what = "number" if name.endswith("count") else "amount of memory"
                yield f"of the feature {feature}, {name} captures {text!r}, which is no {what}"


def _facts(config: Config, entry: G, path: KeyPath, found: list[Problem]) -> G | None:
    """What an entry is laid over, None where there is nothing; what is wrong with its facts file goes to `found`."""
    try:
        return None if entry.disabled else load_facts_for(File(config.file), entry)
    except ConfigError as error:
        for one in error.problems:
            unread = one.code in ("LC100", "LC111")
            message, hint = f"{one.file}: {one.message}", one.suggestion or "launchers convert -o writes one"
            found.append(config.tree.problem("LC111", (*path, "facts"), message, hint) if unread else one)
        return None


def _layer(config: Config, own: Mapping[str, Any], facts: Mapping[str, Any], path: KeyPath) -> Iterator[Problem]:
    """Partitions, queues and hosts that are written about, and that the facts, if there are any, do not have."""
    for name, spec in own.items() if facts else ():
        where = (*path, name)
        if name not in facts:
            message = f"the facts have no {name} here, so it is one more"
            yield config.tree.problem("LC209", where, message, f"they have {', '.join(facts)}", key=True)
            continue
        blocks = getattr(facts[name], "nodes", None) or ()
        known = ",".join(join_hosts(one.hosts) for one in blocks if one.hosts)
        for number, nodes in enumerate(spec.nodes or () if blocks else ()):
            unknown = _hosts(join_hosts(nodes.hosts)) - _hosts(known)
            if unknown:
                message = f"the facts have no {unknown} in {name}, so these are further nodes"
                yield config.tree.problem("LC209", (*where, "nodes", number, "hosts"), message)


def _hosts(folded: str) -> Any:
    from ClusterShell.NodeSet import NodeSet

    return NodeSet(folded)


def _names(config: Config, group: SlurmGroup, facts: SlurmGroup | None, path: KeyPath) -> Iterator[Problem]:
    """QoS and accounts that are used and not defined (errors), or defined and not used (warnings)."""
    whole = overlay_group(facts, group) if facts else group
    if facts or not (group.facts or group.query_slurm):
        yield from _undefined(config, group, facts, whole, path)
    used = _used(whole, "qos")
    limited = any(spec.qos is not None for spec in (whole.partitions or {}).values())
    for name in (group.qos or {}) if limited else ():
        if name not in used:
            message = f"no partition or account uses the QoS {name}"
            yield config.tree.problem("LC202", (*path, "qos", name), message, key=True)


def _undefined(
    config: Config, group: SlurmGroup, facts: SlurmGroup | None, whole: SlurmGroup, path: KeyPath
) -> Iterator[Problem]:
    """What a group itself names; the facts may name QoS and accounts that their user has no part in."""
    for field, default in (("qos", "qos"), ("accounts", "account")):
        defined = getattr(whole, field) or {}
        known = {*defined, *(_used(facts, field) if facts else ())}
        named: list[tuple[KeyPath, str]] = [
            ((*path, "partitions", name, field, number), one)
            for name, spec in (group.partitions or {}).items()
            for number, one in enumerate(getattr(spec, field) or ())
        ]
        chosen = getattr(group.defaults, default, None)
        if chosen and not defined and chosen not in _used(whole, field):
            message = f"nothing here names {chosen}, so this decides nothing"
            yield config.tree.problem("LC202", (*path, "defaults", default), message)
        elif chosen:
            named.append(((*path, "defaults", default), chosen))
        for where, one in named if defined else ():
            if one not in known:
                hint = f"defined are {', '.join(defined)}"
                yield config.tree.problem("LC108", where, f"{one} is not defined under {field}:", hint)


def _used(group: SlurmGroup, field: str) -> set[str]:
    """The QoS or accounts that partitions name, and the QoS that accounts do."""
    partitions = (group.partitions or {}).values()
    used = {name for spec in partitions for name in getattr(spec, field) or ()}
    if field == "qos":
        used |= {spec.partition_qos for spec in partitions if spec.partition_qos}
        used |= {name for one in (group.accounts or {}).values() for name in one.qos or ()}
    return used


def _limits(config: Config, group: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    specs: list[tuple[KeyPath, LimitsSpec | None]] = [((*path, "limits"), group.limits)]
    for table in ("qos", "accounts", "partitions"):
        for name, spec in (getattr(group, table) or {}).items():
            specs.append(((*path, table, name, "limits"), spec.limits))
    for where, limits in specs:
        for field in _TRES_FIELDS:
            for tres in (getattr(limits, field) or {}) if limits else ():
                if not is_judged(tres):
                    message = f"a requirement says nothing about {tres}: jobs may wait for it all the same"
                    yield config.tree.problem("LC208", (*where, field, tres), message, key=True)


def _models(config: Config) -> Iterator[Problem]:
    known = config.document.gpus or {}
    for path, spec in _accelerators(config):
        if spec.model and spec.memory is None and spec.model not in known:
            card = identify(spec.model)
            if card is None:
                hint = "give memory:, or define it under gpus:"
                yield config.tree.problem("LC207", (*path, "model"), f"the GPU model {spec.model!r} is not known", hint)


def _accelerators(config: Config) -> Iterator[tuple[KeyPath, Any]]:
    for index, local in enumerate(config.document.local or ()):
        gpus = local.gpu if isinstance(local.gpu, tuple) else (local.gpu,) if local.gpu else ()
        yield from ((("local", index, "gpu", number), one) for number, one in enumerate(gpus))
        yield from _listed(local.accelerators, ("local", index))
    for index, cluster in enumerate(config.document.oar or ()):
        for number, nodes in enumerate(cluster.nodes or ()):
            yield from _listed(nodes.accelerators, ("oar", index, "nodes", number))
    for index, group in enumerate(config.document.slurm or ()):
        for path, layer in _layers(group, ("slurm", index)):
            if layer.gpu:
                yield (*path, "gpu"), layer.gpu
            yield from _listed(layer.accelerators, path)


def _listed(specs: Iterable[AcceleratorSpec] | None, path: KeyPath) -> Iterator[tuple[KeyPath, AcceleratorSpec]]:
    yield from (((*path, "accelerators", number), one) for number, one in enumerate(specs or ()))


def _layers(group: SlurmGroup, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if group.configuration:
        yield (*path, "configuration"), group.configuration
    for name, spec in (group.partitions or {}).items():
        if spec.configuration:
            yield (*path, "partitions", name, "configuration"), spec.configuration
        for number, nodes in enumerate(spec.nodes or ()):
            where = (*path, "partitions", name, "nodes", number)
            yield where, NodeConfiguration(cpu=nodes.cpu, gpu=nodes.gpu, accelerators=nodes.accelerators)
            if nodes.configuration:
                yield (*where, "configuration"), nodes.configuration


def _unreachable(config: Config, group: SlurmGroup, path: KeyPath) -> Iterator[Problem]:
    """Partitions in which no job at all could start."""
    built = {partition.name: partition for partition in slurm_group(group, "checked").partitions}
    for name, spec in (group.partitions or {}).items():
        why = "" if spec.disabled or (spec.state or "UP") != "UP" else _why_never(spec, built[name])
        if why:
            where = (*path, "partitions", name)
            yield config.tree.problem("LC201", where, f"no requirement can reach this partition: {why}", key=True)


def _why_never(spec: PartitionSpec, partition: Partition) -> str:
    if partition.closed_reason:
        return partition.closed_reason
    if spec.nodes is not None and not spec.nodes:
        return "it has no nodes"
    closed = [access.closed_reason or _contradiction(access.limits, partition) for access in partition.accesses]
    return closed[0] or "" if all(closed) else ""


def _contradiction(limits: tuple[Limit, ...], partition: Partition) -> str:
    """A minimum above a maximum, or above what any node has."""
    for least in limits:
        if not least.is_minimum:
            if least.value == 0 and least.subject in ("duration", "nodes", "cpu"):
                return f"{least.origin} is 0"
            continue
        for most in limits:
            if not most.is_minimum and most.subject == least.subject and most.value < least.value:
                return f"{least.origin} ({least.value}) is above {most.origin} ({most.value})"
        gpus = [
            sum(device.count or 10**6 for device in shape.devices) * (shape.count or 10**6)
            for shape in partition.shapes
        ]
        if least.subject == "gres/gpu" and sum(gpus) < least.value:
            return f"{least.origin} wants {least.value} GPUs and its nodes have {sum(gpus)}"
    return ""
