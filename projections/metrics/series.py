"""Every series that is folded from the ledger: its name, kind, labels and meaning.

The exposition, the docs and the dashboards all read this list, so none of them can name one that is not there.
"""

from typing import Final, Literal, NamedTuple

Kind = Literal["counter", "gauge", "histogram"]


class Series(NamedTuple):
    """One metric family. Counters carry their full name, with `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


EXEMPLAR_LABEL: Final = "position"
"""What an exemplar of a promotion counter is found by: the position of the event that moved it last."""

LEDGER_JOB: Final = "rps-ledger"
LEDGER_INSTANCE: Final = "ledger"
"""Fixed: counters that come from the ledger go on after a pod is replaced, if their labels do."""

LEDGER_SERIES: tuple[Series, ...] = (
    Series(
        "rps_model_predictions_by_alias_total",
        "counter",
        ("model", "alias"),
        "Predictions of the player's next move, by family and alias.",
    ),
    Series(
        "rps_model_correct_predictions_by_alias_total",
        "counter",
        ("model", "alias"),
        "Predictions that were the player's actual move.",
    ),
    Series(
        "rps_model_games_by_alias_total",
        "counter",
        ("model", "alias"),
        "Completed games, by the alias that they started with.",
    ),
    Series(
        "rps_model_game_wins_by_alias_total",
        "counter",
        ("model", "alias"),
        "Completed games that the bot won.",
    ),
    Series(
        "rps_model_promotion_z_statistic",
        "gauge",
        ("model",),
        "z of the last cycle's one-sided test of B against Production; absent when it made none.",
    ),
    Series(
        "rps_model_promotion_p_value",
        "gauge",
        ("model",),
        "p-value of the last cycle's one-sided test; absent when it made none.",
    ),
    Series(
        "rps_model_promotion_e_value",
        "gauge",
        ("model",),
        "E of the last cycle: evidence that B is better, which may be looked at for ever; 1 is none.",
    ),
    Series(
        "rps_model_promotion_alpha",
        "gauge",
        ("model",),
        "Alpha of the rule in force: B becomes Production when p is below it, or E reaches 1 / alpha.",
    ),
    Series(
        "rps_model_promotion_minimum_games",
        "gauge",
        ("model",),
        "Games that Production and B each need before the rule in force tests them.",
    ),
    Series(
        "rps_model_promotion_games_needed",
        "gauge",
        ("model",),
        "Games of each side that a B better by ten points needs at Production's rate; absent without games.",
    ),
    Series(
        "rps_model_promotion_rule_verdict",
        "gauge",
        ("model", "rule", "decision"),
        "1 for what each rule would have decided in the last cycle, 0 for the rest.",
    ),
    Series(
        "rps_model_promotion_held",
        "gauge",
        ("model", "reason"),
        "1 for the guard or pin that held a swap back in the last cycle, 0 for the others; absent after a report.",
    ),
    Series(
        "rps_model_promotion_events_total",
        "counter",
        ("model", "decision"),
        "Promotion decisions; alias_reorder counts reorders executed, beside the cycle's own decision.",
    ),
    Series(
        "rps_model_promotion_reasons_total",
        "counter",
        ("model", "decision", "reason_code"),
        "Promotion cycles by decision and reason code.",
    ),
    Series(
        "rps_model_alias_rank",
        "gauge",
        ("model", "alias"),
        "Order of the challengers as last evaluated, before any move; 1 is next in line for Production.",
    ),
    Series(
        "rps_model_alias_reorders_total",
        "counter",
        ("model",),
        "Reorders of the challengers that were executed.",
    ),
    Series(
        "rps_model_games_since_production_swap",
        "gauge",
        ("model", "alias"),
        "Games that count as evidence since the last swap of Production and B.",
    ),
    Series(
        "rps_model_promotion_cycles_since_swap",
        "gauge",
        ("model",),
        "Promotion cycles since the last swap of Production and B.",
    ),
    Series(
        "rps_action_predictions_total",
        "counter",
        ("policy", "difficulty", "model_type"),
        "Rounds in which a model's prediction chose the bot's move.",
    ),
    Series(
        "rps_action_wins_total",
        "counter",
        ("policy", "difficulty", "model_type"),
        "Rounds that the bot won, the opening included.",
    ),
    Series(
        "rps_action_losses_total",
        "counter",
        ("policy", "difficulty", "model_type"),
        "Rounds that the bot lost, the opening included.",
    ),
    Series(
        "rps_action_ties_total",
        "counter",
        ("policy", "difficulty", "model_type"),
        "Drawn rounds, the opening included.",
    ),
    Series("rps_games_total", "counter", ("policy", "difficulty"), "Completed games."),
    Series("rps_game_wins_total", "counter", ("policy", "difficulty"), "Completed games that the bot won."),
    Series("rps_game_losses_total", "counter", ("policy", "difficulty"), "Completed games that the bot lost."),
    Series("rps_training_completed_total", "counter", ("model_type", "status"), "Trainer runs."),
    Series("rps_training_duration_seconds", "histogram", ("model_type",), "How long trainer runs took."),
    Series(
        "rps_model_fallback_total",
        "counter",
        ("model_type", "alias", "reason"),
        "Steps down the fallback chain of a prediction.",
    ),
    Series("rps_active_games", "gauge", (), "Games started and neither finished nor abandoned."),
    Series(
        "rps_model_promotion_last_evaluation_timestamp_seconds",
        "gauge",
        ("model",),
        "When the last promotion cycle was decided.",
    ),
    Series(
        "rps_model_promotion_last_swap_timestamp_seconds",
        "gauge",
        ("model",),
        "When Production and B were last swapped.",
    ),
    Series(
        "rps_model_promotion_pending",
        "gauge",
        ("model",),
        "1 while a decided change of aliases is not yet applied.",
    ),
    Series(
        "rps_model_training_accuracy",
        "gauge",
        ("model", "alias"),
        "Hold-out accuracy of the version now behind the alias.",
    ),
    Series("rps_model_alias_version", "gauge", ("model", "alias"), "The version now behind the alias."),
    Series(
        "rps_model_alias_pinned",
        "gauge",
        ("model", "alias"),
        "1 while an operator holds a version behind the alias, 0 otherwise.",
    ),
    Series(
        "rps_model_alias_pin_broken",
        "gauge",
        ("model", "alias"),
        "1 while another version than the pinned one is behind a pinned alias, 0 otherwise.",
    ),
    Series(
        "rps_model_parity_differences",
        "gauge",
        ("model", "alias"),
        "Differences that the newest parity check of the version behind the alias found; absent before its first.",
    ),
    Series(
        "rps_model_accuracy_vs_bot",
        "gauge",
        ("model", "alias", "bot", "source"),
        "Accuracy against a bot in the newest parity check, by source: live, or holdout as in its MLflow run.",
    ),
    Series(
        "rps_model_accuracy_vs_bot_differs",
        "gauge",
        ("model", "alias", "bot"),
        "1 where live and held-out accuracy in the newest parity check surely differ by five points, else 0.",
    ),
    Series("rps_ledger_events_total", "counter", ("type",), "Events in the ledger."),
    Series("rps_ledger_position", "gauge", (), "Position of the newest event."),
    Series(
        "rps_projection_position",
        "gauge",
        ("projection",),
        "Position up to which the projection is folded.",
    ),
    Series(
        "rps_projection_lag_seconds",
        "gauge",
        ("projection",),
        "Always 0: a scrape is answered when all is folded, and otherwise with a 503.",
    ),
)


def sample_labels(name: str, kind: Kind, labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The name of each sample of a family -> its labels."""
    if kind == "histogram":
        return {f"{name}_bucket": (*labels, "le"), f"{name}_sum": labels, f"{name}_count": labels}
    return {name: labels}


SAMPLE_LABELS: dict[str, tuple[str, ...]] = {
    sample: labels
    for series in LEDGER_SERIES
    for sample, labels in sample_labels(series.name, series.kind, series.labels).items()
}
"""What PromQL can select: the name of each sample -> its labels, without those that a scrape adds."""
