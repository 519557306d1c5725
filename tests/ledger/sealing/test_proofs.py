import base64
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from ledger.engines.database import transaction
from ledger.schema import events
from ledger.sealing.checkpoints import CheckpointError
from ledger.sealing.keys import Signer
from ledger.sealing.proofs import (
    NoProofError,
    Proof,
    ProofError,
    check_proof,
    encode_proof,
    make_proof,
    read_proof,
)
from ledger.sealing.seals import last_seal, seal_head
from ledger.store import Ledger
from tests.builders import game_started, round_played

SIGNER = Signer("example.com/log", bytes(32))
EVENTS = 21


@pytest.fixture
def proofs(ledger: Ledger) -> list[Proof]:
    """A proof of every event."""
    ledger.append("game-g1", [game_started(), *[round_played()] * (EVENTS - 1)], 0)
    seal = seal_head(ledger, SIGNER)
    assert seal is not None
    return [make_proof(ledger, position, seal) for position in range(1, EVENTS + 1)]


def test_every_event_is_proved_from_its_file_alone(proofs: list[Proof], ledger: Ledger, tmp_path: Path) -> None:
    for proof, entry in zip(proofs, ledger.read(), strict=True):
        path = tmp_path / f"{entry.position}.json"
        path.write_bytes(encode_proof(proof))

        proven = check_proof(read_proof(path), SIGNER.verifier)

        assert (proven.row.position, proven.row.payload) == (entry.position, entry.payload)
        assert proven.row.event_id.decode() == entry.event_id
        assert proven.checkpoint.size == EVENTS
        assert path.stat().st_size < 3_000


def test_a_proof_stays_good_when_the_log_goes_on(proofs: list[Proof], ledger: Ledger) -> None:
    ledger.append("game-g2", [game_started()], 0)
    seal_head(ledger, SIGNER)

    assert check_proof(proofs[4], SIGNER.verifier).checkpoint.size == EVENTS


def test_a_changed_proof_does_not_hold(proofs: list[Proof]) -> None:
    proof, other = proofs[6], proofs[7]
    event = proof.event
    changed = [
        replace(proof, position=8),
        replace(proof, position=0),
        replace(proof, position=EVENTS + 1),
        replace(proof, path=other.path),
        replace(proof, path=proof.path[:-1]),
        replace(proof, path=(*proof.path, proof.path[0])),
        replace(proof, path=("?", *proof.path[1:])),
        replace(proof, event=other.event),
        replace(proof, event=replace(event, version=-1)),
        replace(proof, event=replace(event, recorded_us=event.recorded_us + 1)),
        replace(proof, event=replace(event, stream="game-g2")),
        replace(proof, event=replace(event, payload=base64.b64encode(b"{}").decode())),
        replace(proof, event=replace(event, payload="?")),
    ]

    for one in changed:
        with pytest.raises(ProofError, match="does not hold"):
            check_proof(one, SIGNER.verifier)


def test_a_proof_by_another_key_does_not_hold(proofs: list[Proof]) -> None:
    with pytest.raises(CheckpointError, match="not by"):
        check_proof(proofs[0], Signer("example.com/log", bytes([1] * 32)).verifier)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{}", b"[]", b"null", b"[" * 20_000, b'{"format":"x"}'],
)
def test_a_file_that_is_no_proof_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(NoProofError, match="no proof"):
        read_proof(tmp_path / "file")


def test_a_proof_of_another_format_is_refused(proofs: list[Proof], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(msgspec.json.encode(replace(proofs[0], format="promotion-ledger/proof/2")))

    with pytest.raises(NoProofError, match="format"):
        read_proof(tmp_path / "file")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoProofError, match="cannot read"):
        read_proof(tmp_path / "none")


def test_a_log_that_was_cut_gives_no_proof(proofs: list[Proof], ledger: Ledger) -> None:
    seal = last_seal(ledger)
    assert proofs
    assert seal is not None
    with transaction(ledger.engine, write=[events]) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_delete")
        connection.exec_driver_sql(f"DELETE FROM events WHERE position = {EVENTS}")

    with pytest.raises(ProofError, match=f"{EVENTS - 1} of the {EVENTS}"):
        make_proof(ledger, 1, seal)


@pytest.mark.parametrize("position", [7, 8])
@pytest.mark.parametrize("change", ["payload = x'7b7d'", "version = -1", "stream = CAST(x'ff' AS TEXT)"])
def test_a_log_that_was_changed_gives_no_proof(
    proofs: list[Proof], ledger: Ledger, change: str, position: int
) -> None:
    seal = last_seal(ledger)
    assert proofs
    assert seal is not None
    with transaction(ledger.engine, write=[events]) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_refuse_update")
        connection.exec_driver_sql(f"UPDATE events SET {change} WHERE position = 7")

    with pytest.raises(ProofError, match="run `rps-audit verify`"):
        make_proof(ledger, position, seal)


def test_a_seal_by_another_key_gives_no_proof(proofs: list[Proof], ledger: Ledger) -> None:
    seal = last_seal(ledger)
    assert proofs
    assert seal is not None

    with pytest.raises(CheckpointError, match="not by"):
        make_proof(ledger, 1, seal, [Signer("example.com/log", bytes([1] * 32)).verifier])

    assert make_proof(ledger, 1, seal, [SIGNER.verifier]) == proofs[0]


def test_a_seal_in_another_one_s_place_gives_no_proof(proofs: list[Proof], ledger: Ledger) -> None:
    seal = last_seal(ledger)
    assert proofs
    assert seal is not None

    with pytest.raises(ProofError, match="not what was sealed"):
        make_proof(ledger, 1, seal._replace(size=EVENTS - 1))
