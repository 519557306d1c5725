"""Signed checkpoints as text: the C2SP formats tlog-checkpoint and signed-note. No cryptography here.

<origin>
<size>
<root, base64>
<empty line>
— <key name> <base64 of key id and signature>
"""

import base64
import binascii
import re
from typing import NamedTuple

from ledger.errors import LedgerError
from ledger.sealing.merkle import HASH_BYTES

KEY_ID_BYTES = 4
_MARK = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch
NAME = re.compile(r"[^\s+]+").fullmatch
"""What may be an origin or the name of a key: no white space, and no plus, which separates the parts of a key."""


class CheckpointError(LedgerError):
    """Bytes that are no checkpoint, or whose signature does not hold."""


class Checkpoint(NamedTuple):
    """What a log was at one size: the root of the Merkle tree over its first `size` leaves."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


class Signature(NamedTuple):
    """A signature line: which key, by name and id, and what it signed."""

    key_name: str
    key_id: bytes
    signature: bytes

    @property
    def signer(self) -> str:
        """The key, as people compare it."""
        return f"{self.key_name}+{self.key_id.hex()}"


class SignedCheckpoint(NamedTuple):
    """A checkpoint, the text as it was signed, and the signatures under it."""

    checkpoint: Checkpoint
    text: bytes
    signatures: tuple[Signature, ...]


def format_checkpoint(checkpoint: Checkpoint, signature: Signature) -> bytes:
    """The signed checkpoint's text, with one signature."""
    signed = base64.b64encode(signature.key_id + signature.signature).decode()
    return checkpoint.text() + f"\n{_MARK}{signature.key_name} {signed}\n".encode()


def parse_checkpoint(signed: bytes) -> SignedCheckpoint:
    """The parts of a signed checkpoint. Raises CheckpointError."""
    text, separator, signatures = signed.rpartition(b"\n\n")
    try:
        lines = (text + b"\n").decode().split("\n")[:-1]
        signature_lines = signatures.decode().split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError("it is no checkpoint: not UTF-8") from error
    if not separator or len(lines) < 3 or not all(lines) or signature_lines.pop() or not signature_lines:
        problem = "origin, size, root, an empty line and a signature are expected"
        raise CheckpointError(f"it is no checkpoint: {problem}")
    origin, size, root = lines[:3]
    if not NAME(origin) or not _SIZE(size):
        raise CheckpointError("it is no checkpoint: the origin or the size is none")
    checkpoint = Checkpoint(origin, int(size), _decode(root))
    if len(checkpoint.root) != HASH_BYTES:
        raise CheckpointError(f"it is no checkpoint: a root has {HASH_BYTES} bytes")
    return SignedCheckpoint(checkpoint, text + b"\n", tuple(map(_signature, signature_lines)))


def _signature(line: str) -> Signature:
    name, separator, signed = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not separator or not NAME(name):
        raise CheckpointError("it is no checkpoint: a signature line names a key and its signature")
    decoded = _decode(signed)
    return Signature(name, decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])


def _decode(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError("it is no checkpoint: what should be base64 is not") from error
    # Base64 has several spellings for the same bytes; a changed bit must not go unseen.
    if base64.b64encode(decoded).decode() != text:
        raise CheckpointError("it is no checkpoint: its base64 is not in the one form that is written")
    return decoded
