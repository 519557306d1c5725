"""The moment at which the server begins to stop: an answer without an end has to end then."""

from collections.abc import Callable


class Stopping:
    """Begins once. Used on one event loop.

    A server waits for the answers in progress before it ends the application's lifespan; a stream that waited for
    the lifespan to end it would hold up every stop.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._told: list[Callable[[], None]] = []

    def tell(self, told: Callable[[], None]) -> None:
        """Have this called when the stop begins."""
        self._told.append(told)

    def begin(self) -> None:
        """The server begins to stop."""
        if not self.has_begun:
            self.has_begun = True
            for told in self._told:
                told()
