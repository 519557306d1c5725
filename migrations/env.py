"""Alembic's entry: with the connection that `ledger.upgrade` hands over, or with `-x url=` by hand."""

from alembic import context
from sqlalchemy import Connection

from ledger.engines.database import defining, disposing, open_engine


def run(connection: Connection) -> None:
    """Run the migrations inside the transaction that the caller has begun."""
    context.configure(connection=connection)
    context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    url = context.get_x_argument(as_dictionary=True).get("url", "sqlite:///data/ledger.db")
    with disposing(open_engine(url)) as engine, defining(engine) as own:
        run(own)
