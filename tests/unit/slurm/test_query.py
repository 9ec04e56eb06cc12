"""The live cluster, read and kept for a while."""

import os
import pwd

import pytest
from connectors import Answers
from slurm_texts import NODES, PARTITIONS, associations, config, qos, table

from launchers.config.reading import ClusterError
from launchers.slurm.query import query, read_live_cluster

USER = pwd.getpwuid(os.getuid()).pw_name
CLUSTER = {
    "scontrol -a show nodes": NODES,
    "scontrol -a show partitions": PARTITIONS,
    "scontrol show config": config(),
    "scontrol show reservations": "No reservations in the system\n",
    "sacctmgr -P show qos": table(qos()),
    "sacctmgr -P show assoc": associations({"Account": "a", "User": USER}, {"Account": "b", "User": USER}),
    f"sacctmgr -nP show user {USER}": "b\n",
}


def without(*commands, **answers):
    return Answers({command: answer for command, answer in CLUSTER.items() if command not in commands} | answers)


def test_everything_is_asked_for():
    found = read_live_cluster(Answers(CLUSTER))
    assert [node.name for node in found.facts.nodes] == ["n1", "n2", "n3"]
    assert [partition.name for partition in found.facts.partitions] == ["p", "q"]
    assert (len(found.facts.qos), len(found.facts.associations), found.facts.config["ClusterName"]) == (1, 2, "c")
    assert (found.person.user, found.person.default_account, found.failed) == (USER, "b", ())
    assert found.facts.problems == []
    assert found.person.groups


def test_reservations_are_read():
    reservation = "ReservationName=r Nodes=n1 State=ACTIVE Flags=MAINT\n"
    found = read_live_cluster(Answers({**CLUSTER, "scontrol show reservations": reservation}))
    assert [one.name for one in found.facts.reservations] == ["r"]


@pytest.mark.parametrize("command", ["scontrol -a show nodes", "scontrol -a show partitions"])
@pytest.mark.parametrize(
    ("answer", "message"),
    [((1, "slurm_load: Unable to contact slurm controller\n"), "{}: slurm_load: Unable to contact slurm controller"),
     ("", "{} printed nothing")],
)  # fmt: skip
def test_without_nodes_or_partitions_there_is_no_cluster(command, answer, message):
    with pytest.raises(ClusterError) as raised:
        read_live_cluster(Answers({**CLUSTER, command: answer}))
    assert str(raised.value) == message.format(command)


def test_without_scontrol_there_is_no_cluster():
    with pytest.raises(ClusterError, match="there is no command scontrol"):
        read_live_cluster(Answers())


def test_a_command_that_fails_costs_its_own_facts():
    accounting = [command for command in CLUSTER if command.startswith("sacctmgr")]
    found = read_live_cluster(without(*accounting, "scontrol show config"))
    assert len(found.facts.nodes) == 3
    assert (found.facts.associations, found.facts.config, found.person.default_account) == ([], {}, None)
    assert len(found.failed) == 4
    broken = Answers({**CLUSTER, "sacctmgr -P show qos": (1, "no database\n")})
    assert read_live_cluster(broken).failed == ("sacctmgr -P show qos: no database",)


def test_accounting_that_does_not_exist_is_not_asked():
    cluster = Answers({**CLUSTER, "scontrol show config": config(AccountingStorageType="accounting_storage/none")})
    assert read_live_cluster(cluster).failed == ()
    assert not [argv for argv in cluster.asked if argv[0] == "sacctmgr"]


def test_the_answer_is_kept(monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/etc/a.conf")
    first = query(connector=Answers(CLUSTER))
    assert (first.age, first.group.id, first.failed) == (0, "c", ())
    gone = Answers()
    again = query(connector=gone)
    assert again.group == first.group
    assert gone.asked == []
    assert query(refresh=True, connector=gone) == "query_slurm: there is no command scontrol"
    monkeypatch.setenv("SLURM_CONF", "/etc/b.conf")
    assert query(connector=gone) == "query_slurm: there is no command scontrol"
