"""Signed checkpoints over the log: the Merkle tree, the notes, the keys and the proofs."""
