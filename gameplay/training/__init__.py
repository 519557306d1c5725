"""From the ledger's rounds to a registered version."""
