"""A DAG of steps, each on the partition it needs: built as a tree, submitted once, followed from its run folder."""

from launchers.plan.plan import Plan
from launchers.plan.tree import Chain, Dag, Map, Parallel, PlanError, Step, result_of
from launchers.runs.call import ResultOf

__all__ = ["Chain", "Dag", "Map", "Parallel", "Plan", "PlanError", "ResultOf", "Step", "result_of"]
