"""Panels 240 and 241: what an operator holds, and what waits for one."""

from gameplay.observability.dashboard.visuals import About, Json, Place, lines, query, time_series
from gameplay.observability.promql import grouped, vector

TOP = 111
LONG_SECONDS = 3_600


def operator_panels() -> list[Json]:
    return [_pins(), _approvals()]


def _pins() -> Json:
    return time_series(
        About(
            240,
            "Pinned aliases",
            "Which aliases does an operator hold, and has an outside tool moved one of them all the same?",
            "A pin that nobody remembers: rps promotion status says who has set it, why and until when. Moved"
            " outside at 1: another version is behind the alias than the pinned one, and it plays; move it back in"
            " MLflow, or unpin the alias.",
        ),
        Place(0, TOP, 12, 8),
        [
            query(grouped("max", "model, alias", vector("rps_model_alias_pinned")), "{{model}} {{alias}}"),
            query(
                grouped("max", "model, alias", vector("rps_model_alias_pin_broken")),
                "{{model}} {{alias}} moved outside",
                ref="B",
            ),
        ],
        defaults={"decimals": 0, "min": 0, "max": 1, "unit": "short"},
        custom={"lineInterpolation": "stepAfter"},
    )


def _approvals() -> Json:
    return time_series(
        About(
            241,
            "Age of a swap that awaits approval",
            "For how long has a swap that a cycle decided been waiting for an operator?",
            "Above the line it waits for more than an hour: rps promotion approve or reject answers it, and"
            " unanswered it is closed after RPS_PROMOTION_APPROVAL_SECONDS. Always zero where"
            " RPS_PROMOTION_APPROVAL is off.",
        ),
        Place(12, TOP, 12, 8),
        [query(grouped("max", "model", vector("rps_promotion_approval_age_seconds")), "{{model}}")],
        defaults={"min": 0, "unit": "s", "thresholds": lines(LONG_SECONDS, color="orange")},
        custom={"thresholdsStyle": {"mode": "line"}},
    )
