"""Read what nvidia-smi and rocm-smi print about accelerators."""

from __future__ import annotations

import json
import re

from attrs import frozen

from launchers.gpus.catalogue import identify, nominal_memory
from launchers.quantities.numbers import whole_number
from launchers.quantities.units import MIB

NVIDIA_QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,mig.mode.current",
    "--format=csv,noheader,nounits",
)
AMD_QUERY = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json")


@frozen
class LocalDevice:
    """One accelerator of this machine. `handle` is its UUID or index, for the variable of visible devices."""

    kind: str
    handle: str
    model: str | None
    memory: int | None


def read_nvidia(query: str, listing: str, notes: list[str]) -> list[LocalDevice]:
    """Devices from the output of NVIDIA_QUERY and, for MIG, of ``nvidia-smi -L``.

    A line that cannot be read becomes a note.
    """
    devices: list[LocalDevice] = []
    slices = _mig_slices(listing)
    for line in query.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != 5 or not cells[0].isdigit():
            if line.strip():
                notes.append(f"nvidia-smi printed a line that cannot be read: {line.strip()[:80]}")
            continue
        index, uuid, name, size, mig = cells
        if mig == "Enabled" and index in slices:
            devices += [_mig_device(f"{name} MIG {profile}", mig_uuid) for profile, mig_uuid in slices[index]]
        else:
            mebibytes = whole_number(size)
            memory = None if mebibytes is None else nominal_memory(mebibytes * MIB, name)
            devices.append(LocalDevice("cuda", uuid or index, name, memory))
    return devices


def _mig_device(model: str, uuid: str) -> LocalDevice:
    card = identify(model)
    return LocalDevice("cuda", uuid, model, card.memory[0] if card else None)


def _mig_slices(listing: str) -> dict[str, list[tuple[str, str]]]:
    """Profile and UUID of each MIG slice, by the index of its card."""
    slices: dict[str, list[tuple[str, str]]] = {}
    card = ""
    for line in listing.splitlines():
        if head := re.match(r"GPU (\d+):", line):
            card = head[1]
        elif part := re.match(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: ([^)]+)\)", line):
            slices.setdefault(card, []).append((part[1], part[2]))
    return slices


def read_amd(text: str, notes: list[str]) -> list[LocalDevice]:
    """Devices from the JSON of AMD_QUERY; what cannot be read becomes a note."""
    try:
        cards = json.loads(text[text.index("{") :])
    except ValueError:
        notes.append("rocm-smi printed no JSON")
        return []
    devices = []
    for name in sorted(cards, key=lambda card: (len(card), card)):
        if not re.fullmatch(r"card\d+", name):
            continue
        card = cards[name]
        model = card.get("Card Series") or card.get("Card series") or card.get("Card model")
        size = whole_number(str(card.get("VRAM Total Memory (B)", "")))
        memory = None if size is None else nominal_memory(size, model)
        devices.append(LocalDevice("rocm", name.removeprefix("card"), model, memory))
    return devices
