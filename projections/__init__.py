"""What it means: states folded from the ledger. Knows nothing of the service that appends to it.

import projections

ledger = projections.open("data")
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.notebook.book import Notebook, ReadModel

__all__ = ["ReadModel", "open"]


def open(source: "str | Path") -> "Notebook":  # noqa: A001 - read as projections.open
    """A ledger for reading: a data folder, a database file, or a URL. Raises NoLedgerError, StorageError."""
    # Imported when called: every command imports this package, and few open a ledger.
    opened: Notebook = import_module("projections.notebook.book").open_notebook(source)
    return opened


def __getattr__(name: str) -> object:
    if name == "ReadModel":
        return import_module("projections.notebook.book").ReadModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
