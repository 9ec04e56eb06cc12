"""Read the live cluster, and keep the answer for a while.

The answer is kept as the file that `launchers convert` would write, so there is one way from a cluster to offers. A
command that does not exist, is not allowed or hangs costs only its own facts: without slurmdbd there are no accounts.
Only nodes and partitions are needed.
"""

from __future__ import annotations

import grp
import os

from attrs import field, frozen

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.config.cache import cache_path, read_cache, write_cache
from launchers.config.emit import to_yaml
from launchers.config.reading import ClusterError, ClusterReading
from launchers.config.schema import SlurmGroup
from launchers.slurm.accounts import Person
from launchers.slurm.convert import convert
from launchers.slurm.environment import ask, user
from launchers.slurm.facts import SlurmFacts
from launchers.slurm.read import read

TIMEOUT = 30.0
"""Seconds that each command may take."""

NODES = ("scontrol", "-a", "show", "nodes")
PARTITIONS = ("scontrol", "-a", "show", "partitions")
CONFIG = ("scontrol", "show", "config")
RESERVATIONS = ("scontrol", "show", "reservations")
QOS = ("sacctmgr", "-P", "show", "qos")
ASSOCIATIONS = (
    "sacctmgr", "-P", "show", "assoc",
    "format=Cluster,Account,ParentName,User,Partition,GrpJobs,GrpTRES,GrpSubmit,GrpTRESMins,GrpTRESRunMins,GrpWall,"
    "MaxJobs,MaxTRES,MaxTRESPerNode,MaxSubmit,MaxWall,MaxTRESMins,QOS,DefaultQOS",
)  # fmt: skip


@frozen
class LiveCluster:
    """The facts of a live cluster, the person who asked, and the commands that failed."""

    facts: SlurmFacts
    person: Person
    failed: tuple[str, ...] = field(default=())


def query(*, refresh: bool = False, connector: Connector | None = None) -> ClusterReading[SlurmGroup] | str:
    """The entry of the live cluster, a few minutes old at most; or a message that says why it cannot be read.

    `refresh` reads the cluster even where a recent answer is kept.
    """
    path = cache_path("slurm", os.environ.get("SLURM_CONF", "") + "|" + os.environ.get("SLURM_CONF_SERVER", ""))
    kept = None if refresh else read_cache(path)
    if kept is not None and kept[0].slurm:
        return ClusterReading(kept[0].slurm[0], kept[1])
    try:
        cluster = read_live_cluster(connector)
    except ClusterError as error:
        return f"query_slurm: {error}"
    converted = convert(cluster.facts, cluster.person)
    write_cache(path, to_yaml(converted, "The last answer for `query_slurm: true`."))
    return ClusterReading(converted.group, 0.0, cluster.failed)


def read_live_cluster(connector: Connector | None = None) -> LiveCluster:
    """Ask the cluster for everything that helps. Raises ClusterError without nodes or partitions."""
    connector = connector or LocalConnector()
    failed: list[str] = []
    texts: dict[tuple[str, ...], str] = {}
    for argv in (NODES, PARTITIONS):
        texts[argv] = _output(connector, argv, failed)
        if not texts[argv]:
            raise ClusterError("; ".join(failed) or f"{' '.join(argv)} printed nothing")
    name = user()
    texts |= {argv: _output(connector, argv, failed) for argv in (CONFIG, RESERVATIONS)}
    default_account = ""
    if "accounting_storage/none" not in texts[CONFIG]:
        texts |= {argv: _output(connector, argv, failed) for argv in (QOS, ASSOCIATIONS)}
        show_default = ("sacctmgr", "-nP", "show", "user", name, "format=DefaultAccount")
        default_account = _output(connector, show_default, failed).strip()
    texts = {argv: text for argv, text in texts.items() if text and "No reservations" not in text}
    facts = read(*texts.values(), names=[" ".join(argv[:4]) for argv in texts])
    return LiveCluster(facts, Person(name, default_account or None, _unix_groups(name)), tuple(failed))


def _output(connector: Connector, argv: tuple[str, ...], failed: list[str]) -> str:
    """What a command prints; "" and a message in `failed` where the command fails."""
    try:
        outcome = ask(connector, argv, timeout=TIMEOUT)
    except CommandError as error:
        failed.append(str(error))
        return ""
    if outcome.status != 0:
        failed.append(f"{' '.join(argv[:4])}: {outcome.complaint}")
        return ""
    return outcome.stdout


def _unix_groups(user: str) -> frozenset[str]:
    """The names of this process's Unix groups. A group without a name cannot be in AllowGroups."""
    names = {"root"} if user == "root" else set()
    for number in os.getgroups():
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)
