"""The page and the advice made from a run."""
