"""Every query of the dashboard and every alert, asked of a real Prometheus and compared with the ledger."""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.alerts.models import model_alerts
from gameplay.observability.alerts.operation import operation_alerts
from gameplay.observability.alerts.rule import Alert
from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.parts import annotations, expressions, panels, variables
from gameplay.observability.dashboard.policies import POLICIES
from gameplay.observability.dashboard.visuals import Json
from gameplay.observability.folder import current_dashboard
from ledger.vocabulary import (
    ALIASES,
    DECISIONS,
    FALLBACK_REASONS,
    FAMILIES,
    FAMILY_OF_POLICY,
    GUARD_REASONS,
    MODEL_TYPE_OF_OPPONENT,
    PLAYED_ALIASES,
    REASON_CODES,
    TRAINING_STATUSES,
)
from projections.read_models.counters import TRAINING_BUCKETS_SECONDS
from tests.prometheus.conftest import Live
from tests.prometheus.facts import Facts, Key, Numbers, by_family, key
from tests.prometheus.processes import get, wait_for

RATE_MINUTES = 4
VARIABLES = {"$__rate_interval": f"{RATE_MINUTES}m", "$__range": "24h", "$window": "12h", "$policy": ".*"}
MACROS = {"__rate_interval": f"{RATE_MINUTES}m", "__range": "24h", "__range_s": "86400", "__interval_ms": "60000"}
VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
DEPLOYED = current_dashboard(Path(__file__).parents[2] / "ops")
"""The dashboard that people get, be it the generated one or one that was adopted."""

Expected = Callable[[Facts], Numbers]


def filled(expression: str) -> str:
    """The expression with the dashboard's variables put in."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


def filled_in(of: Json, expression: str) -> str:
    """The expression with a dashboard's variables put in, whichever they are and however they are written."""
    chosen = {one.get("name"): (one.get("current") or {}).get("value") for one in variables(of)}
    values = MACROS | {name: value if isinstance(value, str) else ".*" for name, value in chosen.items()}
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], "1m"), expression)


# From here on panels show what the process says of itself, which no ledger can confirm.
OPERATION = 223


def queries(*, operation: bool = False) -> dict[str, str]:
    """`201A` -> PromQL, for every query of the panels of the generated dashboard, or of those on the process."""
    return {
        f"{panel['id']}{target['refId']}": target["expr"]
        for panel in panels(generated_dashboard())
        for target in panel["targets"]
        if "expr" in target and (panel["id"] >= OPERATION) is operation
    }


def share(part: Numbers, whole: Numbers) -> Numbers:
    return {labels: part.get(labels, 0.0) / count for labels, count in whole.items() if count}


def total(numbers: Numbers) -> Numbers:
    return {(): sum(numbers.values())}


def positive(numbers: Numbers) -> Numbers:
    return {labels: value for labels, value in numbers.items() if value > 0}


def a_minute(numbers: Numbers) -> Numbers:
    return {labels: value / RATE_MINUTES for labels, value in numbers.items()}


def accuracy(family: str, aliases: tuple[str, ...]) -> Expected:
    def mine(payload: dict[str, Any]) -> bool:
        return payload["model_type"] == family and payload["alias"] in aliases

    return lambda facts: share(
        facts.tally("game.prediction_made", "alias", where=lambda p: mine(p) and p["correct"]),
        facts.tally("game.prediction_made", "alias", where=mine),
    )


def win_rate(family: str) -> Expected:
    def mine(payload: dict[str, Any]) -> bool:
        return bool(payload["model_type"] == family)

    return lambda facts: share(
        facts.tally("game.finished", "alias", where=lambda p: mine(p) and p["winner"] == "bot"),
        facts.tally("game.finished", "alias", where=mine),
    )


def policy_expectations() -> dict[str, Expected]:
    expected: dict[str, Expected] = {}
    for line, policy in enumerate(POLICIES):
        family, first = FAMILY_OF_POLICY[policy], 201 + 3 * line
        expected[f"{first}A"] = accuracy(family, ALIASES)
        expected[f"{first + 1}A"] = accuracy(family, PLAYED_ALIASES)
        expected[f"{first + 2}A"] = win_rate(family)
    return expected


def born(*pairs: Mapping[str, str]) -> list[Key]:
    return [key(**labels) for labels in pairs]


BY_ALIAS = born(*({"model": family, "alias": alias} for family in FAMILIES for alias in ALIASES))
BY_POLICY = born(*({"policy": policy} for policy in MODEL_TYPE_OF_OPPONENT))
BY_DIFFICULTY = born(*({"policy": policy, "difficulty": "standard"} for policy in MODEL_TYPE_OF_OPPONENT))
BY_STATUS = born(
    *({"model_type": family, "status": status} for family in FAMILIES for status in TRAINING_STATUSES)
)


def by_model(payload: dict[str, Any]) -> bool:
    return bool(payload["probability_source"] == "model")


def rounds(result: str) -> Expected:
    return lambda facts: total(facts.tally("game.round_played", where=lambda p: p["result"] == result))


def decisions(facts: Facts) -> Numbers:
    """Cycles by their decision; reorders by their execution."""
    found = facts.tally("promotion.cycle_decided", "decision", born=born(*({"decision": d} for d in DECISIONS)))
    found[key(decision="alias_reorder")] = float(reorders(facts))
    return found


def reorders(facts: Facts) -> int:
    return len([p for p in facts.counted("promotion.aliases_assigned") if p["reordered"]])


def training_p95(facts: Facts) -> Numbers:
    """Linear within the bucket that the 95th percentile falls into, as histogram_quantile does it."""
    found: Numbers = {}
    for family in FAMILIES:
        trained = [p for p in facts.counted("training.completed") if p["model_type"] == family]
        seconds = [p["duration_seconds"] for p in trained if p["duration_seconds"] is not None]
        bounds = (0, *TRAINING_BUCKETS_SECONDS)
        rank, below = 0.95 * len(seconds), 0
        for low, high in pairwise(bounds):
            inside = sum(low < value <= high for value in seconds)
            if inside and below + inside >= rank:
                found[key(model_type=family)] = low + (high - low) * (rank - below) / inside
                break
            below += inside
    return found


def games_since_swap(facts: Facts) -> Numbers:
    return {
        key(model=family, alias=alias): games
        for family in FAMILIES
        for alias, games in facts.since_swap(family)[0].items()
    }


def last_cycle(field: str) -> Expected:
    return lambda facts: {
        key(model=family): cycle[field]
        for family, (_, cycle) in facts.last_cycles().items()
        if cycle[field] is not None
    }


EXPECTED: dict[str, Expected] = {
    **policy_expectations(),
    "210A": lambda f: a_minute(f.tally("game.prediction_made", "model=model_type", "alias", born=BY_ALIAS)),
    "211A": lambda f: a_minute(
        f.tally("game.round_played", "policy", "difficulty", where=by_model, born=BY_DIFFICULTY)
    ),
    "212A": lambda f: f.tally("game.finished", "policy", born=BY_POLICY),
    "212B": lambda f: {(): f.open_games()},
    "213A": lambda f: total(f.tally("game.prediction_made")),
    "213B": lambda f: total(f.tally("game.round_played", where=by_model)),
    "213C": lambda f: total(f.tally("game.finished")),
    "213D": lambda f: {(): reorders(f)},
    "214A": rounds("lose"),
    "214B": rounds("win"),
    "214C": rounds("draw"),
    "215A": lambda f: share(
        f.tally("game.finished", "policy", "difficulty", where=lambda p: p["winner"] == "bot"),
        f.tally("game.finished", "policy", "difficulty"),
    ),
    "216A": lambda f: f.tally("training.completed", "model_type", "status", born=BY_STATUS),
    "216B": training_p95,
    "217A": lambda f: positive(f.tally("game.inference_fell_back", "model_type", "alias", "reason")),
    "219A": last_cycle("z_statistic"),
    "219B": last_cycle("p_value"),
    "220A": decisions,
    "221A": lambda f: f.ranks(),
    "222A": games_since_swap,
    "222B": lambda f: by_family(lambda family: f.since_swap(family)[1]),
}


def agree(found: Numbers, expected: Numbers) -> bool:
    """Whether two answers are one, to the rounding of floats."""
    # A quantile over an empty histogram is NaN, which says as much as no sample.
    found = {labels: value for labels, value in found.items() if value == value}
    return found == {labels: pytest.approx(value, rel=1e-9) for labels, value in expected.items()}


@pytest.mark.parametrize("name", queries(operation=True))
def test_a_panel_on_the_process_shows_something(live: Live, name: str) -> None:
    assert live.query(filled(queries(operation=True)[name]))


def test_every_query_of_the_dashboard_has_an_expectation() -> None:
    assert queries().keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_panel_shows_what_the_ledger_says(live: Live, name: str) -> None:
    found, expected = live.query(filled(queries()[name])), EXPECTED[name](live.facts)

    assert expected, f"{name} has nothing to show, so nothing was proved"
    assert agree(found, expected), f"{queries()[name]}\n{found}\n{expected}"


@pytest.mark.parametrize(("where", "expression"), [(where, text) for where, text, _ in expressions(DEPLOYED)])
def test_every_query_that_is_deployed_is_one_for_prometheus(live: Live, where: str, expression: str) -> None:
    assert live.query(filled_in(DEPLOYED, expression)) is not None, where


def test_a_query_that_is_no_promql_is_refused(live: Live) -> None:
    with pytest.raises(AssertionError, match="400"):
        live.query("sum by (policy (rps_games_total)")


def test_variables_are_put_in_however_they_are_written() -> None:
    own = {
        "list": [{"name": "size", "current": {"value": "5m"}}, {"name": "who", "current": {"value": ["a", "b"]}}]
    }

    asked = filled_in({"templating": own}, 'x{y=~"${who:regex}"}[$size] + z[$__rate_interval] + w[${__interval}]')

    assert asked == f'x{{y=~".*"}}[5m] + z[{RATE_MINUTES}m] + w[1m]'


def test_a_swap_is_marked_at_its_own_time(live: Live) -> None:
    (annotation,) = (one for one in annotations(generated_dashboard()) if "expr" in one)

    found = live.query(annotation["expr"])

    expected = {key(model=family): us / 1_000 for family, us in live.facts.last_swaps().items()}
    assert key(model="feedforward_nn") in expected
    assert agree(found, expected)


def drift(facts: Facts, family: str) -> Numbers:
    """How far a family's Production is off its hold-out accuracy."""
    shown = accuracy(family, ("Production",))(facts)[key(alias="Production")]
    return {key(model=family, alias="Production"): abs(shown - facts.holdouts(family)["Production"])}


def parity(facts: Facts) -> Numbers:
    """The differences of each version behind an alias that was checked."""
    checked = [payload for _, _, payload in facts.all_of("serving.parity_checked")]
    assert checked
    return {
        key(model=one["model_type"], alias=alias): one["differences"]
        for one in checked
        for alias, version in facts.assignment(one["model_type"]).items()
        if version == one["version"]
    }


def other_accuracies(facts: Facts) -> Numbers:
    """None: live and held out are within a point of each other in the check that the live service has."""
    checked = [payload for _, _, payload in facts.all_of("serving.parity_checked")]
    return {
        key(model=one["model_type"], alias=alias, bot=one["player"]): 0
        for one in checked
        for alias, version in facts.assignment(one["model_type"]).items()
        if version == one["version"]
    }


def insufficient(facts: Facts) -> Numbers:
    """Cycles without enough games, of every family and by reason."""
    born_ = born(*({"model": family, "reason_code": reason} for family in FAMILIES for reason in REASON_CODES))
    return facts.tally(
        "promotion.cycle_decided",
        "model=model_type",
        "reason_code",
        born=born_,
        where=lambda p: p["decision"] == "insufficient_data",
    )


def held(facts: Facts) -> Numbers:
    """Each guard, by whether it held a family's swap back in the last cycle; a report asks no guard."""
    return {
        key(model=family, reason=reason): int(cycle["reason_code"] == reason)
        for family, (_, cycle) in facts.last_cycles().items()
        if cycle["verdicts"]
        for reason in GUARD_REASONS
    }


def fallbacks(facts: Facts) -> Numbers:
    combinations = (
        {"model_type": family, "alias": alias, "reason": reason}
        for family in FAMILIES
        for alias in ALIASES
        for reason in FALLBACK_REASONS
    )
    return facts.tally("game.inference_fell_back", "model_type", "alias", "reason", born=born(*combinations))


def alert_expectations(live: Live) -> dict[str, Numbers]:
    evaluated = {family: us / 1_000_000 for family, (us, _) in live.facts.last_cycles().items()}
    (due,) = live.query("rps_promotion_due_timestamp_seconds").values()
    return {
        "RpsChallengerOutperformsProduction": last_cycle("p_value")(live.facts),
        "RpsModelFallback": fallbacks(live.facts),
        "RpsPromotionInsufficientData": insufficient(live.facts),
        **{
            f"RpsProductionAccuracyDrift ({policy})": drift(live.facts, FAMILY_OF_POLICY[policy])
            for policy in POLICIES
        },
        "RpsActiveGamesPlateau": {(): live.facts.open_games()},
        "RpsAutoPromotionStalled": by_family(lambda family: due - evaluated[family]),
        "RpsAliasAssignmentPending": by_family(lambda _family: 0),
        "RpsPromotionHeldBack": held(live.facts),
        "RpsPinnedAliasMoved": {key(model=family, alias=alias): 0 for family in FAMILIES for alias in ALIASES},
        "RpsParityDifferences": parity(live.facts),
        "RpsAccuracyVsBotDiffers": other_accuracies(live.facts),
        "RpsPromotionAwaitsApproval": by_family(lambda _family: 0),
    }


@pytest.mark.parametrize("alert", model_alerts(), ids=lambda alert: alert.title)
def test_an_alert_measures_what_the_ledger_says(live: Live, alert: Alert) -> None:
    found, expected = live.query(alert.value), alert_expectations(live)[alert.title]

    assert agree(found, expected), f"{alert.value}\n{found}\n{expected}"


@pytest.mark.parametrize("alert", operation_alerts(), ids=lambda alert: alert.title)
def test_a_healthy_service_sets_off_no_alert_but_that_of_its_new_start_date(live: Live, alert: Alert) -> None:
    found = live.query(alert.expression)
    if alert.name == "RpsJobMissed":
        # On a machine that does much else, a catch-up comes a second late.
        found = {labels: value for labels, value in found.items() if ("task", "catch-up") not in labels}

    # It was started with another METRICS_SINCE_DATE than its set-up: the snapshots of the counters did not fit.
    assert (found != {}) == (alert.name == "RpsSnapshotsDiscarded")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.title)
def test_a_whole_condition_and_its_grafana_form_are_valid(live: Live, alert: Alert) -> None:
    crossed, measured = live.query(alert.expression), live.query(alert.gated_value)

    bound = alert.threshold
    assert crossed.keys() == {
        labels
        for labels, value in measured.items()
        if (value < bound if alert.comparison == "<" else value > bound)
    }


def test_both_scrapes_are_up(live: Live) -> None:
    (down,) = (alert for alert in alerts() if alert.name == "RpsTargetDown")

    assert get(f"{live.prometheus}/api/v1/query", query=down.value)["data"]["result"] != []
    assert live.query(down.expression) == {}


def test_prometheus_evaluates_every_rule(live: Live) -> None:
    def firing() -> list[dict[str, Any]] | None:
        (group,) = get(f"{live.prometheus}/api/v1/rules")["data"]["groups"]
        names = {rule["name"] for rule in group["rules"] if rule["state"] == "firing"}
        return group["rules"] if {"RpsChallengerOutperformsProduction", "RpsModelFallback"} <= names else None

    rules = wait_for("the alerts of what has happened", firing)

    assert {rule["name"]: rule["health"] for rule in rules} == dict.fromkeys([one.name for one in alerts()], "ok")


def test_a_scrape_stores_each_sample_once(live: Live) -> None:
    names = get(f"{live.prometheus}/api/v1/label/__name__/values")["data"]

    assert [name for name in names if re.search(r"_created\Z", name)] == []
    ledger, process = (
        get(f"{live.prometheus}/api/v1/series", **{"match[]": f'{{job="{job}"}}'})["data"]
        for job in ("rps-ledger", "rps-app")
    )
    named = [{series["__name__"] for series in scraped} for scraped in (ledger, process)]
    # What Prometheus itself notes of a scrape is the same for both.
    assert {name for name in named[0] & named[1] if not name.startswith(("up", "scrape_", "ALERTS"))} == set()
