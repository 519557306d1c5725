"""Panels 201 to 209: how each policy's models predict and win, alias by alias."""

from gameplay.observability.dashboard.visuals import About, Json, Place, query, stat, steps, time_series
from gameplay.observability.promql import share
from ledger.vocabulary import FAMILY_OF_POLICY, Policy

POLICIES: tuple[Policy, ...] = ("brian", "logan", "forrest")
FIRST_ID = 201
FIRST_Y = 1
PANELS_A_POLICY = 3
HEIGHT = 8
CHANCE = 0.333

PLAYED = 'alias=~"Production|B"'


def policy_panels() -> list[Json]:
    return [
        panel
        for line, policy in enumerate(POLICIES)
        for panel in _panels(policy, accuracy_panel(policy), FIRST_Y + line * HEIGHT)
    ]


def accuracy_panel(policy: Policy) -> int:
    return FIRST_ID + POLICIES.index(policy) * PANELS_A_POLICY


def _panels(policy: Policy, first_id: int, y: int) -> list[Json]:
    family = FAMILY_OF_POLICY[policy]
    name = f"{policy} ({family})"
    model = f'model="{family}"'
    accuracy = ("rps_model_correct_predictions_by_alias_total", "rps_model_predictions_by_alias_total")
    wins = ("rps_model_game_wins_by_alias_total", "rps_model_games_by_alias_total")
    chance = {"unit": "percentunit", "decimals": 1, "min": 0, "max": 1}
    return [
        time_series(
            About(
                first_id,
                f"{name}: action accuracy by alias",
                "How often does each alias name the player's next move? One in three is chance.",
                "A gap is an alias without predictions in the window: look at 210 and 217. A line that falls"
                " to one third after a swap is a model that has learned nothing about these players: see 218"
                " for the swap.",
            ),
            Place(0, y, 10, HEIGHT),
            [query(share(*accuracy, model, window="$window", by="alias"), "{{alias}}")],
            defaults=chance,
        ),
        stat(
            About(
                first_id + 1,
                f"{name}: Production vs B action accuracy ($window)",
                "Who predicts better over the window, Production or B?",
                "B far ahead and no swap: accuracy is not what the rule tests, win rates are; compare the panel to"
                " the right and z in 219. No value: no predictions in the window.",
            ),
            Place(10, y, 7, HEIGHT),
            [query(share(*accuracy, model, PLAYED, window="$window", by="alias"), "{{alias}}", instant=True)],
            defaults={**chance, "thresholds": steps((None, "red"), (CHANCE, "yellow"), (0.4, "green"))},
        ),
        time_series(
            About(
                first_id + 2,
                f"{name}: Production/B game win rate",
                "How many of its games does each side of the comparison win? This is what the promotion rule"
                " tests.",
                "One line alone: the other side has no games in the window, so look at AB_SPLIT_RATIO and"
                " ENABLE_AB_TESTING. Both jump: a new kind of player; compare the accuracy panels.",
            ),
            Place(17, y, 7, HEIGHT),
            [query(share(*wins, model, PLAYED, window="$window", by="alias"), "{{alias}}")],
            defaults=chance,
        ),
    ]
