"""Panels 210 to 217: how much is played, what came of it, training and fallbacks."""

from gameplay.observability.dashboard.visuals import (
    About,
    Json,
    Place,
    bar_gauge,
    query,
    right_axis,
    stat,
    time_series,
)
from gameplay.observability.promql import grouped, growth, share, vector

POLICY = 'policy=~"$policy"'
STANDARD = 'difficulty="standard"'
RATE = "$__rate_interval"
LEAST_STEP = "1m"


def traffic_panels() -> list[Json]:
    return [_alias_rate(), _policy_rate(), _games(), _totals(), _outcomes(), _win_rate()]


def training_panels() -> list[Json]:
    return [_training(), _fallbacks()]


def _per_minute(counter: str, *matchers: str, by: str) -> str:
    return f"{grouped('sum', by, f'rate({vector(counter, *matchers, window=RATE)})')} * 60"


def _alias_rate() -> Json:
    return time_series(
        About(
            210,
            "Alias predictions per minute",
            "Does every alias of every family predict, the shadows too?",
            "All four aliases of a family predict each round after the opening, so their lines lie on each"
            " other. One that lies lower falls back: 217 says why, and rps_model_alias_version which version"
            " is meant.",
        ),
        Place(0, 26, 8, 8),
        [
            query(
                _per_minute("rps_model_predictions_by_alias_total", by="model, alias"),
                "{{model}} {{alias}}",
                interval=LEAST_STEP,
            )
        ],
        defaults={"min": 0, "unit": "short"},
    )


def _policy_rate() -> Json:
    return time_series(
        About(
            211,
            "Policy predictions per minute",
            "How many rounds a minute did a model's prediction choose the bot's move?",
            "Flat at zero while games are played: only openings are played (three rounds), or the opponents are"
            " scripted bots; look at 212 and 217.",
        ),
        Place(8, 26, 8, 8),
        [
            query(
                _per_minute("rps_action_predictions_total", POLICY, by="policy, difficulty"),
                "{{policy}} {{difficulty}}",
                interval=LEAST_STEP,
            )
        ],
        defaults={"min": 0, "unit": "short"},
    )


def _games() -> Json:
    return time_series(
        About(
            212,
            "Games completed per hour",
            "Are games being finished, and how many are open?",
            "Open games that neither grow nor shrink while none is finished: players are stuck or gone; idle games"
            " are closed after RPS_GAME_IDLE_SECONDS. Nothing finished for hours: is the service ready (/readyz)?",
        ),
        Place(16, 26, 8, 8),
        [
            query(growth("rps_games_total", POLICY, window="1h", by="policy"), "{{policy}}"),
            query(grouped("sum", "", vector("rps_active_games")), "open games", ref="B"),
        ],
        defaults={"min": 0, "unit": "short"},
        overrides=[right_axis("B", "open", {"custom.lineInterpolation": "stepAfter", "unit": "short", "min": 0})],
    )


def _totals() -> Json:
    """A series of a family is of a policy, too: the join keeps those of the chosen ones."""
    chosen = f'label_join({vector("rps_action_predictions_total", POLICY)}, "model", "", "model_type")'
    totals = {
        "predictions": f"{vector('rps_model_predictions_by_alias_total')} and on (model) {chosen}",
        "rounds by a model": vector("rps_action_predictions_total", POLICY),
        "games": vector("rps_games_total", POLICY),
        "reorders": f"{vector('rps_model_alias_reorders_total')} and on (model) {chosen}",
    }
    return stat(
        About(
            213,
            "Totals on record",
            "How much is on record of the chosen policies since METRICS_SINCE_DATE?",
            "These only grow, a restart included. A number that falls means that METRICS_SINCE_DATE was changed or"
            " that another ledger is served: compare rps_ledger_position with the last anchor.",
        ),
        Place(0, 34, 8, 6),
        [
            query(grouped("sum", "", expression), legend, ref=ref, instant=True)
            for ref, (legend, expression) in zip("ABCD", totals.items(), strict=True)
        ],
        defaults={"unit": "short", "decimals": 0},
    )


def _outcomes() -> Json:
    counters = {
        "bot won": ("rps_action_wins_total", "green"),
        "bot lost": ("rps_action_losses_total", "red"),
        "drawn": ("rps_action_ties_total", "#808080"),
    }
    return bar_gauge(
        About(
            214,
            "Round outcomes ($__range)",
            "How did the rounds of the chosen time end for the bot?",
            "About a third each is what chance gives. A sudden shift to losses: players have learned the"
            " policy, or the models have stopped predicting (217). The numbers are extrapolated; the counters"
            " themselves (rps_action_wins_total and its like) are exact.",
        ),
        Place(8, 34, 8, 6),
        [
            query(growth(counter, POLICY, window="$__range", by=""), legend, ref=ref, instant=True)
            for ref, (legend, (counter, _)) in zip("ABC", counters.items(), strict=True)
        ],
        colors={legend: color for legend, (_, color) in counters.items()},
    )


def _win_rate() -> Json:
    counters = ("rps_game_wins_total", "rps_games_total")
    return time_series(
        About(
            215,
            "Competitive win rate (standard)",
            "What share of its games does each policy win?",
            "A tied game counts as a game and not as a win. Below a half for long: compare with 203, 206 and"
            " 209, which split the same games by alias.",
        ),
        Place(16, 34, 8, 6),
        [
            query(
                share(*counters, POLICY, STANDARD, window="$window", by="policy, difficulty"),
                "{{policy}} {{difficulty}}",
            )
        ],
        defaults={"unit": "percentunit", "min": 0, "max": 1},
    )


def _training() -> Json:
    buckets = growth("rps_training_duration_seconds_bucket", window="24h", by="le, model_type")
    return time_series(
        About(
            216,
            "Training completions (24h) and p95 duration",
            "Do trainer runs come to their end, and how long do they take?",
            "Failures: the training.completed event says the error (rps-audit shows it). No runs for a day:"
            " the trainer is not running, or cannot reach /internal/training/complete. The duration is read"
            " off buckets, so it is as coarse as they are.",
        ),
        Place(0, 41, 12, 8),
        [
            query(
                growth("rps_training_completed_total", window="24h", by="model_type, status"),
                "{{model_type}} {{status}}",
            ),
            query(f"histogram_quantile(0.95, {buckets})", "{{model_type}} p95", ref="B"),
        ],
        defaults={"min": 0, "unit": "short"},
        custom={"drawStyle": "bars", "fillOpacity": 60},
        overrides=[
            right_axis("B", "p95", {"custom.drawStyle": "line", "custom.fillOpacity": 0, "unit": "s", "min": 0})
        ],
    )


def _fallbacks() -> Json:
    fallen = growth("rps_model_fallback_total", window=RATE, by="model_type, alias, reason")
    return time_series(
        About(
            217,
            "Model fallbacks",
            "Where did a prediction have to step down from the model that was meant?",
            "Any bar is worth a look: minio_miss and mlflow_miss say where a version was not found, load_error and"
            " predict_error what it did. /models shows what is loaded, /models/reload loads again.",
        ),
        Place(12, 41, 12, 8),
        [query(f"{fallen} > 0", "{{model_type}} {{alias}} {{reason}}", interval=LEAST_STEP)],
        defaults={"min": 0, "unit": "short", "noValue": "0"},
        custom={"drawStyle": "bars", "fillOpacity": 80},
    )
