"""A claim of the ledger of this machine, which some process holds: it counts or it does not, but is no trouble."""

import fcntl
import json
from pathlib import Path

from attrs import asdict
from local_jobs import job

from launchers.local.jobs import Capacity, Wanted
from launchers.local.ledger import Claim, Ledger, LedgerError, locked

EXPECTED = (LedgerError,)
CAPACITY = Capacity(8, 2**34, (("cuda", "0", "A100", 2**35), ("cuda", "1", None, None)), (("licence", 2),))
WANTED = job("x", "true", cores=2, memory=2**20, wanted=(Wanted("cuda"),), tokens=(("licence", 1),))


def corpus() -> list[bytes]:
    """Claims of a job and of a command in the foreground."""
    claims = [Claim("/runs/p/local/1/a", 2, 2**30, ["0"], {"licence": 1}), Claim("run 17", 1, 0, [], {})]
    return [json.dumps(asdict(claim)).encode() for claim in claims]


def check(data: bytes, folder: Path) -> None:
    """Read it while it is held, and see whether another job can have what is left."""
    path = folder / "claim-00112233445566778899aabb"
    path.write_bytes(data)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with locked(folder) as ledger:
            _use(ledger)
    with locked(folder) as ledger:
        assert ledger.claims == [], "what nobody holds counts"


def _use(ledger: Ledger) -> None:
    ledger.grant(WANTED, CAPACITY)
    ledger.is_claimed_for("/runs/p/local/1/a")
