"""What people paste into `launchers convert`: it is read, and what convert prints is accepted by check and list.

The inputs are the captures of ../shared/data where they are, and some made up ones: cut, joined, and changed.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from fuzz_suite.mutations import change_bytes, change_lines, change_structure
from launchers.config.build import build
from launchers.config.check import check as check_config
from launchers.config.load import loads
from launchers.files.decoding import decode
from launchers.launcher.conversion import ConversionError, ConversionOptions, convert_texts
from launchers.slurm.read import read

EXPECTED = (ConversionError,)
DATA = Path(__file__).parents[4] / "shared" / "data"
FOLDERS = ("pasted", "real-clusters", "slurm-22.05", "expert/dev")
LARGEST = 60_000
"""Bytes of an input: a whole cluster has more, and one check would take as long."""
PIECES = [
    b"n[0-999999999]", b"n[0-99999]", b"n[1-3,5]", b"NodeName=", b"PartitionName=", b" Nodes=n[0-999999999]", b"[user@host ~]$ sinfo\n",
    b"> ", b"     1\t", b"\x1b[31m", b"\x1b]0;t\x07", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"{\"nodes\": [", b"{\"nodes\": {\"nodes\": \"n[0-999999999]\"}}",
    b"[{\"name\": 1, \"real_memory\": []}]", b"PARTITION NODELIST STATE GRES\n", b"NODELIST|CPUS|MEMORY\n", b"gpu:a100:99999999999999999999",
    b"99999999999999999999", b"-1", b"UNLIMITED", b"(null)", b"Name|Priority|MaxWall\n", b"A = b\n", b"...", b"+", b"*", b"HTTP/1.1 200 OK\n",
    b"State=MAINT", b"inval", b"AllowAccounts=none", b"MaxTime=1-", b"[" * 2000, b"{\"a\":" * 2000, b"{\"a\": 1}\n" * 200,
]  # fmt: skip
SYNTHETIC = [
    b"$ sinfo -l\nSat Nov 28 13:26:18 2026\nPARTITION AVAIL  TIMELIMIT   JOB_SIZE ROOT OVERSUBS     GROUPS  NODES       STATE RESERVATION NODELIST\n"
    b"gpu*         up 1-00:00:00        1-4   no  EXCLUSIV        all      2       mixed             n[1-2]\n"
    b"cpu       inact   infinite 1-infinite  yes       NO chemit,col      3        idle        mine m[1-3]\n",
    b"NodeName=n1 Arch=x86_64 CoresPerSocket=8\nCPUTot=16 CPULoad=0.1\nGres=gpu:a100:2(S:0-1)\nOS=Linux 5.14 #1 SMP\nRealMemory=64000 Sockets=2\n"
    b"State=IDLE+DRAIN ThreadsPerCore=1\nPartitions=gpu\nReason=bad disk [root@2026-01-01T00:00:00]\n",
    b'slurmrestd: a log line\nHTTP/1.1 200 OK\n\n{"nodes": [{"name": "n1", "cpus": 8, "state": ["IDLE"], "partitions": ["p"], "real_memory": 9000}]}\n'
    b'{"partitions": [{"name": "p", "nodes": {"configured": "n1"}, "maximums": {"time": {"set": true, "number": 60}}}]}\nthe end\n',
    b"PARTITION           NODELIST            STATE               GRES                \n"
    b"p                   n1                  idle                gpu:nvidia_h100_80gb\n",
    b"      Name   Priority     MaxWall       MaxTRES\n---------- ---------- ----------- -------------\n    normal         10  1-00:00:00 gres/gpu=2,c+\n",
    b"Account|User|QOS|Def QOS\nlab|me|normal,long|normal\n\nClusterName = here\nSLURM_VERSION = 24.11.5\n",
]  # fmt: skip


def corpus() -> list[bytes]:
    """Real captures, and made up ones."""
    paths = (path for folder in FOLDERS for path in sorted((DATA / folder).rglob("*")))
    texts = [
        path.read_bytes() for path in paths if path.is_file() and not path.name.endswith((".md", ".right.txt", ".gz"))
    ]
    return [*(text for text in texts if text and len(text) <= LARGEST), *SYNTHETIC]


def mutate(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Captures joined, and changed in their structure, lines and bytes."""
    data = b"".join(chance.choice(corpus) for _ in range(chance.choice([1, 1, 2, 3])))
    for _ in range(chance.choice([0, 1, 1, 2, 4, 9])):
        match chance.randrange(4):
            case 0:
                data = change_structure(chance, data, corpus)
            case 1:
                data = change_lines(chance, data, corpus)
            case 2:
                data = change_bytes(chance, data, corpus)
            case _:
                at = chance.randrange(len(data) + 1)
                data = data[:at] + chance.choice(PIECES) + data[at:]
        data = data[: 4 * LARGEST]
    return data.decode("utf-8", "replace").encode("utf-16") if chance.random() < 0.02 else data


def check(data: bytes, folder: Path) -> None:
    """Every input gives facts; what convert prints is a file without errors, which makes groups."""
    text = decode(data)
    read(text)
    conversion = convert_texts([text], ConversionOptions())
    config = loads(conversion.text)
    errors = [problem for problem in check_config(config) if problem.is_error]
    assert not errors, errors[0]
    build(config.document)
