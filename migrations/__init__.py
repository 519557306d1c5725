"""Alembic's scripts; `ledger/upgrade.py` runs them. In a wheel they lie inside the package `ledger`."""
