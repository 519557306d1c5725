from itertools import chain

import pytest
from sqlalchemy import Engine

from ledger.grants import GRANTS, NoRolesError, grant
from tests.migrations.test_migrations import TABLES


def test_every_table_of_ours_is_granted() -> None:
    """A table that is forgotten here would stop a service whose role does not own it."""
    granted = list(chain.from_iterable(GRANTS.values()))

    assert sorted(granted) == sorted({*TABLES, "ledger_head", "event_log", "alembic_version"})


def test_a_file_has_no_roles(engine: Engine) -> None:
    with pytest.raises(NoRolesError, match="has no roles"):
        grant(engine, "appender")
