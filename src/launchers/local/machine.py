"""What this process may use of this machine: cores, memory and accelerators, bounded by affinity and cgroups."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Mapping
from pathlib import Path

from attrs import evolve, frozen

from launchers.commands import CommandError, CommandNotFoundError, Connector, LocalConnector
from launchers.gpus.drivers import AMD_QUERY, NVIDIA_QUERY, LocalDevice, read_amd, read_nvidia
from launchers.offer.model import Access, Device, Group, Partition, Shape
from launchers.quantities.architectures import normalize_architecture
from launchers.quantities.numbers import whole_number

VISIBLE = {"cuda": "CUDA_VISIBLE_DEVICES", "rocm": "ROCR_VISIBLE_DEVICES"}
"""The variables that show a process only some devices."""


@frozen
class Machine:
    """What this process may use: cores, memory in bytes, accelerators, and notes on what could not be read."""

    cores: int
    memory: int | None
    devices: tuple[LocalDevice, ...]
    notes: tuple[str, ...] = ()


def probe(connector: Connector | None = None, environ: Mapping[str, str] | None = None) -> Machine:
    """Look at what this process may use here; never raises for a tool that is missing or broken."""
    connector = connector or LocalConnector()
    environ = os.environ if environ is None else environ
    notes: list[str] = []
    devices = [*nvidia(connector, notes), *amd(connector, notes), *apple()]
    visible = tuple(device for device in devices if is_visible(device, devices, environ))
    return Machine(cores(), memory(), visible, tuple(notes))


def machine_group(machine: Machine, name: str = "this machine") -> Group:
    """A probed machine as a launcher group: the only one where there is no configuration."""
    shape = Shape(name, machine.cores, machine.memory, _device_classes(machine), count=1, available=1, arch=arch())
    return Group(name, "local", (Partition("", (shape,), (Access(),)),), tags=frozenset({"local"}), notes=machine.notes)


def _device_classes(machine: Machine) -> tuple[Device, ...]:
    """Equal devices as one class with their handles."""
    handles: dict[tuple[str, str | None, int | None], list[str]] = {}
    for device in machine.devices:
        handles.setdefault((device.kind, device.model, device.memory), []).append(device.handle)
    return tuple(
        Device(kind, len(names), size, model, handles=tuple(names)) for (kind, model, size), names in handles.items()
    )


def fill_groups(groups: tuple[Group, ...], probed: Collection[str]) -> tuple[Group, ...]:
    """The groups, where the local ones named in `probed` take from this machine what they do not state."""
    machine = probe()

    def fill(group: Group) -> Group:
        partition = group.partitions[0]
        shape = partition.shapes[0]
        shape = evolve(
            shape,
            cores=machine.cores if shape.cores is None else shape.cores,
            memory=machine.memory if shape.memory is None else shape.memory,
            devices=shape.devices or _device_classes(machine),
            arch=shape.arch or arch(),
        )
        return evolve(group, partitions=(evolve(partition, shapes=(shape,)),), notes=machine.notes)

    return tuple(fill(group) if group.scheduler == "local" and group.name in probed else group for group in groups)


def arch() -> str | None:
    """The architecture of this machine's processors."""
    return normalize_architecture(platform.machine())


# -- cores and memory ------------------------------------------------------------------------------------------


def cores(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """CPUs that this process may run on: its affinity, and any cgroup quota, at least one."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        allowed = os.cpu_count() or 1
    quotas = [quota for folder in _cgroups(root, own) if (quota := _quota(folder)) is not None]
    return max(1, min([allowed, *(int(quota) for quota in quotas)]))


def memory(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """Bytes of memory that this process may use: what the machine has, and any cgroup limit up the tree."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    limits = []
    for folder in _cgroups(root, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = whole_number(_read(folder / name))
            if limit is not None:
                limits.append(limit)
    return min([total, *limits])


def _cgroups(root: Path, own: Path) -> list[Path]:
    """The folders of this process's cgroups and of all above them, in version 1 and 2 layouts."""
    folders = []
    for line in _read(own).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and not set(controllers.split(",")) & {"cpu", "memory"}:
            continue
        base = root / controllers if controllers else root
        parts = [part for part in path.split("/") if part and part != ".."]
        folders += [base.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
    return folders


def _quota(folder: Path) -> float | None:
    """CPUs of a CFS quota: cpu.max of version 2, cpu.cfs_quota_us of version 1; None: no quota."""
    version_1 = [_read(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    numbers = _read(folder / "cpu.max").split() or version_1
    quota, period = map(whole_number, numbers) if len(numbers) == 2 else (None, None)
    return quota / period if quota is not None and period else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


# -- accelerators ----------------------------------------------------------------------------------------------


def nvidia(connector: Connector, notes: list[str]) -> list[LocalDevice]:
    """NVIDIA GPUs as nvidia-smi lists them; MIG slices instead of a card that is cut up."""
    cards = _output(connector, NVIDIA_QUERY, notes)
    if cards is None:
        return []
    slices = _output(connector, ("nvidia-smi", "-L"), notes) if "Enabled" in cards else None
    return read_nvidia(cards, slices or "", notes)


def amd(
    connector: Connector, notes: list[str], kfd: Path = Path("/sys/class/kfd/kfd/topology/nodes")
) -> list[LocalDevice]:
    """AMD GPUs: rocm-smi where there is a driver at all."""
    if not kfd.is_dir():
        return []
    cards = _output(connector, AMD_QUERY, notes)
    return [] if cards is None else read_amd(cards, notes)


def apple() -> list[LocalDevice]:
    """The GPU of an Apple processor, whose memory is the machine's."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return [LocalDevice("mps", "0", platform.processor() or "Apple", None)]
    return []


def _output(connector: Connector, argv: tuple[str, ...], notes: list[str]) -> str | None:
    """What a tool prints; None where there is no such tool, and where it fails, with a note on that."""
    try:
        outcome = connector.run(argv, timeout=10)
    except CommandNotFoundError:
        return None
    except CommandError as error:
        notes.append(str(error))
        return None
    if outcome.status != 0:
        notes.append(f"{argv[0]}: {outcome.complaint}")
        return None
    return outcome.stdout


def is_visible(device: LocalDevice, devices: list[LocalDevice], environ: Mapping[str, str]) -> bool:
    """Whether this process may use the device: CUDA_VISIBLE_DEVICES and its like list indices or UUIDs.

    The start of a UUID stands for it, where it is longer than an index could be.
    """
    name = VISIBLE.get(device.kind)
    if name is None or name not in environ:
        return True
    alike = [other for other in devices if other.kind == device.kind]
    index = str(alike.index(device))
    shown = [part.strip() for part in environ[name].split(",")]
    return any(part == index or (len(part) > 4 and device.handle.startswith(part)) for part in shown)
