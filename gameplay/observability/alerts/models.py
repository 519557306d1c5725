"""Alerts on what the models, the games and the promotions come to."""

from typing import Final

from gameplay.observability.alerts.rule import Alert
from gameplay.observability.dashboard.policies import POLICIES, accuracy_panel
from gameplay.observability.promql import grouped, growth, share, vector
from ledger.vocabulary import FAMILY_OF_POLICY, Policy

P_ALERT: Final = 0.05
P_FRESH_SECONDS: Final = 7_200
"""Four cycles of the default schedule: an older p-value is history."""
STALLED_SECONDS: Final = 60
"""By how much a cycle may precede its firing: clocks of two machines differ by less."""
UNEVALUATED_SECONDS: Final = 97_200
"""A family that had its aliases this long ago could have been evaluated. More than the age at which cycles from
outside are late, a day and two hours."""
DRIFT_POINTS: Final = 0.05
DRIFT_PREDICTIONS_MIN: Final = 200
BY_GUARDS: Final = ('reason!="pinned"', 'reason!="awaiting_approval"')
"""What an operator holds back is known to one."""
APPROVAL_SECONDS: Final = 3_600
MOVES_OF_GAMES: Final = (
    "rps_games_total",
    "rps_action_wins_total",
    "rps_action_losses_total",
    "rps_action_ties_total",
)


def model_alerts() -> list[Alert]:
    return [
        _challenger(),
        _fallback(),
        _insufficient(),
        *(_drift(policy) for policy in POLICIES),
        _plateau(),
        _stalled(),
        _pending(),
        _held(),
        _broken_pin(),
        _parity(),
        _other_accuracy(),
        _waiting(),
    ]


def _challenger() -> Alert:
    evaluated = vector("rps_model_promotion_last_evaluation_timestamp_seconds")
    return Alert(
        "RpsChallengerOutperformsProduction",
        grouped("max", "model", vector("rps_model_promotion_p_value")),
        "<",
        P_ALERT,
        # A p-value that outlives its evaluation would page again after every restart.
        f"and on (model) (time() - {evaluated} < {P_FRESH_SECONDS})",
        "0s",
        "info",
        219,
        "{{ $labels.model }}: B is better than Production",
        "The last cycle's one-sided test gave p below 0.05. If no swap followed, the row in panel 218 says why.",
    )


def _fallback() -> Alert:
    return Alert(
        "RpsModelFallback",
        growth("rps_model_fallback_total", window="5m", by="model_type, alias, reason"),
        ">",
        0,
        "",
        "0s",
        "warning",
        217,
        "{{ $labels.model_type }} {{ $labels.alias }} falls back: {{ $labels.reason }}",
        "A prediction did not come from the version that was meant. GET /models shows what is loaded.",
    )


def _insufficient() -> Alert:
    trained = growth("rps_training_completed_total", 'status="success"', window="6h", by="model_type")
    return Alert(
        "RpsPromotionInsufficientData",
        growth(
            "rps_model_promotion_reasons_total",
            'decision="insufficient_data"',
            window="1h",
            by="model, reason_code",
        ),
        ">",
        0,
        f'and on (model) label_join({trained} > 0, "model", "", "model_type")',
        "0s",
        "info",
        222,
        "{{ $labels.model }}: trained, but not enough games to compare: {{ $labels.reason_code }}",
        "A new version was trained within six hours, and a cycle could not judge it. too_few_games: are games"
        " being played? version_too_new: B leads by its alias's games, and its version has too few of its own.",
    )


def _drift(policy: Policy) -> Alert:
    production = (f'model="{FAMILY_OF_POLICY[policy]}"', 'alias="Production"')
    counters = ("rps_model_correct_predictions_by_alias_total", "rps_model_predictions_by_alias_total")
    live = share(*counters, *production, window="12h", by="model, alias")
    trained = grouped("max", "model, alias", vector("rps_model_training_accuracy", *production))
    predictions = growth(counters[1], *production, window="12h", by="model, alias")
    # The predictions are the alias's, the hold-out accuracy its present version's: after a swap they are of two.
    changes = f"changes({vector('rps_model_alias_version', *production, window='12h')})"
    return Alert(
        "RpsProductionAccuracyDrift",
        f"abs({live} - on (model, alias) {trained})",
        ">",
        DRIFT_POINTS,
        f"and on (model, alias) {predictions} > {DRIFT_PREDICTIONS_MIN}"
        f" and on (model, alias) {grouped('max', 'model, alias', changes)} == 0",
        "30m",
        "warning",
        accuracy_panel(policy),
        "{{ $labels.model }}: Production's live accuracy is off its hold-out accuracy",
        "More than 5 points apart over 12 hours of one version and 200 predictions: other players than in"
        " training, or broken features.",
        policy,
    )


def _plateau() -> Alert:
    games = vector("rps_active_games")
    still = f"changes({vector('rps_active_games', window='30m')}) == 0"
    moving = " or ".join(f"{growth(counter, window='30m', by='')} > 0" for counter in MOVES_OF_GAMES)
    return Alert(
        "RpsActiveGamesPlateau",
        games,
        ">",
        0,
        f"and {still} unless on () ({moving})",
        "15m",
        "warning",
        212,
        "Open games do not move",
        "Games are open, and for 30 minutes none was begun, played or closed. Are idle games still being closed?",
    )


def _stalled() -> Alert:
    evaluated = grouped("max", "model", vector("rps_model_promotion_last_evaluation_timestamp_seconds"))
    # A family that was never evaluated counts as evaluated so long ago, when it had its aliases already.
    had = f"{vector('rps_model_alias_version')} offset {UNEVALUATED_SECONDS}s"
    never = f"0 * {grouped('max', 'model', had)} + time() - {UNEVALUATED_SECONDS}"
    due = grouped("max", "", vector("rps_promotion_due_timestamp_seconds"))
    return Alert(
        "RpsAutoPromotionStalled",
        f"scalar({due}) - ({evaluated} or {never})",
        ">",
        STALLED_SECONDS,
        "",
        "5m",
        "warning",
        218,
        "{{ $labels.model }}: no promotion cycle, although one was due",
        "By RPS_PROMOTION_SCHEDULE a cycle was due two hours ago; where that is off, the outside automation has"
        " asked for none in 26 hours. `rps promote --dry-run` tries.",
    )


def _pending() -> Alert:
    return Alert(
        "RpsAliasAssignmentPending",
        grouped("max", "model", vector("rps_model_promotion_pending")),
        ">",
        0,
        "",
        "15m",
        "warning",
        218,
        "{{ $labels.model }}: a decided change of aliases is not applied",
        "The plan is in the ledger and is tried again at each cycle: the registry or a model cannot be reached.",
    )


def _held() -> Alert:
    return Alert(
        "RpsPromotionHeldBack",
        grouped("max", "model, reason", vector("rps_model_promotion_held", *BY_GUARDS)),
        ">",
        0,
        "",
        "0s",
        "warning",
        218,
        "{{ $labels.model }}: a swap is held back: {{ $labels.reason }}",
        "The rule in force would have swapped. The row in panel 218 has the guard's numbers.",
    )


def _broken_pin() -> Alert:
    return Alert(
        "RpsPinnedAliasMoved",
        grouped("max", "model, alias", vector("rps_model_alias_pin_broken")),
        ">",
        0,
        "",
        "0s",
        "warning",
        240,
        "{{ $labels.model }}: an outside tool has moved {{ $labels.alias }}, which is pinned",
        "Another version is behind the alias than the one that an operator pinned, and it is used. `rps promotion"
        " status` shows both: move the alias back, or unpin it.",
    )


def _parity() -> Alert:
    return Alert(
        "RpsParityDifferences",
        grouped("max", "model, alias", vector("rps_model_parity_differences")),
        ">",
        0,
        "",
        "0s",
        "warning",
        None,
        "{{ $labels.model }} {{ $labels.alias }}: what was served is not what is computed again",
        "The newest parity check of the version behind the alias found differences in its games against cal, or in"
        " the rows that it learned from. `rps capture --replay --strict-parity` prints them.",
    )


def _other_accuracy() -> Alert:
    return Alert(
        "RpsAccuracyVsBotDiffers",
        grouped("max", "model, alias, bot", vector("rps_model_accuracy_vs_bot_differs")),
        ">",
        0,
        "",
        "0s",
        "info",
        None,
        "{{ $labels.model }} {{ $labels.alias }}: {{ $labels.bot }} is predicted otherwise than in training",
        "In the newest parity check the live accuracy against the bot surely (99.9 %) differs by more than five"
        " points from the one in training. `rps capture --replay` shows both, and the metric of the MLflow run. A"
        " version without a rehearsal has not learned from its own policy's games: train again.",
    )


def _waiting() -> Alert:
    return Alert(
        "RpsPromotionAwaitsApproval",
        grouped("max", "model", vector("rps_promotion_approval_age_seconds")),
        ">",
        APPROVAL_SECONDS,
        "",
        "0s",
        "info",
        241,
        "{{ $labels.model }}: a swap has been waiting for an approval for an hour",
        "`rps promotion status` shows it; `rps promotion approve` or `rps promotion reject` answers it. Unanswered"
        " it is closed in time.",
    )
