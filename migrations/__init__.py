"""How a database comes to have the tables of all packages, step by step."""

from migrations.grants import grant
from migrations.upgrade import REVISION, current_revision, upgrade

__all__ = ["REVISION", "current_revision", "grant", "upgrade"]
