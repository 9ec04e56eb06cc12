"""The table of this machine's scheduler: its jobs, and what they may take."""

import tempfile
from pathlib import Path

from local_jobs import job

from launchers.errors import RunError
from launchers.local.jobs import Capacity, Wanted, read_table, write_table

EXPECTED = (RunError,)
CAPACITY = Capacity(8, 2**34, (("cuda", "0", "A100", 2**35), ("cuda", "1", None, None)), (("licence", 2),))


def corpus() -> list[bytes]:
    """jobs.jsonl and capacity.json, with a NUL between them."""
    jobs = [
        job("a", "true", cores=2, memory=2**20, wanted=(Wanted("cuda"),), tokens=(("licence", 1),), time_limit=60),
        job("b", "sh", "-c", "exit 1", after=(("ok", "a"), ("notok", "a\nc")), requeue=99, warning=5),
        job("c", "x", env=(("A", "1"),), name="c"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder), CAPACITY, jobs)
        table, capacity = (Path(folder, name).read_bytes() for name in ("jobs.jsonl", "capacity.json"))
    return [table + b"\0" + capacity, table + b"\0" + capacity.replace(b"8", b"null", 1), b"\0" + capacity]


def check(data: bytes, folder: Path) -> None:
    """Read both."""
    table, _, capacity = data.partition(b"\0")
    (folder / "jobs.jsonl").write_bytes(table)
    (folder / "capacity.json").write_bytes(capacity)
    read_table(folder)
