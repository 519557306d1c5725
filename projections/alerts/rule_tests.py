"""Unit tests of the Prometheus rules, for `promtool test rules`: when each alert fires, and when it must not.

Every bound, window and gate of a rule has a moment at which another one would give another answer.
"""

from typing import Any, NamedTuple

from projections.alerts.alerts import alerts
from projections.promql import vector
from projections.site import LEDGER_JOB, PROCESS_JOB

EVALUATION = "1m"

X, F, L = 'model="xgboost"', 'model="feedforward_nn"', 'model="multinomial_logistic"'
XGBOOST, FEEDFORWARD, LOGISTIC = ({"model": m.split('"')[1]} for m in (X, F, L))
PRODUCTION = 'alias="Production"'

Labels = dict[str, str]


class Case(NamedTuple):
    """Series in promtool's notation, a value each `step` minutes; after so many minutes, which alerts."""

    alert: str
    story: str
    series: dict[str, str]
    moments: dict[int, list[Labels]]
    step: int = 1


def unit_tests(rule_file: str) -> dict[str, Any]:
    """The tests of a rule file that lies beside them."""
    tests = [_test(case) for case in cases()]
    return {"rule_files": [rule_file], "evaluation_interval": EVALUATION, "tests": tests}


def cases() -> list[Case]:
    """All of them."""
    return [_challenger(), _fallback(), _insufficient(), _drift(), *_plateaus(), _stalled(), _pending(), *_downs()]


def _challenger() -> Case:
    evaluated = "rps_model_promotion_last_evaluation_timestamp_seconds"
    p_value = "rps_model_promotion_p_value"
    return Case(
        "RpsChallengerOutperformsProduction",
        "B is better by the test for xgboost, not quite for feedforward_nn; after two hours both are history",
        {
            vector(p_value, X): "0.04x140",
            vector(p_value, F): "0.06x140",
            vector(evaluated, X): "0x140",
            vector(evaluated, F): "0x140",
        },
        {100: [XGBOOST], 130: []},
    )


def _fallback() -> Case:
    fallen = ('model_type="xgboost"', 'alias="B"', 'reason="load_error"')
    return Case(
        "RpsModelFallback",
        "one fallback in the fifth minute: told at once, and over five minutes later",
        {vector("rps_model_fallback_total", *fallen): "0x4 1x20"},
        {4: [], 6: [{"model_type": "xgboost", "alias": "B", "reason": "load_error"}], 11: []},
    )


def _insufficient() -> Case:
    events, trained = "rps_model_promotion_events_total", "rps_training_completed_total"
    too_few = 'decision="insufficient_data"'
    return Case(
        "RpsPromotionInsufficientData",
        "xgboost was trained and could not be judged; feedforward_nn's training failed; multinomial_logistic was"
        " retained",
        {
            vector(events, X, too_few): "0x9 1x390 2x20",
            vector(events, F, too_few): "0x9 1x410",
            vector(events, L, 'decision="retain_production"'): "0x9 1x410",
            vector(trained, 'model_type="xgboost"', 'status="success"'): "0x4 1x415",
            vector(trained, 'model_type="feedforward_nn"', 'status="failure"'): "0x4 1x415",
            vector(trained, 'model_type="multinomial_logistic"', 'status="success"'): "0x4 1x415",
        },
        # At 90 the cycle, at 410 the training lies too far back.
        {8: [], 20: [XGBOOST], 90: [], 410: []},
    )


def _drift() -> Case:
    correct, predictions = "rps_model_correct_predictions_by_alias_total", "rps_model_predictions_by_alias_total"
    trained = "rps_model_training_accuracy"
    return Case(
        "RpsProductionAccuracyDrift",
        "xgboost predicts 30 % where it was trained to 40 %, feedforward_nn 37 %; multinomial_logistic has too few"
        " predictions; from the second hour on nobody plays",
        {
            vector(correct, X, PRODUCTION): "0+15x12 180x160",
            vector(predictions, X, PRODUCTION): "0+50x12 600x160",
            vector(correct, F, PRODUCTION): "0+185x12 2220x160",
            vector(predictions, F, PRODUCTION): "0+500x12 6000x160",
            vector(correct, L, PRODUCTION): "0+5x12 60x160",
            vector(predictions, L, PRODUCTION): "0+15x12 180x160",
            vector(trained, X, PRODUCTION): "0.4x172",
            vector(trained, F, PRODUCTION): "0.4x172",
            vector(trained, L, PRODUCTION): "0.4x172",
        },
        {40: [], 60: [{**XGBOOST, "alias": "Production"}], 840: []},
        step=5,
    )


def _plateaus() -> list[Case]:
    open_games = vector("rps_active_games")
    finished = vector("rps_games_total", 'policy="brian"', 'difficulty="standard"')
    name = "RpsActiveGamesPlateau"
    return [
        Case(
            name,
            "an open game does not move; then one more is begun, and both stand still",
            {open_games: "1x39 2x80", finished: "7x120"},
            {10: [], 20: [{}], 60: [], 100: [{}]},
        ),
        Case(name, "as many are begun as finished", {open_games: "3x60", finished: "0+1x60"}, {40: []}),
        Case(name, "no game is open", {open_games: "0x60", finished: "7x60"}, {40: []}),
    ]


def _stalled() -> Case:
    evaluated, version = "rps_model_promotion_last_evaluation_timestamp_seconds", "rps_model_alias_version"
    return Case(
        "RpsAutoPromotionStalled",
        "xgboost was evaluated once, feedforward_nn again after 100 minutes, multinomial_logistic never",
        {
            vector(evaluated, X): "0x140",
            vector(evaluated, F): "0x99 6000x40",
            vector(version, X, PRODUCTION): "1x140",
            vector(version, F, PRODUCTION): "1x140",
            vector(version, L, PRODUCTION): "1x140",
        },
        {60: [], 122: [], 128: [XGBOOST, LOGISTIC]},
    )


def _pending() -> Case:
    pending = "rps_model_promotion_pending"
    return Case(
        "RpsAliasAssignmentPending",
        "xgboost's plan stays open, feedforward_nn has none",
        {vector(pending, X): "0 0 1x30", vector(pending, F): "0x32"},
        {12: [], 20: [XGBOOST]},
    )


def _downs() -> list[Case]:
    name = "RpsTargetDown"
    process, ledger = {"job": PROCESS_JOB, "instance": "pod"}, {"job": LEDGER_JOB, "instance": "ledger"}
    up = {job["job"]: f'up{{job="{job["job"]}",instance="{job["instance"]}"}}' for job in (process, ledger)}
    return [
        Case(
            name,
            "one target is down, then up again",
            {up[PROCESS_JOB]: "1 0x9 1x20", up[LEDGER_JOB]: "1x30"},
            {4: [], 8: [process], 20: []},
        ),
        Case(
            name,
            "one target is not scraped at all",
            {up[PROCESS_JOB]: "1x30"},
            {3: [], 10: [{"job": LEDGER_JOB}]},
        ),
    ]


def _test(case: Case) -> dict[str, Any]:
    alert = next(alert for alert in alerts() if alert.name == case.alert)
    return {
        "name": f"{case.alert}: {case.story}",
        "interval": f"{case.step}m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{minutes}m",
                "alertname": case.alert,
                "exp_alerts": [_expected(alert.severity, labels, alert.annotations) for labels in firing],
            }
            for minutes, firing in case.moments.items()
        ],
    }


def _expected(severity: str, labels: Labels, annotations: dict[str, str]) -> dict[str, Any]:
    filled = dict(annotations)
    for label, value in labels.items():
        filled = {name: text.replace(f"{{{{ $labels.{label} }}}}", value) for name, text in filled.items()}
    return {"exp_labels": {"severity": severity, "service": "rps", **labels}, "exp_annotations": filled}
