"""What oarsub is asked: rendering, and SQL that no value breaks out of."""

import shlex
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.config.build import build
from launchers.config.load import loads
from launchers.matching import match
from launchers.oar.args import OarArgs, sql_condition, sql_literal, sql_where
from launchers.oar.render import render
from launchers.quantities.words import format_walltime
from launchers.requirement import parse

SAYABLE = st.text(st.characters(blacklist_categories=("C", "Z"), blacklist_characters="\\") | st.just(" "), max_size=30)


def test_the_whole_of_it():
    args = OarArgs(
        levels=(("host", 2), ("gpu", 1)),
        walltime=90061,
        guard="gpu_count > 0",
        properties="cluster = 'a'",
        queue="default",
        types=("besteffort", "idempotent"),
        project="p",
    )
    assert shlex.join(args.flags()) == (
        "-l '{gpu_count > 0}/host=2/gpu=1,walltime=25:01:01' -p 'cluster = '\"'\"'a'\"'\"'' -q default "
        "-t besteffort -t idempotent --project p"
    )
    assert args.directives()[:2] == [
        "#OAR -l {gpu_count > 0}/host=2/gpu=1,walltime=25:01:01",
        "#OAR -p cluster = 'a'",
    ]
    told = args.submitit()
    assert told["queue"] == "default"
    assert told["timeout_min"] == 1502
    assert "q" not in told["additional_parameters"]


@given(st.integers(1, 10**7))
def test_walltime(seconds):
    hours, minutes, rest = map(int, format_walltime(seconds).split(":"))
    assert hours * 3600 + minutes * 60 + rest == seconds
    assert minutes < 60 > rest


@given(SAYABLE)
def test_a_literal_is_what_it_was(value):
    """A real SQL parser reads the very text back, whatever quotes and signs are in it."""
    with sqlite3.connect(":memory:") as base:
        assert base.execute(f"SELECT {sql_literal(value)}").fetchone() == (value,)


@given(st.lists(st.tuples(SAYABLE, SAYABLE), min_size=1, max_size=4), SAYABLE)
def test_where_admits_what_it_says_and_nothing_else(clauses, other):
    with sqlite3.connect(":memory:") as base:
        base.execute("CREATE TABLE r (gpu_model TEXT, cluster TEXT)")
        rows = {*clauses, (other, other), ("x", "y")}
        base.executemany("INSERT INTO r VALUES (?, ?)", rows)
        said = sql_where([[f"gpu_model={model}", f"cluster={cluster}"] for model, cluster in clauses])
        assert set(base.execute(f"SELECT * FROM r WHERE {said}")) == set(clauses)


@pytest.mark.parametrize("value", ["a\nb", "a\\", "\\' OR 1=1 --", "\0", "a\u2028b"])
def test_what_cannot_be_said_is_refused(value):
    with pytest.raises(ValueError, match="cannot stand in a condition for OAR"):
        sql_literal(value)


@pytest.mark.parametrize("feature", ["gpu_model", "1a=b", "a b=c", "a;--=c", "=x", "a'=x"])
def test_what_is_no_property(feature):
    with pytest.raises(ValueError, match="is not a property and its value"):
        sql_condition(feature)


def test_only_one_line():
    with pytest.raises(ValueError, match="line break"):
        OarArgs(properties="a = 'b'\nrm -rf /")


CLUSTER = """
oar:
- id: grid
  queues:
    default: {default_time: 2h, limits: {max_duration: 7 days, max_nodes: 4}}
    production: {priority: 1, properties: {production: YES}, limits: {max_duration: 2 days}}
    night: {disabled: true}
  nodes:
  - {hosts: "plain-[1-8]", cpu: {cores: 16, memory: 64G}, properties: {cluster: plain, production: NO}}
  - hosts: "fat-[1-2]"
    cpu: {cores: 32, memory: 512G}
    properties: {cluster: fat, production: NO}
  - hosts: "volta-[1-4]"
    cpu: {cores: 32, memory: 128G}
    accelerators: [{model: Tesla V100, memory: 32G, count: 4}]
    properties: {cluster: volta, gpu_model: Tesla V100, gpu_mem: 32768, production: YES}
  - hosts: "ampere-[1-2]"
    cpu: {cores: 64, memory: 256G}
    accelerators: [{model: A100, memory: 40G, count: 2}]
    properties: {cluster: ampere, gpu_model: A100, gpu_mem: 40960, production: YES}
"""


def asked(need, text=CLUSTER):
    found = match(parse(need), build(loads(text).document)).selection
    return render(found) if found else None


@pytest.mark.parametrize(
    ("need", "resources", "properties", "queue"),
    [
        ("cuda(mem=24G) & duration=1h", "{gpu_count > 0}/host=1/gpu=1,walltime=1:00:00",
         "production = 'YES' AND gpu_mem = '32768' AND gpu_model = 'Tesla V100'", "production"),
        ("cuda(mem=40G)*2 & nodes=2", "{gpu_count > 0}/host=2/gpu=2",
         "production = 'YES' AND gpu_mem = '40960' AND gpu_model = 'A100'", "production"),
        # eight cores come with a V100, thirty-two with an A100
        ("cuda(mem=24G) & cpu(cores=16)", "{gpu_count > 0}/host=1/gpu=1",
         "production = 'YES' AND gpu_mem = '40960' AND gpu_model = 'A100'", "production"),
        ("cuda(model=V100) & cpu(cores=16)", "{gpu_count > 0}/host=1/gpu=2",
         "production = 'YES' AND gpu_mem = '32768' AND gpu_model = 'Tesla V100'", "production"),
        ("cuda(mem=24G) & duration=3 days", "{gpu_count > 0}/host=1/gpu=1,walltime=72:00:00",
         "gpu_mem = '32768' AND gpu_model = 'Tesla V100'", "default"),
        ("cpu(mem=300G)", "/host=1/core=1", "cluster = 'fat'", "default"),
    ],
)  # fmt: skip
def test_selections(need, resources, properties, queue):
    args = asked(need)
    assert (args.resources, args.properties, args.queue) == (resources, properties, queue)


@pytest.mark.parametrize(
    "need",
    ["cuda(mem=80G)", "cpu(cores=65)", "cpu(cores=1) & nodes=7", "cpu(cores=1) & duration=8 days", "rocm(mem=1G)"],
)
def test_no_selection(need):
    assert asked(need) is None


def test_whole_nodes():
    deploy = CLUSTER.replace("disabled: true", "types: [deploy], priority: 9")
    assert asked("cuda(mem=40G)", deploy).resources == "{gpu_count >= 1}/host=1"
    assert asked("cuda(mem=40G)", deploy).types == ("deploy",)
    hosts = CLUSTER.replace("- id: grid", "- id: grid\n  resources: [network_address]")
    assert asked("cpu(cores=3, mem=300G)", hosts).resources == "/network_address=1"


def test_nodes_without_properties_are_told_apart_by_name():
    text = """
oar:
- nodes:
  - {hosts: "a[1-2]", cpu: {cores: 4, memory: 8G}}
  - {hosts: "b[1-2]", cpu: {cores: 4, memory: 64G}}
"""
    assert asked("cpu(mem=16G)", text).properties == "host NOT IN ('a1', 'a2')"
