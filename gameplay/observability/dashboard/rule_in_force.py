"""Panels 232 to 234: what a cycle looks at, beside the lines of the rule that the family's cycles decide by.

The lines of 219 and 222 are those of the settings' defaults. These are series, so they follow the ledger: a rule
that is set moves its line from then on, for its family alone.
"""

from gameplay.observability.dashboard.visuals import About, Json, Place, override, query, time_series
from gameplay.observability.promql import grouped, vector

TOP = 102
LINE = override("byFrameRefID", "B", {"custom.lineStyle": {"dash": [8, 6], "fill": "dash"}, "custom.lineWidth": 1})
STEPS = {"lineInterpolation": "stepAfter"}
"""What a cycle has found holds until the next one."""


def rule_panels() -> list[Json]:
    return [_p_value(), _e_value(), _games()]


def _p_value() -> Json:
    return time_series(
        About(
            232,
            "p and alpha of the rule in force",
            "How close is B to Production's place, by the rule that decides? B takes it when p is below the dashed"
            " line of its family (RPS_PROMOTION_ALPHA).",
            "p below its line without a swap: a guard or a pin holds it back, or the version behind B is too new;"
            " the row in 218 says which. A line that steps: the rule was set anew, and rps-audit log --type"
            " promotion.rule_set says when and by whom. No p: the last cycle had no test.",
        ),
        Place(0, TOP, 8, 8),
        [
            query(grouped("max", "model", vector("rps_model_promotion_p_value")), "{{model}} p"),
            query(grouped("max", "model", vector("rps_model_promotion_alpha")), "{{model}} alpha", ref="B"),
        ],
        defaults={"decimals": 4, "min": 0, "max": 1, "unit": "short"},
        custom=STEPS,
        overrides=[LINE],
    )


def _e_value() -> Json:
    threshold = f"1 / {grouped('max', 'model', vector('rps_model_promotion_alpha'))}"
    return time_series(
        About(
            233,
            "E and 1 / alpha of the rule in force",
            "How much evidence is there that B is better? By anytime-sign/1 B takes Production's place once E"
            " reaches the dashed line of its family, at whatever look.",
            "E above its line without a swap: by ztest/1 p decides and E is there to compare, else 218 has the"
            " reason. E that falls to 1: a swap, or a rule whose test is another, has begun a new window. The axis"
            " is logarithmic.",
        ),
        Place(8, TOP, 8, 8),
        [
            query(grouped("max", "model", vector("rps_model_promotion_e_value")), "{{model}} E"),
            query(threshold, "{{model}} 1 / alpha", ref="B"),
        ],
        defaults={"decimals": 2, "unit": "short"},
        custom={**STEPS, "scaleDistribution": {"log": 10, "type": "log"}},
        overrides=[LINE],
    )


def _games() -> Json:
    games = vector("rps_model_games_since_production_swap", 'alias=~"Production|B"')
    return time_series(
        About(
            234,
            "Games and the least of the rule in force",
            "Have both sides the games that the rule asks for (RPS_PROMOTION_MINIMUM_GAMES), the dashed line of"
            " their family?",
            "Both above it, and cycles say insufficient_data: the games shown are all since the swap, and the rule"
            " may count fewer (settled ones, those of human players, those of the present pair). 218 has the"
            " numbers.",
        ),
        Place(16, TOP, 8, 8),
        [
            query(grouped("max", "model, alias", games), "{{model}} {{alias}}"),
            query(
                grouped("max", "model", vector("rps_model_promotion_minimum_games")), "{{model}} least", ref="B"
            ),
        ],
        defaults={"decimals": 0, "min": 0, "unit": "short"},
        custom=STEPS,
        overrides=[LINE],
    )
