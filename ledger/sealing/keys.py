"""Ed25519 keys that sign checkpoints, in the text forms of C2SP's signed note."""

import base64
import binascii
import os
import re
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import LedgerError
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
        """The key as one line that anybody may have: name, key id and key."""
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
        """The key as one line that nobody else may have."""
        encoded = base64.b64encode(_ED25519 + self._seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{encoded}"


def public_path(path: Path) -> Path:
    """Where the public half of the key at `path` is kept."""
    return path.with_name(f"{path.name}.pub")


def open_signer(path: Path) -> Signer:
    """The key at `path`; made on first use, readable by its owner alone, with the public half beside it.

    Raises KeyFileError.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_once(path, Signer(f"{ORIGIN}/{os.urandom(4).hex()}", os.urandom(_KEY_BYTES)).text())
        signer = read_signer(path)
        if not public_path(path).exists():
            public_path(path).write_text(f"{signer.verifier.text()}\n", "utf-8")
    except OSError as error:
        raise KeyFileError(f"cannot make a key at {path}: {error.strerror}") from error
    return signer


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
        raise KeyFileError(f"cannot read the key {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is no key file") from error


def _write_once(path: Path, text: str) -> None:
    """Two processes may start at once: the first one's key stays, and nobody reads half a key."""
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as temporary:
        temporary.write(f"{text}\n")  # the file is made with mode 0600
        temporary.flush()
        os.fsync(temporary.fileno())
    try:
        os.link(temporary.name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary.name)
