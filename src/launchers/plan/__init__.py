"""A DAG of steps, each on the partition it needs: built as a tree, submitted once, followed from its run folder."""

from launchers.plan.model import Chain, Dag, Map, Parallel, Plan, PlanError, ResultOf, Step, result_of

__all__ = ["Chain", "Dag", "Map", "Parallel", "Plan", "PlanError", "ResultOf", "Step", "result_of"]
