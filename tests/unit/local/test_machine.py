"""What this process may use, from texts and folders as machines have them."""

import os

import pytest

from launchers.commands import CommandError, CommandNotFoundError, Outcome
from launchers.gpus.drivers import LocalDevice
from launchers.local import machine

G = 1024**3


def test_this_machine():
    found = machine.probe()
    assert 1 <= found.cores <= os.cpu_count()
    assert 0 < found.memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = machine.machine_group(found)
    assert group.partitions[0].shapes[0].cores == found.cores


@pytest.mark.parametrize(
    ("files", "own", "cores", "memory"),
    [
        ({"a/b/cpu.max": "150000 100000", "a/cpu.max": "max 100000", "a/memory.max": "1073741824"}, "0::/a/b", 1, G),
        ({"a/cpu.max": "max 100000", "a/memory.max": "max"}, "0::/a", None, None),
        (
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "100000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
             "memory/x/memory.limit_in_bytes": "2147483648"},
            "4:cpu,cpuacct:/x\n5:memory:/x\n1:name=systemd:/x", 1, 2 * G,
        ),
        ({}, "", None, None),
    ],
)  # fmt: skip
def test_cgroups_bound_cores_and_memory(tmp_path, files, own, cores, memory):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    unbounded = machine.cores(tmp_path, tmp_path / "none")
    assert machine.cores(tmp_path, tmp_path / "own") == (cores or unbounded)
    total = machine.memory(tmp_path, tmp_path / "none")
    assert machine.memory(tmp_path, tmp_path / "own") == (memory or total)


class Broken:
    def __init__(self, answer):
        self.answer = answer

    def run(self, argv, **_):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (CommandNotFoundError("nvidia-smi"), []),
        (CommandError("nvidia-smi gave no answer within 10 s"), ["nvidia-smi gave no answer within 10 s"]),
        (
            Outcome(("nvidia-smi",), 9, "", "Driver/library version mismatch"),
            ["nvidia-smi: Driver/library version mismatch"],
        ),
    ],
)
def test_a_broken_tool_is_a_note(answer, note):
    notes = []
    assert machine.nvidia(Broken(answer), notes) == []
    assert notes == note


def test_only_the_devices_that_this_process_is_shown():
    devices = [LocalDevice("cuda", "GPU-aa", None, None), LocalDevice("cuda", "GPU-bb", None, None)]

    def shown(value):
        environ = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
        return [one.handle for one in devices if machine.is_visible(one, devices, environ)]

    assert shown(None) == ["GPU-aa", "GPU-bb"]
    assert shown("") == []
    assert shown("1") == ["GPU-bb"]
    assert shown("GPU-aa") == ["GPU-aa"]
