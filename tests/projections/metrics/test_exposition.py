import math
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ledger.events import EVENT_TYPES, Event, Hits
from ledger.evidence import RuleVerdict
from ledger.store import Ledger
from ledger.vocabulary import (
    ALIASES,
    BOTS,
    DECISIONS,
    FALLBACK_REASONS,
    FAMILIES,
    FAMILY_OF_POLICY,
    HELD_REASONS,
    PLAYED_ALIASES,
    REASON_CODES,
    TRAINING_STATUSES,
    VERDICTS,
)
from projections.audit.rebuild import READ_MODELS
from projections.decision.rules import DEFAULT
from projections.errors import ProjectionError
from projections.metrics.exposition import FORMATS, TEXT, Exposition, LedgerCollector, Scope
from projections.metrics.series import LEDGER_SERIES
from projections.read_models.all import ReadModels
from tests.builders import (
    alias_pinned,
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    fell_back,
    game_abandoned,
    game_finished,
    game_started,
    parity_checked,
    prediction_made,
    ranking,
    round_played,
    rule,
    rule_set,
    statistics,
    training_completed,
)
from tests.histories import histories
from tests.projections.golden import golden_history
from tests.projections.stories import BEGIN_US, append, insert_raw, restarted, scratch_ledger

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
FAMILY = "feedforward_nn"
BRIAN = (("difficulty", "standard"), ("policy", "brian"))
BRIANS_ROUNDS = (("difficulty", "standard"), ("model_type", FAMILY), ("policy", "brian"))
SWAPPED = assignments((1, 2, 3, 4), (2, 1, 3, 4))

CONTRACT: dict[str, tuple[str, ...]] = {
    "rps_model_predictions_by_alias_total": ("model", "alias"),
    "rps_model_correct_predictions_by_alias_total": ("model", "alias"),
    "rps_model_games_by_alias_total": ("model", "alias"),
    "rps_model_game_wins_by_alias_total": ("model", "alias"),
    "rps_model_promotion_z_statistic": ("model",),
    "rps_model_promotion_p_value": ("model",),
    "rps_model_promotion_e_value": ("model",),
    "rps_model_promotion_alpha": ("model",),
    "rps_model_promotion_minimum_games": ("model",),
    "rps_model_promotion_games_needed": ("model",),
    "rps_model_promotion_rule_verdict": ("model", "rule", "decision"),
    "rps_model_promotion_held": ("model", "reason"),
    "rps_model_promotion_events_total": ("model", "decision"),
    "rps_model_promotion_reasons_total": ("model", "decision", "reason_code"),
    "rps_model_alias_rank": ("model", "alias"),
    "rps_model_alias_reorders_total": ("model",),
    "rps_model_games_since_production_swap": ("model", "alias"),
    "rps_model_promotion_cycles_since_swap": ("model",),
    "rps_action_predictions_total": ("policy", "difficulty", "model_type"),
    "rps_action_wins_total": ("policy", "difficulty", "model_type"),
    "rps_action_losses_total": ("policy", "difficulty", "model_type"),
    "rps_action_ties_total": ("policy", "difficulty", "model_type"),
    "rps_games_total": ("policy", "difficulty"),
    "rps_game_wins_total": ("policy", "difficulty"),
    "rps_game_losses_total": ("policy", "difficulty"),
    "rps_training_completed_total": ("model_type", "status"),
    "rps_training_duration_seconds": ("model_type",),
    "rps_model_fallback_total": ("model_type", "alias", "reason"),
    "rps_active_games": (),
    "rps_model_promotion_last_evaluation_timestamp_seconds": ("model",),
    "rps_model_promotion_last_swap_timestamp_seconds": ("model",),
    "rps_model_promotion_pending": ("model",),
    "rps_model_training_accuracy": ("model", "alias"),
    "rps_model_alias_version": ("model", "alias"),
    "rps_model_alias_pinned": ("model", "alias"),
    "rps_model_alias_pin_broken": ("model", "alias"),
    "rps_model_parity_differences": ("model", "alias"),
    "rps_model_accuracy_vs_bot": ("model", "alias", "bot", "source"),
    "rps_model_accuracy_vs_bot_differs": ("model", "alias", "bot"),
    "rps_ledger_events_total": ("type",),
    "rps_ledger_position": (),
    "rps_projection_position": ("projection",),
    "rps_projection_lag_seconds": ("projection",),
}
"""Every series that clients know, with its labels."""

Parse = Callable[[str], Iterable[Metric]]
Labels = tuple[tuple[str, str], ...]
Samples = dict[str, dict[Labels, float]]

parse_openmetrics: Parse = openmetrics_parser.text_string_to_metric_families


def samples(families: Iterable[Metric]) -> Samples:
    """Sample name -> sorted labels -> value; no sample twice."""
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), f"{sample.name}{labels} is there twice"
            found[sample.name][labels] = sample.value
    return found


def scraped(read_models: ReadModels, scope: Scope | None = "ledger") -> Samples:
    """A scrape in the text format, which equals that in OpenMetrics."""
    exposed = Exposition(read_models, CollectorRegistry())
    text, openmetrics = exposed.render(TEXT, scope), exposed.render(OPENMETRICS, scope)
    found = samples(parse_text(text.decode()))
    assert samples(parse_openmetrics(openmetrics.decode())) == found
    return found


def scrape(ledger: Ledger, *events: Event) -> Samples:
    append(ledger, *events)
    return scraped(restarted(ledger))


def of(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def test_every_series_of_the_contract_is_exposed_with_its_labels() -> None:
    listed = {series.name: series.labels for series in LEDGER_SERIES}

    assert len(listed) == len(LEDGER_SERIES)
    assert {name: labels for name, labels in listed.items() if name in CONTRACT} == CONTRACT
    assert all(series.help.endswith(".") for series in LEDGER_SERIES)
    assert all((series.kind == "counter") == series.name.endswith("_total") for series in LEDGER_SERIES)


def test_every_series_has_a_sample_with_its_labels_when_there_is_one_of_everything(ledger: Ledger) -> None:
    found = scrape(ledger, *golden_history())

    for name, labels in CONTRACT.items():
        if name == "rps_training_duration_seconds":
            continue
        assert found[name], name
        for sample in found[name]:
            assert {label for label, _ in sample} == set(labels), name
    assert {label for sample in found["rps_training_duration_seconds_bucket"] for label, _ in sample} == {
        "model_type",
        "le",
    }


BY_ALIAS = {of(model=family, alias=alias) for family, alias in product(FAMILIES, ALIASES)}
BY_PLAYED_ALIAS = {of(model=family, alias=alias) for family, alias in product(FAMILIES, PLAYED_ALIASES)}
BY_MODEL = {of(model=family) for family in FAMILIES}
BY_OPPONENT = {of(policy=policy, difficulty="standard") for policy in (*FAMILY_OF_POLICY, *BOTS)}
BY_ACTION = {
    of(policy=policy, difficulty="standard", model_type=family) for policy, family in FAMILY_OF_POLICY.items()
} | {of(policy=bot, difficulty="standard", model_type="scripted") for bot in BOTS}
BY_PROJECTION = {of(projection=name) for name in READ_MODELS}
BY_MODEL_TYPE = {of(model_type=family) for family in FAMILIES}
AT_FIRST: dict[str, set[Labels]] = {
    "rps_model_predictions_by_alias_total": BY_ALIAS,
    "rps_model_correct_predictions_by_alias_total": BY_ALIAS,
    "rps_model_games_by_alias_total": BY_PLAYED_ALIAS,
    "rps_model_game_wins_by_alias_total": BY_PLAYED_ALIAS,
    "rps_model_promotion_events_total": {of(model=m, decision=d) for m, d in product(FAMILIES, DECISIONS)},
    "rps_model_promotion_reasons_total": {
        of(model=family, decision=decision, reason_code=reason)
        for family, decision, reason in product(FAMILIES, DECISIONS, REASON_CODES)
    },
    "rps_model_alias_reorders_total": BY_MODEL,
    "rps_model_games_since_production_swap": BY_PLAYED_ALIAS,
    "rps_model_promotion_cycles_since_swap": BY_MODEL,
    "rps_action_predictions_total": BY_ACTION,
    "rps_action_wins_total": BY_ACTION,
    "rps_action_losses_total": BY_ACTION,
    "rps_action_ties_total": BY_ACTION,
    "rps_games_total": BY_OPPONENT,
    "rps_game_wins_total": BY_OPPONENT,
    "rps_game_losses_total": BY_OPPONENT,
    "rps_training_completed_total": {
        of(model_type=family, status=status) for family, status in product(FAMILIES, TRAINING_STATUSES)
    },
    "rps_training_duration_seconds_bucket": {
        of(model_type=family, le=bound)
        for family in FAMILIES
        for bound in ("10.0", "30.0", "60.0", "120.0", "300.0", "600.0", "1800.0", "3600.0", "+Inf")
    },
    "rps_training_duration_seconds_sum": BY_MODEL_TYPE,
    "rps_training_duration_seconds_count": BY_MODEL_TYPE,
    "rps_model_fallback_total": {
        of(model_type=family, alias=alias, reason=reason)
        for family, alias, reason in product(FAMILIES, ALIASES, FALLBACK_REASONS)
    },
    "rps_active_games": {()},
    "rps_model_promotion_pending": BY_MODEL,
    "rps_model_alias_pinned": BY_ALIAS,
    "rps_model_alias_pin_broken": BY_ALIAS,
    "rps_ledger_events_total": {of(type=event_type) for event_type in EVENT_TYPES},
    "rps_ledger_position": {()},
    "rps_projection_position": BY_PROJECTION,
    "rps_projection_lag_seconds": BY_PROJECTION,
}
"""What the first scrape of an empty ledger shows, all of it zero; gauges without a value yet are absent."""


def test_the_first_scrape_has_every_known_label_combination_at_zero_and_nothing_made_up(ledger: Ledger) -> None:
    found = scraped(restarted(ledger))

    assert {name: set(values) for name, values in found.items()} == AT_FIRST
    assert {value for values in found.values() for value in values.values()} == {0.0}


def game(**changes: Any) -> list[Event]:
    """A game with one round, from its start to its end."""
    labels = {name: value for name, value in changes.items() if name in ("game_id", "alias")}
    return [game_started(**labels), round_played(**labels), game_finished(**changes)]


OF_FAMILY = of(model=FAMILY)
OF_PRODUCTION = of(model=FAMILY, alias="Production")
OF_B = of(model=FAMILY, alias="B")
AT_BEGIN = BEGIN_US / 1_000_000
SHOWN: list[tuple[str, Labels, float, list[Event]]] = [
    ("rps_model_predictions_by_alias_total", OF_B, 3, [prediction_made(alias="B", correct=False)] * 3),
    ("rps_model_correct_predictions_by_alias_total", OF_B, 2, [prediction_made(alias="B")] * 2),
    ("rps_model_games_by_alias_total", OF_B, 2, [*game(alias="B"), *game(alias="B", game_id="g2")]),
    ("rps_model_game_wins_by_alias_total", OF_B, 1, game(alias="B", winner="bot")),
    ("rps_model_promotion_z_statistic", OF_FAMILY, 2.2376, [cycle_decided()]),
    ("rps_model_promotion_p_value", OF_FAMILY, 0.0126, [cycle_decided()]),
    ("rps_model_promotion_e_value", OF_FAMILY, math.exp(1.778), [cycle_decided()]),
    ("rps_model_promotion_alpha", OF_FAMILY, 0.05, [aliases_assigned(), rule_set(rule=rule(alpha="0.05"))]),
    (
        "rps_model_promotion_minimum_games",
        OF_FAMILY,
        7,
        [aliases_assigned(), rule_set(rule=rule(minimum_games=7))],
    ),
    ("rps_model_promotion_games_needed", OF_FAMILY, 140, [cycle_decided()]),
    (
        "rps_model_promotion_rule_verdict",
        of(model=FAMILY, rule="anytime-sign/1", decision="swap_production_b"),
        1,
        [cycle_decided()],
    ),
    (
        "rps_model_promotion_held",
        of(model=FAMILY, reason="cooling_down"),
        1,
        [cycle_decided(decision="retain_production", reason_code="cooling_down")],
    ),
    ("rps_model_promotion_events_total", of(model=FAMILY, decision="swap_production_b"), 1, [cycle_decided()]),
    (
        "rps_model_promotion_reasons_total",
        of(model=FAMILY, decision="insufficient_data", reason_code="version_too_new"),
        1,
        [cycle_decided(decision="insufficient_data", reason_code="version_too_new")],
    ),
    ("rps_model_alias_rank", of(model=FAMILY, alias="shadow2"), 3, [cycle_decided(ranking=ranking())]),
    ("rps_model_alias_reorders_total", OF_FAMILY, 1, [aliases_assigned(reordered=True)]),
    ("rps_model_games_since_production_swap", OF_PRODUCTION, 1, game()),
    ("rps_model_promotion_cycles_since_swap", OF_FAMILY, 1, [cycle_decided()]),
    ("rps_action_predictions_total", BRIANS_ROUNDS, 1, game()),
    ("rps_action_wins_total", BRIANS_ROUNDS, 1, [game_started(), round_played(result="lose")]),
    ("rps_action_losses_total", BRIANS_ROUNDS, 1, [game_started(), round_played(result="win")]),
    ("rps_action_ties_total", BRIANS_ROUNDS, 1, [game_started(), round_played(result="draw")]),
    ("rps_games_total", BRIAN, 1, game(winner="tie")),
    ("rps_game_wins_total", BRIAN, 1, game(winner="bot")),
    ("rps_game_losses_total", BRIAN, 1, game(winner="user")),
    ("rps_training_completed_total", of(model_type=FAMILY, status="success"), 1, [training_completed()]),
    (
        "rps_model_fallback_total",
        of(model_type=FAMILY, alias="Production", reason="minio_miss"),
        1,
        [fell_back(reason="minio_miss")],
    ),
    ("rps_active_games", (), 1, [game_started(game_id="g2"), game_started(game_id="g3", in_metrics=False)]),
    ("rps_model_promotion_last_evaluation_timestamp_seconds", OF_FAMILY, AT_BEGIN, [cycle_decided()]),
    (
        "rps_model_promotion_last_swap_timestamp_seconds",
        OF_FAMILY,
        AT_BEGIN,
        [aliases_assigned(swapped=True, assignments=SWAPPED)],
    ),
    ("rps_model_promotion_pending", OF_FAMILY, 1, [cycle_decided(), aliases_planned()]),
    ("rps_model_training_accuracy", OF_B, 0.41, [training_completed(model_version=2), aliases_assigned()]),
    ("rps_model_alias_version", OF_B, 2, [aliases_assigned()]),
    ("rps_model_alias_pinned", OF_B, 1, [aliases_assigned(), alias_pinned()]),
    ("rps_model_alias_pin_broken", OF_B, 1, [alias_pinned(), aliases_assigned(assignments=SWAPPED)]),
    ("rps_model_parity_differences", OF_PRODUCTION, 3, [aliases_assigned(), parity_checked(differences=3)]),
    (
        "rps_model_accuracy_vs_bot",
        of(model=FAMILY, alias="Production", bot="cal", source="holdout"),
        0.46,
        [aliases_assigned(), parity_checked()],
    ),
    (
        "rps_model_accuracy_vs_bot_differs",
        of(model=FAMILY, alias="Production", bot="cal"),
        1,
        [aliases_assigned(), parity_checked(live=Hits(correct=320, rows=400))],
    ),
    ("rps_ledger_events_total", of(type="game.prediction_made"), 4, [prediction_made()] * 4),
    ("rps_ledger_position", (), 4, [prediction_made()] * 4),
    ("rps_projection_position", of(projection="promotion_history"), 4, [prediction_made()] * 4),
]


@pytest.mark.parametrize(("name", "labels", "value", "recorded"), SHOWN, ids=[shown[0] for shown in SHOWN])
def test_a_series_shows_what_was_folded(
    ledger: Ledger, name: str, labels: Labels, value: float, recorded: list[Event]
) -> None:
    assert scrape(ledger, *recorded)[name][labels] == value


def test_a_game_is_active_until_it_ends(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    for recorded, active in (
        (game_started(game_id="g1"), 1),
        (game_started(game_id="g2"), 2),
        (game_finished(game_id="g1"), 1),
        (game_abandoned(game_id="g2"), 0),
    ):
        append(ledger, recorded)
        assert scraped(read_models)["rps_active_games"] == {(): active}


def test_z_and_p_are_absent_when_the_last_cycle_had_none(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    untested = {"z_statistic": None, "p_value": None, "decision": "insufficient_data"}
    append(ledger, cycle_decided(), cycle_decided(model_type="xgboost", **untested))
    assert scraped(read_models)["rps_model_promotion_p_value"] == {of(model=FAMILY): 0.0126}

    append(ledger, cycle_decided(cycle=2, **untested))
    found = scraped(read_models)
    assert "rps_model_promotion_p_value" not in found
    assert "rps_model_promotion_z_statistic" not in found
    assert set(found["rps_model_promotion_last_evaluation_timestamp_seconds"]) == {
        of(model=FAMILY),
        of(model="xgboost"),
    }


def test_every_rule_s_verdict_is_one_of_three(ledger: Ledger) -> None:
    verdicts = (
        RuleVerdict(
            rule="ztest/1", decision="retain_production", reason_code="not_better", z_statistic=0.1, p_value=0.4
        ),
    )

    found = scrape(ledger, cycle_decided(), cycle_decided(cycle=2, verdicts=verdicts))

    assert found["rps_model_promotion_rule_verdict"] == {
        of(model=FAMILY, rule="ztest/1", decision=decision): decision == "retain_production"
        for decision in VERDICTS
    }


def test_no_more_than_one_guard_holds(ledger: Ledger) -> None:
    held = cycle_decided(decision="retain_production", reason_code="sample_ratio_mismatch")
    found = scrape(ledger, held, cycle_decided(model_type="xgboost"))["rps_model_promotion_held"]

    assert {labels for labels, value in found.items() if value} == {
        of(model=FAMILY, reason="sample_ratio_mismatch")
    }
    assert len(found) == 2 * len(HELD_REASONS)


def test_e_is_a_number_however_large_it_is(ledger: Ledger) -> None:
    found = scrape(ledger, cycle_decided(statistics=statistics(log_e=1_337.4)))

    (e_value,) = found["rps_model_promotion_e_value"].values()
    assert 1e307 < e_value < math.inf


def test_what_the_last_cycle_did_not_record_is_absent(ledger: Ledger) -> None:
    """After a report or a cycle of an earlier release, and where a cycle had no games."""
    silent = cycle_decided(cycle=2, statistics=None, verdicts=())
    no_games = cycle_decided(model_type="xgboost", statistics=statistics(games_needed=None))

    found = scrape(ledger, cycle_decided(), silent, no_games)

    assert found["rps_model_promotion_e_value"].keys() == {of(model="xgboost")}
    assert "rps_model_promotion_games_needed" not in found
    for name in ("rps_model_promotion_rule_verdict", "rps_model_promotion_held"):
        assert {dict(labels)["model"] for labels in found[name]} == {"xgboost"}


def test_the_rule_in_force_is_that_of_the_ledger_or_the_default_for_each_family_with_aliases(
    ledger: Ledger,
) -> None:
    read_models = restarted(ledger)
    append(ledger, aliases_assigned(), rule_set(model_type="xgboost"))
    found = scraped(read_models)
    assert found["rps_model_promotion_alpha"] == {OF_FAMILY: float(DEFAULT.alpha)}
    assert found["rps_model_promotion_minimum_games"] == {OF_FAMILY: DEFAULT.minimum_games}

    append(ledger, aliases_assigned(model_type="xgboost"), rule_set(rule=rule(alpha="0.01", minimum_games=50)))
    found = scraped(read_models)
    assert found["rps_model_promotion_alpha"] == {OF_FAMILY: 0.01, of(model="xgboost"): 0.2}
    assert found["rps_model_promotion_minimum_games"] == {OF_FAMILY: 50, of(model="xgboost"): 3}


@pytest.mark.parametrize("alpha", ["NaN", "inf", "0", "1", "-0.2", "1e-400", "a fifth"])
def test_an_alpha_that_is_none_is_absent_and_the_rest_is_there(ledger: Ledger, alpha: str) -> None:
    found = scrape(ledger, aliases_assigned(), rule_set(rule=rule(alpha=alpha)))

    assert "rps_model_promotion_alpha" not in found
    assert found["rps_model_promotion_minimum_games"] == {OF_FAMILY: 3}


def test_a_change_of_aliases_is_pending_until_it_is_applied(ledger: Ledger) -> None:
    read_models = restarted(ledger)
    append(ledger, aliases_assigned(), cycle_decided(), aliases_planned())
    assert scraped(read_models)["rps_model_promotion_pending"][of(model=FAMILY)] == 1

    append(ledger, aliases_assigned(cause="promotion", cycle=1, plan=3, swapped=True, assignments=SWAPPED))
    found = scraped(read_models)
    assert found["rps_model_promotion_pending"][of(model=FAMILY)] == 0
    assert found["rps_model_alias_version"][of(model=FAMILY, alias="Production")] == 2


def test_training_durations_are_a_cumulative_histogram(ledger: Ledger) -> None:
    durations = (5.0, 10.0, 45.0, 9_999.0, None)
    found = scrape(ledger, *(training_completed(duration_seconds=duration) for duration in durations))

    buckets = {
        dict(labels)["le"]: value
        for labels, value in found["rps_training_duration_seconds_bucket"].items()
        if dict(labels)["model_type"] == FAMILY
    }
    assert list(buckets.items()) == [
        *(("10.0", 2), ("30.0", 2), ("60.0", 3), ("120.0", 3)),
        *(("300.0", 3), ("600.0", 3), ("1800.0", 3), ("3600.0", 3), ("+Inf", 4)),
    ]
    assert found["rps_training_duration_seconds_count"][of(model_type=FAMILY)] == 4
    assert found["rps_training_duration_seconds_sum"][of(model_type=FAMILY)] == 10_059.0


@settings(max_examples=12)
@given(history=histories(steps_max=8))
def test_no_counter_ever_falls_or_appears_and_a_restart_shows_the_same(history: list[Event]) -> None:
    counters = [series.name for series in LEDGER_SERIES if series.kind == "counter"]
    with scratch_ledger() as ledger:
        live = restarted(ledger)
        before = scraped(live)
        for happened in history:
            append(ledger, happened)
            now = scraped(live)
            for name in counters:
                assert now[name].keys() == before[name].keys()
                assert all(value >= before[name][labels] for labels, value in now[name].items())
            assert all(math.isfinite(value) for values in now.values() for value in values.values())
            before = now
        assert scraped(restarted(ledger)) == before
        assert sum(before["rps_ledger_events_total"].values()) == before["rps_ledger_position"][()]


def process_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("rps_models_loaded", "Model versions in memory.", registry=registry).set(12)
    Counter("rps_http_requests_total", "Requests.", ["path"], registry=registry).labels("/play").inc()
    return registry


def test_a_scope_leaves_out_the_other_part(ledger: Ledger) -> None:
    exposed = Exposition(restarted(ledger), process_registry())
    both, of_ledger, of_process = (
        samples(parse_text(exposed.render(TEXT, scope).decode())) for scope in (None, "ledger", "process")
    )

    assert set(of_ledger) == set(AT_FIRST)
    assert of_process["rps_models_loaded"] == {(): 12}
    assert not set(of_ledger) & set(of_process)
    assert both == of_ledger | of_process


@pytest.mark.parametrize("scope", [None, "ledger", "process"])
def test_openmetrics_ends_once_in_every_scope(ledger: Ledger, scope: Scope | None) -> None:
    append(ledger, *golden_history())
    exposed = Exposition(restarted(ledger), process_registry())

    body, text = exposed.render(OPENMETRICS, scope), exposed.render(TEXT, scope)

    assert body.endswith(b"\n# EOF\n")
    assert body.count(b"# EOF") == 1
    assert b"# EOF" not in text
    assert len(samples(parse_openmetrics(body.decode()))) > 1


def test_folded_counters_have_no_time_of_birth(ledger: Ledger) -> None:
    exposed = Exposition(restarted(ledger), CollectorRegistry())

    for content_type in FORMATS:
        assert b"_created" not in exposed.render(content_type)


def test_a_body_is_kept_while_nothing_is_appended(ledger: Ledger) -> None:
    exposed = Exposition(restarted(ledger), process_registry())
    bodies = {content_type: exposed.render(content_type, "ledger") for content_type in FORMATS}

    for content_type, body in bodies.items():
        assert exposed.render(content_type, "ledger") is body
    append(ledger, game_started())
    for content_type, body in bodies.items():
        changed = exposed.render(content_type, "ledger")
        assert changed != body
        assert exposed.render(content_type, "ledger") is changed


def test_what_is_kept_of_a_body_is_what_a_registry_would_write(ledger: Ledger) -> None:
    """Of each family as it is now, exemplars and histograms too, whichever families an event has moved."""
    read_models = restarted(ledger)
    exposed, registry = Exposition(read_models, CollectorRegistry()), CollectorRegistry()
    registry.register(LedgerCollector(read_models))
    history = golden_history()

    for start in range(0, len(history), 3):
        append(ledger, *history[start : start + 3])
        for content_type, encode in FORMATS.items():
            body = exposed.render(content_type, "ledger")
            assert body == encode(registry)


def test_the_process_part_is_never_kept(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("rps_models_loaded", "Model versions in memory.", registry=registry)
    exposed = Exposition(restarted(ledger), registry)

    for loaded in (1, 2):
        gauge.set(loaded)
        for scope in (None, "process"):
            assert f"\nrps_models_loaded {loaded}.0\n".encode() in exposed.render(TEXT, scope)


@pytest.mark.parametrize("content_type", FORMATS)
def test_every_format_is_what_its_content_type_says(ledger: Ledger, content_type: str) -> None:
    body = Exposition(restarted(ledger), CollectorRegistry()).render(content_type)

    parse = parse_openmetrics if content_type.startswith("application/openmetrics-text") else parse_text
    assert set(samples(parse(body.decode()))) == set(AT_FIRST)


def test_nothing_of_the_ledger_is_shown_once_the_projections_have_stopped(ledger: Ledger) -> None:
    append(ledger, game_started())
    exposed = Exposition(restarted(ledger), process_registry())
    exposed.render()
    position = insert_raw(ledger, "game.finished", b"{}")

    for scope in (None, "ledger", None):
        with pytest.raises(ProjectionError, match=f"position {position}"):
            exposed.render(TEXT, scope)
    assert b"rps_models_loaded 12.0" in exposed.render(TEXT, "process")


def test_a_collector_describes_what_it_collects_without_collecting(ledger: Ledger) -> None:
    append(ledger, *golden_history())
    collector = LedgerCollector(restarted(ledger))

    described, collected = list(collector.describe()), list(collector.collect())

    assert [(family.name, family.type, family.documentation) for family in described] == [
        (family.name, family.type, family.documentation) for family in collected
    ]
    assert not any(family.samples for family in described)


def test_a_registry_refuses_a_series_that_the_ledger_has(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ReadModels(ledger)))

    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(LedgerCollector(ReadModels(ledger)))
    for series in LEDGER_SERIES:
        with pytest.raises(ValueError, match="Duplicated"):
            Gauge(series.name, "Mine.", registry=registry)


def exemplars(ledger: Ledger) -> dict[tuple[str, tuple[str, ...]], tuple[str, float]]:
    """(sample, label values) -> the position and the time that its exemplar names."""
    body = Exposition(restarted(ledger), CollectorRegistry()).render(OPENMETRICS).decode()
    return {
        (sample.name, tuple(sample.labels.values())): (
            sample.exemplar.labels["position"],
            float(sample.exemplar.timestamp or 0),
        )
        for family in parse_openmetrics(body)
        for sample in family.samples
        if sample.exemplar
    }


def test_a_promotion_counter_names_the_position_that_moved_it_last(ledger: Ledger) -> None:
    assert exemplars(ledger) == {}
    moved = {"cycle": 2, "plan": 4, "assignments": assignments((1, 2, 3, 4), (1, 3, 2, 4)), "reordered": True}
    append(ledger, aliases_assigned())
    append(ledger, cycle_decided(decision="retain_production"))
    append(ledger, cycle_decided(cycle=2, decision="retain_production", reordered=True))
    append(ledger, aliases_planned(cycle=2, assignments=moved["assignments"], swapped=False, reordered=True))
    append(ledger, aliases_assigned(cause="promotion", **moved))

    time = BEGIN_US / 1_000_000
    assert exemplars(ledger) == {
        ("rps_model_promotion_events_total", ("retain_production", FAMILY)): ("3", time),
        ("rps_model_promotion_events_total", ("alias_reorder", FAMILY)): ("5", time),
        ("rps_model_alias_reorders_total", (FAMILY,)): ("5", time),
    }


def test_exemplars_stand_in_openmetrics_alone(ledger: Ledger) -> None:
    append(ledger, aliases_assigned(), cycle_decided())
    exposition = Exposition(restarted(ledger), CollectorRegistry())

    shown = {content_type for content_type in FORMATS if b"position=" in exposition.render(content_type)}

    assert shown == {OPENMETRICS}
