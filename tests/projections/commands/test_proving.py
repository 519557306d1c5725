import json
import shutil
from pathlib import Path

import pytest
from obstore.store import LocalStore

from ledger.engines.database import open_engine
from ledger.sealing.keys import Signer
from ledger.sealing.seals import read_seals
from ledger.store import Ledger
from projections.audit.archive import CheckpointArchive, open_archive
from scripts.audit_ledger import SIGNER
from tests.projections.sabotage import execute
from tests.projections.terminal import ask
from tests.s3_server import STORE_KEY, STORE_SECRET, S3Gateway

LABEL = SIGNER.verifier.label


@pytest.fixture
def sealed(example: Path, tmp_path: Path) -> Path:
    """A copy of the example with the key's public half beside it."""
    shutil.copy(example.with_name("seal.key.pub"), tmp_path / "seal.key.pub")
    return Path(shutil.copy(example, tmp_path / "copy.db"))


@pytest.fixture
def archive(sealed: Path, tmp_path: Path) -> Path:
    """The folder of a checkpoint archive with every seal."""
    folder = tmp_path / "models"
    show_to(CheckpointArchive(LocalStore(folder, mkdir=True)), sealed)
    return folder


def show_to(archive: CheckpointArchive, database: Path) -> None:
    engine = open_engine(f"sqlite:///{database}")
    for seal in read_seals(Ledger(engine)):
        archive(seal.size, seal.checkpoint)
    engine.dispose()


def anchor(database: Path, position: int) -> str:
    return f"{position}:{ask(database, 'show', str(position), '--json').json['chain_hash']}"


def test_verify_says_which_key_has_signed_and_where_it_lies(sealed: Path) -> None:
    beside = ask(sealed, "verify").output
    named = ask(sealed, "verify", "--key", str(sealed.with_name("seal.key.pub"))).output
    as_json = ask(sealed, "verify", "--json").json

    assert f"they are signed by {LABEL}, the key that lies beside the database" in beside
    assert named.endswith(f"they are signed by {LABEL}\n")
    assert as_json["report"]["signers"] == [LABEL]
    assert (as_json["signatures_checked"], as_json["key_named"]) == (True, False)


def test_verify_counts_what_the_archive_has(sealed: Path, archive: Path) -> None:
    answer = ask(sealed, "verify", "--archive", str(archive))

    assert answer.status == 0
    assert "3 seals, 3 of the archive's: all fit\n" in answer.output


@pytest.mark.parametrize(("taken", "missing"), [("size = 7550", 1), ("size < 3000", 1), ("true", 3)])
def test_verify_misses_seals_that_were_taken_away(sealed: Path, archive: Path, taken: str, missing: int) -> None:
    execute(sealed, f"DELETE FROM seals WHERE {taken}")

    shown = ask(sealed, "verify", "--archive", str(archive))

    assert shown.status == 1
    assert "missing seal: " in shown.output
    assert f"{3 - missing} seal" in shown.output
    assert "3 of the archive's" in shown.output


def test_an_archive_that_was_emptied_is_none(sealed: Path, archive: Path) -> None:
    for note in (archive / "seals").iterdir():
        note.unlink()

    answer = ask(sealed, "verify", "--archive", str(archive))

    assert (answer.status, answer.output) == (2, "")
    assert "has no seals" in answer.problem


@pytest.mark.parametrize("options", [["--archive", ""], ["--archive-endpoint", "http://minio:9000"]])
def test_an_archive_that_is_not_named_is_not_passed_over(sealed: Path, options: list[str]) -> None:
    answer = ask(sealed, "verify", *options)

    assert (answer.status, answer.output) == (2, "")


def test_the_archive_is_read_from_a_bucket(sealed: Path, s3: S3Gateway, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(
        f"[default]\naws_access_key_id = {STORE_KEY}\naws_secret_access_key = {STORE_SECRET}\n", "utf-8"
    )
    url = f"s3://{s3.new_bucket()}/models"
    options = ("--archive", url, "--archive-endpoint", s3.endpoint, "--archive-credentials", str(keys))
    empty = ask(sealed, "verify", *options)
    show_to(open_archive(url, s3.endpoint, keys), sealed)

    answer = ask(sealed, "verify", *options)
    execute(sealed, "DELETE FROM seals")
    forged = ask(sealed, "verify", *options)

    assert (empty.status, answer.status, forged.status) == (2, 0, 1)
    assert "3 of the archive's: all fit" in answer.output
    assert "missing seal" in forged.output


def test_the_hash_that_is_trusted_is_compared(sealed: Path) -> None:
    true, other = anchor(sealed, 3_000), anchor(sealed, 3_001).replace("3001:", "3000:")

    assert ask(sealed, "verify", "--from", "3001", "--expect", true).status == 0
    assert ask(sealed, "verify", "--from", "3,001", "--expect", true.replace("3000", "3,000")).status == 0
    wrong = ask(sealed, "verify", "--from", "3001", "--expect", other)
    both = ask(sealed, "verify", "--expect", other, "--expect", true)

    assert (wrong.status, both.status) == (1, 1)
    assert "position 3000: unexpected hash" in wrong.output
    assert "position 3000: unexpected hash" in both.output


def test_an_anchor_that_will_not_be_walked_is_refused(sealed: Path) -> None:
    answer = ask(sealed, "verify", "--from", "5000", "--expect", anchor(sealed, 3_000))

    assert (answer.status, answer.output) == (2, "")
    assert "verify from 3001 or before" in answer.problem


def test_verify_says_where_it_stopped(sealed: Path) -> None:
    execute(sealed, "UPDATE events SET payload = x'7b7d' WHERE position BETWEEN 100 AND 200")

    answer = ask(sealed, "verify")

    assert answer.status == 1
    assert answer.output.count("edited") == 10
    assert "3 seals: 0 fit, as far as the chain does" in answer.output
    assert "from position 110 on nothing was looked at" in answer.output


def test_verify_finds_rows_of_the_history_that_were_changed(sealed: Path) -> None:
    """The log itself is intact, and nothing else would say so."""
    execute(sealed, "UPDATE promotion_history SET decision = 'retain_production'")

    verified = ask(sealed, "verify")
    report = ask(sealed, "verify", "--json").json

    assert verified.status == 1
    assert "promotion_history: its rows are not those that were folded" in verified.output
    assert report["intact"]
    assert "not those that were folded" in report["promotion_history"]


def test_a_proof_is_not_written_when_the_log_was_changed(sealed: Path, tmp_path: Path) -> None:
    execute(sealed, "UPDATE events SET recorded_us = recorded_us + 1 WHERE position = 50")
    out = tmp_path / "proof.json"

    shown = ask(sealed, "prove", "77", "--out", str(out))
    as_json = ask(sealed, "prove", "77", "--out", str(out), "--json")

    assert (shown.status, as_json.status) == (1, 1)
    assert "is not what was sealed at 7550 events: run `rps-audit verify`" in shown.output
    assert as_json.json["proved"] is False
    assert not out.exists()


def test_a_proof_is_not_written_when_the_seal_is_by_another_key(sealed: Path, tmp_path: Path) -> None:
    stranger = Signer("promotion-ledger/example", bytes(32))
    sealed.with_name("seal.key.pub").write_text(stranger.verifier.text(), "utf-8")

    answer = ask(sealed, "prove", "77", "--out", str(tmp_path / "proof.json"))

    assert answer.status == 1
    assert f"signed by {LABEL}, not by {stranger.verifier.label}" in answer.output


@pytest.mark.parametrize("target", ["copy.db", "other.json"])
def test_a_proof_takes_no_other_file_s_place(sealed: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "other.json").write_text("mine")
    before = (tmp_path / target).read_bytes()

    answer = ask(sealed, "prove", "77", "--out", str(tmp_path / target))

    assert answer.status == 2
    assert answer.problem == f"{tmp_path / target} exists already: name a new file"
    assert (tmp_path / target).read_bytes() == before


def test_a_proof_that_cannot_be_written_is_reported_in_one_line(sealed: Path, tmp_path: Path) -> None:
    answer = ask(sealed, "prove", "77", "--out", str(tmp_path / "none" / "proof.json"))

    assert (answer.status, answer.output) == (2, "")
    assert answer.problem == f"cannot write {tmp_path / 'none' / 'proof.json'}: No such file or directory"


def test_a_proof_says_who_signed_it(sealed: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "proof.json")
    assert ask(sealed, "prove", "1,588", "--out", out).status == 0

    held = ask(sealed, "verify-proof", out, "--key", str(sealed.with_name("seal.key.pub")))

    assert held.status == 0
    assert f"signed by {LABEL}\n" in held.output


def test_a_key_s_name_that_is_mistyped_makes_no_key(sealed: Path, tmp_path: Path) -> None:
    execute(sealed, "DELETE FROM seals WHERE size = 7550")

    answer = ask(sealed, "seal", "--key", str(tmp_path / "typo.key"))

    assert answer.status == 2
    assert "cannot read the key" in answer.problem
    assert not (tmp_path / "typo.key").exists()


@pytest.mark.parametrize("statement", ["SELECT 1", "DELETE FROM seals WHERE size = 7550"])
def test_another_key_than_the_last_seal_s_is_refused(sealed: Path, tmp_path: Path, statement: str) -> None:
    execute(sealed, statement)
    key = tmp_path / "other.key"
    key.write_text(Signer("promotion-ledger/other", bytes(32)).text(), "utf-8")
    before = ask(sealed, "verify", "--json").json["report"]["seals"]

    answer = ask(sealed, "seal", "--key", str(key))

    assert answer.status == 2
    assert f"it is signed by {LABEL}, not by promotion-ledger/other+" in answer.problem
    assert ask(sealed, "verify", "--json").json["report"]["seals"] == before


def test_the_key_of_the_last_seal_goes_on(sealed: Path, tmp_path: Path) -> None:
    execute(sealed, "DELETE FROM seals WHERE size = 7550")
    key = tmp_path / "true.key"
    key.write_text(SIGNER.text(), "utf-8")

    assert json.loads(ask(sealed, "seal", "--key", str(key), "--json").output)["sealed"] == 7_550
    assert ask(sealed, "verify").status == 0
