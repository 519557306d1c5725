import json
import math
import sqlite3
from contextlib import closing
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.event import listen

from ledger.errors import StorageError
from ledger.events import CycleDecided, Event
from ledger.evidence import Evidence
from ledger.reported import Report
from ledger.store import Ledger
from ledger.vocabulary import DECISIONS, FAMILIES, Decision
from projections.audit.replay import Replay
from projections.decision.cycle import decide_cycle
from projections.read_models import history
from projections.read_models.all import ReadModels
from projections.read_models.history import DAY_US, Query
from projections.read_models.history_order import ORDERS, SORTS, Order, Sort
from projections.read_models.history_row import render
from projections.read_models.standings import PromotionState, Record
from projections.read_models.tickers import Window
from projections.read_models.version_pairs import PairWindow
from projections.schema import StoredRow
from tests.builders import (
    aliases_assigned,
    aliases_planned,
    arm,
    assignments,
    cycle_decided,
    evidence,
    game_started,
    report,
    round_played,
    rule,
    tally,
    tickers,
    windows,
)
from tests.histories import histories
from tests.postgresql import EVERY_ENGINE
from tests.projections.stories import (
    BEGIN_US,
    Clock,
    append,
    caught_up,
    execute,
    restarted,
    scratch_ledger,
    table_rows,
)

pytestmark = EVERY_ENGINE


KEYS = frozenset((
    "id", "ts", "ts_ms", "created_ts_utc", "model_type", "decision", "z_statistic", "p_value", "production_wins",
    "production_total_games", "production_win_rate", "b_wins", "b_total_games", "b_win_rate",
    "production_games_since_swap", "b_games_since_swap", "promotion_cycles_since_swap", "reorder_applied",
    "applied", "rule", "alpha", "reason_code", "reason", "source", "rank1_summary", "rank2_summary",
    "rank3_summary", "step2_order", "step2_accuracy", "step2_sources", "title", "text", "tags", "position",
))  # fmt: skip
DETAIL_KEYS = frozenset({"alias_rankings", "alias_accuracies", "alias_assignments", "evidence"})
FAMILY: Final = "feedforward_nn"
SWAPPED = assignments((1, 2, 3, 4), (2, 1, 3, 4))
REORDERED = assignments((1, 2, 3, 4), (1, 4, 2, 3))
BARE: dict[str, Any] = {
    "trigger": "report",
    "source": "n8n",
    "rule": None,
    "evidence": None,
    "z_statistic": None,
    "p_value": None,
    "reason_code": "reported",
    "reason": "",
    "ranking": (),
    "report": Report(body_sha256="0"),
}
"""A report with nothing but model_type and decision."""


def rows(ledger: Ledger, query: Query | None = None, *, detail: bool = False) -> list[dict[str, Any]]:
    """The public rows that the query asks for, of a history that has just caught up."""
    found = caught_up(ledger).history.rows(query or Query())
    return [render(row, detail=detail) for row in found]


def row(ledger: Ledger, *, detail: bool = False) -> dict[str, Any]:
    (only,) = rows(ledger, detail=detail)
    return only


def test_a_cycle_is_a_row_whose_id_is_its_position(ledger: Ledger, clock: Clock) -> None:
    clock.now += 0.25
    append(ledger, aliases_assigned(), cycle_decided(decision="retain_production", reason="not better"))

    found = row(ledger)

    assert found | {"rule": "ztest/1", "alpha": 0.2, "source": "scheduler"} == found
    assert (found["id"], found["position"]) == (2, 2)
    assert found["ts"] == "2025-10-10T08:00:00Z"
    assert found["ts_ms"] == BEGIN_US // 1_000 + 250
    assert found["created_ts_utc"] == "2025-10-10T08:00:00.250000Z"
    assert (found["model_type"], found["decision"]) == (FAMILY, "retain_production")
    assert (found["z_statistic"], found["p_value"]) == (2.2376, 0.0126)
    assert (found["production_wins"], found["production_total_games"]) == (8, 20)
    assert (found["b_wins"], found["b_total_games"]) == (15, 20)
    assert (found["production_win_rate"], found["b_win_rate"]) == (0.4, 0.75)
    assert found["reason"] == found["text"] == "not better"
    assert found["title"] == "feedforward_nn: Production retained"
    assert found["tags"] == "promotion,feedforward_nn,retain_production"


def test_every_row_has_every_key(ledger: Ledger) -> None:
    append(
        ledger, cycle_decided(), aliases_planned(), cycle_decided(**BARE, cycle=2, decision="retain_production")
    )
    append(ledger, cycle_decided(model_type="xgboost", evidence=evidence(), trigger="report", report=report()))

    flat, detailed = rows(ledger), rows(ledger, detail=True)

    assert len(flat) == len(detailed) == 3
    for found in flat:
        assert found.keys() == KEYS
        assert not any(isinstance(value, list | dict) for value in found.values())
    for found in detailed:
        assert found.keys() >= KEYS | DETAIL_KEYS


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_report_of_nothing_but_a_decision_has_nulls_for_the_rest(ledger: Ledger, decision: str) -> None:
    append(ledger, cycle_decided(**BARE, decision=decision, tickers=tickers(4, 5, 6)))

    found = row(ledger)

    assert found["decision"] == decision
    assert [key for key, value in found.items() if value is not None] == [
        *("id", "ts", "ts_ms", "created_ts_utc", "model_type", "decision"),
        *("production_games_since_swap", "b_games_since_swap", "promotion_cycles_since_swap"),
        *("reorder_applied", "reason_code", "reason", "source", "title", "text", "tags", "position"),
    ]
    assert found["reorder_applied"] is False
    assert found["tags"] == f"promotion,{FAMILY},{decision}"


def test_a_report_says_when_its_cycle_was(ledger: Ledger) -> None:
    append(ledger, cycle_decided(trigger="report", report=report(created_us=BEGIN_US - 3_600_000_000)))

    found = row(ledger)

    assert (found["ts"], found["created_ts_utc"]) == ("2025-10-10T08:00:00Z", "2025-10-10T07:00:00.000000Z")


def test_a_report_shows_the_reporters_counts_and_the_ledgers_tickers(ledger: Ledger) -> None:
    said = report(
        production_wins=1,
        production_total_games=4,
        b_wins=0,
        b_total_games=0,
        production_games_since_swap=77,
        promotion_cycles_since_swap=99,
    )
    append(ledger, cycle_decided(trigger="report", report=said, tickers=tickers(20, 21, 3)))

    found = row(ledger, detail=True)

    assert (found["production_wins"], found["production_total_games"], found["production_win_rate"]) == (
        1,
        4,
        0.25,
    )
    assert (found["b_wins"], found["b_total_games"], found["b_win_rate"]) == (0, 0, None)
    assert found["production_games_since_swap"] == 20
    assert found["promotion_cycles_since_swap"] == 3
    assert found["report"]["production_games_since_swap"] == 77
    assert found["evidence"]["production"]["window"] == {"games": 20, "wins": 8}


def test_a_plan_is_applied_when_it_is_completed(ledger: Ledger) -> None:
    append(ledger, aliases_assigned(), cycle_decided())
    assert row(ledger)["applied"] is None

    append(ledger, aliases_planned())
    assert row(ledger)["applied"] is False

    append(ledger, aliases_assigned(cause="promotion", cycle=1, plan=3, swapped=True, assignments=SWAPPED))
    assert row(ledger)["applied"] is True
    assert row(ledger)["reorder_applied"] is False


def test_a_reorder_is_applied_when_it_is_executed(ledger: Ledger) -> None:
    append(ledger, aliases_assigned(), cycle_decided(decision="retain_production", reordered=True))
    append(ledger, aliases_planned(swapped=False, reordered=True, assignments=REORDERED))
    assert row(ledger)["reorder_applied"] is False
    assert rows(ledger, Query(decisions=("alias_reorder",))) == []

    append(ledger, aliases_assigned(cause="promotion", cycle=1, plan=3, reordered=True, assignments=REORDERED))
    found = row(ledger)
    assert (found["decision"], found["reorder_applied"], found["applied"]) == ("retain_production", True, True)
    assert found["tags"] == f"promotion,{FAMILY},retain_production,alias_reorder"
    assert rows(ledger, Query(decisions=("alias_reorder",))) == [found]
    assert rows(ledger, Query(decisions=("retain_production",))) == [found]


def test_another_familys_plan_settles_nothing(ledger: Ledger) -> None:
    append(ledger, cycle_decided(), cycle_decided(model_type="xgboost"), aliases_planned(model_type="xgboost"))

    assert {found["model_type"]: found["applied"] for found in rows(ledger)} == {FAMILY: None, "xgboost": False}


@pytest.mark.parametrize("cause", ["training", "manual"])
def test_a_change_of_aliases_outside_a_cycle_has_no_row(ledger: Ledger, cause: str) -> None:
    append(ledger, aliases_assigned(), cycle_decided())
    append(ledger, aliases_planned(cause=cause, cycle=None, swapped=False))
    append(ledger, aliases_assigned(cause=cause, cycle=None, plan=3))

    assert row(ledger)["applied"] is None


def test_a_swaps_own_row_shows_zeros(ledger: Ledger) -> None:
    promotion = PromotionState(
        aliases={"Production": 1, "B": 2, "shadow1": 3, "shadow2": 4},
        records={1: Record(games=20, wins=8), 2: Record(games=20, wins=15)},
    )
    window = Window(cycles=5, scores={"Production": tally(8, 20), "B": tally(15, 20)})
    decided, planned = decide_cycle(
        FAMILY,
        promotion,
        window,
        PairWindow(),
        rule(),
        trigger="schedule",
        source="scheduler",
        position=0,
        decided_us=BEGIN_US,
    )
    assert planned is not None
    append(ledger, decided, planned)

    found = row(ledger)

    assert found["decision"] == "swap_production_b"
    assert (found["production_total_games"], found["b_total_games"]) == (20, 20)
    assert [found[key] for key in KEYS if key.endswith("since_swap")] == [0, 0, 0]


def test_detail_adds_the_nested_lists(ledger: Ledger) -> None:
    append(ledger, cycle_decided(decision="retain_production"), aliases_planned(assignments=REORDERED))

    found = row(ledger, detail=True)

    assert found["alias_rankings"][0] == {
        "alias": "B",
        "rank": 1,
        "source_alias": "B",
        "accuracy": 40 / 90,
        "total_predictions": 90,
        "version": 2,
    }
    assert [ranked["rank"] for ranked in found["alias_rankings"]] == [1, 2, 3]
    assert found["statistics"]["interval"] == {"lower": 0.0929, "upper": 0.5497}
    assert json.loads(json.dumps(found["windows"])) == json.loads(msgspec.json.encode(windows()))
    assert [verdict["rule"] for verdict in found["verdicts"]] == ["ztest/1", "anytime-sign/1"]
    assert [accuracy["alias"] for accuracy in found["alias_accuracies"]] == ["B", "shadow1", "shadow2"]
    production, b, *_ = found["alias_assignments"]
    assert production == {
        "alias": "Production",
        "version": 1,
        "source_alias": "Production",
        "previous_version": 1,
        "changed": False,
    }
    assert b == {"alias": "B", "version": 4, "source_alias": "shadow2", "previous_version": 2, "changed": True}
    assert found["evidence"]["b"]["own"] == {"games": 20, "wins": 15}
    assert found["report"] is None


def test_the_ranking_is_put_into_words(ledger: Ledger) -> None:
    append(ledger, cycle_decided())

    found = row(ledger)

    assert found["rank1_summary"] == "B v2 44.4% of 90"
    assert found["rank3_summary"] == "shadow2 v4 33.3% of 90"
    assert found["step2_order"] == "B > shadow1 > shadow2"
    assert found["step2_accuracy"] == "44.4%, 38.9%, 33.3%"
    assert found["step2_sources"] == "B, shadow1, shadow2"


def test_a_reported_ranking_is_put_into_words_as_far_as_it_goes(ledger: Ledger) -> None:
    append(ledger, cycle_decided(trigger="report", ranking=(), report=report()))

    found = row(ledger)

    assert found["rank1_summary"] == "B 40.0% of 90"
    assert (found["rank2_summary"], found["rank3_summary"]) == (None, None)
    assert found["step2_sources"] == "Production"


def ids(ledger: Ledger, **query: Any) -> list[int]:
    return [found["id"] for found in rows(ledger, Query(**query))]


FIVE_DECISIONS: tuple[Decision, ...] = (
    "insufficient_data",
    "retain_production",
    "retain_production",
    "swap_production_b",
    "insufficient_data",
)


def five_cycles(ledger: Ledger, clock: Clock) -> None:
    """A minute apart, at positions 1 to 5, the even ones of another family."""
    for cycle, decision in enumerate(FIVE_DECISIONS, start=1):
        family = "xgboost" if cycle % 2 == 0 else FAMILY
        append(ledger, cycle_decided(cycle=cycle, decision=decision, model_type=family))
        clock.now += 60


def test_rows_come_newest_first_and_no_more_than_asked_for(ledger: Ledger, clock: Clock) -> None:
    five_cycles(ledger, clock)

    assert ids(ledger) == [5, 4, 3, 2, 1]
    assert ids(ledger, limit=2) == [5, 4]
    assert ids(ledger, limit=2, order="asc") == [1, 2]
    assert ids(ledger, limit=2, before_id=4) == [3, 2]
    assert ids(ledger, before_id=1) == []
    assert ids(ledger, before_id=99, order="asc") == [1, 2, 3, 4, 5]


def test_pages_by_id_miss_nothing_and_repeat_nothing(ledger: Ledger, clock: Clock) -> None:
    five_cycles(ledger, clock)
    seen: list[int] = []
    while page := ids(ledger, limit=2, before_id=seen[-1] if seen else None):
        seen += page

    assert seen == [5, 4, 3, 2, 1]


def compared(production_wins: int, b_wins: int, *, games: int = 20) -> Evidence:
    return evidence(production=arm(1, games, production_wins), b=arm(2, games, b_wins))


def unlike_cycles(first: int) -> tuple[CycleDecided, ...]:
    """Cycles with ties and gaps in whatever they may be sorted by."""
    seen = ((8, 15, 0.0126), (15, 8, 0.9874), (8, 15, 0.0126), (10, 10, 0.5))
    decided = [cycle_decided(evidence=compared(won, b), p_value=p) for won, b, p in seen]
    few = cycle_decided(decision="insufficient_data", evidence=compared(0, 0, games=0), p_value=None)
    bare = [cycle_decided(**BARE, decision="swap_production_b") for _ in range(2)]
    other = cycle_decided(model_type="xgboost", rule=rule(name="anytime-sign/1"), evidence=compared(3, 4, games=7))
    cycles = (*decided, few, *bare, other)
    return tuple(replace(one, cycle=number) for number, one in enumerate(cycles, start=first))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", SORTS)
def test_pages_in_every_order_hold_each_row_once_while_cycles_go_on(
    ledger: Ledger, sort: Sort, order: Order
) -> None:
    append(ledger, *unlike_cycles(1))
    query = Query(limit=None, sort=sort, order=order)
    then = [one.id for one in caught_up(ledger).history.rows(query)]
    history = caught_up(ledger).history
    seen = [one.id for one in history.rows(replace(query, limit=3))]

    append(ledger, *unlike_cycles(11))
    history = caught_up(ledger).history
    while page := history.rows(replace(query, limit=3, cursor=seen[-1])):
        seen += [one.id for one in page]

    now = [one.id for one in history.rows(query)]
    assert [one for one in now if one in then] == then, "what is there keeps its order"
    assert seen == then[:3] + now[now.index(then[2]) + 1 :]


@pytest.mark.parametrize(("sort", "order", "first"), [("p", "asc", 0.0126), ("p", "desc", 0.9874)])
def test_rows_without_a_value_come_last(ledger: Ledger, sort: Sort, order: Order, first: float) -> None:
    append(ledger, *unlike_cycles(1))

    found = caught_up(ledger).history.rows(Query(sort=sort, order=order))

    assert found[0].p_value == first
    assert [one.p_value for one in found[-3:]] == [None, None, None]


def test_the_difference_is_that_of_the_win_rates(ledger: Ledger) -> None:
    append(ledger, *unlike_cycles(1))

    found = rows(ledger, Query(sort="difference", order="desc"))

    differences = [
        one["b_win_rate"] - one["production_win_rate"] for one in found if one["production_win_rate"] is not None
    ]
    assert differences == sorted(differences, reverse=True)
    assert len(set(differences)) == 4


def test_a_cursor_that_is_no_row_leads_nowhere(ledger: Ledger) -> None:
    append(ledger, *unlike_cycles(1))

    assert caught_up(ledger).history.rows(Query(sort="p", cursor=10_000)) == []


def test_rows_are_filtered_by_family_and_decision(ledger: Ledger, clock: Clock) -> None:
    five_cycles(ledger, clock)

    assert ids(ledger, model_types=("xgboost",)) == [4, 2]
    assert ids(ledger, model_types=("multinomial_logistic",)) == []
    assert ids(ledger, model_types=FAMILIES) == ids(ledger)
    assert ids(ledger, decisions=("retain_production",)) == [3, 2]
    assert ids(ledger, decisions=("retain_production",), model_types=("xgboost",)) == [2]
    assert ids(ledger, decisions=("alias_reorder",)) == []
    either = ("retain_production", "insufficient_data")
    assert ids(ledger, decisions=either) == sorted(
        ids(ledger, decisions=either[:1]) + ids(ledger, decisions=either[1:]), reverse=True
    )


def test_rows_are_filtered_by_time_from_inclusive_to_exclusive(ledger: Ledger, clock: Clock) -> None:
    five_cycles(ledger, clock)
    minute = 60_000_000

    assert ids(ledger, from_us=BEGIN_US + 3 * minute) == [5, 4]
    assert ids(ledger, to_us=BEGIN_US + 2 * minute) == [2, 1]
    assert ids(ledger, from_us=BEGIN_US + minute, to_us=BEGIN_US + 3 * minute) == [3, 2]
    assert ids(ledger, from_us=BEGIN_US + minute + 1, to_us=BEGIN_US + minute) == []


def test_totals_count_the_periods_cycles_by_decision(ledger: Ledger, clock: Clock) -> None:
    five_cycles(ledger, clock)
    append(ledger, aliases_assigned(cause="promotion", cycle=3, reordered=True, assignments=REORDERED))
    totals = caught_up(ledger).history.totals
    nothing = dict.fromkeys((*DECISIONS, "total_events"), 0)
    minute = 60_000_000

    assert totals(BEGIN_US, BEGIN_US + DAY_US) == {
        FAMILY: {**nothing, "retain_production": 1, "insufficient_data": 2, "alias_reorder": 1, "total_events": 3},
        "xgboost": {**nothing, "retain_production": 1, "swap_production_b": 1, "total_events": 2},
        "multinomial_logistic": nothing,
    }
    assert totals(BEGIN_US, BEGIN_US + minute)[FAMILY] == {**nothing, "insufficient_data": 1, "total_events": 1}
    assert totals(BEGIN_US, BEGIN_US + 4 * minute)[FAMILY]["total_events"] == 2
    assert totals(BEGIN_US + DAY_US, BEGIN_US + 2 * DAY_US) == dict.fromkeys(FAMILIES, nothing)


@settings(max_examples=40)
@given(history=histories())
def test_every_history_renders_as_json_without_nan(history: list[Event]) -> None:
    with scratch_ledger() as ledger:
        append(ledger, *history)
        for found in rows(ledger, Query(limit=200), detail=True):
            json.dumps(found, allow_nan=False)
            assert found.keys() >= KEYS | DETAIL_KEYS
            assert found["tags"].split(",")[:3] == ["promotion", found["model_type"], found["decision"]]
            assert found["p_value"] is None or math.isfinite(found["p_value"])


STALE = [
    "UPDATE projection_checkpoints SET version = version + 1",
    "UPDATE projection_checkpoints SET chain_hash = zeroblob(32)",
    "UPDATE projection_checkpoints SET position = 1000",
    "UPDATE projection_checkpoints SET position = position - 1",
    "DELETE FROM projection_checkpoints",
]


@pytest.mark.parametrize("change", STALE)
def test_rows_are_made_again_when_their_checkpoint_does_not_fit(
    engine: Engine, ledger: Ledger, change: str
) -> None:
    append(ledger, cycle_decided(), aliases_planned(), cycle_decided(model_type="xgboost"))
    caught_up(ledger)
    expected = table_rows(engine)
    execute(engine, "UPDATE promotion_history SET reason = 'of another version' WHERE id = 1")
    execute(engine, "UPDATE promotion_history SET id = 70 WHERE id = 3")
    execute(engine, change)

    read_models = restarted(ledger)

    assert table_rows(engine) == expected
    assert read_models.history.position() == 3


COPIED = ", ".join({"id": "70", "cycle": "9"}.get(name, name) for name in StoredRow.__struct_fields__)
SPOILED = (
    "UPDATE promotion_history SET reason = 'a kinder one' WHERE id = 1",
    "UPDATE promotion_history SET p_value = NULL WHERE id = 1",
    "UPDATE promotion_history SET production_wins = production_wins + 1 WHERE id = 3",
    "UPDATE promotion_history SET applied = 1 WHERE id = 1",
    "UPDATE promotion_history SET detail = x'ff' WHERE id = 1",
    "UPDATE promotion_history SET id = 70 WHERE id = 3",
    "DELETE FROM promotion_history WHERE id = 3",
    "DELETE FROM promotion_history",
    f"INSERT INTO promotion_history SELECT {COPIED} FROM promotion_history WHERE id = 1",
    "UPDATE projection_checkpoints SET rows_digest = NULL",
    "UPDATE projection_checkpoints SET rows_digest = zeroblob(32)",
)


@pytest.mark.parametrize("change", SPOILED)
def test_rows_that_something_else_has_changed_are_folded_again_and_counted(
    engine: Engine, ledger: Ledger, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    append(ledger, cycle_decided(), aliases_planned(), cycle_decided(model_type="xgboost"))
    served = caught_up(ledger)
    expected = table_rows(engine)
    assert served.history.damage() is None
    execute(engine, change)
    damage = served.history.damage()

    read_models = restarted(ledger)

    assert damage == "its rows are not those that were folded: something else has changed the table"
    assert table_rows(engine) == expected
    assert read_models.projector.discarded[history.NAME] == 1
    assert f"promotion_history is folded again: {damage}" in caplog.text
    assert restarted(ledger).projector.discarded[history.NAME] == 0


@pytest.mark.parametrize(
    "change",
    ["detail = x'ff'", "detail = x'7b7d'", "decision = 'coin'", "alpha = 'small'", f"recorded_us = {2**62}"],
)
def test_a_row_that_cannot_be_shown_is_named_with_what_repairs_it(
    engine: Engine, ledger: Ledger, change: str
) -> None:
    append(ledger, cycle_decided())
    served = caught_up(ledger)
    execute(engine, f"UPDATE promotion_history SET {change}")
    (spoiled,) = served.history.rows(Query())

    with pytest.raises(StorageError, match=r"row 1 of promotion_history .* rebuild"):
        render(spoiled)


def test_a_fold_over_spoiled_rows_does_not_make_them_good(engine: Engine, ledger: Ledger) -> None:
    """A plan is settled in a row that was changed meanwhile: its digest is the changed row's."""
    append(ledger, cycle_decided())
    served = caught_up(ledger)
    execute(engine, "UPDATE promotion_history SET reason = 'a kinder one'")
    append(ledger, aliases_planned(), cycle_decided(cycle=2))
    served.projector.catch_up()

    assert served.history.damage()
    assert restarted(ledger).history.damage() is None
    assert table_rows(engine)[0]["reason"] == cycle_decided().reason


@settings(max_examples=40)
@given(story=histories())
def test_the_digest_that_is_kept_up_is_that_of_the_rows(story: list[Event]) -> None:
    with scratch_ledger() as ledger:
        served = ReadModels(ledger)
        for happened in story:
            append(ledger, happened)
            served.projector.catch_up()
        assert served.history.damage() is None
        assert not restarted(ledger).projector.discarded[history.NAME]


@pytest.mark.parametrize("z", [-0.0, 0.0, 1e308, 5e-324])
def test_a_number_that_the_database_stores_otherwise_spoils_no_row(ledger: Ledger, z: float) -> None:
    append(ledger, cycle_decided(z_statistic=z), aliases_planned())

    assert caught_up(ledger).history.damage() is None


def test_a_snapshot_takes_the_checkpoint_along(ledger: Ledger) -> None:
    append(ledger, cycle_decided())
    read_models = restarted(ledger)
    append(ledger, game_started(), round_played())
    read_models.projector.catch_up()
    assert read_models.history.position() == 1

    assert read_models.projector.save(every=1)
    assert read_models.history.position() == ledger.head().position
    assert read_models.history.name == history.NAME


@pytest.mark.parametrize("z", [-0.0, 0.0, 1e308, 5e-324])
def test_the_digest_is_one_on_every_database(ledger: Ledger, z: float) -> None:
    """What is stored is compared with a replay, which folds into SQLite."""
    append(ledger, aliases_assigned(), cycle_decided(z_statistic=z))
    replay = Replay(ledger)
    replay.advance(ledger.head().position)

    assert restarted(ledger).history.digest() == replay.history.digest()


def test_what_is_folded_is_read_under_the_lock_that_keeps_other_processes_out() -> None:
    """Two that fold at once would each find the same checkpoint, and write the same rows."""
    held: list[bool] = []
    with scratch_ledger() as ledger:

        def probe(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("SELECT projection_checkpoints"):
                held.append(is_locked(str(ledger.engine.url.database)))

        append(ledger, cycle_decided())
        folded = [(entry, ledger.decode(entry)) for entry in ledger.read()]
        listen(ledger.engine, "before_cursor_execute", probe)
        ReadModels(ledger).history.fold(folded, ledger.head())

    assert held == [True]


def is_locked(file: str) -> bool:
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        return False
