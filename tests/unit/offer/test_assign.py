"""Every wanted accelerator its own device: exact, compared with brute force on random small cases."""

import itertools
import random

import pytest

from launchers.offer.assign import assign, count_equal, device_rejection, match_device
from launchers.offer.model import Device
from launchers.requirement import Accelerator

G = 1024**3


def brute_force(wanted, devices):
    """The least cost over all ways to give each wanted accelerator a device of its own; None when there is none."""
    single = [device for device in devices for _ in range(device.count)]
    best = None
    for chosen in itertools.permutations(range(len(single)), len(wanted)):
        pairs = list(zip(wanted, (single[index] for index in chosen), strict=True))
        if any(device_rejection(want, device) for want, device in pairs):
            continue
        cost = sum(match_device(want, device).cost for want, device in pairs)
        best = cost if best is None else min(best, cost)
    return best


def random_case(rng):
    sizes = [8 * G, 16 * G, 24 * G, 48 * G]
    devices = [
        Device(
            rng.choice(["cuda", "cuda", "rocm", "gpu"]),
            rng.randint(1, 2),
            rng.choice([*sizes, None, None]),
            rng.choice([None, "A100", "V100"]),
            rng.choice([0, 0, 12 * G]),
            sizes=rng.choice([(), (8 * G, 16 * G), (16 * G, 24 * G, 48 * G)]),
        )
        for _ in range(rng.randint(0, 3))
    ]
    wanted = [
        Accelerator(
            rng.choice(["cuda", "cuda", "gpu", "rocm"]), rng.choice([0, *sizes]), rng.choice([None, None, "A100"])
        )
        for _ in range(rng.randint(1, 4))
    ]
    return wanted, devices


@pytest.mark.parametrize("seed", range(20))
def test_assignment_is_exact(seed):
    rng = random.Random(seed)
    feasible = 0
    for _ in range(150):
        wanted, devices = random_case(rng)
        wants = count_equal(wanted)
        flow = assign(wants, devices)
        expected = brute_force(wanted, devices)
        if flow is None:
            assert expected is None
            continue
        feasible += 1
        for (_, number), row in zip(wants, flow, strict=True):
            assert sum(row) == number
        for column, device in enumerate(devices):
            assert sum(row[column] for row in flow) <= device.count
        cost = sum(
            number * match_device(want, device).cost
            for (want, _), row in zip(wants, flow, strict=True)
            for device, number in zip(devices, row, strict=True)
            if number
        )
        assert cost == expected
    assert feasible > 10


@pytest.mark.parametrize(
    ("need", "waste", "assumed"),
    [(0, 16, False), (16, 0, False), (17, 15, True), (32, 0, True), (33, None, None)],
)
def test_a_device_has_one_of_the_sizes_of_its_model(need, waste, assumed):
    device, want = Device("cuda", 1, model="V100", sizes=(16 * G, 32 * G)), Accelerator("cuda", need * G)
    if waste is None:
        assert device_rejection(want, device) == "gpu-memory"
        return
    served = match_device(want, device)
    assert (device_rejection(want, device), served.waste, bool(served.assumed)) == (None, waste * G, assumed)


def test_a_greedy_choice_would_fail_here():
    """Defect 9 of experimaestro: 48G x1 matches a host with [24G, 48G]; and the big one is kept for who needs it."""
    devices = [Device("cuda", 1, 24 * G), Device("cuda", 1, 48 * G)]
    assert assign([(Accelerator("cuda", 48 * G), 1)], devices) == [[0, 1]]
    assert assign([(Accelerator("cuda", 8 * G), 1), (Accelerator("cuda", 32 * G), 1)], devices) == [[1, 0], [0, 1]]


def test_many_devices_cost_no_more_than_few():
    assert assign([(Accelerator("cuda", G), 4096)], [Device("cuda", 10**6, 2 * G)]) == [[4096]]
