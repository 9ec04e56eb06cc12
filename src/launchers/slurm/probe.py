"""Ask the driver on one node of each shape for the GPU memory that nothing else states."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from attrs import evolve, frozen

from launchers.commands import CommandError, Connector
from launchers.config.schema import AcceleratorSpec, NodesSpec, PartitionSpec, SlurmGroup
from launchers.gpus.drivers import AMD_QUERY, NVIDIA_QUERY, LocalDevice, read_amd, read_nvidia
from launchers.quantities.hosts import expand_hosts, join_hosts
from launchers.slurm.environment import job_environment

NODE_TIMEOUT = 120.0
"""Seconds that a probe waits for its node."""
DRIVER_TIMEOUT = 30.0
"""Seconds that the driver may take then."""

ShapeKey = tuple[str | None, tuple[str, ...]]
"""What makes nodes one shape for a probe: the GRES type, and the features of the nodes."""


@frozen
class Probe:
    """One tiny job on `host`, which asks for one GPU of this GRES type (None: of any)."""

    partition: str
    host: str
    type: str | None

    def command(self) -> list[str]:
        """The srun that prints the answer of the driver."""
        gpus = "1" if self.type is None else f"{self.type}:1"
        ask_drivers = " || ".join(shlex.join(query) for query in (NVIDIA_QUERY, AMD_QUERY))
        return [
            "srun", f"--partition={self.partition}", f"--nodelist={self.host}", "--nodes=1", "--ntasks=1",
            f"--gpus-per-node={gpus}", "--time=2", f"--immediate={NODE_TIMEOUT:.0f}", "--job-name=launchers-probe",
            "sh", "-c", f"({ask_drivers}) 2>&1",
        ]  # fmt: skip


def needed_probes(group: SlurmGroup) -> dict[ShapeKey, Probe]:
    """One probe for each shape of node that has accelerators of unknown memory, on its first host."""
    probes: dict[ShapeKey, Probe] = {}
    for name, partition in (group.partitions or {}).items():
        if partition.disabled or (partition.state or "UP") != "UP":
            continue
        for block, accelerator in _accelerators(partition):
            if accelerator.memory is None and block.hosts and block.available != 0:
                host = expand_hosts(join_hosts(block.hosts))[0]
                probes.setdefault(_shape_key(accelerator, block), Probe(name, host, accelerator.type))
    return probes


def run_probe(probe: Probe, connector: Connector) -> LocalDevice | str:
    """The device that the driver reports, or a message that says why there is none."""
    try:
        outcome = connector.run(
            probe.command(), timeout=NODE_TIMEOUT + DRIVER_TIMEOUT, env=job_environment(account=False)
        )
    except CommandError as error:
        return str(error)
    notes: list[str] = []
    output = outcome.stdout
    devices = read_amd(output, notes) if "{" in output else read_nvidia(output, "", notes)
    device = next((device for device in devices if device.memory is not None), None)
    if device is not None:
        return device
    lines = [line for line in (outcome.stderr + output).splitlines() if line.strip()]
    return "; ".join(lines[-2:]) or f"exit status {outcome.status}"


def fill_in_probed(group: SlurmGroup, results: dict[ShapeKey, tuple[Probe, LocalDevice]]) -> SlurmGroup:
    """The entry with the result of each probe in all blocks of its shape."""

    def fill_in(accelerator: AcceleratorSpec, block: NodesSpec) -> AcceleratorSpec:
        result = results.get(_shape_key(accelerator, block))
        if result is None or accelerator.memory is not None:
            return accelerator
        probe, device = result
        return evolve(
            accelerator,
            kind=accelerator.kind or device.kind,  # type: ignore[arg-type]
            model=accelerator.model or device.model,
            memory=device.memory,
            probed=probe.host,
        )

    return _with_accelerators(group, fill_in)


def keep_probed(before: SlurmGroup | None, now: SlurmGroup) -> SlurmGroup:
    """A new reading of a cluster, with what was probed before where the new reading does not know the memory."""
    known = {}
    for partition in (before.partitions or {}).values() if before else ():
        for block, accelerator in _accelerators(partition):
            if accelerator.probed:
                known[_shape_key(accelerator, block)] = accelerator

    def fill_in(accelerator: AcceleratorSpec, block: NodesSpec) -> AcceleratorSpec:
        probed = known.get(_shape_key(accelerator, block))
        if probed is None or accelerator.memory is not None:
            return accelerator
        return evolve(
            accelerator,
            kind=accelerator.kind or probed.kind,
            model=accelerator.model or probed.model,
            memory=probed.memory,
            probed=probed.probed,
        )

    return _with_accelerators(now, fill_in) if known else now


def _shape_key(accelerator: AcceleratorSpec, block: NodesSpec) -> ShapeKey:
    return accelerator.type, tuple(block.features or ())


def _accelerators(partition: PartitionSpec) -> Iterator[tuple[NodesSpec, AcceleratorSpec]]:
    """Each class of accelerators of a partition, with its block of nodes."""
    for block in partition.nodes or ():
        for accelerator in block.accelerators or ():
            yield block, accelerator


Change = Callable[[AcceleratorSpec, NodesSpec], AcceleratorSpec]


def _with_accelerators(group: SlurmGroup, change: Change) -> SlurmGroup:
    """The entry with each class of accelerators changed; what is not stated stays not stated."""
    partitions = {
        name: partition
        if partition.nodes is None
        else evolve(partition, nodes=tuple(_block_with_accelerators(block, change) for block in partition.nodes))
        for name, partition in (group.partitions or {}).items()
    }
    return evolve(group, partitions=partitions or None)


def _block_with_accelerators(block: NodesSpec, change: Change) -> NodesSpec:
    if block.accelerators is None:
        return block
    return evolve(block, accelerators=tuple(change(accelerator, block) for accelerator in block.accelerators))
