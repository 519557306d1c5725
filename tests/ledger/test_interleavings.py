from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.appends import Append, Receipt
from ledger.engines.database import disposing, open_engine
from ledger.errors import ConflictError, DuplicateError, LedgerError
from ledger.schema import metadata
from ledger.store import Ledger
from tests.builders import round_played
from tests.ledger.chains import assert_intact
from tests.postgresql import Server


class Wish(NamedTuple):
    """An append of some process, which believes that the stream is `lag` versions behind where it is."""

    process: int
    stream: str
    size: int
    lag: int
    key: str | None
    provided: str | None
    """A stream from which it was decided too."""
    provided_lag: int
    """How far the process is behind with that one."""


STREAMS = ["game-1", "game-2", "game-3"]
wishes = st.builds(
    Wish,
    process=st.integers(0, 1),
    stream=st.sampled_from(STREAMS),
    size=st.integers(1, 3),
    lag=st.sampled_from([0, 0, 0, 1, -1]),
    key=st.none() | st.none() | st.sampled_from(["k1", "k2"]),
    provided=st.none() | st.sampled_from(STREAMS),
    provided_lag=st.sampled_from([0, 0, 0, 1]),
)
batches = st.lists(st.lists(wishes, min_size=1, max_size=4), max_size=8)


class Model:
    """What a ledger does, as a list and nothing else."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str | None]] = []  # stream, size of the append, key
        self.receipts: dict[str, tuple[str, int, int]] = {}  # key -> stream, size, first position

    def version(self, stream: str) -> int:
        return sum(own == stream for own, _, _ in self.rows)

    def append(self, wish: Wish, expected_version: int, provided: list[tuple[str, int]]) -> tuple[type, int]:
        """The kind of the outcome, and the first position of a receipt."""
        if wish.key in self.receipts:
            stream, size, first = self.receipts[wish.key]
            same = stream == wish.stream and wish.size <= size
            return (Receipt, first) if same else (DuplicateError, 0)
        if any(
            version != self.version(stream) for stream, version in [(wish.stream, expected_version), *provided]
        ):
            return ConflictError, 0
        first = len(self.rows) + 1
        self.rows += [(wish.stream, wish.size, wish.key)] * wish.size
        if wish.key:
            self.receipts[wish.key] = (wish.stream, wish.size, first)
        return Receipt, first


def kind(outcome: Receipt | LedgerError) -> tuple[type, int]:
    return (Receipt, outcome.first_position) if isinstance(outcome, Receipt) else (type(outcome), 0)


clocks = st.lists(st.integers(0, 10**10), min_size=1)


@settings(max_examples=40)
@given(batches=batches, clocks=clocks, limit=st.integers(1, 7))
def test_two_processes_append_as_one_list(batches: list[list[Wish]], clocks: list[int], limit: int) -> None:
    """Whatever two processes wish, in whatever order and whatever their clocks say."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        with disposing(open_engine(url)) as engine:
            metadata.create_all(engine)
        append_as_one_list(url, batches, clocks, limit)


@settings(max_examples=12)
@given(batches=batches, clocks=clocks, limit=st.integers(1, 7))
def test_two_processes_append_to_a_server_as_one_list(
    postgresql: Server, batches: list[list[Wish]], clocks: list[int], limit: int
) -> None:
    """The same, for fewer examples: each opens two connections."""
    with postgresql.ledger() as url:
        append_as_one_list(url, batches, clocks, limit)


def append_as_one_list(url: str, batches: list[list[Wish]], clocks: list[int], limit: int) -> None:
    """One process keeps its connection, and with it the head that it made; the other one takes any."""
    ticks, model = iter(clocks * 100), Model()
    with disposing(open_engine(url)) as one, disposing(open_engine(url)) as other:
        ledgers = [Ledger(engine, clock=lambda: next(ticks)) for engine in (one, other)]
        with closing(ledgers[0].connect()) as held:
            for batch in batches:
                process = batch[0].process
                ledger = ledgers[process]
                appends: list[Append] = []
                expected: list[tuple[type, int]] = []
                for wish in batch:
                    believed = max(0, model.version(wish.stream) - wish.lag)
                    ids = [f"{wish.key}-{index}" for index in range(wish.size)] if wish.key else None
                    provided = (
                        [(wish.provided, max(0, model.version(wish.provided) - wish.provided_lag))]
                        if wish.provided
                        else []
                    )
                    events = [round_played()] * wish.size
                    append = ledger.prepare(wish.stream, events, believed, ids=ids, provided=tuple(provided))
                    appends.append(append)
                    expected.append(model.append(wish, believed, provided))
                held.doubts = 0  # it takes the short way at once, whoever has appended
                outcomes = ledger.append_all(appends, on=None if process else held)
                assert [kind(outcome) for outcome in outcomes] == expected

        entries = ledgers[0].read()
        assert_intact(entries)
        assert [entry.stream for entry in entries] == [stream for stream, _, _ in model.rows]
        for ledger in ledgers:
            paged, after = [], 0
            while page := ledger.read(after, limit=limit):
                paged += page
                after = page[-1].position
            assert paged == entries
