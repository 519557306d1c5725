"""What can go wrong when the ledger is read for its meaning."""


class ProjectionError(Exception):
    """An event could not be folded. The projections stand still, loudly, until it is dealt with."""

    def __init__(self, position: int, event_type: str, problem: str) -> None:
        super().__init__(f"projections stopped at position {position} ({event_type}): {problem}")
        self.position = position
        self.event_type = event_type
        self.problem = problem


class TooManyFoldsError(Exception):
    """As many past states are being folded as one process folds at a time."""

    def __init__(self, folds: int) -> None:
        super().__init__(f"{folds} other past states are being folded; try again in a moment")


class PositionError(ValueError):
    """A position or a time that the ledger does not reach back or forward to."""


class BackfillError(Exception):
    """The files cannot be written, or do not hold what they should."""
