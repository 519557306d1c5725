from sqlalchemy import Engine

from ledger.guards import SQLITE as TRIGGERS
from ledger.store import Ledger
from ledger.verification.audit import audit
from tests.builders import game_started


def test_a_ledger_that_has_lost_its_id_is_damaged(engine: Engine, ledger: Ledger) -> None:
    """No service would start on it, nor on a backup of it."""
    ledger.append("game-g1", [game_started()], 0)
    assert audit(ledger).intact
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER identity_refuse_delete")
        connection.exec_driver_sql("DELETE FROM ledger_identity")
        connection.exec_driver_sql(TRIGGERS["identity_refuse_delete"])

    (finding,) = audit(ledger).findings

    assert finding.kind == "damaged"
    assert "lost the ledger's id" in finding.problem
