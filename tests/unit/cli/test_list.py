"""`launchers list`: a table of each group."""

import json

import pytest

from launchers.cli import main

CONFIG = {
    "local": [{"id": "here", "tags": ["b", "a"], "weight": 1.5, "cpu": {"cores": 4, "memory": "8G"}}],
    "slurm": [
        {
            "id": "far",
            "qos": {"short": {"max_duration": "1h"}, "long": {"max_duration": "2h"}},
            "accounts": {"lab": {}},
            "partitions": {
                "gpu": {
                    "qos": ["short", "long"],
                    "limits": {"max_duration": "90 min"},
                    "nodes": [{"hosts": "n[1-2]", "gpu": {"model": "A40", "count": 2}}, {}],
                },
                "down": {"state": "DOWN"},
            },
        },
        {"id": "unread", "query_slurm": True},
    ],
}


@pytest.fixture
def listed(tmp_path, monkeypatch, capsys, no_slurm):
    """What `launchers list` prints for CONFIG."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text(json.dumps(CONFIG))

    def run(*options):
        assert main(["list", *options]) == 0
        return capsys.readouterr().out

    return run


def test_every_group_has_a_table(listed):
    assert [line.split("  ") for line in listed().splitlines() if not line.startswith(" ")] == [
        ["here (local) weight=1.5 tags=a,b"],
        ["far (slurm) weight=0"],
        ["unread (slurm) weight=0"],
    ]
    *rows, unread = [line.split() for line in listed().splitlines() if line.startswith(" ")]
    assert rows == [
        ["PARTITION", "NODES", "CORES", "MEMORY", "GPUS", "TIME", "QOS", "ACCOUNTS", "STATE"],
        ["-", "1", "here", "4", "8G", "-", "-", "-", "-", "up"],
        ["PARTITION", "NODES", "CORES", "MEMORY", "GPUS", "TIME", "QOS", "ACCOUNTS", "STATE"],
        ["gpu", "2", "n[1-2]", "?", "?", "2", "x", "A40", "48G", "1h30m", "long,short", "lab", "up"],
        ["gpu", "?", "nodes[1]", "?", "?", "-", "1h30m", "long,short", "lab", "up"],
        ["down", "?", "nodes[0]", "?", "?", "-", "-", "-", "lab", "partition", "state", "is", "DOWN"],
    ]
    assert " ".join(unread).startswith("cannot be reached: query_slurm: ")


def test_only_groups_with_a_tag(listed):
    assert "far" not in listed("--tag", "a")
    assert listed("--tag", "a", "--tag", "nope") == listed("--tag", "b")
    assert listed("--tag", "nope") == ""


def test_json(listed, tmp_path):
    found = json.loads(listed("--json", "--tag", "a"))
    assert list(found) == ["version", "config", "groups"]
    assert found["config"] == str(tmp_path / "launchers.yaml")
    (group,) = found["groups"]
    assert (group["name"], group["scheduler"], group["weight"], group["tags"]) == ("here", "local", 1.5, ["a", "b"])
    assert (group["choose"], group["unreachable"], group["notes"], len(group["offers"])) == ("tightest", None, [], 1)


@pytest.mark.parametrize(
    ("arch", "login", "shown"),
    [
        (["x86_64", "aarch64"], None, ["STATE", "ARCH"]),
        (["x86_64", None], "aarch64", ["STATE", "ARCH"]),
        (["x86_64", None], "x86_64", ["ACCOUNTS", "STATE"]),
        ([None, None], "x86_64", ["ACCOUNTS", "STATE"]),
    ],
)
def test_architectures_are_listed_where_they_differ(tmp_path, capsys, arch, login, shown):
    nodes = [{"hosts": f"n{number}", **({"arch": name} if name else {})} for number, name in enumerate(arch)]
    entry = {"id": "far", "partitions": {"p": {"nodes": nodes}}, **({"login_arch": login} if login else {})}
    (tmp_path / "mixed.yaml").write_text(json.dumps({"slurm": [entry]}))
    assert main(["list", "--config", str(tmp_path / "mixed.yaml")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    (head,) = [number for number, line in enumerate(lines) if line[0] == "PARTITION"]
    assert lines[head][-2:] == shown
    if "ARCH" in shown:
        assert [line[-1] for line in lines[head + 1 :]] == [name or "?" for name in arch]
        assert (["jobs", "are", "submitted", "from", "aarch64"] in lines) is bool(login)
    assert main(["list", "--config", str(tmp_path / "mixed.yaml"), "--json"]) == 0
    offers = json.loads(capsys.readouterr().out)["groups"][0]["offers"]
    assert [offer["arch"] for offer in offers] == arch
