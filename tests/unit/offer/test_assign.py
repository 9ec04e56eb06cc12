"""Every wanted accelerator its own device: exact, compared with brute force on random small cases."""

import itertools
import random

import pytest

from launchers.offer.assign import (
    MAX_WANT_KINDS,
    any_grant_satisfies,
    assign,
    assumptions,
    count_equal,
    device_rejection,
    match_device,
)
from launchers.offer.assumption import Assumption, Unstated
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


# -- one device ------------------------------------------------------------------------------------------------

A100 = Device("cuda", 4, 40 * G, "A100", min_memory=10 * G)


@pytest.mark.parametrize(
    ("wanted", "device", "reason"),
    [
        (Accelerator("rocm"), A100, "gpu-kind"),
        (Accelerator("gpu", 10 * G), A100, None),
        (Accelerator("rocm"), Device("gpu"), None),
        (Accelerator("cuda", 10 * G, "V100"), A100, "gpu-model"),
        (Accelerator("cuda", 10 * G, "a100"), A100, None),
        (Accelerator("cuda", 10 * G, "V100"), Device("cuda"), None),
        (Accelerator("cuda", 40 * G), A100, None),
        (Accelerator("cuda", 40 * G + 1), A100, "gpu-memory"),
        (Accelerator("cuda", 40 * G + 1), Device("cuda"), None),
        (Accelerator("cuda", 10 * G), A100, None),
        (Accelerator("cuda", 10 * G - 1), A100, "gpu-min-memory"),
        (Accelerator("cuda"), A100, "gpu-min-memory"),
        (Accelerator("cuda", 0, "A100"), A100, None),
        (Accelerator("cuda", 1, "A100"), A100, "gpu-min-memory"),
    ],
)
def test_why_a_device_cannot_serve(wanted, device, reason):
    assert device_rejection(wanted, device) == reason


@pytest.mark.parametrize(
    ("wanted", "device", "assumed"),
    [
        (Accelerator("cuda", 40 * G, "A100"), A100, ()),
        (Accelerator("cuda"), Device("gpu", 1), (Assumption(Unstated.GPU_KIND, "cuda"),)),
        (Accelerator("gpu"), Device("gpu", 1), ()),
        (Accelerator("gpu", 0, "A100"), Device("cuda", 1), (Assumption(Unstated.GPU_MODEL, "A100"),)),
        (Accelerator("gpu", 1), Device("cuda", 1), (Assumption(Unstated.GPU_MEMORY),)),
        (Accelerator("gpu", 16 * G), Device("cuda", 1, sizes=(16 * G, 32 * G)), ()),
        (
            Accelerator("cuda", 1, "A100"),
            Device(),
            (
                Assumption(Unstated.GPU_KIND, "cuda"),
                Assumption(Unstated.GPU_MODEL, "A100"),
                Assumption(Unstated.GPU_MEMORY),
            ),
        ),
    ],
)
def test_what_has_to_be_assumed_of_a_device(wanted, device, assumed):
    assert assumptions(wanted, device) == assumed


GEN = Device("gpu", 1, type="gen")
SERIES = Device("rocm", 1, model="MI300", type="mi300", sizes=(128 * G, 192 * G))


@pytest.mark.parametrize(
    ("wanted", "device", "reason", "assumed"),
    [
        (Accelerator("cuda"), GEN, "gpu-kind", None),
        (Accelerator("gpu"), GEN, None, [Assumption(Unstated.GPU_USE, "gen")]),
        (Accelerator("gpu", model="GEN"), GEN, None, [Assumption(Unstated.GPU_USE, "gen")]),
        (Accelerator("gpu", model="A100"), GEN, "gpu-model", None),
        (Accelerator("cuda"), Device("gpu", 1), None, [Assumption(Unstated.GPU_KIND, "cuda")]),
        (Accelerator("gpu"), Device("gpu", 1), None, []),
        (Accelerator("cuda"), Device("gpu", 1, model="Foo 1"), "gpu-kind", None),
        (Accelerator("cuda"), Device("xpu", 1, model="PVC"), "gpu-kind", None),
        (Accelerator("gpu"), Device("xpu", 1, model="PVC"), None, [Assumption(Unstated.GPU_USE, "PVC")]),
        (Accelerator("cuda", model="A100"), Device("cuda", 1, type="tesla"), "gpu-model", None),
        (Accelerator("cuda", model="A100"), Device("cuda", 1, type="a100l"), None, []),
        (Accelerator("rocm", model="MI300A"), SERIES, None, [Assumption(Unstated.GPU_MODEL, "MI300A")]),
        (Accelerator("rocm", model="MI300"), SERIES, None, []),
        (Accelerator("rocm", model="MI250X"), SERIES, "gpu-model", None),
    ],
)
def test_what_a_name_says_of_a_device(wanted, device, reason, assumed):
    assert device_rejection(wanted, device) == reason
    if reason is None:
        assert list(assumptions(wanted, device)) == assumed


def test_an_unknown_number_of_devices_is_an_assumption_of_the_match_only():
    device = Device("cuda", None, 40 * G)
    assert assumptions(Accelerator("cuda"), device) == ()
    assert match_device(Accelerator("cuda"), device).assumed == (Assumption(Unstated.GPU_COUNT),)


def test_a_known_device_goes_before_an_unknown_one_however_much_memory_it_wastes():
    assert assign([(Accelerator("cuda", G), 1)], [Device("cuda", 1), Device("cuda", 1, 1024 * G)]) == [[0, 1]]


def test_equal_accelerators_are_counted_in_the_order_of_first_appearance():
    small, large = Accelerator("cuda", G), Accelerator("cuda", 2 * G)
    assert count_equal([large, small, large]) == [(large, 2), (small, 1)]


# -- what a scheduler may grant --------------------------------------------------------------------------------


def grants(devices, asked):
    """Every set of single devices that serves `asked`, by GRES type: lists of indices into `devices`."""
    single = [index for index, device in enumerate(devices) for _ in range(device.count)]
    whole = sum(number for _, number in asked)
    for chosen in set(itertools.combinations(single, whole)):
        types = [devices[index].type for index in chosen]
        if all(kind is None or types.count(kind) >= number for kind, number in asked):
            yield chosen


def some_order_serves(wanted, granted):
    return any(
        all(device_rejection(want, device) is None and not assumptions(want, device) for want, device in pairs)
        for pairs in (list(zip(wanted, order, strict=False)) for order in itertools.permutations(granted, len(wanted)))
    )


@pytest.mark.parametrize("seed", range(10))
def test_any_grant_is_what_a_look_at_every_grant_finds(seed):
    rng = random.Random(seed)
    answers = set()
    for _ in range(60):
        devices = [
            Device("cuda", rng.randint(1, 2), rng.choice([8, 16, 24]) * G, type=type)
            for type in rng.sample("abc", rng.randint(1, 3))
        ]
        wanted = [Accelerator("cuda", rng.choice([0, 8, 16, 24]) * G) for _ in range(rng.randint(1, 3))]
        have = sum(device.count for device in devices)
        if len(wanted) > have:
            continue
        asked = [(None, len(wanted))]
        if rng.random() < 0.4 and len(wanted) <= devices[0].count:
            asked = [(devices[0].type, len(wanted))]
        expected = all(
            some_order_serves(wanted, [devices[index] for index in chosen]) for chosen in grants(devices, asked)
        )
        assert any_grant_satisfies(count_equal(wanted), devices, asked) == expected
        answers.add(expected)
    assert answers == {True, False}


@pytest.mark.parametrize(
    ("allowed", "answer"),
    [
        (frozenset(), False),
        (None, True),
        ({Assumption(Unstated.GPU_MEMORY)}, True),
        ({Assumption(Unstated.GPU_USE, "a")}, False),
    ],
)
def test_a_grant_of_unknown_devices_serves_only_with_the_assumptions_that_are_allowed(allowed, answer):
    wants, devices = [(Accelerator("cuda", G), 1)], [Device("cuda", 2)]
    assert any_grant_satisfies(wants, devices, [(None, 1)], allowed=allowed) is answer


def test_an_unknown_number_of_other_devices_may_be_granted_first():
    devices = [Device("cuda", 8, 24 * G), Device("cuda", None, 8 * G)]
    assert not any_grant_satisfies([(Accelerator("cuda", 16 * G), 1)], devices, [(None, 8)])
    assert any_grant_satisfies([(Accelerator("cuda", 8 * G), 8)], devices, [(None, 8)])


@pytest.mark.parametrize(("kinds", "answer"), [(MAX_WANT_KINDS, True), (MAX_WANT_KINDS + 1, False)])
def test_very_mixed_wants_are_not_looked_into(kinds, answer):
    """One size a device, and each want served by another set of them."""
    devices = [Device("cuda", kinds, (size + 1) * G) for size in range(kinds)]
    wants = [(Accelerator("cuda", (size + 1) * G), 1) for size in range(kinds)]
    asked = [(None, sum(device.count for device in devices))]
    assert any_grant_satisfies(wants, devices, asked) is answer
