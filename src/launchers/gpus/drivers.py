"""What the drivers' own tools say of accelerators: nvidia-smi and rocm-smi, as text."""

from __future__ import annotations

import json
import re

from attrs import frozen

from launchers.gpus.catalogue import identify, nominal_memory

MIB = 1024**2
NVIDIA_QUERY = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,mig.mode.current",
    "--format=csv,noheader,nounits",
)
AMD_QUERY = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json")


@frozen
class LocalDevice:
    """One accelerator of this machine; `handle` is what its VISIBLE variable takes (a UUID or an index)."""

    kind: str
    handle: str
    model: str | None
    memory: int | None


def read_nvidia(query: str, listing: str, notes: list[str]) -> list[LocalDevice]:
    """Devices from the output of NVIDIA_QUERY and, for MIG, of ``nvidia-smi -L``."""
    found = []
    slices = _mig_slices(listing)
    for line in query.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != 5 or not cells[0].isdigit():
            if line.strip():
                notes.append(f"nvidia-smi said what is not understood: {line.strip()[:80]}")
            continue
        index, uuid, name, size, mig = cells
        if mig == "Enabled" and index in slices:
            for profile, mig_uuid in slices[index]:
                card = identify(f"{name} MIG {profile}")
                found.append(LocalDevice("cuda", mig_uuid, f"{name} MIG {profile}", card.memory[0] if card else None))
            continue
        bytes_ = nominal_memory(int(size) * MIB, name) if size.isdigit() else None
        found.append(LocalDevice("cuda", uuid or index, name, bytes_))
    return found


def _mig_slices(listing: str) -> dict[str, list[tuple[str, str]]]:
    slices: dict[str, list[tuple[str, str]]] = {}
    card = ""
    for line in listing.splitlines():
        if head := re.match(r"GPU (\d+):", line):
            card = head[1]
        elif part := re.match(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: ([^)]+)\)", line):
            slices.setdefault(card, []).append((part[1], part[2]))
    return slices


def read_amd(text: str, notes: list[str]) -> list[LocalDevice]:
    """Devices from the JSON of rocm-smi."""
    try:
        cards = json.loads(text[text.index("{") :])
    except ValueError:
        notes.append("rocm-smi printed no JSON")
        return []
    found = []
    for name in sorted(cards, key=lambda card: (len(card), card)):
        if not re.fullmatch(r"card\d+", name):
            continue
        card = cards[name]
        model = card.get("Card Series") or card.get("Card series") or card.get("Card model")
        size = str(card.get("VRAM Total Memory (B)", ""))
        bytes_ = nominal_memory(int(size), model) if size.isdigit() else None
        found.append(LocalDevice("rocm", name.removeprefix("card"), model, bytes_))
    return found
