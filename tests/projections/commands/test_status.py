from pathlib import Path

from tests.projections.sabotage import execute
from tests.projections.terminal import ask


def test_status_of_a_sound_ledger_finds_nothing(example: Path) -> None:
    found = ask(example, "status", "--json")

    assert found.status == 0
    assert found.json["problems"] == []
    assert len(bytes.fromhex(found.json["head"]["chain_hash"])) == 32


def test_a_broken_chain_is_a_finding(copied: Path) -> None:
    execute(copied, "UPDATE events SET recorded_us = recorded_us - 1 WHERE position = 7500")

    shown, as_json = ask(copied, "status"), ask(copied, "status", "--json")

    assert (shown.status, as_json.status) == (1, 1)
    assert "position 7500: edited" in shown.output
    assert as_json.json["intact"] is False
    assert as_json.json["problems"][0].startswith("position 7500: edited")


def test_a_projection_ahead_of_the_head_shows_that_the_tail_was_cut(copied: Path) -> None:
    execute(
        copied,
        "DELETE FROM events WHERE position > 7000",
        "UPDATE sqlite_sequence SET seq = 7000 WHERE name = 'events'",
    )

    shown, as_json = ask(copied, "status"), ask(copied, "status", "--json").json

    assert shown.status == 1
    assert "the last seal covers 7,550 events, and the log ends at 7,000: its tail is cut" in shown.output
    assert "over 7,550 events, 550 of them not in the log" in shown.output
    assert "tickers stands at position 7,435, and the log ends at 7,000" in shown.output
    assert as_json["last_seal"] == {"size": 7_550, "unsealed": -550}
    # One of each projection, and the cut itself.
    assert len(as_json["problems"]) == len(as_json["projections"]) + 1


def test_an_empty_ledger_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    empty = tmp_path / "empty.db"
    ask(empty, "import", str(tmp_path / "none.jsonl"))

    answer = ask(empty, "status")

    assert answer.status == 0
    assert "the ledger is empty" in answer.output


def test_the_database_may_be_named_after_the_command(example: Path, tmp_path: Path) -> None:
    before = ask(example, "status", "--json")
    after = ask(tmp_path / "none.db", "status", "--json", "--database", f"sqlite:///{example}")

    assert after == before
    assert after.status == 0
