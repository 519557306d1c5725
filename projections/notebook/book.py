"""`projections.open`: a ledger opened for reading, with its tables, its past states, and folds of one's own."""

import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from ledger.engines.database import open_reader, transaction
from ledger.entries import Entry, Head
from ledger.errors import StorageError
from ledger.events import (
    CycleDecided,
    Event,
    GameAbandoned,
    GameFinished,
    GameStarted,
    PredictionMade,
    RoundPlayed,
)
from ledger.files import sqlite_url
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES
from projections.audit.replay import Replay
from projections.fold import Progress, walk
from projections.notebook.arrow import reader_of_events, reader_of_games
from projections.notebook.records import (
    ENDED,
    PREDICTION,
    ROUND,
    STARTED,
    AliasVersion,
    Cycle,
    Game,
    Prediction,
    Round,
    value_at,
)
from projections.notebook.records import Path as Path_
from projections.notebook.stored import Stored, event_of, pages
from projections.notebook.tables import Table
from projections.positions import check_position, resolve

State = TypeVar("State")
Row = TypeVar("Row", bound=tuple[Any, ...])

At = int | str | datetime
"""A position, or a time: ISO 8601 as text, or a datetime (UTC where it says no other)."""
Handler = Callable[[State, Any, Entry], State]
"""From the state and the next event to the next state; the entry has position, time and stream."""

TABLES = ("decisions", "games", "rounds", "predictions")
"""The methods of a notebook that `rps-audit export --what` takes."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReadModel(NamedTuple):
    """A read model of one's own: `ledger.fold(*model)`, or `rps-audit replay --projection module:name`.

    A state that is changed in place belongs to one fold: make it anew by a function, as `initial=dict`.
    """

    initial: Any
    handlers: Mapping[type[Event], Handler[Any]]


class Notebook:
    """A ledger for reading. Each table is of the ledger as it was when the table was asked for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._close = weakref.finalize(self, ledger.engine.dispose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ledger {self._ledger.engine.url.database}: {self.head().position:,} events>"

    def close(self) -> None:
        """Let go of the database; the garbage collector does the same."""
        self._close()

    def head(self) -> Head:
        """The newest event's position, chain hash and time."""
        return self._ledger.head()

    def decisions(self, to: At | None = None) -> Table[Cycle]:
        """The promotion cycles, in the order of their decision."""
        return Table(Cycle, partial(self._cycles, self._position(to)))

    def games(self, to: At | None = None) -> Table[Game]:
        """The games, in the order of their starts."""
        through = self._position(to)
        return Table(Game, partial(self._games, through), partial(reader_of_games, self._ledger, through))

    def rounds(self, to: At | None = None) -> Table[Round]:
        """The rounds of all games, in the order in which they were played."""
        return self._table(Round, RoundPlayed, ROUND, to)

    def predictions(self, to: At | None = None) -> Table[Prediction]:
        """What each alias expected in each round."""
        return self._table(Prediction, PredictionMade, PREDICTION, to)

    def aliases(self, at: At | None = None) -> Table[AliasVersion]:
        """The version behind each alias, now or at a position or time."""
        replay = self.at(at)
        families = replay.read_models.standings.state.families
        rows = [
            AliasVersion(
                replay.head.position, family, alias, families[family].aliases[alias], families[family].swap_count
            )
            for family in FAMILIES
            for alias in ALIASES
            if families[family].aliases
        ]
        return Table(AliasVersion, lambda: iter(rows))

    def at(self, at: At | None = None) -> Replay:
        """Every read model as it was at a position or time; `.plain()` gives their states as plain values."""
        replay = Replay(self._ledger)
        replay.advance(self._position(at))
        return replay

    def fold(
        self,
        initial: State | Callable[[], State],
        handlers: Mapping[type[Event], Handler[State]],
        to: At | None = None,
        *,
        progress: Progress | None = None,
    ) -> State:
        """Fold the events that have a handler, from the first on. `initial` is a state or what makes one.

        Raises ProjectionError, which names the position of the event that could not be folded.
        """
        state = initial() if callable(initial) else initial

        def take(event: Event, entry: Entry) -> None:
            nonlocal state
            state = handlers[type(event)](state, event, entry)

        walk(
            self._ledger, "the fold", dict.fromkeys(handlers, take), through=self._position(to), progress=progress
        )
        return state

    def _position(self, at: At | None) -> int:
        match at:
            case None:
                return self.head().position
            case int():
                return check_position(self._ledger, at)
            case datetime():
                return resolve(self._ledger, (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat())
            case _:
                return resolve(self._ledger, at)

    def _table(
        self, row_type: type[Row], event_class: type[Event], paths: Mapping[str, Path_], to: At | None
    ) -> Table[Row]:
        through = self._position(to)
        return Table(
            row_type,
            partial(self._rows, row_type, event_class, paths, through),
            partial(reader_of_events, self._ledger, row_type, event_class, paths, through),
        )

    def _rows(
        self, row_type: type[Row], event_class: type[Event], paths: Mapping[str, Path_], through: int
    ) -> Iterator[Row]:
        make: Callable[..., Row] = row_type
        for stored, event in self._events((event_class,), through):
            values = {name: value_at(event, path) for name, path in paths.items()}
            yield make(position=stored.position, time=_time(stored), **values)

    def _games(self, through: int) -> Iterator[Game]:
        games: dict[str, Game] = {}
        for stored, event in self._events((GameStarted, GameFinished, GameAbandoned), through):
            if isinstance(event, GameStarted):
                games[event.game_id] = _started(stored, event)
            elif (game := games.get(value_at(event, ("game_id",)))) is not None:
                games[game.game_id] = game._replace(
                    ended=_time(stored),
                    end_position=stored.position,
                    outcome="finished" if isinstance(event, GameFinished) else "abandoned",
                    **{name: value_at(event, path) for name, path in ENDED.items()},
                )
        return iter(games.values())

    def _cycles(self, through: int) -> Iterator[Cycle]:
        for stored, event in self._events((CycleDecided,), through):
            assert isinstance(event, CycleDecided)
            yield _cycle(stored, event)

    def _events(self, classes: tuple[type[Event], ...], through: int) -> Iterator[tuple[Stored, Event]]:
        for page in pages(self._ledger, classes, through):
            yield from ((stored, event_of(self._ledger, stored)) for stored in page)


def open_notebook(source: str | Path) -> Notebook:
    """The ledger in a data folder, in a file, or behind a URL. Raises NoLedgerError, StorageError."""
    text = str(source)
    if "://" not in text:
        path = Path(source).expanduser()
        text = sqlite_url((path / "ledger.db" if path.is_dir() else path).absolute())
    engine = open_reader(text)
    try:
        with transaction(engine) as connection:
            connection.exec_driver_sql("SELECT 1 FROM events LIMIT 1")
    except StorageError as error:
        engine.dispose()
        raise StorageError(f"{engine.url.database} is no ledger: {error}") from error
    return Notebook(Ledger(engine))


def _time(stored: Stored) -> datetime:
    return EPOCH + timedelta(microseconds=stored.recorded_us)


def _started(stored: Stored, event: GameStarted) -> Game:
    absent = dict.fromkeys(name for name in ENDED if name not in STARTED)
    values: dict[str, Any] = {name: value_at(event, path) for name, path in STARTED.items()}
    opened = {"position": stored.position, "started": _time(stored), "outcome": "open"}
    return Game(**values, **opened, **absent, ended=None, end_position=None)  # type: ignore[arg-type]


def _cycle(stored: Stored, event: CycleDecided) -> Cycle:
    return Cycle(
        position=stored.position,
        time=_time(stored),
        model_type=event.model_type,
        cycle=event.cycle,
        trigger=event.trigger,
        source=event.source,
        rule=value_at(event, ("rule", "name")),
        alpha=float(event.rule.alpha) if event.rule else None,
        production_version=value_at(event, ("evidence", "production", "version")),
        production_wins=value_at(event, ("evidence", "production", "window", "wins")),
        production_games=value_at(event, ("evidence", "production", "window", "games")),
        b_version=value_at(event, ("evidence", "b", "version")),
        b_wins=value_at(event, ("evidence", "b", "window", "wins")),
        b_games=value_at(event, ("evidence", "b", "window", "games")),
        z_statistic=event.z_statistic,
        p_value=event.p_value,
        decision=event.decision,
        reason_code=event.reason_code,
        reason=event.reason,
        reordered=event.reordered,
    )
