"""Trained versions: what they consist of, where they are kept, and those that are loaded."""
