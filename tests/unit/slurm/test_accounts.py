"""The accounts that a person may charge."""

import pytest
from slurm_texts import CONFIG, NODES, PARTITIONS, associations, config, entry, group, node, partition, qos, table

from launchers.slurm.accounts import Person

ME = Person("me")


def accounts_of(*rows, person=ME):
    return entry(CONFIG, NODES, PARTITIONS, associations(*rows), person=person).accounts or {}


def test_limits_come_from_the_accounts_above():
    """A Max limit from the nearest that sets it, a Grp limit from wherever it is lowest."""
    (name, account), *others = accounts_of(
        {"Account": "root", "MaxWall": "9-00:00:00", "MaxTRES": "cpu=70,node=3"},
        {
            "Account": "top",
            "ParentName": "root",
            "GrpTRES": "cpu=100,gres/gpu=8",
            "GrpJobs": 2,
            "MaxJobs": 7,
            "MaxTRES": "cpu=50",
            "MaxWall": "1-0",
        },
        {
            "Account": "a",
            "ParentName": "top",
            "GrpJobs": 9,
            "GrpTRES": "cpu=200",
            "MaxWall": "02:00:00",
            "MaxTRESPerNode": "cpu=4",
        },
        {"Account": "a", "User": "me", "MaxWall": "03:00:00", "GrpTRESMins": "cpu=9", "MaxJobs": 0, "MaxSubmit": 5},
        {"Account": "b", "User": "other"},
        {"Cluster": "z", "Account": "c", "User": "me"},
    ).items()
    limits = account.limits
    assert (name, others, limits.max_duration) == ("a", [], 3 * 3600)
    assert (limits.grp_tres, limits.max_tres) == ({"cpu": 100, "gres/gpu": 8}, {"cpu": 50, "node": 3})
    assert (limits.max_tres_per_node, limits.grp_tres_mins) == ({"cpu": 4}, {"cpu": 9})
    assert (limits.max_jobs, limits.max_submit, limits.grp_jobs) == (0, 5, 2)


def test_a_limit_of_zero_time_is_nearer_than_none():
    rows = {"Account": "a", "MaxWall": "02:00:00"}, {"Account": "a", "User": "me"}
    assert accounts_of(*rows)["a"].limits.max_duration == 2 * 3600


def test_accounts_that_are_above_each_other_end_somewhere():
    rows = {"Account": "a", "ParentName": "b"}, {"Account": "b", "ParentName": "a"}, {"Account": "a", "User": "me"}
    assert list(accounts_of(*rows)) == ["a"]


def test_only_the_qos_that_somebody_gives_are_kept():
    own = associations({"Account": "a", "User": "me", "QOS": "normal,fast", "Def QOS": "fast"})
    listed = table(qos("normal"), qos("fast", Priority=5), qos("ofpartition"), qos("other"))
    spec = entry(CONFIG, node(), partition(QoS="ofpartition"), own, listed, person=ME)
    assert (spec.accounts["a"].qos, spec.accounts["a"].default_qos) == (("normal", "fast"), "fast")
    assert list(spec.qos) == ["fast", "normal", "ofpartition"]
    nobody = entry(CONFIG, node(), partition(QoS="ofpartition"), listed)
    assert list(nobody.qos) == ["fast", "normal", "ofpartition", "other"]


def test_whose_accounts_count():
    mine, theirs = {"Account": "a", "User": "me"}, {"Account": "b", "User": "you"}
    assert list(accounts_of(mine, theirs)) == ["a"]
    assert list(accounts_of(mine, person=Person())) == ["a"]
    assert accounts_of(mine, theirs, person=Person()) == {}


@pytest.mark.parametrize(
    ("more", "person", "default"),
    [
        ({}, ME, None), ({}, Person("me", "a"), "a"), ({}, Person("me", "b"), None), ({}, Person("me", ""), None),
        ({"Def Acct": "a"}, ME, "a"), ({"Def Acct": "b"}, ME, None),
    ],
)  # fmt: skip
def test_the_default_account(more, person, default):
    spec = entry(CONFIG, NODES, PARTITIONS, associations({"Account": "a", "User": "me", **more}), person=person)
    assert (spec.defaults and spec.defaults.account) == default
    assert spec.accounts["a"].default is (default == "a" or None)


def test_an_association_may_be_for_some_partitions():
    only = {"Account": "a", "User": "me", "Partition": "p"}, {"Account": "a", "User": "me", "Partition": "q"}
    assert accounts_of(*only)["a"].partition == ("p", "q")
    assert accounts_of(*only, {"Account": "a", "User": "me"})["a"].partition is None


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_associations_does_not_matter(order):
    rows = [
        {"Account": "a", "User": "me", "QOS": "normal", "MaxWall": "1-0"},
        {"Account": "a", "User": "me", "Partition": "p", "QOS": "long", "MaxWall": "2-0"},
        {"Cluster": "", "Account": "b", "User": "me", "QOS": "b"},
    ]
    found = accounts_of(*rows[::order])
    assert (found["a"].qos, found["a"].limits.max_duration, found["a"].partition) == (("normal",), 86400, None)


@pytest.mark.parametrize(
    ("list", "named", "before", "since"),
    [
        ("DenyAccounts", "top", {"mid", "leaf", "other"}, {"other"}),
        ("DenyAccounts", "mid", {"top", "leaf", "other"}, {"top", "other"}),
        ("DenyAccounts", "root", {"top", "mid", "leaf", "other"}, set()),
        ("AllowAccounts", "top", {"top"}, {"top", "mid", "leaf"}),
        ("AllowAccounts", "mid", {"mid"}, {"mid", "leaf"}),
        ("AllowAccounts", "root", set(), {"top", "mid", "leaf", "other"}),
    ],
)
@pytest.mark.parametrize(("version", "new"), [("22.05.8", False), ("23.02.0", True), ("26.05.5", True)])
def test_a_partition_that_names_an_account_means_those_below_it_from_23_02_on(list, named, before, since, version, new):
    """So a slurmctld alone of 22.05, of 24.11 and of 26.05 has it."""
    parents = {"root": "", "top": "root", "mid": "top", "leaf": "mid", "other": "root"}
    rows = [{"Account": name, "ParentName": above} for name, above in parents.items()]
    rows += [{"Account": name, "User": "me"} for name in parents if name != "root"]
    texts = (config(SLURM_VERSION=version), node(), partition(**{list: named}), associations(*rows), table(qos()))
    (built,) = group(*texts, person=ME).partitions
    usable = set() if built.closed_reason else {access.account for access in built.accesses}
    assert usable == (since if new else before)
