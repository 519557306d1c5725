from gameplay.serving.past import PastStates
from ledger.store import Ledger
from tests.builders import aliases_assigned, assignments


def test_the_past_is_what_it_was_when_the_aliases_have_moved_since(ledger: Ledger) -> None:
    ledger.append("promotion-xgboost", [aliases_assigned(model_type="xgboost")], 0)
    moved = aliases_assigned(
        model_type="xgboost", cause="manual", assignments=assignments((1, 2, 3, 4), (2, 1, 3, 4)), swapped=True
    )
    ledger.append("promotion-xgboost", [moved], 1)
    past = PastStates(ledger, since_us=0)

    before, now = past.at(1), past.at(2)

    assert (before.position, now.position) == (1, 2)
    assert before.standings.families["xgboost"].aliases["Production"] == 1
    assert now.standings.families["xgboost"].aliases["Production"] == 2
    assert before.tickers.windows["xgboost"].swap_count == 0
