"""Facts without names."""

from attrs import evolve
from slurm_texts import CONFIG, associations, node, partition, qos, table

from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.slurm.accounts import Person
from launchers.slurm.anonymize import anonymize
from launchers.slurm.convert import convert
from launchers.slurm.read import read

NAMES = ("secret", "private", "ourlab", "darpa", "night", "alice", "wheel")
FACTS = read(
    CONFIG.replace("= c\n", "= secret\n"),
    node("secret1", Gres="gpu:a100:2", ActiveFeatures="GPUM40G,ourlab,64gb", Partitions="private"),
    node("secret2", ActiveFeatures="ourlab", Partitions="private"),
    partition("private", "secret[1-2]", AllowAccounts="darpa", DenyQos="night", AllowGroups="wheel", QoS="night"),
    partition("secrets", "secret[1", DenyAccounts="darpa", AllowQos="night"),
    "ReservationName=secret Nodes=secret2 State=ACTIVE Flags=MAINT\n",
    associations(
        {"Cluster": "secret", "Account": "darpa", "ParentName": "ourlab"},
        {
            "Cluster": "secret",
            "Account": "darpa",
            "User": "alice",
            "Partition": "private",
            "QOS": "night",
            "Def QOS": "night",
        },
    ),
    table(qos("night", MaxWall="1-0")),
)


def test_no_name_is_left():
    facts = anonymize(FACTS)
    text = to_yaml(convert(facts, Person("user1")))
    assert not [name for name in NAMES if name in text]
    kept = [evolve(one, pairs={}) for one in (*facts.nodes, *facts.partitions, *facts.reservations, *facts.qos)]
    kept += [evolve(one, pairs={}) for one in facts.associations]
    assert not [name for name in NAMES if any(name in str(one) for one in kept)]
    loads(text)


def test_equal_names_stay_equal_and_numbers_stay():
    facts = anonymize(FACTS)
    one, two = facts.nodes
    assert (one.name, two.name, one.partitions) == ("node0001", "node0002", two.partitions)
    assert (one.features, two.features) == (("GPUM40G", "feature1", "64gb"), ("feature1",))
    first, second = facts.partitions
    assert (first.name, first.nodes, second.nodes) == ("partition1", "node[0001-0002]", "")
    assert (first.allow_accounts, first.deny_qos, first.qos, first.allow_groups) == (
        ("account1",), ("qos1",), "qos1", ("group",),
    )  # fmt: skip
    assert (second.deny_accounts, second.allow_qos, second.allow_accounts) == (("account1",), ("qos1",), None)
    account, user = facts.associations
    assert (account.account, account.parent, account.user, account.default_qos) == ("account1", "account2", "", "")
    assert (user.cluster, user.user, user.partition, user.qos, user.default_qos) == (
        "cluster", "user1", "partition1", ("qos1",), "qos1",
    )  # fmt: skip
    assert (facts.qos[0].name, facts.qos[0].bounds.max_wall) == ("qos1", 86400)
    assert (facts.reservations[0].name, facts.reservations[0].nodes) == ("reservation", "node0002")
    assert facts.config["ClusterName"] == "cluster"
    assert facts.config["SelectType"] == "select/cons_tres"
