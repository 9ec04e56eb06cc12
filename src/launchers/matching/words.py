"""Reasons in words for people."""

from __future__ import annotations

from launchers.matching.rejection import Rejection
from launchers.quantities.units import format_memory, format_timespan

GIB = 1024**3


# -- reasons in words ------------------------------------------------------------------------------------------


def reason(rejection: Rejection) -> str:
    """A rejection in words, with both numbers."""
    asked, offered = (_number(rejection, value) for value in (rejection.asked, rejection.offered))
    by = f" ({rejection.by})" if rejection.by else ""
    sentences = {
        "closed": f"takes no jobs: {offered}",
        "gpu-kind": f"asked {asked} devices, offers {offered}",
        "gpu-model": f"asked GPU model {asked}, offers {offered}",
        "gpu-memory": f"asked {asked} of GPU memory, offers {offered}",
        "gpu-min-memory": f"asked {asked} of GPU memory, its owner wants at least {offered}{by}",
        "gpu-count": f"asked {asked} GPUs per node, offers {offered}",
        "gpu-assignment": f"cannot give each of the {asked} GPUs asked its own device ({offered} devices)",
        "memory": f"asked {asked} of memory per node{by}, offers {offered}",
        "cores": f"asked {asked} cores per node, offers {offered}",
        "nodes": f"asked {asked} nodes, offers {offered}{by}",
        "duration": f"asked {asked}, allows {offered}{by}",
        "limit": f"asked {asked} {rejection.what}, allows {offered}{by}",
        "minimum": f"asked {asked} {rejection.what}, wants at least {offered}{by}",
    }
    return sentences[rejection.code]


def _number(rejection: Rejection, value: int | str | None) -> str:
    if not isinstance(value, int):
        return str(value)
    if rejection.code == "duration" or rejection.what == "duration":
        return format_timespan(value)
    if "memory" in rejection.code or rejection.what.startswith("mem"):
        return _memory(value)
    return str(value)


def _memory(size: int) -> str:
    """Memory for people: exact where that is short, else to a tenth of a GiB."""
    exact = format_memory(size) if size else "0"
    return exact if len(exact) <= 6 else f"{size / GIB:.1f}G"
