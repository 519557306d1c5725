from gameplay.web.console import games_behind
from gameplay.web.console.games_behind import GAMES_A_PAGE
from ledger.store import Ledger
from tests.builders import cycle_decided, evidence, game_finished, game_started
from tests.projections.stories import append


def play(ledger: Ledger, number: int, family: str = "feedforward_nn") -> None:
    game = {"game_id": f"g{number}", "model_type": family}
    append(ledger, game_started(**game), game_finished(**game))


def test_a_page_is_full_and_the_next_goes_on(ledger: Ledger) -> None:
    for number in range(GAMES_A_PAGE + 3):
        play(ledger, number)
    head = ledger.head().position
    decided = cycle_decided(evidence=evidence(after_position=2, through_position=head))

    first = games_behind.games_behind(ledger, decided, None)
    second = games_behind.games_behind(ledger, decided, first.next_before)

    names = [one.game_id for one in (*first.games, *second.games)]
    assert len(first.games) == GAMES_A_PAGE
    assert names == [f"g{number}" for number in range(GAMES_A_PAGE + 2, 0, -1)]
    assert second.next_before is None


def test_other_families_games_are_left_out(ledger: Ledger) -> None:
    play(ledger, 1, "xgboost")
    play(ledger, 2)
    decided = cycle_decided(evidence=evidence(through_position=4))

    assert [one.game_id for one in games_behind.games_behind(ledger, decided, None).games] == ["g2"]


def test_a_report_without_evidence_has_no_games(ledger: Ledger) -> None:
    assert games_behind.games_behind(ledger, cycle_decided(evidence=None), None).games == ()
