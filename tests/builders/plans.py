"""Plans that are laid out or described and never run: needs by hand, a backend that is no scheduler."""

from attrs import frozen

from launchers import SlurmArgs
from launchers.jobs.backend import Backend
from launchers.plan.layout import lay_out_submissions
from launchers.plan.place import PlacedPlan, place_plan

GPU = SlurmArgs(time="02:00:00", partition="gpu_a100", gpus_per_node=1, cpus_per_gpu=18)
CPU = SlurmArgs(time="01:00:00", partition="batch", cpus_per_task=8)


def work(*args, **kwargs):
    return args, kwargs


class FakeBackend(Backend):
    """Answers what the layout asks; whoever asks for more finds nothing.

    `array` is the largest array, `barrier` the parameters of a barrier, `limits` whether an array can be told how
    many of its jobs run at once.
    """

    title = "a fake"

    def __init__(self, *, array=1000, barrier=None, arrays=True, limits=True):
        self.array, self.barrier = array, barrier
        self.supports_arrays, self.supports_array_limit = arrays, limits

    def largest_array(self):
        return self.array

    def barrier_parameters(self, first):
        return self.barrier

    def checkpoint_parameters(self, parameters):
        return {**parameters, "checkpointed": True}

    def _nothing(self, *args, **kwargs):
        raise NotImplementedError

    render = executor = submit_function = render_script = send = find_token = states = _nothing
    cancel = output_patterns = _nothing


@frozen(eq=False)
class FakePlacedPlan(PlacedPlan):
    """A placed plan on a backend of the test's own."""

    fake: Backend

    @property
    def backend(self):
        return self.fake


def submissions(plan, **backend):
    """The submissions of a plan by name, on a FakeBackend."""
    placed = place_plan(plan)
    fake = FakePlacedPlan(placed.graph, placed.group, placed.places, FakeBackend(**backend))
    return {submission.name: submission for submission in lay_out_submissions(fake, "id")}


def waits(submission):
    """What a submission waits for: types of dependency, submissions, and elements of these."""
    return [(parent.kind, parent.submission, parent.index) for parent in submission.parents]
