"""Ed25519 keys that sign checkpoints, in the text forms of C2SP's signed note."""

import base64
import binascii
import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import LedgerError
from ledger.files import make_folder, new_file, problem_of
from ledger.sealing.checkpoints import (
    KEY_ID_BYTES,
    NAME,
    Checkpoint,
    CheckpointError,
    Signature,
    SignedCheckpoint,
    format_checkpoint,
    parse_checkpoint,
)

ORIGIN = "promotion-ledger"
_ED25519 = b"\x01"
_KEY_BYTES = 32
_PRIVATE = re.compile(r"PRIVATE\+KEY\+([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\s*").fullmatch
_PUBLIC = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\s*").fullmatch


class KeyFileError(LedgerError):
    """A key file that cannot be read or holds no key."""


class Verifier:
    """A public key: says whether a checkpoint is signed by it."""

    def __init__(self, name: str, public_key: bytes) -> None:
        self.name = name
        self.key_id = _key_id(name, public_key)
        self._public_bytes = public_key
        self._public_key = Ed25519PublicKey.from_public_bytes(public_key)

    @property
    def label(self) -> str:
        """The key's name and id, as people compare it."""
        return f"{self.name}+{self.key_id.hex()}"

    def text(self) -> str:
        """The key as one line that may be given away: name, key id and key."""
        return f"{self.label}+{base64.b64encode(_ED25519 + self._public_bytes).decode()}"

    def open(self, signed: bytes) -> SignedCheckpoint:
        """The checkpoint, if this key has signed it. Raises CheckpointError."""
        opened = parse_checkpoint(signed)
        mine = [one for one in opened.signatures if (one.key_name, one.key_id) == (self.name, self.key_id)]
        if not mine:
            signers = ", ".join(one.signer for one in opened.signatures)
            raise CheckpointError(f"it is signed by {signers}, not by {self.label}")
        try:
            for one in mine:
                self._public_key.verify(one.signature, opened.text)
        except InvalidSignature as error:
            raise CheckpointError(f"its signature by {self.name} does not hold") from error
        if opened.text != opened.checkpoint.text():
            raise CheckpointError("it has more lines than a checkpoint of this log")
        return opened


class Signer:
    """A private key, which signs checkpoints. Its name is the log's origin."""

    def __init__(self, name: str, seed: bytes) -> None:
        assert NAME(name), "a key's name has neither white space nor a plus"
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key's name, which is the origin of the checkpoints it signs."""
        return self.verifier.name

    def sign(self, size: int, root: bytes) -> bytes:
        """A signed checkpoint of the log's first `size` entries."""
        checkpoint = Checkpoint(self.name, size, root)
        signature = self._key.sign(checkpoint.text())
        return format_checkpoint(checkpoint, Signature(self.name, self.verifier.key_id, signature))

    def text(self) -> str:
        """The key as one line that stays with its owner."""
        encoded = base64.b64encode(_ED25519 + self._seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{encoded}"


def public_path(path: Path) -> Path:
    """Where the public half of the key at `path` is kept."""
    return path.with_name(f"{path.name}.pub")


def open_signer(path: Path, *, make: bool = True) -> Signer:
    """The key at `path`, with the public half beside it; without one a key is made, if `make` says so.

    It says so for a log without seals: one that has some has a key, and another one would sign nothing that fits.
    Raises KeyFileError; a key that is lost is named.
    """
    public = public_path(path)
    try:
        # Looked at first: a process that makes the key at this moment writes its public half last.
        was_made = public.exists()
        if not path.exists():
            if was_made:
                lost = read_verifier(public).label
                raise KeyFileError(f"the key {path} is lost, and its public half {public} is there: {_back(lost)}")
            if not make:
                raise KeyFileError(f"there is no key at {path}, and the log has seals: {_back('of them')}")
            make_folder(path.parent)
            _write_once(path, Signer(f"{ORIGIN}/{os.urandom(4).hex()}", os.urandom(_KEY_BYTES)).text())
        signer = read_signer(path)
        if not public.exists():
            _write_once(public, signer.verifier.text())
            public.chmod(0o644)
    except OSError as error:
        raise KeyFileError(f"cannot make a key at {path}: {problem_of(error)}") from error
    if read_verifier(public).label != signer.verifier.label:
        raise KeyFileError(f"{public} is not the public half of {path}, which is {signer.verifier.label}")
    return signer


def _back(key: str) -> str:
    return f"put back the key {key}; until then the log is not sealed"


def read_signer(path: Path) -> Signer:
    """The private key in a file. Raises KeyFileError."""
    name, key_id, seed = _parse(path, _PRIVATE(_read(path)), "no private key of a signed note")
    signer = Signer(name, seed)
    if signer.verifier.key_id != key_id:
        raise KeyFileError(f"{path} is damaged: its key id is not that of its key")
    return signer


def read_verifier(path: Path) -> Verifier:
    """The public key in a file. Raises KeyFileError."""
    name, key_id, public_key = _parse(path, _PUBLIC(_read(path)), "no public key of a signed note")
    verifier = Verifier(name, public_key)
    if verifier.key_id != key_id:
        raise KeyFileError(f"{path} is damaged: its key id is not that of its key")
    return verifier


def _key_id(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:KEY_ID_BYTES]


def _parse(path: Path, found: re.Match[str] | None, problem: str) -> tuple[str, bytes, bytes]:
    try:
        decoded = base64.b64decode(found[3], validate=True) if found else b""
    except binascii.Error:
        decoded = b""
    if found is None or len(decoded) != 1 + _KEY_BYTES or decoded[:1] != _ED25519:
        raise KeyFileError(f"{path} holds {problem}")
    return found[1], bytes.fromhex(found[2]), decoded[1:]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise KeyFileError(f"cannot read the key {path}: {problem_of(error)}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is no key file") from error


def _write_once(path: Path, text: str) -> None:
    """Two processes may start at once: the first one's key stays, and the other one reads it whole."""
    with suppress(FileExistsError), new_file(path) as file:
        file.write(f"{text}\n".encode())
