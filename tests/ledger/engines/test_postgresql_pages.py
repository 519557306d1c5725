import pytest
from sqlalchemy import Engine

from ledger.engines.database import disposing, open_engine, transaction
from ledger.errors import StorageError, UnavailableError
from ledger.schema import events
from ledger.store import Ledger
from tests.builders import game_started, round_played
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)
EVENTS = 6


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """It holds six events."""
    ledger.append("game-g1", [game_started(), *(round_played(round=number) for number in range(1, EVENTS))], 0)
    return ledger


def test_no_lock_is_held_while_a_page_is_looked_at(ledger: Ledger, engine: Engine) -> None:
    found = 0
    for page in ledger.pages(limit=1):
        with transaction(engine, write=[events]) as connection:
            connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        found += len(page)

    assert found == EVENTS


def test_a_page_whose_connection_is_lost_is_an_error_and_the_next_reader_has_another(
    ledger: Ledger, engine: Engine, postgresql: Server
) -> None:
    pages = ledger.pages(limit=1)
    next(pages)
    postgresql.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        f" WHERE datname = '{engine.url.database}' AND pid <> pg_backend_pid()"
    )

    # The page that was on its way may still come.
    with pytest.raises(UnavailableError):
        list(pages)

    assert [entry.position for page in ledger.pages() for entry in page] == list(range(1, EVENTS + 1))


def test_a_ledger_that_is_not_there_is_named_as_such(database: str) -> None:
    with (
        disposing(open_engine(f"{database}?options=-csearch_path%3Dpg_catalog")) as elsewhere,
        pytest.raises(StorageError, match="there is no ledger"),
    ):
        list(Ledger(elsewhere).pages())
