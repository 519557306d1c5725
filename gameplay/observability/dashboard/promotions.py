"""Panels 218 to 222: the promotion ledger and what the promotion job sees."""

from statistics import NormalDist

from gameplay.observability.dashboard.history_query import LEDGER_COLUMNS, HistoryQuery
from gameplay.observability.dashboard.history_targets import JSON_API, datasource, json_api
from gameplay.observability.dashboard.visuals import (
    About,
    Json,
    Place,
    bar_gauge,
    lines,
    override,
    query,
    reaching,
    right_axis,
    table,
    time_series,
)
from gameplay.observability.promql import grouped, growth, vector
from gameplay.observability.site import SERVICE_VARIABLE

Z_LINE = 1.28
Z_SHOWN = 1.5
P_LINE = 0.2
MINIMUM_GAMES = 3
LEDGER_ROWS = 20
DECISION_COLORS = {
    "swap_production_b": "green",
    "retain_production": "blue",
    "insufficient_data": "#808080",  # Grafana's palette has no gray
    "alias_reorder": "orange",
}

_NORMAL = NormalDist()
Z_OF_P_LINE = _NORMAL.inv_cdf(1 - P_LINE)
P_OF_Z_LINE = 1 - _NORMAL.cdf(Z_LINE)


def promotion_panels() -> list[Json]:
    return [_ledger(), _trendlines(), _event_totals(), _ranks(), _since_swap()]


def _ledger() -> Json:
    share = {"unit": "percentunit", "decimals": 1}
    colors = {
        decision: {"color": color, "index": index}
        for index, (decision, color) in enumerate(DECISION_COLORS.items())
    }
    decision = {
        "mappings": [{"options": colors, "type": "value"}],
        "custom.cellOptions": {"type": "color-text"},
        "custom.width": 170,
    }
    return table(
        About(
            218,
            "Promotion Ledger (last 20)",
            "What did the last twenty cycles decide, on which evidence?",
            "An error instead of rows: the data source's URL must be the service's address without a path"
            " (Save and test must be green) and this query's path begins with a slash. An old newest row: the"
            " automation has stalled. Applied is false: a change of aliases was decided and is not carried out"
            " yet. Empty z and p: there was nothing to test, and the reason says why. A position leads to the"
            " page of its decision at the address in the variable Service.",
        ),
        Place(0, 50, 24, 9),
        [json_api(HistoryQuery(LEDGER_COLUMNS, {"limit": str(LEDGER_ROWS)}))],
        datasource=datasource(JSON_API),
        sort_by="Time",
        overrides=[
            override("byName", "Time", {"custom.width": 170}),
            override("byName", "Decision", decision),
            override("byName", "Applied", {"custom.width": 80}),
            override("byName", "Production win rate", share),
            override("byName", "B win rate", share),
            override("byName", "z", {"decimals": 3}),
            override("byName", "p", {"decimals": 4}),
            override("byName", "Position", {"custom.width": 90, "decimals": 0, "links": [_decision()]}),
            override("byName", "Reason", {"custom.width": 560}),
        ],
    )


def _decision() -> Json:
    """A link from a row to the page that says why."""
    return {
        "targetBlank": True,
        "title": "Why: the decision at position ${__value.raw}",
        "url": f"${{{SERVICE_VARIABLE}:raw}}/decisions/${{__value.raw}}",
    }


def _trendlines() -> Json:
    barriers = (
        f"B becomes Production when p < {P_LINE:.2f} (RPS_PROMOTION_ALPHA): that is the line on the p axis,"
        f" and the same as z > {Z_OF_P_LINE:.3f}. The lines on the z axis, at |z| = {Z_LINE}, are another"
        f" barrier: one-sided p = {P_OF_Z_LINE:.3f} ({2 * P_OF_Z_LINE:.3f} two-sided). So a swap may come with"
        " z between the two."
    )
    return time_series(
        About(
            219,
            "Promotion Trendlines (24h)",
            f"How close is B to Production's place? z on the left, its one-sided p on the right. {barriers}",
            "A gap: the last cycle had no test (too few games, or all of them ended alike). A flat line for"
            " hours: no cycle was run, see 218. p below its line without a swap: the version behind B is too"
            " new, the row in 218 says so.",
        ),
        Place(0, 59, 12, 9),
        [
            query(grouped("max", "model", vector("rps_model_promotion_z_statistic")), "{{model}} z"),
            query(grouped("max", "model", vector("rps_model_promotion_p_value")), "{{model}} p", ref="B"),
        ],
        defaults={"unit": "short", "decimals": 3, "thresholds": lines(-Z_LINE, Z_LINE)},
        custom={"axisLabel": "z", "lineInterpolation": "stepAfter", "thresholdsStyle": {"mode": "line"}},
        overrides=[
            reaching("A", low=-Z_SHOWN, high=Z_SHOWN),
            right_axis(
                "B",
                "p",
                {
                    "custom.lineStyle": {"dash": [8, 6], "fill": "dash"},
                    "custom.thresholdsStyle": {"mode": "line"},
                    "decimals": 4,
                    "max": 1,
                    "min": 0,
                    "thresholds": lines(P_LINE, color="orange"),
                    "unit": "short",
                },
            ),
        ],
        time_from="24h",
    )


def _event_totals() -> Json:
    return bar_gauge(
        About(
            220,
            "Promotion Event Totals (7d)",
            "What have a week's cycles come to?",
            "Mostly gray: the aliases do not get enough games between two cycles. No green at all is no fault:"
            " B may not be better. Extrapolated by Prometheus; /internal/promotion/event_totals?days=7 has the"
            " exact counts.",
        ),
        Place(12, 59, 12, 9),
        [
            query(
                growth("rps_model_promotion_events_total", window="7d", by="decision"),
                "{{decision}}",
                instant=True,
            )
        ],
        colors=DECISION_COLORS,
    )


def _ranks() -> Json:
    return time_series(
        About(
            221,
            "Alias Rank Timeline",
            "In which order do the challengers stand, as last evaluated? 1 is next in line for Production.",
            "No lines: no cycle has ranked them yet, which needs 30 predictions of each. Lines that cross"
            " every cycle: the challengers are about equally good.",
        ),
        Place(0, 68, 12, 8),
        [query(grouped("max", "model, alias", vector("rps_model_alias_rank")), "{{model}} {{alias}}")],
        defaults={"decimals": 0, "max": 4, "min": 0, "thresholds": lines(1, color="green"), "unit": "short"},
        custom={"lineInterpolation": "stepAfter", "thresholdsStyle": {"mode": "line"}},
    )


def _since_swap() -> Json:
    games = vector("rps_model_games_since_production_swap", 'alias=~"Production|B"')
    return time_series(
        About(
            222,
            "Games and cycles since swap",
            "How much evidence has come since Production and B were last swapped, over how many cycles?",
            f"Both sides need {MINIMUM_GAMES} games, the line, before anything is tested. Cycles that rise"
            " while games do not: no games are played. A fall to zero is a swap, and nothing else is.",
        ),
        Place(12, 68, 12, 8),
        [
            query(grouped("max", "model, alias", games), "{{model}} {{alias}}"),
            query(
                grouped("max", "model", vector("rps_model_promotion_cycles_since_swap")),
                "{{model}} cycles",
                ref="B",
            ),
        ],
        defaults={"decimals": 0, "min": 0, "thresholds": lines(MINIMUM_GAMES, color="orange"), "unit": "short"},
        custom={"axisLabel": "games", "lineInterpolation": "stepAfter", "thresholdsStyle": {"mode": "line"}},
        overrides=[
            reaching("A", high=MINIMUM_GAMES + 1),
            right_axis(
                "B",
                "cycles",
                {
                    "custom.lineStyle": {"dash": [8, 6], "fill": "dash"},
                    "custom.thresholdsStyle": {"mode": "off"},
                    "decimals": 0,
                    "min": 0,
                    "unit": "short",
                },
            ),
        ],
    )
