"""What it means: states folded from the ledger. Knows nothing of the service that appends to it."""
