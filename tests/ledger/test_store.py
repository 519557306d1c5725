import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Protocol

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Text, bindparam, insert, select

from ledger.appends import Append as Prepared
from ledger.appends import Receipt
from ledger.engines.beside import Beside
from ledger.engines.sqlite_queries import EXTENSION_ROWS_MAX, INSERT_ROWS_MAX
from ledger.errors import ConflictError, DuplicateError, InvalidEventError, StorageError, UnreadableEventError
from ledger.events import Event
from ledger.store import DOUBTS, Held, Ledger
from ledger.writer import Writer
from tests.builders import fell_back, game_finished, game_started, one_of_each, round_played
from tests.ledger.chains import assert_intact
from tests.postgresql import EVERY_SERVER, refusing

pytestmark = EVERY_SERVER


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Append(Protocol):
    def __call__(
        self, stream: str, new: Sequence[Event], expected_version: int | None, *, ids: Sequence[str] | None = None
    ) -> Receipt: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Ledger:
    return Ledger(engine, clock=clock)


@pytest.fixture(params=["ledger", "writer"])
def append(request: pytest.FixtureRequest, ledger: Ledger) -> Iterator[Append]:
    """Every way into the ledger; all of them keep the same contract."""
    if request.param == "ledger":
        yield ledger.append
        return
    with asyncio.Runner() as runner:
        writer = runner.run(opened(ledger))

        def through_writer(
            stream: str, new: Sequence[Event], expected_version: int | None, *, ids: Sequence[str] | None = None
        ) -> Receipt:
            return runner.run(writer.append(stream, new, expected_version, ids=ids))

        yield through_writer
        runner.run(writer.close())


async def opened(ledger: Ledger) -> Writer:
    return Writer(ledger)


def test_a_receipt_says_where_the_events_landed(append: Append, ledger: Ledger, clock: Clock) -> None:
    first = append("game-g1", [game_started(), round_played()], 0)
    clock.now += 1
    second = append("game-g1", [round_played(round=2)], 2)

    assert first == Receipt(1, 2, 2, 1_700_000_000_000_000)
    assert second == Receipt(3, 3, 3, 1_700_000_001_000_000)
    assert [entry.recorded_us for entry in ledger.read()] == [first.recorded_us] * 2 + [second.recorded_us]


def test_an_append_at_any_version_goes_after_what_the_stream_holds(append: Append, ledger: Ledger) -> None:
    append("game-g1", [game_started()], None)
    append("game-g1", [round_played()], 1)
    receipt = append("game-g1", [round_played(round=2)], None, ids=["later"])

    assert receipt == append("game-g1", [round_played(round=2)], None, ids=["later"])
    assert [entry.version for entry in ledger.read_stream("game-g1")] == [1, 2, 3]


def test_events_read_back_in_the_order_of_their_appends(append: Append, ledger: Ledger) -> None:
    for event in one_of_each():
        append("game-g1", [event], ledger.head().position)

    assert tuple(ledger.decode(entry) for entry in ledger.read()) == one_of_each()
    assert_intact(ledger.read())


@pytest.mark.parametrize("count", [1, 3, INSERT_ROWS_MAX - 1, INSERT_ROWS_MAX, 2 * INSERT_ROWS_MAX + 5])
def test_an_append_of_any_size_lands_whole(append: Append, ledger: Ledger, count: int) -> None:
    rounds = [round_played(round=number) for number in range(1, count + 1)]

    receipt = append("game-g1", rounds, 0)

    assert (receipt.first_position, receipt.last_position, receipt.version) == (1, count, count)
    assert [ledger.decode(entry) for entry in ledger.read()] == rounds
    assert_intact(ledger.read())


def test_streams_count_their_own_versions(append: Append, ledger: Ledger) -> None:
    append("game-g1", [game_started(), round_played()], 0)
    append("game-g2", [game_started()], 0)
    append("game-g1", [round_played()], 2)

    assert [(e.position, e.stream, e.version) for e in ledger.read()] == [
        (1, "game-g1", 1),
        (2, "game-g1", 2),
        (3, "game-g2", 1),
        (4, "game-g1", 3),
    ]
    assert [entry.version for entry in ledger.read_stream("game-g1")] == [1, 2, 3]
    assert [entry.version for entry in ledger.read_stream("game-g1", after_version=2)] == [3]
    assert ledger.read_stream("game-g3") == []


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_an_append_at_another_version_is_a_conflict(append: Append, ledger: Ledger, expected: int) -> None:
    append("game-g1", [game_started(), round_played()], 0)

    with pytest.raises(ConflictError) as caught:
        append("game-g1", [round_played(round=2)], expected)

    assert (caught.value.stream, caught.value.expected, caught.value.actual) == ("game-g1", expected, 2)
    assert ledger.head().position == 2


def test_a_new_stream_starts_at_no_other_version_than_zero(append: Append, ledger: Ledger) -> None:
    with pytest.raises(ConflictError, match="is at version 0, not 1"):
        append("game-g1", [game_started()], 1)

    assert ledger.read() == []


def test_an_event_that_cannot_be_stored_takes_its_append_with_it(append: Append, ledger: Ledger) -> None:
    with pytest.raises(InvalidEventError):
        append("game-g1", [game_started(), round_played(user_delta_tenths=2**70)], 0)

    assert ledger.read() == []


def test_the_same_ids_and_content_get_the_first_receipt(append: Append, ledger: Ledger, clock: Clock) -> None:
    first = append("game-g1", [game_started(), round_played()], 0, ids=["a", "b"])
    append("game-g1", [round_played(round=2)], 2)
    clock.now += 60

    # The stream has moved on: the question of who was here before comes first.
    assert append("game-g1", [game_started(), round_played()], 0, ids=["a", "b"]) == first
    assert append("game-g1", [game_started(), round_played()], 3, ids=["a", "b"]) == first
    assert ledger.head().position == 3


@pytest.mark.parametrize(
    ("stream", "event"),
    [
        ("game-g2", game_started()),
        ("game-g1", game_finished()),
        ("game-g1", game_started(player_id="p2")),
    ],
    ids=["stream", "type", "payload"],
)
def test_a_known_id_with_other_content_is_refused(
    append: Append, ledger: Ledger, stream: str, event: Event
) -> None:
    append("game-g1", [game_started()], 0, ids=["a"])

    for expected_version in (0, 1):
        with pytest.raises(DuplicateError) as caught:
            append(stream, [event], expected_version, ids=["a"])
        assert (caught.value.event_id, caught.value.position) == ("a", 1)
    assert ledger.head().position == 1


@pytest.mark.parametrize("ids", [["a", "x"], ["x", "a"], ["x", "b"], ["b", "x"]])
def test_ids_of_which_only_some_are_known_are_refused(append: Append, ledger: Ledger, ids: list[str]) -> None:
    append("game-g1", [round_played(), round_played()], 0, ids=["a", "b"])

    for expected_version in (0, 2):
        with pytest.raises(DuplicateError):
            append("game-g1", [round_played(), round_played()], expected_version, ids=ids)
    assert ledger.head().position == 2


def test_known_ids_in_another_order_are_refused(append: Append) -> None:
    append("game-g1", [round_played(), round_played()], 0, ids=["a", "b"])

    with pytest.raises(DuplicateError):
        append("game-g1", [round_played(), round_played()], 0, ids=["b", "a"])


def test_ids_of_appends_that_were_apart_are_refused_together(append: Append) -> None:
    append("game-g1", [round_played()], 0, ids=["a"])
    append("game-g1", [round_played()], 1)
    append("game-g1", [round_played()], 2, ids=["b"])

    with pytest.raises(DuplicateError):
        append("game-g1", [round_played(), round_played()], 0, ids=["a", "b"])


def test_an_id_that_was_refused_is_free(append: Append) -> None:
    with pytest.raises(ConflictError):
        append("game-g1", [game_started()], 1, ids=["a"])

    assert append("game-g1", [game_started()], 0, ids=["a"]).first_position == 1


def test_equal_events_without_ids_are_two_events(append: Append, ledger: Ledger) -> None:
    append("game-g1", [round_played()], 0)
    append("game-g1", [round_played()], 1)

    one, other = ledger.read()
    assert one.payload == other.payload
    assert one.event_id != other.event_id


def test_time_stands_still_when_the_clock_runs_back(append: Append, ledger: Ledger, clock: Clock) -> None:
    times = []
    for version, seconds in enumerate([0, 5, -3_600, -1, 3_600, 2]):
        clock.now += seconds
        times.append(append("game-g1", [round_played()], version).recorded_us)

    assert [time - 1_700_000_000_000_000 for time in times] == [0, *[5_000_000] * 4, 6_000_000]
    assert_intact(ledger.read())


def test_a_refusal_of_the_database_is_a_storage_error(append: Append, engine: Engine, ledger: Ledger) -> None:
    append("game-g1", [game_started()], 0)

    with refusing(engine, "events", "NEW.position = 3"), pytest.raises(StorageError, match="the disk is full"):
        append("game-g1", [round_played(), round_played(round=2)], 1)

    assert ledger.head().position == 1


@pytest.mark.parametrize(
    ("stream", "ids"),
    [("", None), ("game 1", None), ("game-\ud800", None), ("game-\0", None), ("g", [""]), ("g", ["\0"])],
)
def test_a_name_that_could_fail_a_whole_batch_is_a_mistake(
    append: Append, stream: str, ids: list[str] | None
) -> None:
    with pytest.raises(AssertionError, match="printable ASCII"):
        append(stream, [game_started()], 0, ids=ids)


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "a"], ["a", "b", "c"]])
def test_every_event_needs_an_id_of_its_own(append: Append, ids: list[str]) -> None:
    with pytest.raises(AssertionError, match="one id an event"):
        append("game-g1", [game_started(), round_played()], 0, ids=ids)


def test_an_append_of_nothing_is_a_mistake(append: Append) -> None:
    with pytest.raises(AssertionError, match="at least one event"):
        append("game-g1", [], 0)


def test_a_conflict_in_a_batch_fails_no_other(ledger: Ledger) -> None:
    outcomes = ledger.append_all(
        [
            ledger.prepare("game-g1", [game_started()], 0),
            ledger.prepare("game-g1", [game_started()], 0),
            ledger.prepare("game-g2", [game_started()], 0),
            ledger.prepare("game-g1", [round_played(), round_played()], 1),
        ]
    )

    assert isinstance(outcomes[1], ConflictError)
    assert [outcome[:3] for outcome in outcomes if isinstance(outcome, Receipt)] == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 4, 3),
    ]
    assert_intact(ledger.read())


def test_ids_are_compared_within_a_batch_too(ledger: Ledger) -> None:
    start, other = [game_started()], [game_started(player_id="p2")]
    first, same, different, partly, elsewhere = ledger.append_all(
        [
            ledger.prepare("game-g1", start, 0, ids=["a"]),
            ledger.prepare("game-g1", start, 0, ids=["a"]),
            ledger.prepare("game-g1", other, 1, ids=["a"]),
            ledger.prepare("game-g1", [*start, *start], 1, ids=["a", "b"]),
            ledger.prepare("game-g2", start, 0, ids=["a"]),
        ]
    )

    assert isinstance(first, Receipt)
    assert same == first
    assert all(isinstance(outcome, DuplicateError) for outcome in (different, partly, elsewhere))
    assert ledger.head().position == 1


def test_a_batch_of_refusals_writes_nothing(ledger: Ledger) -> None:
    outcomes = ledger.append_all([ledger.prepare("game-g1", [game_started()], 7)])

    assert [type(outcome) for outcome in outcomes] == [ConflictError]
    assert ledger.read() == []


def test_a_page_is_what_was_asked_for(ledger: Ledger) -> None:
    ledger.append("game-g1", [round_played(round=number) for number in range(1, 11)], 0)

    def positions(after: int, limit: int, through: int | None, *, descending: bool = False) -> list[int]:
        page = ledger.read(after, limit=limit, through=through, descending=descending)
        return [entry.position for entry in page]

    assert positions(0, 3, None) == [1, 2, 3]
    assert positions(8, 3, None) == [9, 10]
    assert positions(2, 9, 4) == [3, 4]
    assert positions(10, 3, None) == []
    assert positions(0, 3, None, descending=True) == [10, 9, 8]
    assert positions(0, 3, 5, descending=True) == [5, 4, 3]


def test_pages_together_are_the_whole_log(ledger: Ledger) -> None:
    rounds = [round_played(round=1 + number % 50) for number in range(4_001)]
    ledger.append("game-g1", rounds, 0)

    pages = list(ledger.pages())

    assert [len(page) for page in pages] == [2_000, 2_000, 1]
    assert [entry.position for page in pages for entry in page] == list(range(1, 4_002))
    assert [[entry.position for entry in page] for page in ledger.pages(after=3, through=5)] == [[4, 5]]


def test_an_entry_is_found_by_its_event_id(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), round_played()], 0, ids=["a", "b"])

    assert ledger.find("b") == ledger.read()[1]
    assert ledger.find("c") is None


def test_a_reader_sees_only_what_is_committed(ledger: Ledger, engine: Engine) -> None:
    ledger.append("game-g1", [game_started()], 0)
    with engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM events").scalar()
        ledger.append("game-g1", [round_played()], 1)
        within = connection.exec_driver_sql("SELECT count(*) FROM events").scalar()

    assert (before, within, ledger.head().position) == (1, 1, 2)


def test_bytes_are_read_as_they_were_written(ledger: Ledger) -> None:
    event = fell_back(detail='空 \0 " \\ \u2028 é')
    ledger.append("game-g1", [event], 0)

    (entry,) = ledger.read()

    assert entry.payload == ledger.codec.encode(event)[2]
    assert ledger.decode(entry) == event


def test_an_entry_that_cannot_be_decoded_is_named_with_its_place(ledger: Ledger) -> None:
    ledger.append("game-g1", [game_started(), round_played()], 0)
    entry = ledger.read()[1]._replace(payload=b"{}")

    with pytest.raises(UnreadableEventError) as caught:
        ledger.decode(entry)

    error = caught.value
    assert (error.position, error.event_type, error.schema_version) == (2, entry.type, entry.schema_version)


def test_what_stands_beside_an_append_is_kept_or_refused_with_it(ledger: Ledger, engine: Engine) -> None:
    notes = Table("notes", MetaData(), Column("note", Text))
    notes.create(engine)
    noting = insert(notes).values(note=bindparam("text"))
    good, late = (
        ledger.prepare(stream, [game_started()], expected, beside=Beside(noting, {"text": stream}))
        for stream, expected in (("game-g1", 0), ("game-g2", 7))
    )

    receipt, refused = ledger.append_all([good, late])

    assert isinstance(receipt, Receipt)
    assert isinstance(refused, ConflictError)
    with engine.connect() as connection:
        assert connection.scalars(select(notes.c.note)).all() == ["game-g1"]


def test_an_append_is_refused_where_another_stream_from_which_it_was_decided_has_gone_on(
    ledger: Ledger,
) -> None:
    ledger.append("other", [game_started()], 0)

    def provided(stream: str, **versions: int) -> Prepared:
        return ledger.prepare(stream, [game_started()], 0, provided=tuple(versions.items()))

    outcomes = ledger.append_all(
        [
            provided("game-g1", other=1, unknown=0),
            provided("game-g2", other=0),
            ledger.prepare("other", [game_started()], 1),
            provided("game-g3", other=1),
            provided("game-g4", other=2),
        ]
    )

    moved = [(one.stream, one.expected, one.actual) for one in outcomes if isinstance(one, ConflictError)]
    assert moved == [("other", 0, 1), ("other", 1, 2)]
    assert [entry.stream for entry in ledger.read()] == ["other", "game-g1", "other", "game-g4"]


@pytest.fixture
def held(ledger: Ledger) -> Iterator[Held]:
    """A connection that is kept, after its first append: from then on the head is remembered."""
    with closing(ledger.connect()) as kept:
        ledger.append_all([ledger.prepare("game-g0", [game_started()], 0)], on=kept)
        yield kept


@pytest.mark.parametrize("sizes", [[1, 1], [EXTENSION_ROWS_MAX], [EXTENSION_ROWS_MAX - 1, 2], [3, 130, 1]])
def test_appends_of_any_size_follow_on_a_head_that_is_remembered(
    ledger: Ledger, held: Held, sizes: list[int]
) -> None:
    for number, size in enumerate(sizes, start=1):
        appends = [ledger.prepare(f"game-g{number}", [round_played(round=one) for one in range(1, size + 1)], 0)]
        (receipt,) = ledger.append_all(appends, on=held)
        assert isinstance(receipt, Receipt)
        assert receipt.version == size
        assert receipt.last_position == ledger.head().position

    entries = ledger.read()
    assert_intact(entries)
    assert [entry.stream for entry in entries] == [
        "game-g0",
        *(f"game-g{number}" for number, size in enumerate(sizes, start=1) for _ in range(size)),
    ]


def test_an_append_on_a_head_that_is_remembered_is_one_statement(
    ledger: Ledger, held: Held, engine: Engine
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("a server is asked in one trip, which no statement counts")
    driver = held.connection.connection.driver_connection
    assert driver is not None
    statements: list[str] = []
    driver.set_trace_callback(statements.append)

    ledger.append_all(
        [
            ledger.prepare("game-g0", [round_played()], 1),
            ledger.prepare("game-g1", [game_started()], 0, provided=(("game-g0", 2), ("game-none", 0))),
            ledger.prepare("game-g1", [round_played()], 1),
        ],
        on=held,
    )

    driver.set_trace_callback(None)
    # It is traced again for each trigger that it fires.
    assert {one.split()[0] for one in statements} == {"INSERT"}


def test_a_head_that_is_remembered_is_not_believed(ledger: Ledger, held: Held) -> None:
    ledger.append("game-g1", [game_started()], 0)  # as another process would

    outcomes = ledger.append_all(
        [ledger.prepare("game-g2", [game_started()], 0), ledger.prepare("game-g1", [round_played()], 1)], on=held
    )

    assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt]
    assert_intact(ledger.read())
    assert [entry.stream for entry in ledger.read()] == ["game-g0", "game-g1", "game-g2", "game-g1"]


def test_a_writer_that_has_met_another_looks_at_the_head_for_a_while(ledger: Ledger, held: Held) -> None:
    def append() -> None:
        stream = f"game-{ledger.head().position}"
        (receipt,) = ledger.append_all([ledger.prepare(stream, [game_started()], 0)], on=held)
        assert isinstance(receipt, Receipt)

    append()
    assert held.doubts == 0
    ledger.append("game-g1", [game_started()], 0)  # as another process would
    for doubts in range(DOUBTS, -1, -1):
        append()
        assert held.doubts == doubts
    append()

    assert held.head == ledger.head()
    assert_intact(ledger.read())


@pytest.mark.parametrize("expected", [0, 2])
def test_a_version_that_is_expected_wrongly_is_told_on_a_head_that_is_remembered(
    ledger: Ledger, held: Held, expected: int
) -> None:
    for stream, provided in [("game-g0", ()), ("game-g1", (("game-g0", expected),))]:
        append = ledger.prepare(stream, [round_played()], expected if not provided else 0, provided=provided)
        (outcome,) = ledger.append_all([append], on=held)
        assert isinstance(outcome, ConflictError)
        assert (outcome.stream, outcome.expected, outcome.actual) == ("game-g0", expected, 1)

    assert ledger.head().position == 1


def test_what_stands_beside_an_append_is_written_on_a_head_that_is_remembered(
    ledger: Ledger, held: Held, engine: Engine
) -> None:
    notes = Table("notes", MetaData(), Column("note", Text))
    notes.create(engine)
    beside = Beside(insert(notes).values(note=bindparam("text")), {"text": "kept"})

    ledger.append_all([ledger.prepare("game-g1", [game_started()], 0, beside=beside)], on=held)

    with engine.connect() as connection:
        assert connection.scalars(select(notes.c.note)).all() == ["kept"]


def test_a_kept_connection_goes_on_after_a_refusal_of_the_database(
    ledger: Ledger, held: Held, engine: Engine
) -> None:
    append = ledger.prepare("game-g0", [round_played()], 1)
    with refusing(engine, "events"), pytest.raises(StorageError, match="the disk is full"):
        ledger.append_all([append], on=held)

    (receipt,) = ledger.append_all([append], on=held)

    assert isinstance(receipt, Receipt)
    assert receipt.last_position == 2
    assert_intact(ledger.read())
