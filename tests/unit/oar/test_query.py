"""The live OAR, read and kept for a while."""

import pytest
from connectors import Answers
from oarnodes import oarnodes, resource

from launchers.config.reading import ClusterError
from launchers.oar.query import query, read_live_cluster

NODES = oarnodes(resource(1, "a", core=1))


def test_the_answer_is_kept():
    first = query(connector=Answers({"oarnodes -J": NODES}))
    assert (first.age, first.group.nodes[0].hosts) == (0, "a")
    gone = Answers()
    assert query(connector=gone).group == first.group
    assert gone.asked == []
    assert query(refresh=True, connector=gone) == "query_oar: there is no command oarnodes"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "# cannot connect to the database\n"), "oarnodes: cannot connect to the database"),
        ("[1]", "oarnodes: this is not what oarnodes -J prints"),
        ("nodes", "oarnodes: this is not what oarnodes -J prints"),
        ("", "oarnodes printed no resources: its database gave no answer"),
        ("{}\n\n", "oarnodes printed no resources: its database gave no answer"),
    ],
)
def test_a_cluster_that_cannot_be_read(answer, message):
    with pytest.raises(ClusterError, match=message):
        read_live_cluster(Answers({"oarnodes": answer}))
