from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from ledger.engines.database import disposing, open_engine
from ledger.errors import SchemaError, StorageError
from ledger.store import Ledger
from ledger.upgrade import REVISION, current_revision, upgrade
from tests.builders import game_started
from tests.migrations.test_migrations import METADATA, start_together
from tests.postgresql import WHEEL, Server

pytestmark = pytest.mark.engines(WHEEL)

SCHEMA = """
SELECT 'column', table_name || '.' || column_name,
    concat_ws(' ', data_type, is_nullable, column_default, collation_name)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2"""


@pytest.fixture
def empty(postgresql: Server) -> Iterator[Engine]:
    """A database without any table."""
    name = postgresql.new_database()
    with disposing(open_engine(postgresql.url(name))) as engine:
        yield engine
    postgresql.drop(name)


def schema_of(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(SCHEMA)]


def test_the_migrations_lead_to_the_tables_of_all_packages(engine: Engine, empty: Engine) -> None:
    for metadata in METADATA:
        metadata.create_all(empty)

    schema = schema_of(engine)

    assert schema == schema_of(empty)
    assert {row[0] for row in schema} == {"column", "constraint", "index", "trigger", "function"}


def test_several_processes_may_start_on_one_new_database(empty: Engine) -> None:
    start_together(empty.url.render_as_string(hide_password=False), processes=3)

    assert current_revision(empty) == REVISION
    assert Ledger(empty).append("game-g1", [game_started()], 0).first_position == 1


def test_a_database_of_a_newer_release_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaError, match="a newer release has been here"):
        upgrade(engine)


def test_a_database_that_is_used_again_is_at_the_newest_migration(postgresql: Server) -> None:
    with postgresql.ledger() as url:
        postgresql.execute("UPDATE alembic_version SET version_num = '9999'", database=url.rpartition("/")[2])
    with postgresql.ledger() as again, disposing(open_engine(again)) as engine:
        assert again == url
        assert current_revision(engine) == REVISION


def test_a_schema_that_is_half_made_is_not_built_upon(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE players (player_id text)")

    with pytest.raises(StorageError, match='"players" already exists, and no migration'):
        upgrade(empty)

    assert current_revision(empty) is None
