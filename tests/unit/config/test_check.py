"""What `launchers check` finds in a file that loads: each code, where it is, and when it is not raised."""

import json

import pytest
from configs import config, slurm_config

from launchers.config.check import check
from launchers.config.load import load, loads


def codes(config):
    return [(problem.code, problem.path) for problem in check(config)]


def lines(config):
    return [str(problem).removeprefix("f.yaml:") for problem in check(config)]


def test_the_reference_has_connectors_without_effect_and_nothing_else(shared):
    found = check(load(shared / "launchers.reference.yaml"))
    assert [(problem.code, problem.line, problem.is_error) for problem in found] == [
        ("LC214", line, False) for line in (5, 12, 36, 125)
    ]


def test_problems_come_in_the_order_of_the_file():
    text = """
slurm:
- {id: x, connector: local}
local:
- {id: x, tags: [' a']}
"""
    assert codes(loads(text)) == [
        ("LC210", "slurm[0].id"),
        ("LC214", "slurm[0].connector"),
        ("LC205", "local[0].tags[0]"),
    ]


# -- all groups ------------------------------------------------------------------------------------------------


def test_two_groups_have_one_id():
    assert lines(config(local=[{"id": "one"}], slurm=[{"id": "two"}], oar=[{"id": "one"}])) == [
        "1:69: warning LC210: oar[0].id: local[0] has the id one too (give each group an id of its own)"
    ]
    assert lines(config(local=[{}, {}])) == []


@pytest.mark.parametrize("key", ["local", "slurm", "oar"])
def test_a_connector_has_no_effect(key):
    ((problem),) = check(config(**{key: [{"connector": "local"}]}))
    assert (problem.code, problem.path, problem.suggestion) == ("LC214", f"{key}[0].connector", "leave it out")
    assert problem.message == "connector has no effect yet: commands always run on this machine"


@pytest.mark.parametrize(("tag", "found"), [("a", False), ("a b", False), (" a", True), ("a ", True), ("a,b", True)])
def test_a_tag_that_cannot_be_selected(tag, found):
    assert codes(config(local=[{"tags": ["ok", tag]}])) == ([("LC205", "local[0].tags[1]")] if found else [])


UNKNOWN = {"model": "gen"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"local": [{"gpu": UNKNOWN}]}, "local[0].gpu[0].model"),
        ({"local": [{"gpu": [{"count": 1}, UNKNOWN]}]}, "local[0].gpu[1].model"),
        ({"local": [{"accelerators": [UNKNOWN]}]}, "local[0].accelerators[0].model"),
        ({"oar": [{"nodes": [{"accelerators": [UNKNOWN]}]}]}, "oar[0].nodes[0].accelerators[0].model"),
        ({"slurm": [{"configuration": {"gpu": UNKNOWN}}]}, "slurm[0].configuration.gpu.model"),
        (
            {"slurm": [{"partitions": {"p": {"configuration": {"gpu": UNKNOWN}}}}]},
            "slurm[0].partitions.p.configuration.gpu.model",
        ),
        ({"slurm": [{"partitions": {"p": {"nodes": [{"gpu": UNKNOWN}]}}}]}, "slurm[0].partitions.p.nodes[0].gpu.model"),
        (
            {"slurm": [{"partitions": {"p": {"nodes": [{"configuration": {"accelerators": [UNKNOWN]}}]}}}]},
            "slurm[0].partitions.p.nodes[0].configuration.accelerators[0].model",
        ),
    ],
)
def test_a_model_that_the_catalogue_does_not_know(document, path):
    assert codes(config(**document)) == [("LC207", path)]
    assert codes(config(**document, gpus={"gen": {"memory": "8G"}})) == []


@pytest.mark.parametrize("gpu", [{"model": "A100"}, {"model": "gen", "memory": "8G"}, {"count": 2}])
def test_a_model_that_needs_no_definition(gpu):
    assert codes(config(local=[{"gpu": gpu}])) == []


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"local": [{"arch": "x68_64"}]}, "local[0].arch"),
        ({"slurm": [{"login_arch": "x68_64"}]}, "slurm[0].login_arch"),
        (
            {"slurm": [{"partitions": {"p": {"nodes": [{}, {"arch": "x68_64"}]}}}]},
            "slurm[0].partitions.p.nodes[1].arch",
        ),
        ({"oar": [{"login_arch": "x68_64"}]}, "oar[0].login_arch"),
        ({"oar": [{"nodes": [{"arch": "x68_64"}]}]}, "oar[0].nodes[0].arch"),
    ],
)
def test_an_architecture_that_nobody_knows(document, path):
    assert codes(config(**document)) == [("LC215", path)]
    assert codes(config(**json.loads(json.dumps(document).replace("x68_64", "arm64")))) == []


# -- facts and hosts -------------------------------------------------------------------------------------------

FACTS = {
    "qos": {"normal": {}},
    "partitions": {
        "gpu": {"qos": ["normal", "admin"], "nodes": [{"hosts": "n[1-4]", "count": 4}]},
        "cpu": {"qos": ["normal"]},
    },
}


@pytest.fixture
def over_facts(tmp_path):
    """What check finds in a Slurm entry (as YAML) whose `facts:` is facts.yaml."""

    def lines(entry, facts=FACTS, key="slurm"):
        (tmp_path / "facts.yaml").write_text(facts if isinstance(facts, str) else json.dumps({key: [facts]}))
        (tmp_path / "launchers.yaml").write_text(f"{key}:\n- {entry}")
        return [str(problem).replace(f"{tmp_path}/", "") for problem in check(load(tmp_path / "launchers.yaml"))]

    return lines


def test_an_entry_that_only_says_what_its_facts_have(over_facts):
    entry = "{partitions: {gpu: {qos: [admin, normal], nodes: [{hosts: 'n[1,4]'}]}}, facts: facts.yaml}"
    assert over_facts(entry) == []


def test_a_facts_file_that_is_not_there(over_facts):
    assert over_facts("{facts: none.yaml}") == [
        "launchers.yaml:2:11: error LC111: slurm[0].facts: none.yaml: No such file or directory "
        "(launchers convert -o writes one)"
    ]
    assert over_facts("{facts: none.yaml, disabled: true}") == []


def test_a_facts_file_that_has_facts_of_its_own(over_facts):
    assert over_facts("{facts: launchers.yaml}") == [
        "launchers.yaml:2:11: error LC111: slurm[0].facts: launchers.yaml: its entry has a facts: of its own "
        "(name a file that launchers convert -o wrote)"
    ]


def test_a_problem_inside_the_facts_file_is_shown_there(over_facts):
    assert over_facts("{facts: facts.yaml}", facts="slurm: [{wieght: 1}]") == [
        "facts.yaml:1:10: error LC101: slurm[0].wieght: unknown key 'wieght' (did you mean weight?)"
    ]


def test_names_that_the_facts_do_not_have(over_facts):
    entry = (
        "{facts: facts.yaml, partitions: {gpuu: {disabled: true}, gpu: {qos: [normall], nodes: [{hosts: 'n[4-6]'}]}}}"
    )
    assert over_facts(entry) == [
        "launchers.yaml:2:36: warning LC209: slurm[0].partitions.gpuu: 'gpuu' is not in the facts file; it is treated "
        "as a new partition (did you mean gpu?)",
        "launchers.yaml:2:72: error LC108: slurm[0].partitions.gpu.qos[0]: normall is not defined under qos: "
        "(defined: normal)",
        "launchers.yaml:2:98: warning LC209: slurm[0].partitions.gpu.nodes[0].hosts: n[5-6] of gpu is not in the facts "
        "file; these hosts are treated as new nodes",
    ]


def test_new_nodes_of_a_partition_without_nodes_are_not_told_apart(over_facts):
    assert over_facts("{facts: facts.yaml, partitions: {cpu: {nodes: [{hosts: m1}]}}}") == []


def test_queues_that_the_facts_do_not_have(over_facts):
    facts = {"queues": {"default": {}, "prod": {}}}
    entry = "{facts: facts.yaml, queues: {prod: {priority: 1}, night: {disabled: true}}}"
    assert over_facts(entry, facts, "oar") == [
        "launchers.yaml:2:53: warning LC209: oar[0].queues.night: 'night' is not in the facts file; it is treated as a "
        "new queue (the facts have default, prod)"
    ]


@pytest.mark.parametrize(("key", "query"), [("slurm", "query_slurm"), ("oar", "query_oar")])
def test_facts_and_a_query_exclude_each_other(key, query):
    entry = {query: True, "facts": "/none.yaml", "disabled": True}
    assert lines(config(**{key: [entry]})) == [
        f"1:{len(key) + 8}: error LC114: {key}[0].{query}: {query} has no effect beside facts: (leave out one of the two)"
    ]
    assert codes(config(**{key: [{**entry, query: False}]})) == []


def test_a_count_that_is_not_the_number_of_the_hosts():
    blocks = [{"hosts": "n[01-03]", "count": 2}, {"hosts": "m[1-2]", "count": 2}, {"count": 5}, {"hosts": "x"}]
    assert [line.partition("LC211: ")[2] for line in lines(slurm_config({"p": {"nodes": blocks}}))] == [
        "slurm[0].partitions.p.nodes[0].count: count is 2, but hosts: names 3 (write 3, or leave count out)"
    ]
    assert codes(config(oar=[{"nodes": [{"hosts": ["a", "b"], "count": 3}]}])) == [("LC211", "oar[0].nodes[0].count")]


def test_a_host_in_two_blocks():
    blocks = [{"hosts": "n[1-3]"}, {"hosts": ["n4", "n3"]}]
    ((problem),) = check(slurm_config({"p": {"nodes": blocks}, "q": {"nodes": blocks[:1]}}))
    assert (problem.code, problem.path) == ("LC212", "slurm[0].partitions.p.nodes[1].hosts")
    assert problem.message == "n3 is also in a block above; it counts as another node here"


def test_blocks_of_a_cluster_that_is_read_may_name_a_host_twice():
    blocks = [{"hosts": "n[1-3]"}, {"hosts": "n3"}]
    assert codes(slurm_config({"p": {"nodes": blocks}}, query_slurm=True)) == []


# -- features --------------------------------------------------------------------------------------------------


def with_features(*features, **entry):
    return slurm_config({"p": {"nodes": [{"features": list(features)}]}}, **entry)


@pytest.mark.parametrize(
    ("pattern", "features", "found"),
    [
        (r"GPU(?P<cuda_count>\d+)", ["GPU2"], None),
        (r"GPU(?P<n>\d+)", ["GPU2"], ("LC203", "has no group that launchers reads")),
        (r"GPU", [], ("LC203", "has no group that launchers reads")),
        (r"NO(?P<cuda_count>\d+)", ["GPU2", "NO2x"], ("LC204", "matches none of the features listed here")),
        (r"NO(?P<cuda_count>\d+)", [], None),
        (
            r"M(?P<cuda_memory>\w+)",
            ["M24G", "Mabc"],
            ("LC213", "in the feature Mabc, cuda_memory captures 'abc', which is not an amount of memory"),
        ),
        (
            r"C(?P<gpu_count>\w+)",
            ["C2", "Cx"],
            ("LC213", "in the feature Cx, gpu_count captures 'x', which is not a number"),
        ),
        (r"C(?P<gpu_count>\d+)?(?P<other>\w*)", ["C", "Cx"], None),
    ],
)
def test_a_regular_expression_for_features(pattern, features, found):
    problems = check(with_features(*features, features_regex=[pattern]))
    assert len(problems) == bool(found)
    for problem in problems:
        assert (problem.code, problem.path) == (found[0], "slurm[0].features_regex[0]")
        assert problem.message.endswith(found[1])


def test_a_feature_that_no_node_has():
    assert lines(with_features("x", features={"ghost": {}, "x": {}})) == [
        "1:81: warning LC206: slurm[0].features.ghost: no node here has the feature ghost"
    ]
    assert codes(with_features(features={"ghost": {}})) == []  # the nodes say nothing of features


# -- QoS, accounts and limits ----------------------------------------------------------------------------------


def test_a_qos_that_is_not_defined():
    assert codes(slurm_config({"p": {"qos": ["a"]}}, qos={"b": {}})) == [
        ("LC108", "slurm[0].partitions.p.qos[0]"),
        ("LC202", "slurm[0].qos.b"),
    ]
    assert codes(slurm_config({"p": {"qos": ["a"]}})) == []


def test_an_account_that_is_not_defined():
    assert codes(slurm_config({"p": {"accounts": ["a", "b"]}}, accounts={"b": {}})) == [
        ("LC108", "slurm[0].partitions.p.accounts[0]")
    ]


def test_names_of_a_cluster_that_is_read_are_not_checked():
    partitions = {"p": {"accounts": ["a"]}}
    assert codes(slurm_config(partitions, accounts={"b": {}}, query_slurm=True)) == []


@pytest.mark.parametrize("used", [{"qos": ["a", "b"]}, {"qos": ["a"], "partition_qos": "b"}])
def test_a_qos_that_a_partition_uses(used):
    assert codes(slurm_config({"p": used}, qos={"a": {}, "b": {}})) == []


def test_a_qos_that_nothing_uses():
    qos = {"a": {}, "b": {}}
    assert codes(slurm_config({"p": {"qos": ["a"]}}, qos=qos)) == [("LC202", "slurm[0].qos.b")]
    assert codes(slurm_config({"p": {"qos": ["a"]}}, qos=qos, accounts={"x": {"qos": ["a", "b"]}})) == []
    assert codes(slurm_config({"p": {}}, qos=qos)) == []


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"defaults": {"account": "x"}}, [("LC202", "slurm[0].defaults.account")]),
        ({"defaults": {"qos": "x"}}, [("LC202", "slurm[0].defaults.qos")]),
        ({"defaults": {"qos": "x"}, "accounts": {"a": {"qos": ["x"]}}}, []),
        ({"defaults": {"account": "x"}, "accounts": {"x": {}}}, []),
        ({"defaults": {"account": "x"}, "accounts": {"y": {}}}, [("LC108", "slurm[0].defaults.account")]),
    ],
)
def test_a_default_that_has_no_effect(entry, found):
    assert codes(slurm_config({"p": {}}, **entry)) == found


def test_a_limit_that_cannot_be_checked():
    limits = {"max_tres": {"cpu": 1, "gres/gpu:a100": 1, "license/x": 1}, "grp_tres": {"billing": 9}}
    config = slurm_config({"p": {"limits": limits}}, limits=limits, qos={"q": {"limits": limits}})
    assert codes(config) == [
        ("LC208", f"slurm[0].{place}limits.{tres}")
        for place in ("partitions.p.", "", "qos.q.")
        for tres in ("max_tres.license/x", "grp_tres.billing")
    ]


# -- partitions in which no job can start ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partition", "reason"),
    [
        ({}, None),
        ({"nodes": []}, "it has no nodes"),
        ({"nodes": [], "disabled": True}, None),
        ({"nodes": [], "state": "DOWN"}, None),
        ({"nodes": [], "state": "UP"}, "it has no nodes"),
        ({"limits": {"max_duration": "1h", "min_nodes": 2, "max_nodes": 1}}, "partition p MinNodes (2) is above partition p MaxNodes (1)"),
        ({"limits": {"min_nodes": 2, "max_nodes": 2}}, None),
        ({"limits": {"max_nodes": 0}}, "partition p MaxNodes is 0"),
        ({"limits": {"max_tres": {"cpu": 0}}}, "partition p MaxTRESPerJob is 0"),
        ({"limits": {"max_tres": {"mem": 0}}}, None),
        ({"limits": {"max_tres": {"gres/gpu": 0}}}, None),
        ({"limits": {"max_tres_per_node": {"cpu": 2}, "min_tres": {"cpu": 3}}}, None),
        ({"limits": {"max_tres": {"cpu": 2}, "min_tres": {"cpu": 3}}}, "partition p MinTRESPerJob (3) is above partition p MaxTRESPerJob (2)"),
    ],
)  # fmt: skip
def test_why_no_job_can_start(partition, reason):
    expected = [f"no job can start in this partition: {reason}"] if reason else []
    assert [problem.message for problem in check(slurm_config({"p": partition}))] == expected


@pytest.mark.parametrize(
    ("nodes", "least", "found"),
    [
        ([{"gpu": {"count": 2, "memory": "8G"}, "count": 3}], 6, False),
        ([{"gpu": {"count": 2, "memory": "8G"}, "count": 3}], 7, True),
        ([{"gpu": {"count": 2, "memory": "8G"}, "count": 3}, {"hosts": "n1", "gpu": {"count": 1}}], 7, False),
        ([{"gpu": {"count": 2, "memory": "8G"}}], 999, False),
        ([{"gpu": {"memory": "8G"}, "count": 1}], 999, False),
        ([{"count": 1}], 1, True),
    ],
)
def test_a_minimum_of_gpus_that_the_nodes_do_not_have(nodes, least, found):
    qos = {"q": {"min_gpu": least}}
    assert codes(slurm_config({"p": {"nodes": nodes, "qos": ["q"]}}, qos=qos)) == (
        [("LC201", "slurm[0].partitions.p")] if found else []
    )


def test_one_qos_with_which_a_job_can_start_is_enough():
    shut, free = {"limits": {"max_jobs": 0}}, {}
    assert [problem.message for problem in check(slurm_config({"p": {"qos": ["a"]}}, qos={"a": shut}))] == [
        "no job can start in this partition: QoS a has MaxJobs=0"
    ]
    assert codes(slurm_config({"p": {"qos": ["a", "b"]}}, qos={"a": shut, "b": free})) == []


def test_no_account_and_qos_may_use_it():
    entry = {"qos": {"a": {}, "b": {}}, "accounts": {"x": {"qos": ["a"]}}}
    messages = [problem.message for problem in check(slurm_config({"p": {"qos": ["b"]}}, **entry))]
    assert messages == ["no job can start in this partition: none of your accounts and QoS may use it"]
