import base64
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.sealing.checkpoints import Checkpoint, CheckpointError, Signature, format_checkpoint, parse_checkpoint
from ledger.sealing.keys import (
    KeyFileError,
    Signer,
    Verifier,
    open_signer,
    public_path,
    read_signer,
    read_verifier,
)

ROOT = bytes(range(32))
SIGNER = Signer("example.com/log", bytes(32))
STRANGER = Signer("example.com/log", bytes([1] * 32))
NOTE = SIGNER.sign(7, ROOT)

# A public key and a signature from the documentation of the format, made by another implementation.
KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_TEXT = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
KNOWN_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "key"
    path.write_text(text, "utf-8")
    return path


def test_a_note_is_the_text_a_gap_and_the_signature() -> None:
    lines = NOTE.decode().split("\n")

    assert lines[:4] == ["example.com/log", "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith("— example.com/log ")
    assert lines[5:] == [""]
    assert SIGNER.verifier.open(NOTE).checkpoint == Checkpoint("example.com/log", 7, ROOT)


def test_a_key_and_a_signature_of_another_implementation_are_understood(tmp_path: Path) -> None:
    verifier = read_verifier(written(tmp_path, KNOWN_KEY))
    signature = base64.b64decode(KNOWN_SIGNATURE)

    assert verifier.text() == KNOWN_KEY
    assert signature[:4] == verifier.key_id
    verifier._public_key.verify(signature[4:], KNOWN_TEXT)


def test_a_note_by_another_key_is_named_as_such() -> None:
    with pytest.raises(CheckpointError, match=r"signed by example.com/log\+[0-9a-f]{8}, not by example.com/log\+"):
        SIGNER.verifier.open(STRANGER.sign(7, ROOT))


def test_a_signature_under_a_false_key_id_does_not_hold() -> None:
    signature = parse_checkpoint(STRANGER.sign(7, ROOT)).signatures[0].signature
    forged = Signature(SIGNER.name, SIGNER.verifier.key_id, signature)

    with pytest.raises(CheckpointError, match="does not hold"):
        SIGNER.verifier.open(format_checkpoint(Checkpoint(SIGNER.name, 7, ROOT), forged))


def test_every_flipped_bit_of_a_note_is_found() -> None:
    for bit in range(8 * len(NOTE)):
        flipped = bytearray(NOTE)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CheckpointError):
            SIGNER.verifier.open(bytes(flipped))


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        b"nothing at all",
        b"\xff\xfe\n\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE.replace(b"\n7\n", b"\n07\n"),
        NOTE.replace(b"\n7\n", b"\n-7\n"),
        NOTE.replace(b"\n7\n", b"\nseven\n"),
        NOTE.replace(b"example.com/log\n7", b"a log\n7"),
        NOTE.replace("— ".encode(), b"- "),
        NOTE.replace(base64.b64encode(ROOT), base64.b64encode(ROOT[:31])),
        NOTE.replace(base64.b64encode(ROOT), b"?"),
    ],
)
def test_what_is_no_checkpoint_is_refused(note: bytes) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        parse_checkpoint(note)


def test_a_line_more_than_a_checkpoint_has_is_refused_though_it_is_signed() -> None:
    text = Checkpoint(SIGNER.name, 7, ROOT).text() + b"more\n"
    signed = base64.b64encode(SIGNER.verifier.key_id + SIGNER._key.sign(text)).decode()

    with pytest.raises(CheckpointError, match="more lines"):
        SIGNER.verifier.open(text + f"\n— {SIGNER.name} {signed}\n".encode())


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "seal.key"

    first, second = open_signer(path), open_signer(path)

    assert first.text() == second.text() == read_signer(path).text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_verifier(public_path(path)).text() == first.verifier.text()
    assert sorted(one.name for one in path.parent.iterdir()) == ["seal.key", "seal.key.pub"]
    assert open_signer(tmp_path / "other.key").name != first.name


def test_a_key_that_is_lost_is_named_and_no_other_is_made(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    lost = open_signer(path).verifier.label
    path.unlink()

    with pytest.raises(KeyFileError, match=rf"seal\.key is lost, .* put back the key {re.escape(lost)}"):
        open_signer(path)

    assert not path.exists()


def test_no_key_is_made_for_a_log_that_has_seals(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="the log has seals"):
        open_signer(tmp_path / "new" / "seal.key", make=False)

    assert list(tmp_path.iterdir()) == []


def test_a_key_beside_another_ones_public_half_is_named(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    open_signer(path)
    public_path(path).write_text(f"{STRANGER.verifier.text()}\n", "utf-8")

    with pytest.raises(KeyFileError, match=r"seal\.key\.pub is not the public half of"):
        open_signer(path)


def test_many_who_make_a_key_at_once_get_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"

    with ThreadPoolExecutor(8) as pool:
        keys = {signer.text() for signer in pool.map(open_signer, [path] * 32)}

    assert len(keys) == 1


class Contended(type(Path())):  # type: ignore[misc]
    """A path at which another process makes the key just after it was found missing."""

    def exists(self, **how: bool) -> bool:
        found = super().exists(**how)
        if not found and not self.name.endswith(".pub"):
            open_signer(Path(self))
        return bool(found)


def test_a_key_that_another_process_makes_meanwhile_is_taken(tmp_path: Path) -> None:
    signer = open_signer(Contended(tmp_path / "seal.key"))

    assert signer.text() == read_signer(tmp_path / "seal.key").text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a key",
        KNOWN_KEY,
        SIGNER.text().replace("+", " "),
        SIGNER.text()[:-4],
        SIGNER.text().replace(SIGNER.verifier.key_id.hex(), "00000000"),
    ],
)
def test_a_file_that_holds_no_private_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileError):
        read_signer(written(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["", SIGNER.text(), KNOWN_KEY[:-4], KNOWN_KEY.replace("c74f20a3", "c74f20a4"), "a+b+c"]
)
def test_a_file_that_holds_no_public_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileError):
        read_verifier(written(tmp_path, text))


def test_a_key_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")

    for path in (tmp_path / "none", tmp_path, tmp_path / "bytes"):
        with pytest.raises(KeyFileError):
            read_verifier(path)


def test_a_key_is_not_made_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(KeyFileError, match="cannot make a key"):
        open_signer(tmp_path / "file" / "seal.key")


def test_two_verifiers_of_one_name_differ_by_their_ids() -> None:
    assert SIGNER.verifier.key_id != STRANGER.verifier.key_id
    assert Verifier("another name", bytes(32)).key_id != Verifier("name", bytes(32)).key_id
