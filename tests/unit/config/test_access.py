"""Which QoS and accounts may be used in a partition, and which limits hold for each."""

import pytest
from configs import slurm_group

from launchers.offer.model import DEFAULT_TIME, Limit, Per, Source, SourceKind

G = 1024**3


def accesses(partition=None, **entry):
    """The accesses of a partition, in a group with these keys."""
    return slurm_group({"p": partition or {}}, **entry).partitions[0].accesses


def bounds(access):
    return {(limit.subject, limit.value) for limit in access.limits}


# -- who is let in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partition", "usable"),
    [
        ({}, [("normal", "a"), ("short", "a"), ("normal", "b")]),
        ({"qos": ["short"]}, [("short", "a")]),
        ({"accounts": ["b"]}, [("normal", "b")]),
        ({"accounts": ["c", "b"]}, [("normal", "b")]),
        ({"deny_accounts": ["a"]}, [("normal", "b")]),
        ({"deny_qos": ["normal"]}, [("short", "a")]),
    ],
)
def test_the_pairs_that_may_be_used(partition, usable):
    qos = {"normal": {}, "short": {}, "other": {}}
    accounts = {"a": {"qos": ["normal", "short"]}, "b": {"qos": ["normal"]}}
    assert [(one.qos, one.account) for one in accesses(partition, qos=qos, accounts=accounts)] == usable


@pytest.mark.parametrize("partition", [{"accounts": ["c"]}, {"qos": ["other"]}, {"deny_qos": ["normal"]}])
def test_a_partition_that_no_pair_may_use(partition):
    (built,) = slurm_group({"p": partition}, accounts={"a": {"qos": ["normal"]}}).partitions
    assert built.closed_reason == "none of your accounts and QoS may use it"


def test_without_any_account_and_qos_slurm_chooses_them():
    assert [(one.qos, one.account) for one in accesses()] == [(None, None)]
    assert [(one.qos, one.account) for one in accesses({"accounts": ["x"], "qos": ["q"]})] == [("q", "x")]


def test_an_account_may_be_for_some_partitions_only():
    accounts = {"a": {"partition": ["p", "q"]}, "b": {"partition": ["q"]}}
    assert [one.account for one in accesses(accounts=accounts)] == ["a"]


@pytest.mark.parametrize(
    ("entry", "ranks"),
    [
        ({}, [0, 0, 0, 0]),
        ({"defaults": {"account": "a", "qos": "q"}}, [0, 1, 1, 2]),
        ({"defaults": {"account": "b"}}, [1, 1, 0, 0]),
    ],
)
def test_what_the_user_gets_by_default_is_ranked_first(entry, ranks):
    accounts = {"a": {"qos": ["q", "r"]}, "b": {"qos": ["q", "r"]}}
    assert [one.rank for one in accesses(accounts=accounts, **entry)] == ranks


def test_an_account_may_have_a_default_qos_of_its_own_and_not_be_the_default_account():
    accounts = {"a": {"qos": ["q", "r"], "default_qos": "r"}, "b": {"qos": ["q"], "default": False}}
    found = accesses(accounts=accounts, defaults={"qos": "q"})
    assert [(one.account, one.qos, one.rank) for one in found] == [("a", "q", 1), ("a", "r", 0), ("b", "q", 1)]


def test_priorities_of_qos_and_account_add_up():
    found = accesses({"qos": ["q"]}, qos={"q": {"priority": 2}}, accounts={"a": {"priority": 3}, "b": {}})
    assert [one.priority for one in found] == [5, 2]


COUNTS = [
    ("max_jobs", "MaxJobs"), ("max_jobs_per_account", "MaxJobsPerAccount"), ("grp_jobs", "GrpJobs"),
    ("max_submit", "MaxSubmitJobs"), ("max_submit_per_account", "MaxSubmitJobsPerAccount"), ("grp_submit", "GrpSubmitJobs"),
]  # fmt: skip


def test_no_job_is_shorter_than_a_second():
    assert closed(q={"grp_wall": "1s"}) == "QoS q has GrpWall=0"
    assert closed(q={"grp_wall": "2s"}) is None


SOURCES = [("of", "QoS of"), ("q", "QoS q"), ("a", "account a")]


def closed(of=None, q=None, a=None, flags=()):
    """Why no job may come, by the limits of the partition's QoS, of the job's and of the account."""
    qos = {"of": {"limits": of or {}}, "q": {"limits": q or {}, "flags": list(flags)}}
    (access,) = accesses(
        {"qos": ["q"], "partition_qos": "of"}, qos=qos, accounts={"a": {"limits": a or {}, "qos": ["q"]}}
    )
    return access.closed_reason


@pytest.mark.parametrize(("field", "rule"), COUNTS)
@pytest.mark.parametrize(("source", "name"), SOURCES)
def test_who_takes_no_jobs_at_all(field, rule, source, name):
    """So slurmctld has it: tools/oracle sets each of these limits to 0 and to more."""
    assert closed(**{source: {field: 0}}) == f"{name} has {rule}=0"
    assert closed(**{source: {field: 1}}) is None


@pytest.mark.parametrize(("field", "rule"), COUNTS)
def test_the_first_that_sets_a_number_of_jobs_counts(field, rule):
    assert closed(of={field: 5}, q={field: 0}, a={field: 0}) is None
    assert closed(q={field: 5}, a={field: 0}) is None
    assert closed(of={field: 5}, q={field: 0}, flags=["OverPartQOS"]) == f"QoS q has {rule}=0"
    assert closed(of={field: 0}, q={field: 5}) == f"QoS of has {rule}=0"


@pytest.mark.parametrize("field", ["max_jobs", "max_submit"])
def test_a_number_of_jobs_per_account_counts_in_place_of_the_accounts_own(field):
    assert closed(q={f"{field}_per_account": 5}, a={field: 0}) is None
    assert closed(of={f"{field}_per_account": 5}, a={field: 0}) is None
    assert closed(of={f"{field}_per_account": 5}, q={field: 0}) is not None


# -- limits ----------------------------------------------------------------------------------------------------

SIMPLE = [
    ("max_duration", "2h", ("duration", 7200, Per.JOB, "MaxWall")),
    ("min_nodes", 2, ("nodes", 2, Per.JOB, "MinNodes")),
    ("max_nodes", 3, ("nodes", 3, Per.JOB, "MaxNodes")),
    ("max_cpus_per_node", 4, ("cpu", 4, Per.NODE, "MaxCPUsPerNode")),
    ("max_mem_per_node", "5G", ("mem", 5 * G, Per.NODE, "MaxMemPerNode")),
    ("max_mem_per_cpu", "6G", ("mem", 6 * G, Per.CPU, "MaxMemPerCPU")),
    ("max_tres", {"cpu": 7}, ("cpu", 7, Per.JOB, "MaxTRESPerJob")),
    ("max_tres_per_node", {"mem": "8G"}, ("mem", 8 * G, Per.NODE, "MaxTRESPerNode")),
    ("max_tres_per_user", {"node": 9}, ("node", 9, Per.JOB, "MaxTRESPerUser")),
    ("max_tres_per_account", {"gres/gpu": 1}, ("gres/gpu", 1, Per.JOB, "MaxTRESPerAccount")),
    ("grp_tres", {"gres/gpu:a100": 2}, ("gres/gpu:a100", 2, Per.JOB, "GrpTRES")),
    ("min_tres", {"gres/gpu": 3}, ("gres/gpu", 3, Per.JOB, "MinTRESPerJob")),
    ("max_tres_mins", {"cpu": 4}, ("cpu", 4, Per.MINUTE, "MaxTRESMinsPerJob")),
    ("max_tres_run_mins_per_user", {"cpu": 5}, ("cpu", 5, Per.MINUTE, "MaxTRESRunMinsPerUser")),
    ("max_tres_run_mins_per_account", {"cpu": 6}, ("cpu", 6, Per.MINUTE, "MaxTRESRunMinsPerAccount")),
    ("grp_tres_run_mins", {"cpu": 7}, ("cpu", 7, Per.MINUTE, "GrpTRESRunMins")),
    ("grp_tres_mins", {"cpu": 8}, ("cpu", 8, Per.MINUTE, "GrpTRESMins")),
    ("grp_wall", "9h", ("duration", 32400, Per.JOB, "GrpWall")),
    ("default_time", "9h", (DEFAULT_TIME, 32400, Per.JOB, "GrpWall")),
]


@pytest.mark.parametrize(("field", "value", "expected"), SIMPLE)
def test_each_limit_of_a_qos(field, value, expected):
    (access,) = accesses({"qos": ["q"]}, qos={"q": {"limits": {field: value}}})
    quantity, amount, per, rule = expected
    source = Source(SourceKind.QOS, "q")
    assert access.limits == (Limit(quantity, amount, source, rule, per, is_minimum=field.startswith("min_")),)


@pytest.mark.parametrize("strict", ["q", "of"])
def test_the_time_of_all_jobs_bounds_a_job_where_a_qos_denies_on_limits(strict):
    keys = {"qos": {"q": {}, "of": {}}, "accounts": {"a": {"limits": {"default_time": "9h"}}}}
    keys["qos"][strict] = {"flags": ["DenyOnLimit"]}
    (access,) = accesses({"qos": ["q"], "partition_qos": "of"}, **keys)
    assert ("duration", 32400) in bounds(access)


def test_each_source_of_limits():
    limits = {"limits": {"max_duration": "1h"}}
    origins = [
        [limit.origin for limit in accesses({"qos": ["q"]}, qos={"q": limits})[0].limits],
        [limit.origin for limit in accesses({"qos": ["q"]}, qos={"q": {"max_duration": "1h"}})[0].limits],
        [limit.origin for limit in accesses(accounts={"a": limits})[0].limits],
        [limit.origin for limit in accesses(limits)[0].limits],
        [limit.origin for limit in accesses(**limits)[0].limits],
    ]
    assert origins == [
        ["QoS q MaxWall"],
        ["QoS q max_duration"],
        ["account a MaxWall"],
        ["partition p MaxTime"],
        ["limits MaxWall"],
    ]


def test_the_short_form_of_a_qos_goes_before_its_limits():
    qos = {"max_duration": "1h", "min_gpu": 2, "limits": {"max_duration": "2h", "min_tres": {"gres/gpu": 1, "cpu": 3}}}
    (access,) = accesses({"qos": ["q"]}, qos={"q": qos})
    assert bounds(access) == {("duration", 3600), ("gres/gpu", 2), ("cpu", 3)}
    assert accesses({"qos": ["q"]}, qos={"q": {"min_gpu": 0}})[0].limits == ()


def test_a_tres_that_no_requirement_asks_for_is_no_limit():
    limits = {"max_tres": {"license/x": 1, "billing": 2, "gres/fpga": 3, "gres/gpu:a100": 4}}
    assert bounds(accesses({"limits": limits})[0]) == {("gres/gpu:a100", 4)}


def test_the_limits_of_a_partition_go_before_those_of_the_group():
    (access,) = accesses({"limits": {"max_duration": "2h"}}, limits={"max_duration": "1h", "max_nodes": 7})
    assert bounds(access) == {("duration", 7200), ("nodes", 7)}


def test_each_limit_comes_from_the_first_place_that_sets_it():
    """https://slurm.schedmd.com/resource_limits.html: partition QoS, job QoS, association; OverPartQOS swaps."""
    qos = {
        "part": {"limits": {"max_duration": "3h", "max_tres": {"cpu": 30}}},
        "job": {"limits": {"max_duration": "2h", "max_tres": {"cpu": 20, "mem": "20G"}}},
        "over": {"limits": {"max_duration": "1h"}, "flags": ["OverPartQOS", "PartitionTimeLimit"]},
    }
    account = {"qos": ["job", "over"], "limits": {"max_duration": "4h", "max_tres": {"mem": "10G", "node": 4}}}
    partition = {"partition_qos": "part", "limits": {"max_duration": "9h", "max_nodes": 7}}
    job, over = accesses(partition, qos=qos, accounts={"a": account})
    own = {("duration", 9 * 3600), ("nodes", 7)}
    assert bounds(job) == own | {("duration", 3 * 3600), ("cpu", 30), ("mem", 20 * G), ("node", 4)}
    assert bounds(over) == {("nodes", 7), ("duration", 3600), ("cpu", 30), ("mem", 10 * G), ("node", 4)}


def test_a_maximum_and_a_minimum_of_one_quantity_are_two_limits():
    assert len(accesses({"limits": {"min_nodes": 1, "max_nodes": 4}})[0].limits) == 2


PARTITION = {"limits": {"max_duration": "1h", "min_nodes": 2, "max_nodes": 7, "max_cpus_per_node": 3}}


@pytest.mark.parametrize(
    ("flag", "lifted"),
    [
        ("PartitionTimeLimit", "MaxTime"),
        ("PartitionMaxNodes", "MaxNodes"),
        ("PartitionMinNodes", "MinNodes"),
        ("DenyOnLimit", None),
    ],
)
def test_a_flag_of_a_qos_lifts_one_limit_of_the_partition(flag, lifted):
    (access,) = accesses({**PARTITION, "qos": ["q"]}, qos={"q": {"flags": [flag]}})
    everything = {"MaxTime", "MinNodes", "MaxNodes", "MaxCPUsPerNode"}
    assert {limit.rule for limit in access.limits} == everything - {lifted}


def test_only_the_qos_of_the_job_lifts_the_limits_of_a_partition():
    """So 22.05 and 24.11 have it: the flags of the partition's own QoS do nothing (man sacctmgr: "jobs using this QOS")."""
    qos = {"lifts": {"flags": ["PartitionTimeLimit", "PartitionMaxNodes", "PartitionMinNodes"]}, "plain": {}}
    plain, lifts = accesses({**PARTITION, "qos": ["plain", "lifts"], "partition_qos": "lifts"}, qos=qos)
    assert (len(plain.limits), len(lifts.limits)) == (4, 1)


def test_a_partition_qos_that_is_not_defined_has_no_limits():
    assert accesses({"partition_qos": "nope"}, qos={})[0].limits == ()
