"""Proof files: one event, the way from it to a signed root, and the checkpoint. Checked without the database."""

import base64
import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ledger.decoders import json_decoder
from ledger.errors import LedgerError
from ledger.rows import Row, Rows
from ledger.sealing.checkpoints import Checkpoint
from ledger.sealing.keys import Verifier
from ledger.sealing.merkle import HASH_BYTES, inclusion_path, root_from_path
from ledger.sealing.seals import Seal, open_seal
from ledger.store import Ledger

FORMAT = "promotion-ledger/proof/1"
_ADVICE = "run `rps-audit verify`"


class ProofError(LedgerError):
    """A file that is no proof, or a proof that does not hold."""


class NoProofError(ProofError):
    """A file that is no proof at all."""


class ProvenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of an entry but its position and chain hash; the payload as base64, to keep it byte for byte."""

    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    recorded_us: int
    payload: str


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`path`: base64 hashes from the event's leaf to the root in the signed checkpoint."""

    format: str
    position: int
    event: ProvenEvent
    path: tuple[str, ...]
    checkpoint: str = msgspec.field(name="note")


_decode = json_decoder(Proof).decode


class Proven(msgspec.Struct, frozen=True):
    """What a checked proof has shown."""

    row: Row
    checkpoint: Checkpoint


def make_proof(ledger: Ledger, position: int, seal: Seal, verifiers: Sequence[Verifier] = ()) -> Proof:
    """The proof that the entry at `position` is among those that `seal` covers; reads all of these.

    Raises ProofError when the stored entries do not lead to the sealed root, CheckpointError when none of the
    verifiers, if there are any, has signed the seal.
    """
    assert 1 <= position <= seal.size
    checkpoint = open_seal(seal, verifiers).checkpoint
    leaves: list[bytes] = []
    proven: Row | None = None
    for page in Rows(ledger.engine).pages(0, seal.size):
        rows = list(map(Row._make, page))
        leaves += map(_leaf, rows)
        proven = next((row for row in rows if row.position == position), proven)
    if proven is None or len(leaves) != seal.size:
        raise ProofError(f"the log holds {len(leaves)} of the {seal.size} events that are sealed: {_ADVICE}")
    path = inclusion_path(leaves, position - 1)
    # The reader of the file would see that it does not hold; its writer should be the first to know.
    if (
        checkpoint.size != seal.size
        or root_from_path(_leaf(proven), position - 1, seal.size, path) != checkpoint.root
    ):
        raise ProofError(f"the log is not what was sealed at {seal.size} events: {_ADVICE}")
    encoded = tuple(base64.b64encode(one).decode() for one in path)
    return Proof(FORMAT, position, _event(proven), encoded, seal.checkpoint.decode())


def _leaf(row: Row) -> bytes:
    try:
        return row.leaf()
    except (TypeError, struct.error) as error:
        raise ProofError(f"position {row.position} holds what no event can have had: {_ADVICE}") from error


def _event(row: Row) -> ProvenEvent:
    try:
        return ProvenEvent(
            event_id=row.event_id.decode(),
            stream=row.stream.decode(),
            version=row.version,
            type=row.type.decode(),
            schema_version=row.schema_version,
            recorded_us=row.recorded_us,
            payload=base64.b64encode(row.payload).decode(),
        )
    except UnicodeDecodeError as error:
        raise ProofError(
            f"position {row.position} has a text that is not UTF-8, which no proof can hold"
        ) from error


def check_proof(proof: Proof, verifier: Verifier) -> Proven:
    """What the proof shows, if every step of it holds. Raises ProofError, CheckpointError."""
    checkpoint = verifier.open(proof.checkpoint.encode()).checkpoint
    event = proof.event
    try:
        payload = base64.b64decode(event.payload, validate=True)
        path = [base64.b64decode(one, validate=True) for one in proof.path]
        row = Row(
            proof.position,
            event.event_id.encode(),
            event.stream.encode(),
            event.version,
            event.type.encode(),
            event.schema_version,
            event.recorded_us,
            payload,
            bytes(HASH_BYTES),
        )
        root = root_from_path(row.leaf(), proof.position - 1, checkpoint.size, path)
    except (ValueError, struct.error) as error:  # binascii.Error is a ValueError
        raise ProofError(f"the proof does not hold: {error}") from error
    if root != checkpoint.root:
        raise ProofError("the proof does not hold: the event is not in the signed root")
    return Proven(row, checkpoint)


def encode_proof(proof: Proof) -> bytes:
    """The proof as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n"


def read_proof(path: Path) -> Proof:
    """The proof in a file. Raises NoProofError."""
    try:
        proof = _decode(path.read_bytes())
    except OSError as error:
        raise NoProofError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoProofError(f"{path} is no proof: {error}") from error
    if proof.format != FORMAT:
        raise NoProofError(f"{path} is no proof of the format {FORMAT}")
    return proof
