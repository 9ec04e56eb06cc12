"""Which Slurm it is, and what its versions do differently. Where the version is not known, it counts as a new one."""

from __future__ import annotations

import re

from launchers.slurm.facts import SlurmFacts

Version = tuple[int, int]
"""Year and month of a release: (22, 5) is 22.05."""
VERSION = "SLURM_VERSION"
"""What `scontrol show config` calls it; the meta of JSON is read as this setting."""
_RELEASE = re.compile(r"(\d{2})\.(\d{2})\b", re.ASCII)


def version_of(facts: SlurmFacts) -> Version | None:
    """The version of a cluster's controller; None where nothing says it.

    A node is never newer than its controller (https://slurm.schedmd.com/upgrades.html), so the newest of them counts
    where the controller's own was not printed.
    """
    own = _read(facts.config.get(VERSION, ""))
    return own or max(filter(None, (_read(node.pairs.get("Version", "")) for node in facts.nodes)), default=None)


def counts_accounts_below(facts: SlurmFacts) -> bool:
    """Whether a partition that names an account means those below it, too (docs/slurm-facts.md#partitions)."""
    return _is_from(facts, (23, 2))


def refuses_memory_of_more_cpus(facts: SlurmFacts) -> bool:
    """Whether memory that costs more CPUs than MaxCPUsPerNode is refused (docs/slurm-facts.md#memory)."""
    return _is_from(facts, (23, 2))


def _is_from(facts: SlurmFacts, first: Version) -> bool:
    version = version_of(facts)
    return version is None or version >= first


def _read(text: str) -> Version | None:
    match = _RELEASE.match(text)
    return (int(match[1]), int(match[2])) if match else None
