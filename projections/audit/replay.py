"""The read models at any position: folded in memory from the first event on, writing nothing."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import Engine

from ledger.codec import DECODE_ERRORS
from ledger.engines.sqlite import open_memory
from ledger.entries import Entry, Head
from ledger.store import Ledger
from projections.fold import Progress
from projections.read_models.all import ReadModels
from projections.read_models.history import History, Query
from projections.schema import metadata, projection_checkpoints, promotion_history


class Replay:
    """One replay; it only goes forward."""

    def __init__(self, ledger: Ledger, *, since_us: int = 0) -> None:
        self.ledger = ledger
        scratch = _scratch()
        weakref.finalize(
            self, scratch.dispose
        )  # a replay is dropped when it has been read: it has no end to close it at
        self.history = History(ledger, engine=scratch)
        self.read_models = ReadModels(ledger, since_us=since_us, history=self.history)

    @property
    def head(self) -> Head:
        """Where the states stand."""
        return self.read_models.projector.head

    def advance(self, through: int, progress: Progress | None = None) -> None:
        """Fold up to position `through`. Raises ProjectionError."""
        for page in self.ledger.pages(self.head.position, through):
            self.fold(page)
            if progress is not None:
                progress(len(page))

    def plain(self) -> dict[str, Any]:
        """Every state by its projection's name, in types that JSON knows."""
        states = {one.projection.name: plain(one.state) for one in self.read_models.tracked}
        return {**states, self.history.name: self.history_rows()}

    def history_rows(self) -> list[dict[str, Any]]:
        """The stored rows of the promotion history, by id, with their detail decoded."""
        return read_rows(self.history)

    def fold(self, page: Sequence[Entry]) -> None:
        """Fold the entries that come next. Raises ProjectionError."""
        self.read_models.projector.fold(page)


def plain(value: Any) -> Any:
    """A state in types that JSON knows: label tuples become one word, joined by slashes."""
    if isinstance(value, msgspec.Struct):
        return {
            wire: plain(getattr(value, name))
            for name, wire in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        }
    if isinstance(value, Mapping):
        return {
            "/".join(map(str, key)) if isinstance(key, tuple) else str(key): plain(one)
            for key, one in value.items()
        }
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """A plain state as path -> value, for people and for comparisons."""
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = {str(index): one for index, one in enumerate(value)}.items()
    else:
        return {path: value}
    flat: dict[str, Any] = {}
    for key, one in pairs:
        flat |= flatten(one, f"{path}.{key}" if path else key)
    return flat


def read_rows(history: History) -> list[dict[str, Any]]:
    """All rows of a promotion history, by id, with their detail decoded; as text where it is no JSON."""
    rows = history.rows(Query(limit=None, order="asc"))
    return [{**structs.asdict(row), "detail": _decoded(row.detail)} for row in rows]


def by_id(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of a promotion history by their id: an index would mean another row once one is missing."""
    return {str(row["id"]): row for row in rows}


def _decoded(detail: bytes) -> Any:
    try:
        return msgspec.json.decode(detail)
    except DECODE_ERRORS:
        return detail.decode(errors="replace")


def _scratch() -> Engine:
    """A database in memory with nothing but the tables that the history is folded into."""
    engine = open_memory()
    metadata.create_all(engine, tables=[promotion_history, projection_checkpoints])
    return engine
