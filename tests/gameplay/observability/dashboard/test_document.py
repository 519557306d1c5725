"""The generated dashboard: its panels, and what each of the three data sources is asked."""

import json
from itertools import permutations
from statistics import NormalDist
from typing import Any

import pytest

from gameplay.observability.dashboard import promotions
from gameplay.observability.dashboard.document import PANEL_IDS, generated_dashboard
from gameplay.observability.dashboard.history_query import LEDGER_COLUMNS, TOTALS_COLUMNS, HistoryQuery
from gameplay.observability.dashboard.history_targets import (
    INFINITY,
    JSON_API,
    PLUGINS,
    SIMPOD,
    json_api,
    read,
    write,
)
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.parts import panels, references
from gameplay.observability.dashboard.variants import importable, translated
from gameplay.observability.dashboard.visuals import override
from gameplay.observability.site import (
    DASHBOARD_UID,
    HISTORY_PATH,
    LEDGER_UID,
    PROMETHEUS_UID,
    SERVICE_URL,
    TOTALS_PATH,
)
from gameplay.web.app import CALLS


def panel(id_: int, of: dict[str, Any] | None = None) -> dict[str, Any]:
    return next(one for one in panels(of or generated_dashboard()) if one["id"] == id_)


def test_the_panels_are_201_to_234_and_the_operator_s_and_the_first_22_stay_where_they_are() -> None:
    ids = [*range(201, 235), 240, 241]
    assert [one["id"] for one in panels(generated_dashboard())] == list(PANEL_IDS) == ids
    assert max(one["gridPos"]["y"] for one in panels(generated_dashboard()) if one["id"] <= 222) == 68
    assert generated_dashboard()["uid"] == DASHBOARD_UID == "18dc23df-eea3-406c-a7e7-99066a987538"


def test_the_dashboard_and_its_variants_keep_every_rule() -> None:
    for made in (
        generated_dashboard(),
        translated(generated_dashboard(), INFINITY),
        translated(generated_dashboard(), SIMPOD),
    ):
        assert findings(made, row_keys()) == []


def test_every_panel_says_what_it_asks_and_what_to_do() -> None:
    for one in panels(generated_dashboard()):
        asks, wrong = one["description"].split("\n\nWhen it looks wrong: ")
        assert "?" in asks
        assert len(wrong) > 40


def test_the_trendlines_say_what_their_two_lines_are() -> None:
    trend = panel(219)

    normal = NormalDist()
    assert f"{normal.inv_cdf(0.8):.3f}" == "0.842"
    assert f"{1 - normal.cdf(1.28):.3f}" == "0.100"
    for number in ("p < 0.20", "z > 0.842", "|z| = 1.28", "p = 0.100", "0.201 two-sided"):
        assert number in trend["description"]
    left = trend["fieldConfig"]["defaults"]["thresholds"]["steps"]
    (shown, right) = trend["fieldConfig"]["overrides"]
    properties = {one["id"]: one["value"] for one in right["properties"]}
    assert [step["value"] for step in left] == [None, -1.28, 1.28]
    assert [step["value"] for step in properties["thresholds"]["steps"]] == [None, 0.2]
    assert properties["custom.axisPlacement"] == "right"
    assert (trend["timeFrom"], right["matcher"]["options"]) == ("24h", "B")
    # Autoscale does not look at thresholds, and z is mostly well within them.
    assert shown == override("byFrameRefID", "A", {"custom.axisSoftMin": -1.5, "custom.axisSoftMax": 1.5})


def test_the_line_of_the_least_games_is_on_its_axis_when_there_are_fewer() -> None:
    games, cycles = panel(222)["fieldConfig"]["overrides"]

    assert [step["value"] for step in panel(222)["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 3]
    assert games == override("byFrameRefID", "A", {"custom.axisSoftMax": 4})
    assert not [one for one in cycles["properties"] if "Soft" in one["id"]]


@pytest.mark.parametrize(
    ("id_", "line"),
    [
        (232, "max by (model) (rps_model_promotion_alpha)"),
        (233, "1 / max by (model) (rps_model_promotion_alpha)"),
        (234, "max by (model) (rps_model_promotion_minimum_games)"),
    ],
)
def test_the_lines_of_the_rule_in_force_are_series_and_no_thresholds(id_: int, line: str) -> None:
    made = panel(id_)

    assert made["targets"][1]["expr"] == line
    assert made["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "off"}
    (dashed,) = made["fieldConfig"]["overrides"]
    assert dashed["matcher"]["options"] == made["targets"][1]["refId"]


def test_each_decision_has_its_colour() -> None:
    colors = {
        one["matcher"]["options"]: one["properties"][0]["value"]["fixedColor"]
        for one in panel(220)["fieldConfig"]["overrides"]
    }

    assert colors == promotions.DECISION_COLORS
    assert colors == {
        "swap_production_b": "green",
        "retain_production": "blue",
        "insufficient_data": "#808080",
        "alias_reorder": "orange",
    }


def test_the_rank_timeline_steps_and_has_a_line_at_one() -> None:
    defaults = panel(221)["fieldConfig"]["defaults"]

    assert defaults["custom"]["lineInterpolation"] == "stepAfter"
    assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 1]


def test_the_ledger_is_asked_by_a_relative_path_and_typed_columns() -> None:
    (target,) = panel(218)["targets"]

    assert target["datasource"] == {"type": JSON_API, "uid": "rps-promotion-ledger"}
    assert (target["urlPath"], target["params"]) == ("/internal/promotion/history", [["limit", "20"]])
    assert target["cacheDurationSeconds"] == 0
    assert {field["type"] for field in target["fields"]} == {"time", "number", "string", "boolean"}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_each_row_of_the_ledger_leads_to_its_decision(plugin: str) -> None:
    dashboard = translated(generated_dashboard(), plugin)

    (position,) = [
        one for one in panel(218, dashboard)["fieldConfig"]["overrides"] if one["matcher"]["options"] == "Position"
    ]
    (links,) = [one["value"] for one in position["properties"] if one["id"] == "links"]
    assert [link["url"] for link in links] == ["${service:raw}/decisions/${__value.raw}"]
    (service,) = [one for one in dashboard["templating"]["list"] if one["name"] == "service"]
    assert service["query"] == SERVICE_URL


def test_infinity_is_asked_for_the_same_columns() -> None:
    (target,) = panel(218, translated(generated_dashboard(), INFINITY))["targets"]

    columns = {column["text"]: (column["selector"], column["type"]) for column in target["columns"]}
    assert columns["Time"] == ("ts", "timestamp")
    assert columns["p"] == ("p_value", "number")
    assert columns["Applied"] == ("applied", "boolean")
    assert len(columns) == 10
    assert (target["url"], target["parser"]) == ("/internal/promotion/history", "backend")
    assert target["url_options"]["params"] == [{"key": "limit", "value": "20"}]
    assert JSON_API not in json.dumps(translated(generated_dashboard(), INFINITY))


def test_infinity_takes_the_time_range_by_its_own_macros() -> None:
    annotation = translated(generated_dashboard(), INFINITY)["annotations"]["list"][-1]

    params = {one["key"]: one["value"] for one in annotation["target"]["url_options"]["params"]}
    assert (params["from"], params["decision"]) == ("${__timeFrom:date:iso}", "swap_production_b")
    assert annotation["target"]["format"] == "dataframe"


def test_simpod_is_asked_for_its_own_metrics() -> None:
    made = translated(generated_dashboard(), SIMPOD)

    (target,) = panel(218, made)["targets"]
    assert (target["target"], target["payload"]) == ("promotion_history", {"limit": "20"})
    assert made["annotations"]["list"][-1]["target"]["target"] == "promotion_swaps"


@pytest.mark.parametrize(("first", "second"), [*permutations(PLUGINS, 2)])
def test_every_plugins_dashboard_can_be_put_into_every_others_words(first: str, second: str) -> None:
    theirs = translated(generated_dashboard(), first)

    made = translated(theirs, second)

    assert made == translated(generated_dashboard(), second)
    assert first not in json.dumps(made)
    assert translated(theirs, first) == theirs


def test_totals_and_chosen_swaps_keep_their_meaning_in_every_plugin() -> None:
    totals = HistoryQuery(TOTALS_COLUMNS, {"days": "30"}, TOTALS_PATH, "T")
    swaps = HistoryQuery(LEDGER_COLUMNS, {"decision": "swap_production_b", "limit": "5"})

    for plugin in PLUGINS:
        for query in (totals, swaps):
            assert read(plugin, write(plugin, query)) == query


def test_parameters_in_the_path_are_parameters() -> None:
    target = json_api(HistoryQuery(LEDGER_COLUMNS, {"limit": "5"}))
    target |= {"urlPath": f"{HISTORY_PATH}?model_type=xgboost", "queryParams": "decision=retain_production"}

    asked = read(JSON_API, target)

    assert (asked.path, asked.params) == (
        HISTORY_PATH,
        {"model_type": "xgboost", "decision": "retain_production", "limit": "5"},
    )


@pytest.mark.parametrize("plugin", PLUGINS)
def test_an_import_asks_for_both_data_sources(plugin: str) -> None:
    made = importable(translated(generated_dashboard(), plugin))

    named = {reference["uid"] for reference in references(made)}
    assert named == {"${DS_PROMETHEUS}", "${DS_LEDGER}", "-- Grafana --"}
    assert [one["pluginId"] for one in made["__inputs"]] == ["prometheus", plugin]
    assert [one["id"] for one in made["__requires"]] == ["prometheus", plugin]
    assert not {PROMETHEUS_UID, LEDGER_UID} & named


def test_a_provisioned_dashboard_asks_for_nothing() -> None:
    assert "${DS_" not in json.dumps(generated_dashboard())
    assert "__inputs" not in generated_dashboard()


def test_making_a_variant_leaves_the_dashboard_alone() -> None:
    made = generated_dashboard()

    translated(made, INFINITY)
    importable(made)

    assert made == generated_dashboard()


@pytest.mark.parametrize("id_", [201, 203, 215])
def test_a_share_without_games_is_no_zero(id_: int) -> None:
    assert all(target["expr"].endswith(" > 0)") for target in panel(id_)["targets"])


def test_the_links_on_top_lead_to_pages_of_the_service() -> None:
    paths = {call.path for call in CALLS}

    for link in generated_dashboard()["links"]:
        assert link["url"].removeprefix("${service:raw}") in paths
        assert link["targetBlank"] is True


def test_nothing_in_it_is_of_a_schema_before_the_one_it_names() -> None:
    """Migrations to 40, 41 and 42 change a refresh that is no text, times to choose from, and hidden series."""
    dashboard = generated_dashboard()

    assert dashboard["schemaVersion"] == 42
    assert isinstance(dashboard["refresh"], str)
    assert "time_options" not in dashboard["timepicker"]
    assert '"hideFrom"' not in json.dumps(dashboard)
