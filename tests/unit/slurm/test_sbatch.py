"""What sbatch answers, and what of that is believed."""

import pytest
from connectors import Answers

from launchers.commands import CommandError, CommandTimeoutError, Outcome
from launchers.jobs.backend import RefusedError
from launchers.slurm.sbatch import submit

REFUSAL = "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)"


class Sbatch(Answers):
    """Answers sbatch with an outcome, and the rest from a table."""

    def __init__(self, status, stdout="", stderr="", **answers):
        super().__init__(answers)
        self.outcome = (status, stdout, stderr)

    def run(self, argv, **keys):
        if argv[0] != "sbatch":
            return super().run(argv, **keys)
        self.asked.append(tuple(argv))
        return Outcome(tuple(argv), *self.outcome)


def refused(*outcome, **answers):
    with pytest.raises(RefusedError) as caught:
        submit(Sbatch(*outcome, **answers), ["job.sh"], account=True)
    return caught.value


@pytest.mark.parametrize("stdout", [
    "12\n", "12", "12;testbed\n", " 12 \n", "Welcome to cluster 42\n12\n", "12\nGood bye, you have 3 mails\n", "12\n12\n",
    "12;c\n\n", "job 99\n12\n", "\ufffd\ufffd\n12\n",
])  # fmt: skip
def test_a_line_that_is_only_an_id_is_one(stdout):
    sbatch = Sbatch(0, stdout)
    assert submit(sbatch, ["--x", "job.sh"], account=True) == "12"
    assert sbatch.asked[0] == ("sbatch", "--parsable", "--x", "job.sh")


@pytest.mark.parametrize("stdout", [
    "", "Submitted batch job 12\n", "Submitted batch job 12 on cluster c\n", "Welcome to cluster 42\n", "12\n13\n", "12 13\n",
    "42\n12;c\n", "\ufffd12\n", "12;a\n12;b\n", "\u0661\u0662\n", "-12\n",
])  # fmt: skip
def test_without_one_id_the_token_decides(stdout):
    error = refused(0, stdout)
    assert (error.transient, error.lines[0]) == (True, "sbatch ended well, but named no job id, or several")


@pytest.mark.parametrize(("status", "stdout", "stderr"), [
    (1, "", "sbatch: error: Batch job submission failed: Message receive failure"),
    (1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"),
    (1, "12\n", ""), (-15, "12\n", ""), (-9, "", REFUSAL), (137, "", REFUSAL), (1, "", ""), (3, "the site is closed", ""),
    (1, "", "wrapper: lost connection to the login node"), (143, "", "Terminated"), (1, "", "\ufffd\ufffd"),
    (1, "", "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying"),
    (1, "", "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received"),
    (1, "", "sbatch: error: Munge encode failed: Failed to access \"/run/munge\""),
])  # fmt: skip
def test_a_failure_that_is_no_refusal_may_be_an_acceptance(status, stdout, stderr):
    assert refused(status, stdout, stderr).transient


@pytest.mark.parametrize(("stderr", "lines", "code"), [
    (f"sbatch: error: one\n\n{REFUSAL}\n", ("sbatch: error: one", REFUSAL), "duration"),
    ("sbatch: fatal: No command given to execute.", ("sbatch: fatal: No command given to execute.",), ""),
])  # fmt: skip
def test_a_refusal(stderr, lines, code):
    for status in (1, 255):
        error = refused(status, "", stderr)
        assert (error.lines, error.code, error.transient) == (lines, code, False)


@pytest.mark.parametrize(("error", "transient"), [
    (CommandTimeoutError("sbatch gave no answer within 300 s"), True), (CommandError("cannot run sbatch"), False),
])  # fmt: skip
def test_an_sbatch_that_does_not_end_may_have_taken_the_job(error, transient, monkeypatch):
    def run(*_, **__):
        raise error

    sbatch = Answers()
    sbatch.run = run
    with pytest.raises(RefusedError, match=str(error)) as caught:
        submit(sbatch, ["job.sh"], account=True)
    assert caught.value.transient is transient


# -- another cluster -----------------------------------------------------------------------------------------------


def test_a_job_of_another_cluster_is_taken_back():
    sbatch = Sbatch(0, "12;other\n", scontrol="ClusterName = here\n", scancel="")
    with pytest.raises(RefusedError, match=r"went to the cluster other, .* about here: it is cancelled") as caught:
        submit(sbatch, ["job.sh"], account=True)
    assert not caught.value.transient
    assert sbatch.asked[-1] == ("scancel", "--clusters=other", "12")
    for scancel in ({"scancel": (1, "away")}, {}):
        error = refused(0, "12;other\n", scontrol="ClusterName = here\n", **scancel)
        assert "it is still there" in error.lines[0]


def test_a_cluster_that_names_itself_is_this_one():
    for config in ({"scontrol": "ClusterName = here\n"}, {}):
        assert submit(Sbatch(0, "12;here\n", **config), ["job.sh"], account=True) == "12"
