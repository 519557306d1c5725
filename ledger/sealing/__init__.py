"""Signed checkpoints over the log: the Merkle tree, the text form, the keys and the proofs."""
