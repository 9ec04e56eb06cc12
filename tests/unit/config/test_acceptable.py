"""What a converted entry holds and a launchers.yaml cannot."""

import pytest

from launchers.config import schema
from launchers.config.acceptable import converted
from launchers.config.emit import to_yaml
from launchers.config.load import loads


def left_out(**fields):
    """What is left out of a partition with these fields, and the partition that is kept."""
    entry = schema.SlurmGroup(id="c", partitions={"p": schema.PartitionSpec(**fields)})
    found = converted(entry, {})
    assert loads(to_yaml(found)).document.slurm[0] == found.group
    return [message.partition(":")[0] for message in found.left_out], (found.group.partitions or {}).get("p")


def test_what_a_file_can_hold_stays():
    fields = {
        "state": "DOWN",
        "priority": 1.5,
        "qos": (),
        "accounts": ("none", "a.b"),
        "limits": schema.LimitsSpec(max_duration=60, max_tres={"cpu": 0, "mem": 1 << 30, "gres/gpu:a100": 4}),
        "nodes": (schema.NodesSpec(hosts="n[1-3]", count=3, tres={"cpu": 10}),),
    }
    assert left_out(**fields) == ([], schema.PartitionSpec(**fields))


@pytest.mark.parametrize(
    ("fields", "path", "kept"),
    [
        ({"accounts": ("a", "$(x)")}, "partitions.p.accounts.1", schema.PartitionSpec(accounts=("a",))),
        ({"accounts": ("a b",)}, "partitions.p.accounts.0", schema.PartitionSpec(accounts=())),
        ({"def_mem_per_cpu": 1 << 61}, "partitions.p.def_mem_per_cpu", schema.PartitionSpec()),
        ({"def_mem_per_cpu": 0}, "partitions.p.def_mem_per_cpu", schema.PartitionSpec()),
        ({"default_time": 10**10}, "partitions.p.default_time", schema.PartitionSpec()),
        ({"state": "MAINT"}, "partitions.p.state", schema.PartitionSpec()),
        ({"priority": float("inf")}, "partitions.p.priority", schema.PartitionSpec()),
        ({"def_cpu_per_gpu": 1 << 63}, "partitions.p.def_cpu_per_gpu", schema.PartitionSpec()),
        (
            {"nodes": (schema.NodesSpec(hosts="(null)", count=2),)},
            "partitions.p.nodes.0.hosts",
            schema.PartitionSpec(nodes=(schema.NodesSpec(count=2),)),
        ),
        (
            {"limits": schema.LimitsSpec(max_tres={"mem": 0, "cpu": 1})},
            "partitions.p.limits.max_tres.mem",
            schema.PartitionSpec(limits=schema.LimitsSpec(max_tres={"cpu": 1})),
        ),
        (
            {"limits": schema.LimitsSpec(max_tres={"gres/gpu:a b": 1})},
            "partitions.p.limits.max_tres",
            schema.PartitionSpec(),
        ),
    ],
)
def test_what_no_file_can_hold_is_left_out_and_told(fields, path, kept):
    assert left_out(**fields) == ([path], kept)


def test_a_partition_whose_name_is_no_name_is_left_out():
    entry = schema.SlurmGroup(id="c", partitions={"a b": schema.PartitionSpec(), "p": schema.PartitionSpec()})
    found = converted(entry, {("partitions", "a b"): "a comment on nothing"})
    assert list(found.group.partitions) == ["p"]
    assert "p: {}" in to_yaml(found)
    assert found.left_out == (
        "partitions: 'a b' is not a name: use no spaces, commas, quotes or shell characters; it is left out",
    )


def test_a_name_that_is_too_long_for_a_key_is_left_out():
    names = {"q" * length: schema.QosSpec() for length in (255, 256, 2000)}
    found = converted(schema.SlurmGroup(id="c", qos=names), {})
    assert [len(name) for name in found.group.qos] == [255]
    assert found.left_out[1].endswith("... is no name: names have at most 255 characters; it is left out")
    assert loads(to_yaml(found)).document.slurm


def test_comments_are_one_line_of_printable_text():
    entry = schema.SlurmGroup(id="c", partitions={"p": schema.PartitionSpec(disabled=True)})
    text = to_yaml(converted(entry, {("partitions", "p", "disabled"): "a\nb\0"}))
    assert "disabled: true  # a?b?" in text
