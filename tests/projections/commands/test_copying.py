from pathlib import Path

from click.testing import CliRunner

from ledger.engines.database import disposing, open_engine
from ledger.store import Ledger
from projections.cli import rps_audit
from projections.read_models.all import ReadModels
from tests.postgresql import Server


def test_a_ledger_moves_to_a_server_and_back(example: Path, tmp_path: Path, postgresql: Server) -> None:
    back = f"sqlite:///{tmp_path / 'back.db'}"
    with postgresql.ledger() as url:
        moves = (f"sqlite:///{example}", url), (url, back)
        answers = [CliRunner().invoke(rps_audit, ["copy", "--from", one, "--to", other]) for one, other in moves]

        verified = CliRunner().invoke(rps_audit, ["--database", url, "verify"])
        with disposing(open_engine(url)) as server, disposing(open_engine(back)) as file:
            states = [counted(Ledger(engine)) for engine in (server, file)]

    for answer in answers:
        assert answer.exit_code == 0, answer.output
        assert "both ledgers verified" in answer.output
    assert verified.output.startswith("intact: positions 1 to 7,550")
    assert states[0] == states[1]


def counted(ledger: Ledger) -> dict[str, int]:
    read_models = ReadModels(ledger)
    read_models.projector.start()
    return dict(read_models.counters.state.events)


def test_a_ledger_that_is_not_empty_is_refused(example: Path) -> None:
    url = f"sqlite:///{example}"

    answer = CliRunner().invoke(rps_audit, ["copy", "--from", url, "--to", url])

    assert answer.exit_code == 2
    assert "already holds 7550 events" in answer.output
