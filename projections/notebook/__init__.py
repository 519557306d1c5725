"""The ledger as tables and folds, for people with a notebook and for programs of their own. Read-only."""
