from typing import Any

import pytest
from msgspec import to_builtins

from ledger.entries import Entry
from ledger.events import AliasesAssigned, CycleDecided, Event, GameFinished
from ledger.evidence import Rule
from ledger.store import Ledger
from projections.audit.decisions import Audit, check_decisions
from projections.decision import look, rules
from projections.decision.cycle import decide_cycle
from tests.builders import (
    FIRST_VERSIONS,
    Versions,
    aliases_assigned,
    assignment,
    assignments,
    cycle_decided,
    game_finished,
    game_started,
    report,
    rule,
    rule_set,
    tally,
)
from tests.projections.findings import decided, mismatched
from tests.projections.sabotage import Edit, database, edit, execute
from tests.projections.stories import Clock, caught_up


def swaps_before(events: list[tuple[Entry, Event]], decision: CycleDecided) -> int:
    """How many swaps the family had had."""
    assert decision.evidence is not None
    return sum(
        event.swapped
        for entry, event in events
        if isinstance(event, AliasesAssigned)
        and event.model_type == decision.model_type
        and entry.position <= decision.evidence.after_position
    )


def test_every_decision_is_derived_as_it_is_recorded(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    heard: list[int] = []
    derived: list[int] = []

    audit = check_decisions(copy, progress=heard.append, derived=derived.append)

    recorded = [(entry.position, event) for entry, event in events if isinstance(event, CycleDecided)]
    assert audit.agrees
    assert [(one.position, one.event) for one in audit.decisions] == recorded
    assert {event.decision for _, event in recorded} >= {
        "swap_production_b",
        "retain_production",
        "insufficient_data",
    }
    assert any(event.reordered for _, event in recorded)
    assert (sum(heard), sum(derived)) == (copy.head().position, len(recorded))


def test_a_rule_that_is_added_later_changes_no_decision_of_before(
    copy: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rules._TESTS, "later/1", rules.z_test)
    monkeypatch.setattr(look, "KNOWN_RULES", (*rules.KNOWN_RULES, "later/1"))

    assert check_decisions(copy).agrees


def test_the_example_has_what_makes_counting_hard(events: list[tuple[Entry, Event]]) -> None:
    """Games that a swap overtook, test games, and games in which a fallback chose a move."""
    finished = [(entry, event) for entry, event in events if isinstance(event, GameFinished)]
    overtaken = 0
    swaps: dict[str, int] = {}
    for _, event in events:
        if isinstance(event, AliasesAssigned):
            swaps[event.model_type] = swaps.get(event.model_type, 0) + event.swapped
        elif isinstance(event, GameFinished):
            overtaken += event.swap_count != swaps.get(event.model_type, 0)

    assert overtaken > 0
    assert any(event.fallback_affected for _, event in finished)
    assert not all(event.in_metrics for _, event in finished)


def test_one_family_is_checked_alone(copy: Ledger) -> None:
    audit = check_decisions(copy, ["xgboost"])

    assert audit.agrees
    assert {one.event.model_type for one in audit.decisions} == {"xgboost"}


def test_another_winner_names_the_decisions_and_the_game(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    swap, event = decided(events, "swap_production_b")
    assert event.evidence is not None
    game, finished = next(
        (entry, finished)
        for entry, finished in events
        if isinstance(finished, GameFinished)
        and finished.model_type == event.model_type
        and event.evidence.after_position < entry.position <= event.evidence.through_position
        and finished.in_metrics
        and not finished.fallback_affected
        and finished.winner == "bot"
        and finished.swap_count == swaps_before(events, event)
    )
    edit(copy, game.position, lambda payload: payload.update(winner="user"))

    audit = check_decisions(copy)

    found = mismatched(audit)
    assert not audit.agrees
    side = "production" if finished.alias == "Production" else "b"
    assert f"evidence.{side}.window.wins" in found[swap.position]
    assert all(position > game.position for position in found)
    assert [(problem.position, problem.game_id) for problem in audit.problems] == [
        (game.position, finished.game_id)
    ]
    assert "its rounds say bot" in audit.problems[0].problem


def _shift(field: str, by: float) -> Edit:
    def change(payload: dict[str, Any]) -> None:
        payload["statistics"][field] += by

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda payload: payload.update(decision="retain_production"), "decision"),
        (lambda payload: payload.update(reason_code="not_better"), "reason_code"),
        (lambda payload: payload.update(reason="because"), "reason"),
        (lambda payload: payload.update(p_value=0.19), "p_value"),
        (lambda payload: payload.update(z_statistic=None), "z_statistic"),
        (lambda payload: payload.update(reordered=True), "reordered"),
        (lambda payload: payload["rule"].update(alpha="0.000001"), "decision"),
        (lambda payload: payload["rule"].update(minimum_games=99), "decision"),
        (lambda payload: payload["rule"].update(name="coin/1"), "rule.name"),
        (lambda payload: payload.update(rule=None), "rule.name"),
        (lambda payload: payload.update(evidence=None), "evidence"),
        (lambda payload: payload["evidence"].update(after_position=1), "evidence.after_position"),
        (lambda payload: payload["evidence"]["b"]["own"].update(wins=0), "evidence.b.own.wins"),
        (lambda payload: payload["evidence"]["b"].update(version=9), "evidence.b.version"),
        (lambda payload: payload["tickers"].update(cycles=5), "tickers.cycles"),
        (lambda payload: payload.update(cycle=99), "cycle"),
        (lambda payload: payload.update(statistics=None), "statistics.tosses"),
        (lambda payload: payload.update(verdicts=[]), "verdicts.0.decision"),
        (lambda payload: payload["verdicts"][1].update(decision="insufficient_data"), "verdicts.1.decision"),
        (lambda payload: payload["statistics"].update(exact_p=None), "statistics.exact_p"),
        (lambda payload: payload.update(watched=None), "watched.cycles"),
        (lambda payload: payload["watched"].update(b_finished=99), "watched.b_finished"),
        (lambda payload: payload["watched"]["splits"][0].update(b=99), "watched.splits.0.b"),
        (lambda payload: payload["statistics"].update(small_sample=False), "statistics.small_sample"),
        (lambda payload: payload["statistics"].update(log_e_max=9.0), "statistics.log_e_max"),
        (_shift("exact_p", 2e-5), "statistics.exact_p"),
        (_shift("log_e", 2e-8), "statistics.log_e"),
        (_shift("difference", -2e-8), "statistics.difference"),
    ],
)
def test_a_changed_field_of_a_decision_is_named(
    copy: Ledger, events: list[tuple[Entry, Event]], change: Edit, field: str
) -> None:
    entry, _ = decided(events, "swap_production_b")
    edit(copy, entry.position, change)

    assert field in mismatched(check_decisions(copy))[entry.position]


@pytest.mark.parametrize("change", [_shift("exact_p", 2e-6), _shift("log_e", 1e-12)])
def test_the_last_digits_of_a_statistic_may_be_another_machine_s(
    copy: Ledger, events: list[tuple[Entry, Event]], change: Edit
) -> None:
    entry, _ = decided(events, "retain_production")
    edit(copy, entry.position, change)

    assert check_decisions(copy).agrees


def test_decisions_of_a_release_without_statistics_agree(copy: Ledger) -> None:
    """The example as an earlier release would have written it."""
    cycles = [entry for entry in copy.read(limit=100_000) if entry.type == "promotion.cycle_decided"]
    for entry in cycles:
        edit(copy, entry.position, lambda payload: [payload.pop(name) for name in ("statistics", "verdicts")])
    execute(database(copy), "UPDATE events SET schema_version = 1 WHERE type = 'promotion.cycle_decided'")

    audit = check_decisions(copy)

    assert audit.agrees
    assert len(audit.decisions) == len(cycles) > 0
    assert all(one.event.statistics is None and one.event.verdicts == () for one in audit.decisions)


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload.update(trigger="report"),
        lambda payload: payload.update(trigger="report", reason_code="reported", ranking=[]),
        lambda payload: payload.update(trigger="report", report=to_builtins(report())),
        lambda payload: payload.update(report=to_builtins(report())),
        lambda payload: payload.update(trigger="report", rule=None),
        lambda payload: payload.update(trigger="report", rule=None, report=to_builtins(report())),
        lambda payload: payload.update(rule=None, report=to_builtins(report()), reason_code="reported"),
    ],
)
@pytest.mark.parametrize("decision", ["swap_production_b", "retain_production", "insufficient_data"])
def test_a_decision_of_ours_cannot_be_passed_off_as_a_report(
    copy: Ledger, events: list[tuple[Entry, Event]], decision: str, change: Edit
) -> None:
    entry, _ = decided(events, decision)
    edit(copy, entry.position, change)

    assert entry.position in mismatched(check_decisions(copy))


def test_a_report_has_no_plan(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    """The last thing that gives a decision of ours away, when every word of it was changed."""
    entry, _ = decided(events, "swap_production_b")
    words = {"trigger": "report", "rule": None, "report": to_builtins(report()), "reason_code": "reported"}
    edit(copy, entry.position, lambda payload: payload.update(words))

    assert "plan.cause" in mismatched(check_decisions(copy))[entry.position]


def test_an_alpha_that_is_none_is_named(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    entry, _ = decided(events, "swap_production_b")
    edit(copy, entry.position, lambda payload: payload["rule"].update(alpha="a fifth"))

    assert mismatched(check_decisions(copy))[entry.position] == {"rule.alpha"}


def test_evidence_from_after_the_decision_is_named(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    entry, _ = decided(events, "retain_production")
    edit(copy, entry.position, lambda payload: payload["evidence"].update(through_position=entry.position))

    assert "evidence.through_position" in mismatched(check_decisions(copy))[entry.position]


def test_a_plan_that_the_decision_does_not_give_is_named(copy: Ledger, events: list[tuple[Entry, Event]]) -> None:
    entry, _ = decided(events, "swap_production_b")
    edit(copy, entry.position + 1, lambda payload: payload["assignments"][2].update(after=9))

    assert mismatched(check_decisions(copy))[entry.position] == {
        "plan.assignments.2.after",
        "completion.assignments.2.after",
    }


def test_a_report_is_not_ours_to_decide_but_its_evidence_is_counted(
    copy: Ledger, events: list[tuple[Entry, Event]]
) -> None:
    entry, _ = decided(events, "swap_production_b", "report")
    before = next(one for one in check_decisions(copy).decisions if one.position == entry.position)
    edit(copy, entry.position, lambda payload: payload["evidence"]["b"]["window"].update(games=99))

    after = next(one for one in check_decisions(copy).decisions if one.position == entry.position)

    assert before.agrees
    assert any("reported" in note for note in before.notes)
    assert {mismatch.field for mismatch in after.mismatches} == {"evidence.b.window.games"}


def play(ledger: Ledger, numbers: range, versions: Versions = FIRST_VERSIONS) -> None:
    """Games that B wins and Production loses, in turn."""
    for number in numbers:
        alias, version = ("B", versions[1]) if number % 2 else ("Production", versions[0])
        labels = {"game_id": f"g{number}", "alias": alias, "model_version": version}
        started = game_started(**labels, assignment=assignment(versions))
        ledger.append(
            f"game-g{number}", [started, game_finished(**labels, winner="bot" if number % 2 else "user")], 0
        )


def decide_at_head(ledger: Ledger, in_force: Rule) -> CycleDecided:
    """Append what a cycle decides."""
    read_models = caught_up(ledger)
    decided, planned = decide_cycle(
        "feedforward_nn",
        read_models.standings.state.families["feedforward_nn"],
        read_models.tickers.state.windows["feedforward_nn"],
        read_models.version_pairs.state.windows["feedforward_nn"].counted(),
        in_force,
        trigger="schedule",
        source="test",
        position=ledger.head().position,
        decided_us=ledger.now_us(),
        assigned=read_models.assigned_games.state.windows.get("feedforward_nn"),
    )
    stream = "promotion-feedforward_nn"
    ledger.append(stream, [decided] if planned is None else [decided, planned], ledger.version(stream))
    return decided


def decided_by_assignment(ledger: Ledger, clock: Clock) -> CycleDecided:
    """A cycle under a rule that counts games as they were assigned: six ended, one did not in time."""
    in_force = rule(name=rules.ANYTIME_SIGN, settle_seconds=60)
    ledger.append("promotion-feedforward_nn", [aliases_assigned(), rule_set(rule=in_force)], 0)
    play(ledger, range(6))
    ledger.append("game-g6", [game_started(game_id="g6")], 0)
    clock.now += 120
    return decide_at_head(ledger, in_force)


def test_a_decision_by_the_games_of_two_versions_is_derived_again(ledger: Ledger) -> None:
    in_force = rule(name=rules.Z_TEST, evidence="version_pair")
    ledger.append("promotion-feedforward_nn", [aliases_assigned(), rule_set(rule=in_force)], 0)
    play(ledger, range(6))
    trained = (1, 5, 3, 4)
    moved = aliases_assigned(cause="training", assignments=assignments(FIRST_VERSIONS, trained))
    ledger.append("promotion-feedforward_nn", [moved], 2)
    play(ledger, range(6, 14), trained)

    decided = decide_at_head(ledger, in_force)
    (one,) = check_decisions(ledger).decisions

    assert decided.evidence is not None
    assert (decided.evidence.production.window, decided.evidence.b.window) == (tally(0, 4), tally(4, 4))
    assert decided.watched is not None
    assert decided.watched.production_finished == 7
    assert one.agrees, one.mismatches


def test_a_decision_by_games_as_they_were_assigned_is_derived_again(ledger: Ledger, clock: Clock) -> None:
    decided = decided_by_assignment(ledger, clock)

    (one,) = check_decisions(ledger).decisions

    assert decided.evidence is not None
    assert (decided.evidence.production.window.games, decided.evidence.b.window) == (4, tally(3, 3))
    assert one.agrees, one.mismatches


def test_the_last_digits_of_a_large_statistic_may_be_off_by_more(ledger: Ledger) -> None:
    in_force = rule(name=rules.ANYTIME_SIGN, minimum_games=3)
    ledger.append("promotion-feedforward_nn", [aliases_assigned(), rule_set(rule=in_force)], 0)
    play(ledger, range(40))
    statistics = decide_at_head(ledger, in_force).statistics
    assert statistics is not None
    assert statistics.log_e > 2
    (entry,) = [entry for entry in ledger.read() if entry.type == "promotion.cycle_decided"]

    edit(ledger, entry.position, _shift("log_e", statistics.log_e * 0.9e-9))
    assert not {field for field in mismatched(check_decisions(ledger)).get(entry.position, ()) if "log_e" in field}

    edit(ledger, entry.position, _shift("log_e", statistics.log_e * 0.9e-8))
    assert "statistics.log_e" in mismatched(check_decisions(ledger))[entry.position]


def test_evidence_that_was_not_settled_at_its_time_is_named(ledger: Ledger, clock: Clock) -> None:
    decided_by_assignment(ledger, clock)
    (entry,) = [entry for entry in ledger.read() if entry.type == "promotion.cycle_decided"]
    edit(ledger, entry.position, lambda payload: payload.update(decided_us=payload["decided_us"] - 90_000_000))

    fields = mismatched(check_decisions(ledger))[entry.position]

    assert {"evidence.production.window.games", "evidence.b.window.games"} <= fields


def test_another_rule_than_that_in_force_is_named(ledger: Ledger) -> None:
    in_force, other = rule(name=rules.Z_TEST, alpha="0.05"), rule(name=rules.Z_TEST, alpha="0.20")
    ledger.append(
        "promotion-feedforward_nn", [aliases_assigned(), rule_set(rule=in_force), cycle_decided(rule=other)], 0
    )

    fields = mismatched(check_decisions(ledger))[3]

    assert {field for field in fields if field.startswith("rule")} == {"rule.alpha"}


def test_what_a_report_cannot_have_is_named(ledger: Ledger) -> None:
    reported = cycle_decided(trigger="report", rule=None, evidence=None, reason_code="reported", report=report())
    ledger.append("promotion-feedforward_nn", [aliases_assigned(), reported], 0)

    fields = mismatched(check_decisions(ledger))[2]

    parts = {field.partition(".")[0] for field in fields}
    assert parts >= {"statistics", "verdicts", "watched", "windows"}


def test_a_report_before_any_aliases_has_nothing_to_check(ledger: Ledger) -> None:
    reported = cycle_decided(
        trigger="report",
        rule=None,
        evidence=None,
        watched=None,
        windows=None,
        statistics=None,
        verdicts=(),
        reason_code="reported",
        ranking=(),
        report=report(),
    )
    ledger.append("promotion-feedforward_nn", [reported, aliases_assigned()], 0)

    (one,) = check_decisions(ledger).decisions

    assert one.agrees


def test_a_ledger_without_decisions_has_nothing_to_find(ledger: Ledger) -> None:
    assert check_decisions(ledger) == Audit([], [], [])
