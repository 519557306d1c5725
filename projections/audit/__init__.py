"""Was it right? Recounts, decisions derived again, and the ledger as it was at any position."""
