"""What this process may use, from texts and folders as machines have them."""

import os
import platform

import pytest
from connectors import Answers

from launchers.commands import CommandNotFoundError, CommandTimeoutError, Outcome
from launchers.gpus.drivers import AMD_QUERY, NVIDIA_QUERY, LocalDevice
from launchers.local import machine
from launchers.local.machine import Machine, fill_groups, is_visible, machine_group
from launchers.offer.model import Access, Device, Group, Partition, Shape

G = 1024**3
TOTAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_this_machine():
    here = machine.probe()
    assert 1 <= here.cores <= os.cpu_count()
    assert 0 < here.memory <= TOTAL
    assert machine_group(here).partitions[0].shapes[0].cores == here.cores


# -- cores and memory ------------------------------------------------------------------------------------------


@pytest.fixture
def cgroups(tmp_path):
    """Write files of cgroups, and which this process is in; the arguments of machine.cores and machine.memory."""

    def write(files, own):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(own)
        return tmp_path / "cgroup", tmp_path / "own"

    return write


@pytest.mark.parametrize(
    ("files", "own", "cores"),
    [
        ({"a/b/cpu.max": "150000 100000"}, "0::/a/b", 1),
        ({"a/b/cpu.max": "350000 100000"}, "0::/a/b", 3),
        ({"a/b/cpu.max": "50000 100000"}, "0::/a/b", 1),
        ({"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000"}, "0::/a/b", 2),  # the least of all above it
        ({"cpu.max": "200000 100000"}, "0::/a/b", 2),
        ({"a/cpu.max": "max 100000"}, "0::/a", 64),
        ({"a/cpu.max": "900000000 100000"}, "0::/a", 64),
        ({"a/cpu.max": "100000 0"}, "0::/a", 64),
        ({"a/cpu.max": "100000"}, "0::/a", 64),
        ({"other/cpu.max": "100000 100000"}, "0::/a", 64),
        ({"cpu.max": "200000 100000", "x/cpu.max": "100000 100000"}, "0::/../x", 1),  # .. is passed over
        ({"cpu,cpuacct/x/cpu.cfs_quota_us": "200000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
         "4:cpu,cpuacct:/x\n1:name=systemd:/x", 2),
        ({"cpu,cpuacct/x/cpu.cfs_quota_us": "-1", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/x", 64),
        ({"cpuset/x/cpu.cfs_quota_us": "100000", "cpuset/x/cpu.cfs_period_us": "100000"}, "4:cpuset:/x", 64),
        ({}, "", 64),
        ({}, "what is this", 64),
    ],
)  # fmt: skip
def test_a_cgroup_limits_cores(monkeypatch, cgroups, files, own, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    assert machine.cores(*cgroups(files, own)) == cores


def test_the_affinity_limits_cores(monkeypatch, cgroups):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert machine.cores(*cgroups({"cpu.max": "400000 100000"}, "0::/")) == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # where it is not Linux
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert machine.cores(*cgroups({"cpu.max": "max 100000"}, "0::/")) == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores(*cgroups({"cpu.max": "max 100000"}, "0::/")) == 1


@pytest.mark.parametrize(
    ("files", "own", "memory"),
    [
        ({"a/memory.max": "1048576"}, "0::/a", 2**20),
        ({"a/b/memory.max": "2097152", "a/memory.max": "1048576"}, "0::/a/b", 2**20),
        ({"a/memory.max": "max"}, "0::/a", TOTAL),
        ({"a/memory.max": str(2**62)}, "0::/a", TOTAL),
        ({"memory/x/memory.limit_in_bytes": "2097152"}, "5:memory:/x", 2**21),
        ({"cpu/x/memory.limit_in_bytes": "2097152"}, "5:pids:/x", TOTAL),
        ({}, "", TOTAL),
    ],
)
def test_a_cgroup_limits_memory(cgroups, files, own, memory):
    assert machine.memory(*cgroups(files, own)) == memory


def test_memory_that_is_not_known(monkeypatch):
    def sysconf(name):
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", sysconf)
    assert machine.memory() is None


# -- accelerators ----------------------------------------------------------------------------------------------

CARDS = "0, GPU-aa, NVIDIA A100, 40536, Disabled\n"
SLICED = "0, GPU-aa, NVIDIA A100, 40536, Enabled\n"
SLICES = "GPU 0: NVIDIA A100 (UUID: GPU-aa)\n  MIG 1g.5gb      Device  0: (UUID: MIG-1)\n"
AMD = '{"card1": {"Card series": "AMD Instinct MI250X", "VRAM Total Memory (B)": "68702699520"}}'


def handles(devices):
    return [device.handle for device in devices]


def test_nvidia_cards():
    notes = []
    tool = Answers({" ".join(NVIDIA_QUERY): CARDS, "nvidia-smi -L": SLICES})
    assert handles(machine.nvidia(tool, notes)) == ["GPU-aa"]
    assert (tool.asked, notes) == ([NVIDIA_QUERY], [])


def test_nvidia_slices():
    assert handles(machine.nvidia(Answers({" ".join(NVIDIA_QUERY): SLICED, "nvidia-smi -L": SLICES}), [])) == ["MIG-1"]


class Fails:
    """A tool that fails so."""

    def __init__(self, answer):
        self.answer = answer

    def run(self, argv, **_):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "notes"),
    [
        (CommandNotFoundError("there is no command nvidia-smi"), []),
        (CommandTimeoutError("nvidia-smi gave no answer within 10 s"), ["nvidia-smi gave no answer within 10 s"]),
        (Outcome(("nvidia-smi",), 9, "", "Driver/library version mismatch"),
         ["nvidia-smi: Driver/library version mismatch"]),
        (Outcome(("nvidia-smi",), 0, "", "a warning"), []),
    ],
)  # fmt: skip
def test_a_broken_tool_is_a_note_and_a_missing_tool_is_none(answer, notes):
    noted = []
    assert machine.nvidia(Fails(answer), noted) == []
    assert noted == notes


def test_amd_cards_are_looked_for_where_there_is_a_driver(tmp_path):
    tool = Answers({" ".join(AMD_QUERY): AMD})
    assert machine.amd(tool, [], tmp_path / "kfd") == []
    assert tool.asked == []
    assert machine.amd(tool, [], tmp_path) == [LocalDevice("rocm", "1", "AMD Instinct MI250X", 64 * G)]
    notes = []
    assert machine.amd(Fails(Outcome(("rocm-smi",), 1, "", "broken")), notes, tmp_path) == []
    assert notes == ["rocm-smi: broken"]


@pytest.mark.parametrize(
    ("system", "processor", "found"),
    [("Darwin", "arm64", True), ("Darwin", "x86_64", False), ("Linux", "arm64", False)],
)
def test_the_gpu_of_an_apple_processor(monkeypatch, system, processor, found):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine.apple() == ([LocalDevice("mps", "0", "Apple", None)] if found else [])


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        (None, ["GPU-aaaa", "GPU-bbbb", "x"]),
        ("", ["x"]),
        ("1", ["GPU-bbbb", "x"]),
        ("1, 0", ["GPU-aaaa", "GPU-bbbb", "x"]),
        ("2", ["x"]),
        ("GPU-aaaa", ["GPU-aaaa", "x"]),
        ("GPU-b", ["GPU-bbbb", "x"]),
        ("GPU-", ["x"]),  # too short to be the start of one
        ("-1", ["x"]),
    ],
)
def test_only_the_devices_that_this_process_may_use(shown, seen):
    devices = [LocalDevice("rocm", "x", None, None), *[LocalDevice("cuda", f"GPU-{n * 4}", None, None) for n in "ab"]]
    environ = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    assert sorted(handles(device for device in devices if is_visible(device, devices, environ))) == seen


def test_the_devices_of_a_probe_are_those_that_it_may_use(monkeypatch):
    tool = Answers({" ".join(NVIDIA_QUERY): f"{CARDS}1, GPU-bb, NVIDIA A100, 40536, Disabled\n?\n"})
    here = machine.probe(tool, {"CUDA_VISIBLE_DEVICES": "1"})
    assert handles(here.devices) == ["GPU-bb"]
    assert len(here.notes) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert handles(machine.probe(tool).devices) == ["GPU-aa"]


# -- groups ----------------------------------------------------------------------------------------------------

HERE = Machine(
    8, 4 * G,
    (LocalDevice("cuda", "GPU-a", "A100", 40 * G), LocalDevice("cuda", "GPU-b", "T4", 16 * G),
     LocalDevice("cuda", "GPU-c", "A100", 40 * G)),
    ("a note",),
)  # fmt: skip
DEVICES = (
    Device("cuda", 2, 40 * G, "A100", handles=("GPU-a", "GPU-c")), Device("cuda", 1, 16 * G, "T4", handles=("GPU-b",)),
)  # fmt: skip


def test_a_machine_as_a_group():
    group = machine_group(HERE)
    ((shape,),) = [partition.shapes for partition in group.partitions]
    assert (group.name, group.scheduler, group.tags, group.notes) == (
        "this machine", "local", frozenset({"local"}), ("a note",),
    )  # fmt: skip
    assert (shape.cores, shape.memory, shape.devices, shape.count, shape.available) == (8, 4 * G, DEVICES, 1, 1)


def local_group(name="box", scheduler="local", **shape):
    shape = Shape(name, **{"cores": None, "memory": None, "devices": (), "count": 1, "available": 1, **shape})
    return Group(name, scheduler, (Partition("", (shape,), (Access(),)),))


@pytest.mark.parametrize(
    ("stated", "filled"),
    [
        ({}, (8, 4 * G, DEVICES)),
        ({"cores": 2}, (2, 4 * G, DEVICES)),
        ({"memory": 5}, (8, 5, DEVICES)),
        ({"devices": (Device("rocm", 1),)}, (8, 4 * G, (Device("rocm", 1),))),
    ],
)
def test_a_group_takes_from_the_machine_what_it_does_not_state(monkeypatch, stated, filled):
    monkeypatch.setattr(machine, "probe", lambda: HERE)
    (group,) = fill_groups((local_group(**stated),), ["box"])
    shape = group.partitions[0].shapes[0]
    assert (shape.cores, shape.memory, shape.devices) == filled
    assert group.notes == ("a note",)


def test_other_groups_take_nothing(monkeypatch):
    monkeypatch.setattr(machine, "probe", lambda: HERE)
    others = (local_group("other"), local_group("box", "slurm"))
    assert fill_groups(others, ["box"]) == others
