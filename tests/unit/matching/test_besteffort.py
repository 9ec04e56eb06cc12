"""OAR's besteffort queues, whose jobs are killed for others at any time: only who asks gets one."""

import pytest

from launchers.config import schema
from launchers.config.build import oar_group
from launchers.config.load import load
from launchers.matching import match
from launchers.requirement import parse

QUEUES = """
oar:
- id: grid
  tags: [grid]
  nodes: [{count: 4, cpu: {cores: 4, memory: 9G}}]
  queues:
    default: {limits: {max_duration: 7 days}}
    %s
- {id: other, tags: [other], nodes: [{count: 1, cpu: {cores: 4}}], queues: {default: {limits: {max_duration: 1 day}}}}
"""
NIGHTS = "night: {types: [besteffort, idempotent]}"


@pytest.fixture(params=[NIGHTS, "besteffort: {priority: 5}", "besteffort: {types: [besteffort]}"])
def groups(tmp_path, request):
    """Two clusters; the first has a besteffort queue, by its type or, as OAR itself has it, by its name."""
    (tmp_path / "launchers.yaml").write_text(QUEUES % request.param)
    return [oar_group(spec, spec.id) for spec in load(tmp_path / "launchers.yaml").document.oar]


def chosen(groups, text, *tags):
    answer = match(parse(text), groups, tags=tags)
    return answer.selection and (answer.selection.group.name, answer.selection.partitions[0])


def test_what_is_too_long_for_every_queue_does_not_become_besteffort(groups):
    assert chosen(groups, "duration=7 days") == ("grid", "default")
    assert chosen(groups, "duration=8 days") is None
    assert chosen(groups, "duration=8 days", "grid") is None
    texts = {
        trial.offer.partition.name: trial.rejections[0]
        for trial in match(parse("duration=8 days"), groups[:1]).trials[0]
    }
    assert texts.pop("default").code == "duration"
    (besteffort,) = texts.values()
    assert (besteffort.code, besteffort.offered) == (
        "closed", "its jobs are killed for others at any time; --tag besteffort asks for that",
    )  # fmt: skip


def test_who_asks_gets_it(groups):
    besteffort = groups[0].partitions[1].name
    for text in ("duration=8 days", "duration=1h"):
        assert chosen(groups, text, "besteffort") == ("grid", besteffort)
    assert chosen(groups[1:], "duration=1h", "besteffort") is None
    assert chosen(groups, "duration=8 days", "besteffort", "grid") == ("grid", besteffort)
    assert chosen(groups[:1], "duration=1h", "besteffort", "grid")[0] == "grid"


def test_a_group_with_that_tag_has_all_its_queues():
    group = oar_group(schema.OarGroup(tags=("besteffort",)), "mine")
    assert chosen([group], "duration=1h", "besteffort") == ("mine", "default")
