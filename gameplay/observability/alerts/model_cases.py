"""When the alerts on models, games and promotions fire, and when they must not."""

from gameplay.observability.alerts.case import Case, Labels
from gameplay.observability.alerts.models import (
    MOVES_OF_GAMES,
    P_FRESH_SECONDS,
    STALLED_SECONDS,
    UNEVALUATED_SECONDS,
)
from gameplay.observability.dashboard.policies import POLICIES
from gameplay.observability.promql import vector
from ledger.vocabulary import FAMILY_OF_POLICY, Policy

X, F, L = 'model="xgboost"', 'model="feedforward_nn"', 'model="multinomial_logistic"'
XGBOOST, FEEDFORWARD, LOGISTIC = ({"model": m.split('"')[1]} for m in (X, F, L))
PRODUCTION = 'alias="Production"'


def model_cases() -> list[Case]:
    return [
        *_challengers(),
        _fallback(),
        _insufficient(),
        *_drifts(),
        *_plateaus(),
        *_stalled(),
        _pending(),
        _held(),
        _broken_pin(),
        _parity(),
        _other_accuracy(),
        _waiting(),
    ]


def _challengers() -> list[Case]:
    evaluated = "rps_model_promotion_last_evaluation_timestamp_seconds"
    p_value = "rps_model_promotion_p_value"
    name = "RpsChallengerOutperformsProduction"
    fresh = P_FRESH_SECONDS // 60
    return [
        Case(
            name,
            "B is better by the test for xgboost, not quite for feedforward_nn; when they are no longer fresh both"
            " are history",
            {
                vector(p_value, X): f"0.04x{fresh + 20}",
                vector(p_value, F): f"0.06x{fresh + 20}",
                vector(evaluated, X): f"0x{fresh + 20}",
                vector(evaluated, F): f"0x{fresh + 20}",
            },
            {fresh - 20: [XGBOOST], fresh + 10: []},
        ),
        Case(
            name,
            "a new evaluation of feedforward_nn makes xgboost's p-value no fresher",
            {
                vector(p_value, X): f"0.04x{fresh + 20}",
                vector(p_value, F): f"0.04x{fresh + 20}",
                vector(evaluated, X): f"0x{fresh + 20}",
                vector(evaluated, F): f"0+60x{fresh + 20}",
            },
            {fresh + 10: [FEEDFORWARD]},
        ),
    ]


def _fallback() -> Case:
    fallen = ('model_type="xgboost"', 'alias="B"', 'reason="load_error"')
    return Case(
        "RpsModelFallback",
        "one fallback in the fifth minute: an alert at once, and none five minutes later",
        {vector("rps_model_fallback_total", *fallen): "0x4 1x20"},
        {0: [], 5: [{"model_type": "xgboost", "alias": "B", "reason": "load_error"}], 10: []},
    )


def _insufficient() -> Case:
    reasons, trained = "rps_model_promotion_reasons_total", "rps_training_completed_total"
    too_few = ('decision="insufficient_data"', 'reason_code="too_few_games"')
    too_new = ('decision="insufficient_data"', 'reason_code="version_too_new"')
    return Case(
        "RpsPromotionInsufficientData",
        "xgboost was trained and could not be judged, first for one reason and then for another;"
        " feedforward_nn's training failed; multinomial_logistic was retained",
        {
            vector(reasons, X, *too_few): "0x9 1x390 2x20",
            vector(reasons, X, *too_new): "0x99 1x320",
            vector(reasons, F, *too_few): "0x9 1x410",
            vector(reasons, L, 'decision="retain_production"', 'reason_code="not_better"'): "0x9 1x410",
            vector(trained, 'model_type="xgboost"', 'status="success"'): "0x4 1x415",
            vector(trained, 'model_type="feedforward_nn"', 'status="failure"'): "0x4 1x415",
            vector(trained, 'model_type="multinomial_logistic"', 'status="success"'): "0x4 1x415",
        },
        # At 90 the cycle, at 410 the training lies too far back.
        {
            5: [],
            20: [XGBOOST | {"reason_code": "too_few_games"}],
            90: [],
            110: [XGBOOST | {"reason_code": "version_too_new"}],
            410: [],
        },
    )


def _drifts() -> list[Case]:
    """The drift that each policy's alert reports; and, for one of them, all that it must not report."""
    return [
        *(
            _drift(
                policy,
                "30 % live, 40 % in training",
                "0+15x12",
                "0+50x12",
                {40: [], 60: [_drifted(policy)]},
            )
            for policy in POLICIES
        ),
        _drift("forrest", "37 % are near enough", "0+185x12", "0+500x12", {60: []}),
        _drift(
            "forrest",
            "all predictions are right in the first hour, and half a day later 37 %",
            "0+50x12 600x148 600+37x24",
            "0+50x12 600x148 600+100x24",
            {910: []},
        ),
        _drift(
            "forrest",
            "enough was predicted in the first hour, and half a day later 100 times, with 10 %",
            "0+20x12 240x148 240+1x10 250x14",
            "0+50x12 600x148 600+10x10 700x14",
            {910: []},
        ),
        _drift(
            "forrest",
            "30 % are the version's before, until the swap is twelve hours old",
            "0+15x172",
            "0+50x172",
            {60: [], 775: [], 800: [_drifted("forrest")]},
            version="1x5 2x178",
        ),
    ]


def _drift(
    policy: Policy,
    story: str,
    correct: str,
    predictions: str,
    firing: dict[int, list[Labels]],
    version: str = "1x184",
) -> Case:
    """Production with these counters and a hold-out accuracy of 40 %, beside a B that predicts nothing right."""
    family = f'model="{FAMILY_OF_POLICY[policy]}"'
    counters = ("rps_model_correct_predictions_by_alias_total", "rps_model_predictions_by_alias_total")
    gauges = ("rps_model_training_accuracy", "rps_model_alias_version")
    given = zip((*counters, *gauges), (correct, predictions, "0.4x184", version), strict=True)
    of_b = zip((*counters, *gauges), ("0x184", "0+50x184", "0.4x184", "7x184"), strict=True)
    return Case(
        f"RpsProductionAccuracyDrift ({policy})",
        story,
        {
            **{vector(sample, family, PRODUCTION): values for sample, values in given},
            **{vector(sample, family, 'alias="B"'): values for sample, values in of_b},
        },
        firing,
        step=5,
    )


def _drifted(policy: Policy) -> Labels:
    return {"model": FAMILY_OF_POLICY[policy], "alias": "Production", "policy": policy}


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
        *(
            Case(
                name,
                f"as many are begun as finished while {counter} rises, and then no longer",
                {open_games: "3x120", vector(counter, 'policy="brian"', 'difficulty="standard"'): "0+1x30 30x90"},
                {40: [], 100: [{}]},
            )
            for counter in MOVES_OF_GAMES
        ),
        Case(name, "no game is open", {open_games: "0x60", finished: "7x60"}, {40: []}),
    ]


def _stalled() -> list[Case]:
    evaluated, version = "rps_model_promotion_last_evaluation_timestamp_seconds", "rps_model_alias_version"
    due = "rps_promotion_due_timestamp_seconds"
    name = "RpsAutoPromotionStalled"
    step = 5
    firing, slack = 12 * step * 60, STALLED_SECONDS
    had = UNEVALUATED_SECONDS // 60 // step
    return [
        Case(
            name,
            "xgboost missed a firing: feedforward_nn was evaluated then, multinomial_logistic a little before",
            {
                vector(due): f"0x11 {firing}x12",
                vector(evaluated, X): f"{firing - 2 * slack}x24",
                vector(evaluated, F): f"0x11 {firing + 5}x12",
                vector(evaluated, L): f"{firing - slack}x24",
            },
            {55: [], 60: [], 70: [XGBOOST], 115: [XGBOOST]},
            step,
        ),
        Case(
            name,
            "multinomial_logistic was never evaluated, and a cycle was due after it had its aliases",
            {
                vector(due): f"0+{step * 60}x{had + 20}",
                vector(version, L, PRODUCTION): f"1x{had + 20}",
            },
            {had * step - 10: [], had * step + 20: [LOGISTIC]},
            step,
        ),
        Case(
            name,
            "multinomial_logistic was never evaluated, and nothing was due since it had its aliases",
            {vector(due): f"600x{had + 20}", vector(version, L, PRODUCTION): f"1x{had + 20}"},
            {had * step + 20: []},
            step,
        ),
        Case(
            name,
            "multinomial_logistic has only just been given its aliases",
            {vector(due): f"0+{step * 60}x{had + 20}", vector(version, L, PRODUCTION): f"_x{had} 1x20"},
            {had * step + 60: []},
            step,
        ),
    ]


def _pending() -> Case:
    pending = "rps_model_promotion_pending"
    return Case(
        "RpsAliasAssignmentPending",
        "xgboost's plan stays open, feedforward_nn has none",
        {vector(pending, X): "0 0 1x30", vector(pending, F): "0x32"},
        {15: [], 20: [XGBOOST]},
    )


def _held() -> Case:
    held = "rps_model_promotion_held"
    reason = 'reason="cooling_down"'
    return Case(
        "RpsPromotionHeldBack",
        "xgboost's swap waits for the end of a cool-down, feedforward_nn has none to wait for, and an operator"
        " holds multinomial_logistic's",
        {
            vector(held, X, reason): "0x6 1x9 0x20",
            vector(held, F, reason): "0x40",
            vector(held, L, 'reason="pinned"'): "1x40",
        },
        {5: [], 10: [{**XGBOOST, "reason": "cooling_down"}], 30: []},
    )


def _broken_pin() -> Case:
    broken = "rps_model_alias_pin_broken"
    return Case(
        "RpsPinnedAliasMoved",
        "xgboost's pinned Production is moved outside, and moved back; feedforward_nn's stays",
        {vector(broken, X, PRODUCTION): "0x6 1x9 0x20", vector(broken, F, PRODUCTION): "0x40"},
        {5: [], 10: [{**XGBOOST, "alias": "Production"}], 30: []},
    )


def _parity() -> Case:
    differences = "rps_model_parity_differences"
    return Case(
        "RpsParityDifferences",
        "a check of xgboost's Production finds a difference, and the next none; feedforward_nn's never has any",
        {vector(differences, X, PRODUCTION): "_x6 1x9 0x20", vector(differences, F, PRODUCTION): "0x40"},
        {5: [], 10: [{**XGBOOST, "alias": "Production"}], 30: []},
    )


def _other_accuracy() -> Case:
    differs, bot = "rps_model_accuracy_vs_bot_differs", 'bot="cal"'
    return Case(
        "RpsAccuracyVsBotDiffers",
        "a check of xgboost's Production finds another accuracy than in training, and the next does not;"
        " feedforward_nn's never does, and multinomial_logistic's has too few rows held out to say",
        {vector(differs, X, PRODUCTION, bot): "_x6 1x9 0x20", vector(differs, F, PRODUCTION, bot): "0x40"},
        {5: [], 10: [{**XGBOOST, "alias": "Production", "bot": "cal"}], 30: []},
    )


def _waiting() -> Case:
    age = "rps_promotion_approval_age_seconds"
    return Case(
        "RpsPromotionAwaitsApproval",
        "xgboost's swap waits for an hour and is answered, feedforward_nn's is answered at once",
        {vector(age, X): "0+60x70 0x20", vector(age, F): "0 60 0x90"},
        {50: [], 65: [XGBOOST], 80: []},
    )
