"""What the ledger means now: one state for each question that people ask of it."""
