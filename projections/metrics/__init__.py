"""The Prometheus series, folded from the ledger: served now, or backfilled from the past."""
