"""Ask the live cluster, and remember the answer for a while.

What is remembered is the very file that `launchers convert` would have written, so there is one way from a cluster to
offers.  A command that is not there, not allowed or hangs costs its facts and no more: without slurmdbd there are no
accounts, without scontrol there is nothing.
"""

from __future__ import annotations

import grp
import os
import pwd

from attrs import field, frozen

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.config.cache import place, recall, remember
from launchers.config.emit import Converted, to_yaml
from launchers.config.schema import SlurmGroup
from launchers.slurm.convert import Person, convert
from launchers.slurm.facts import Facts
from launchers.slurm.read import read

TIMEOUT = 30.0

NODES = ("scontrol", "-a", "show", "nodes")
PARTITIONS = ("scontrol", "-a", "show", "partitions")
CONFIG = ("scontrol", "show", "config")
RESERVATIONS = ("scontrol", "show", "reservations")
QOS = ("sacctmgr", "-P", "show", "qos")
ASSOCIATIONS = (
    "sacctmgr", "-P", "show", "assoc",
    "format=Cluster,Account,ParentName,User,Partition,GrpJobs,GrpTRES,GrpSubmit,GrpTRESMins,GrpTRESRunMins,"
    "MaxJobs,MaxTRES,MaxTRESPerNode,MaxSubmit,MaxWall,MaxTRESMins,QOS,DefaultQOS",
)  # fmt: skip


@frozen
class LiveCluster:
    """What a live cluster said: its facts, for whom, and what could not be asked."""

    facts: Facts
    person: Person
    failed: tuple[str, ...] = field(default=())


class ClusterError(RuntimeError):
    """A cluster that cannot be read at all; the message says what was tried."""


def read_live_cluster(connector: Connector | None = None) -> LiveCluster:
    """Ask everything that helps; raises ClusterError when not even nodes and partitions can be had."""
    connector = connector or LocalConnector()
    failed: list[str] = []
    texts = []
    for argv in (NODES, PARTITIONS):
        texts.append(_run(connector, argv, failed))
        if not texts[-1]:
            raise ClusterError("; ".join(failed) or f"{' '.join(argv)} printed nothing")
    user = pwd.getpwuid(os.getuid()).pw_name
    config = _run(connector, CONFIG, failed)
    more = [config, _run(connector, RESERVATIONS, failed)]
    default = ""
    if "accounting_storage/none" not in config:
        more += [_run(connector, QOS, failed), _run(connector, ASSOCIATIONS, failed)]
        default = _run(connector, ("sacctmgr", "-nP", "show", "user", user, "format=DefaultAccount"), failed).strip()
    facts = read(*texts, *(text for text in more if text and "No reservations" not in text))
    return LiveCluster(facts, Person(user, default or None, _groups(user)), tuple(failed))


def _run(connector: Connector, argv: tuple[str, ...], failed: list[str]) -> str:
    """What a command says; "" with a note in `failed` when it cannot say anything."""
    try:
        outcome = connector.run(argv, timeout=TIMEOUT)
    except CommandError as error:
        failed.append(str(error))
        return ""
    if outcome.status != 0:
        failed.append(f"{' '.join(argv[:4])}: {outcome.complaint}")
        return ""
    return outcome.stdout


def _groups(user: str) -> frozenset[str]:
    """The names of this process's Unix groups."""
    names = {"root"} if user == "root" else set()
    for number in os.getgroups():
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue  # a group without a name cannot be in AllowGroups
    return frozenset(names)


def converted(asked: LiveCluster) -> Converted[SlurmGroup]:
    """The live cluster as an entry of launchers.yaml."""
    return convert(asked.facts, asked.person)


# -- remembered ------------------------------------------------------------------------------------------------


@frozen
class Answer:
    """What a cluster says, how old that is (seconds), and what could not be asked."""

    group: SlurmGroup
    age: float
    failed: tuple[str, ...] = ()


def query(*, refresh: bool = False, connector: Connector | None = None) -> Answer | str:
    """What the live cluster says, a few minutes old at most; or why it cannot be read, with what was tried."""
    path = place("slurm", os.environ.get("SLURM_CONF", "") + "|" + os.environ.get("SLURM_CONF_SERVER", ""))
    known = None if refresh else recall(path)
    if known is not None and known[0].slurm:
        return Answer(known[0].slurm[0], known[1])
    try:
        asked = read_live_cluster(connector)
    except ClusterError as error:
        return f"query_slurm: {error}"
    found = converted(asked)
    remember(path, to_yaml(found, "What `query_slurm: true` read last."))
    return Answer(found.group, 0.0, asked.failed)
