"""How a database comes to have the tables of `ledger.schema`, step by step."""

from migrations.upgrade import current_revision, upgrade

__all__ = ["current_revision", "upgrade"]
