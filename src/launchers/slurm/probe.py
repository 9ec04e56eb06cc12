"""Ask the driver on one node of each shape for the GPU memory that nothing else tells."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from attrs import evolve, frozen

from launchers.commands import CommandError, Connector
from launchers.config.schema import AcceleratorSpec, NodesSpec, SlurmGroup
from launchers.gpus.drivers import AMD_QUERY, NVIDIA_QUERY, LocalDevice, read_amd, read_nvidia
from launchers.quantities.hosts import expand_hosts

PATIENCE = 120.0
"""Seconds for which a probe may wait for its node."""


@frozen
class Probe:
    """One tiny job: where to run it, and for which GRES type (None: untyped) of these nodes it asks."""

    partition: str
    host: str
    type: str | None

    def command(self) -> list[str]:
        """The srun that prints what the driver says."""
        gpus = "1" if self.type is None else f"{self.type}:1"
        ask = " || ".join(shlex.join(query) for query in (NVIDIA_QUERY, AMD_QUERY))
        return [
            "srun", f"--partition={self.partition}", f"--nodelist={self.host}", "--nodes=1", "--ntasks=1",
            f"--gpus-per-node={gpus}", "--time=2", f"--immediate={PATIENCE:.0f}", "--job-name=launchers-probe",
            "sh", "-c", f"({ask}) 2>&1",
        ]  # fmt: skip


Key = tuple[str | None, tuple[str, ...]]
"""What makes nodes one shape to a probe: the GRES type, and the features of the nodes."""


def needed(group: SlurmGroup) -> dict[Key, Probe]:
    """One probe per shape of node with accelerators whose memory is not known, on its first host."""
    probes: dict[Key, Probe] = {}
    for name, spec in (group.partitions or {}).items():
        if spec.disabled or (spec.state or "UP") != "UP":
            continue
        for block in spec.nodes or ():
            for one in block.accelerators or ():
                if one.memory is None and block.hosts and block.available != 0:
                    hosts = expand_hosts(",".join(block.hosts) if isinstance(block.hosts, tuple) else block.hosts)
                    probes.setdefault(_key(one, block), Probe(name, hosts[0], one.type))
    return probes


def _key(one: AcceleratorSpec, block: NodesSpec) -> Key:
    return one.type, tuple(block.features or ())


def run(probe: Probe, connector: Connector) -> LocalDevice | str:
    """The device that the driver on the node tells of, or why there is none."""
    try:
        outcome = connector.run(probe.command(), timeout=PATIENCE + 30)
    except CommandError as error:
        return str(error)
    notes: list[str] = []
    text = outcome.stdout
    found = read_amd(text, notes) if "{" in text else read_nvidia(text, "", notes)
    usable = [one for one in found if one.memory is not None]
    if usable:
        return usable[0]
    lines = [line for line in (outcome.stderr + text).splitlines() if line.strip()]
    return "; ".join(lines[-2:]) or f"exit status {outcome.status}"


def filled(group: SlurmGroup, told: dict[Key, tuple[Probe, LocalDevice]]) -> SlurmGroup:
    """The entry with what the probes told in every block of the same shape."""

    def fill(one: AcceleratorSpec, block: NodesSpec) -> AcceleratorSpec:
        answer = told.get(_key(one, block))
        if answer is None or one.memory is not None:
            return one
        probe, device = answer
        kind = one.kind or device.kind
        return evolve(one, kind=kind, model=one.model or device.model, memory=device.memory, probed=probe.host)  # type: ignore[arg-type]

    return _mapped(group, fill)


def carried(before: SlurmGroup | None, now: SlurmGroup) -> SlurmGroup:
    """A fresh reading with what was probed before, where the fresh one still does not know."""
    known = {_key(one, block): one for block, one in _each(before) if one.probed} if before else {}

    def fill(one: AcceleratorSpec, block: NodesSpec) -> AcceleratorSpec:
        old = known.get(_key(one, block))
        if old is None or one.memory is not None:
            return one
        return evolve(
            one, kind=one.kind or old.kind, model=one.model or old.model, memory=old.memory, probed=old.probed
        )

    return _mapped(now, fill) if known else now


def _each(group: SlurmGroup) -> Iterator[tuple[NodesSpec, AcceleratorSpec]]:
    for spec in (group.partitions or {}).values():
        for block in spec.nodes or ():
            for one in block.accelerators or ():
                yield block, one


def _mapped(group: SlurmGroup, change: Callable[[AcceleratorSpec, NodesSpec], AcceleratorSpec]) -> SlurmGroup:
    partitions = {
        name: evolve(
            spec,
            nodes=None
            if spec.nodes is None
            else tuple(
                evolve(
                    block,
                    accelerators=None
                    if block.accelerators is None
                    else tuple(change(one, block) for one in block.accelerators),
                )
                for block in spec.nodes
            ),
        )
        for name, spec in (group.partitions or {}).items()
    }
    return evolve(group, partitions=partitions or None)
