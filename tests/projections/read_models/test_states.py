from ledger.store import Ledger
from projections.read_models.all import ReadModels
from projections.read_models.states import states_of
from tests.builders import aliases_assigned


def test_states_are_those_of_one_position(ledger: Ledger) -> None:
    read_models = ReadModels(ledger, read_only=True)
    receipt = ledger.append("promotion-feedforward_nn", [aliases_assigned()], 0)

    with read_models.projector.current():
        states = states_of(read_models)

    assert states.position == receipt.last_position == 1
    assert states.recorded_us == ledger.head().recorded_us
    assert states.standings.families["feedforward_nn"].aliases["Production"] == 1
    assert states.standings is read_models.standings.state
