"""What nvidia-smi and rocm-smi print."""

import json

import pytest

from launchers.gpus.drivers import LocalDevice, read_amd, read_nvidia

G = 1024**3
LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bb)
  MIG 3g.20gb     Device  0: (UUID: MIG-1)
  MIG 1g.5gb      Device  1: (UUID: MIG-2)
"""


def nvidia(query, listing=""):
    notes = []
    return read_nvidia(query, listing, notes), notes


def test_cards():
    query = "0, GPU-aa, NVIDIA A100-SXM4-40GB, 40536, Disabled\n2, GPU-cc, NVIDIA GeForce RTX 3090, 24576, [N/A]\n\n"
    assert nvidia(query) == (
        [
            LocalDevice("cuda", "GPU-aa", "NVIDIA A100-SXM4-40GB", 40 * G),
            LocalDevice("cuda", "GPU-cc", "NVIDIA GeForce RTX 3090", 24 * G),
        ],
        [],
    )


def test_the_slices_of_a_card_are_devices_of_their_own():
    query = "0, GPU-aa, NVIDIA A100-SXM4-40GB, 40536, Disabled\n1, GPU-bb, NVIDIA A100-SXM4-40GB, 40536, Enabled\n"
    assert nvidia(query, LISTING)[0] == [
        LocalDevice("cuda", "GPU-aa", "NVIDIA A100-SXM4-40GB", 40 * G),
        LocalDevice("cuda", "MIG-1", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 20 * G),
        LocalDevice("cuda", "MIG-2", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", 5 * G),
    ]


@pytest.mark.parametrize(
    ("query", "listing", "handle"),
    [
        ("0, GPU-aa, A100, 40536, Enabled", LISTING, "GPU-aa"),  # enabled, and no slices yet
        ("1, GPU-bb, A100, 40536, Disabled", LISTING, "GPU-bb"),
        ("1, GPU-bb, A100, 40536, Enabled", "", "GPU-bb"),
        ("1, , A100, 40536, Disabled", "", "1"),
    ],
)
def test_a_card_without_slices_is_one_device(query, listing, handle):
    ((device,), notes) = nvidia(query, listing)
    assert (device.handle, notes) == (handle, [])


def test_a_size_that_is_not_a_number_is_unknown():
    ((device,), notes) = nvidia("0, GPU-aa, A100, [N/A], Disabled")
    assert (device.memory, notes) == (None, [])


@pytest.mark.parametrize("line", ["something else", "x, GPU-aa, A100, 40536, Disabled", "0, GPU-aa, A100, 40536"])
def test_a_line_that_cannot_be_read_is_a_note(line):
    assert nvidia(line) == ([], [f"nvidia-smi printed a line that cannot be read: {line}"])
    assert nvidia("y" * 100)[1] == [f"nvidia-smi printed a line that cannot be read: {'y' * 80}"]


def amd(cards, before=""):
    notes = []
    return read_amd(before + json.dumps(cards), notes), notes


def test_amd_cards_in_the_order_of_their_numbers():
    card = {"Card Series": "AMD Instinct MI250X", "VRAM Total Memory (B)": "68702699520"}
    devices, notes = amd({"card10": card, "card2": card, "system": {}, "card": {}}, "WARNING: x\n")
    assert devices == [LocalDevice("rocm", number, "AMD Instinct MI250X", 64 * G) for number in ("2", "10")]
    assert notes == []


@pytest.mark.parametrize(
    ("card", "model"),
    [({"Card series": "a", "Card model": "b"}, "a"), ({"Card Series": "", "Card model": "b"}, "b"), ({}, None)],
)
def test_the_model_of_an_amd_card_has_several_names(card, model):
    ((device,), _) = amd({"card0": card})
    assert (device.model, device.memory) == (model, None)


@pytest.mark.parametrize("text", ["no json", "", "x { y"])
def test_what_is_not_json_is_a_note(text):
    notes = []
    assert read_amd(text, notes) == []
    assert notes == ["rocm-smi printed no JSON"]
