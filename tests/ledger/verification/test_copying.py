from pathlib import Path

import pytest
from sqlalchemy import Engine

from gameplay.game.players import naming, players
from ledger.engines.database import disposing, open_engine, transaction
from ledger.identity import read_id
from ledger.sealing.keys import Signer
from ledger.sealing.seals import read_seals, seal_head
from ledger.store import Ledger
from ledger.upgrade import upgrade
from ledger.verification.audit import audit
from ledger.verification.copying import copy_ledger
from ledger.verification.integrity import unguarded
from ledger.verification.transfer import NotEmptyError
from tests.builders import fell_back, game_started, one_of_each, round_played
from tests.postgresql import EVERY_ENGINE

SIGNER = Signer("example.com/log", bytes(32))


@pytest.fixture
def source(tmp_path: Path) -> Ledger:
    """A ledger in a file, with an event of every type, two seals and a player's name."""
    engine = open_engine(f"sqlite:///{tmp_path / 'source.db'}")
    upgrade(engine)
    ledger = Ledger(engine)
    for number, event in enumerate(one_of_each()):
        ledger.append(f"game-{number}", [event], 0)
    seal_head(ledger, SIGNER)
    ledger.append("game-g1", [game_started(), round_played(), fell_back(detail='空 \0 " é')], 0)
    seal_head(ledger, SIGNER)
    with transaction(engine, write=[players]) as connection:
        connection.execute(*naming("p-1", "Zoë"))
    return ledger


@EVERY_ENGINE
def test_a_copy_is_the_same_ledger(source: Ledger, engine: Engine, ledger: Ledger, tmp_path: Path) -> None:
    """Into each kind of database, and from there back into a file."""
    with disposing(source.engine), disposing(open_engine(f"sqlite:///{tmp_path / 'back.db'}")) as back:
        upgrade(back)
        heard: list[int] = []

        copied = copy_ledger(source, ledger, beside=["players"], progress=heard.append)
        copy_ledger(ledger, Ledger(back), beside=["players"])

        for copy in (ledger, Ledger(back)):
            assert copy.read() == source.read()
            assert read_seals(copy) == read_seals(source)
            assert read_id(copy.engine) == read_id(source.engine)
            assert unguarded(copy.engine) == []
            report = audit(copy, verifiers=[SIGNER.verifier])
            assert (report.intact, report.claims, report.last) == (True, 2, source.head().position)
            with transaction(copy.engine) as connection:
                assert list(connection.execute(players.select())) == [("p-1", "Zoë")]
        assert (copied.head, copied.seals, copied.rows, sum(heard)) == (
            source.head(),
            2,
            1,
            source.head().position,
        )
        assert ledger.append("game-g1", [round_played(round=2)], 3).first_position == source.head().position + 1
    assert engine.dialect.name


@EVERY_ENGINE
def test_a_ledger_with_events_is_not_copied_over(source: Ledger, ledger: Ledger) -> None:
    before = read_id(ledger.engine)
    ledger.append("game-mine", [game_started()], 0)

    with disposing(source.engine), pytest.raises(NotEmptyError, match="already holds 1 events"):
        copy_ledger(source, ledger)

    assert (ledger.head().position, read_id(ledger.engine)) == (1, before)
