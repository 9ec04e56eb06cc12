"""What the steps of the measured plans run: nothing.  A module, so that it is pickled by name."""


def nothing(*_: object) -> None:
    """Do nothing."""
