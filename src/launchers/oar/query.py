"""Read the live OAR, and keep the answer for a while as the file that `launchers convert` would write."""

from __future__ import annotations

import os

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.config.cache import cache_path, read_cache, write_cache
from launchers.config.emit import to_yaml
from launchers.config.reading import ClusterError, ClusterReading
from launchers.config.schema import OarGroup
from launchers.oar.convert import convert
from launchers.oar.facts import OarFacts, read_oarnodes
from launchers.oar.refusals import oar_complaint

TIMEOUT = 60.0
"""Seconds that oarnodes may take."""
OARNODES = ("oarnodes", "-J")


def query(*, refresh: bool = False, connector: Connector | None = None) -> ClusterReading[OarGroup] | str:
    """The entry of the live cluster, a few minutes old at most; or a message that says why it cannot be read.

    `refresh` reads the cluster even where a recent answer is kept. OAR's commands read one configuration file, so there
    is one OAR per machine.
    """
    path = cache_path("oar", os.uname().nodename)
    kept = None if refresh else read_cache(path)
    if kept is not None and kept[0].oar:
        return ClusterReading(kept[0].oar[0], kept[1])
    try:
        facts = read_live_cluster(connector)
    except ClusterError as error:
        return f"query_oar: {error}"
    converted = convert(facts)
    write_cache(path, to_yaml(converted, "The last answer for `query_oar: true`."))
    return ClusterReading(converted.group, 0.0)


def read_live_cluster(connector: Connector | None = None) -> OarFacts:
    """Ask the cluster for its resources. Raises ClusterError where it does not answer."""
    try:
        outcome = (connector or LocalConnector()).run(OARNODES, timeout=TIMEOUT)
    except CommandError as error:
        raise ClusterError(str(error)) from error
    if outcome.status:
        raise ClusterError(f"oarnodes: {oar_complaint(outcome)}")
    if outcome.stdout.strip() in ("", "{}"):  # it ends with 0 then (docs/oar-facts.md#resources)
        raise ClusterError("oarnodes printed no resources: its database gave no answer, or has none")
    try:
        return read_oarnodes(outcome.stdout)
    except ValueError as error:
        raise ClusterError(f"oarnodes: {error}") from error
