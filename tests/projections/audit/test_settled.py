import pytest

from ledger.events import Event
from ledger.store import Ledger
from ledger.vocabulary import CountedPlayers, EvidenceWindow, Family
from projections.audit.replay import Replay
from projections.audit.settled import RuleWindow, SettledSpan, recount_settled
from projections.read_models.assigned_games import Settled
from tests.builders import (
    aliases_assigned,
    assignment,
    game_abandoned,
    game_finished,
    game_started,
    rule,
    rule_set,
    tally,
)
from tests.projections.stories import SECOND_US, Clock, append

FAMILY: Family = "feedforward_nn"
PAIR = (1, 2)
SETTLE_SECONDS = 5


def play(ledger: Ledger, clock: Clock) -> None:
    """A game a second, of B and of Production in turn, which lasts up to seven seconds; a few are no evidence."""
    ends: dict[int, list[Event]] = {}
    for second in range(24):
        alias, version = ("B", 2) if second % 2 else ("Production", 1)
        labels = {"game_id": f"g{second}", "alias": alias, "model_version": version}
        labels |= {"player_kind": "bot" if second % 3 == 2 else "human"}
        labels |= {"in_metrics": second != 13, "swap_count": int(second == 14)}
        versions = assignment((1, 7 if second == 15 else 2, 3, 4))
        winner = "bot" if second % 4 < 2 else "user"
        end = game_finished(**labels, winner=winner, fallback_affected=second == 6)
        ends.setdefault(second + second % 8, []).append(game_abandoned(**labels) if second % 5 == 3 else end)
        append(ledger, game_started(**labels, assignment=versions), *ends.pop(second, ()))
        clock.now += 1


@pytest.mark.parametrize("evidence", ["since_swap", "version_pair"])
@pytest.mark.parametrize("players", ["all", "human"])
def test_a_recount_is_what_the_projection_has_settled_at_every_look(
    ledger: Ledger, clock: Clock, evidence: EvidenceWindow, players: CountedPlayers
) -> None:
    """Two ways that share nothing but the events: one folds, one looks back from the end."""
    in_force = rule(settle_seconds=SETTLE_SECONDS, evidence=evidence, players=players)
    append(ledger, aliases_assigned(), rule_set(rule=in_force))
    play(ledger, clock)
    pair = PAIR if evidence == "version_pair" else None
    window = RuleWindow(FAMILY, 2, 0, SETTLE_SECONDS * SECOND_US, players, pair)
    replay = Replay(ledger)
    counted: dict[int, dict[SettledSpan, Settled]] = {}
    for entry in ledger.read(2, limit=1_000):
        replay.advance(entry.position)
        for seconds in (0, 1, SETTLE_SECONDS, 60):
            span = SettledSpan(window, entry.position, entry.recorded_us + seconds * SECOND_US)
            folded = replay.read_models.assigned_games.state.windows[FAMILY].settled(span.decided_us)
            counted.setdefault(seconds, {})[span] = folded

    for looks in counted.values():
        assert recount_settled(ledger, looks) == looks


def test_what_was_settled_is_what_a_game_had_come_to_by_then(ledger: Ledger, clock: Clock) -> None:
    """An end is seen by the look that is taken at its own position, and by none before."""
    game = {"game_id": "g1", "alias": "B", "model_version": 2}
    append(ledger, aliases_assigned(), rule_set(rule=rule(settle_seconds=SETTLE_SECONDS)), game_started(**game))
    started_us = ledger.head().recorded_us
    clock.now += SETTLE_SECONDS - 1
    append(ledger, game_finished(**game, winner="bot"))
    window = RuleWindow(FAMILY, 2, 0, SETTLE_SECONDS * SECOND_US, "all", None)
    settled_us = started_us + window.settle_us
    early, unseen, seen = (
        SettledSpan(window, through, decided_us)
        for through, decided_us in ((3, settled_us - 1), (3, settled_us), (4, settled_us))
    )

    assert recount_settled(ledger, [early, unseen, seen]) == {
        early: Settled({}, {}),
        unseen: Settled({"B": tally(0, 1)}, {2: tally(0, 1)}),
        seen: Settled({"B": tally(1, 1)}, {2: tally(1, 1)}),
    }
    assert recount_settled(ledger, []) == {}
