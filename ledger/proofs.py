"""Proof files: one event, the way from it to a signed root, and the checkpoint. Checked without the database."""

import base64
import struct
from pathlib import Path

import msgspec

from ledger.errors import LedgerError
from ledger.merkle import HASH_BYTES, inclusion_path, root_from_path
from ledger.notes import Checkpoint
from ledger.rows import Row, Rows
from ledger.seal import Verifier
from ledger.seals import Seal
from ledger.store import Ledger

FORMAT = "promotion-ledger/proof/1"


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
    """`path`: base64 hashes from the event's leaf to the root in the checkpoint `note`."""

    format: str
    position: int
    event: ProvenEvent
    path: tuple[str, ...]
    note: str


class Proven(msgspec.Struct, frozen=True):
    """What a checked proof has shown."""

    row: Row
    checkpoint: Checkpoint


def make_proof(ledger: Ledger, position: int, seal: Seal) -> Proof:
    """The proof that the entry at `position` is among those that `seal` covers; reads all of these.

    Raises ProofError when the stored entries do not lead to the sealed root.
    """
    assert 1 <= position <= seal.size
    leaves: list[bytes] = []
    proven: Row | None = None
    for page in Rows(ledger.engine).pages(0, seal.size):
        rows = list(map(Row._make, page))
        leaves += [row.leaf() for row in rows]
        proven = next((row for row in rows if row.position == position), proven)
    if proven is None or len(leaves) != seal.size:
        raise ProofError(f"the log holds {len(leaves)} of the {seal.size} events that are sealed")
    path = inclusion_path(leaves, position - 1)
    event = ProvenEvent(
        event_id=proven.event_id.decode(),
        stream=proven.stream.decode(),
        version=proven.version,
        type=proven.type.decode(),
        schema_version=proven.schema_version,
        recorded_us=proven.recorded_us,
        payload=base64.b64encode(proven.payload).decode(),
    )
    encoded = tuple(base64.b64encode(one).decode() for one in path)
    return Proof(FORMAT, position, event, encoded, seal.note.decode())


def check_proof(proof: Proof, verifier: Verifier) -> Proven:
    """What the proof shows, if every step of it holds. Raises ProofError, NoteError."""
    checkpoint = verifier.open(proof.note.encode()).checkpoint
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


def write_proof(proof: Proof, path: Path) -> None:
    """Write the proof as indented JSON. Raises OSError."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n")


def read_proof(path: Path) -> Proof:
    """The proof in a file. Raises NoProofError."""
    try:
        proof = msgspec.json.decode(path.read_bytes(), type=Proof)
    except OSError as error:
        raise NoProofError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NoProofError(f"{path} is no proof: {error}") from error
    if proof.format != FORMAT:
        raise NoProofError(f"{path} is no proof of the format {FORMAT}")
    return proof
