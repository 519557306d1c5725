"""Each rule for dashboards, shown a dashboard that breaks it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gameplay.observability.dashboard.document import PANEL_IDS, generated_dashboard
from gameplay.observability.dashboard.history_query import TOTALS_COLUMNS, HistoryQuery
from gameplay.observability.dashboard.history_targets import INFINITY, PLUGINS, SIMPOD, json_api
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.parts import panels
from gameplay.observability.dashboard.variants import translated
from gameplay.observability.site import LEDGER_UID, TOTALS_PATH
from projections.metrics import series

Dashboard = dict[str, Any]


def panel(of: Dashboard, id_: int) -> Dashboard:
    return next(one for one in panels(of) if one["id"] == id_)


def target(of: Dashboard, id_: int) -> Dashboard:
    found: Dashboard = panel(of, id_)["targets"][0]
    return found


def rename(of: Dashboard) -> None:
    target(of, 212)["expr"] = "sum(increase(rps_games_played_total[1h]))"


def unknown_label(of: Dashboard) -> None:
    target(of, 212)["expr"] = 'sum(increase(rps_games_total{model="xgboost"}[1h]))'


def unknown_grouping(of: Dashboard) -> None:
    target(of, 212)["expr"] = "sum by (alias) (increase(rps_games_total[1h]))"


def status_of_its_own(of: Dashboard) -> None:
    target(of, 212)["expr"] = 'sum(rate(rps_http_requests_total{route="/play}", status="500"}[5m]))'


def statuses_of_their_own(of: Dashboard) -> None:
    target(of, 212)["expr"] = "sum(rate(rps_http_requests_total{status=~'50[0-9]'}[5m]))"


def lost_legend(of: Dashboard) -> None:
    target(of, 212)["legendFormat"] = "{{difficulty}}"


def legend_of_a_sum(of: Dashboard) -> None:
    target(of, 213)["legendFormat"] = "{{policy}}"


def no_expression(of: Dashboard) -> None:
    target(of, 212)["expr"] = None


def no_id(of: Dashboard) -> None:
    panel(of, 212).pop("id")


def no_list(of: Dashboard) -> None:
    panel(of, 212)["targets"] = {"A": "up"}


def no_text(of: Dashboard) -> None:
    of["annotations"]["list"][1]["expr"] = 5


def twice(of: Dashboard) -> None:
    panel(of, 202)["id"] = 201


def lost(of: Dashboard) -> None:
    of["panels"].remove(panel(of, 222))


def overlapping(of: Dashboard) -> None:
    panel(of, 202)["gridPos"]["x"] = 9


def too_wide(of: Dashboard) -> None:
    panel(of, 218)["gridPos"]["w"] = 25


def foreign_source(of: Dashboard) -> None:
    panel(of, 201)["datasource"] = {"type": "prometheus", "uid": "P1809F7CD0C75ACF3"}


def foreign_source_of_a_variable(of: Dashboard) -> None:
    of["templating"]["list"][0]["datasource"] = {"type": "prometheus", "uid": "other"}


def unknown_variable_series(of: Dashboard) -> None:
    of["templating"]["list"][0]["query"]["query"] = "label_values(rps_rounds_total, policy)"


def unknown_column(of: Dashboard) -> None:
    target(of, 218)["fields"][0]["jsonPath"] = "$[*].time"


def no_columns(of: Dashboard) -> None:
    del target(of, 218)["fields"]


def no_path(of: Dashboard) -> None:
    del target(of, 218)["fields"][0]["jsonPath"]


def no_type(of: Dashboard) -> None:
    del target(of, 218)["fields"][6]["type"]


def strange_type(of: Dashboard) -> None:
    target(of, 218)["fields"][6]["type"] = "integer"


def cached(of: Dashboard) -> None:
    target(of, 218)["cacheDurationSeconds"] = 300


def cached_unsaid(of: Dashboard) -> None:
    del of["annotations"]["list"][2]["target"]["cacheDurationSeconds"]


def two_plugins(of: Dashboard) -> None:
    panel(of, 218)["datasource"] = {"type": INFINITY, "uid": LEDGER_UID}


def no_plugin(of: Dashboard) -> None:
    panel(of, 218)["datasource"] = {"type": "prometheus", "uid": LEDGER_UID}


def filtered_path(of: Dashboard) -> None:
    target(of, 218)["fields"][0]["jsonPath"] = "$[?(@.p_value<0.2)].ts"


def absolute_path(of: Dashboard) -> None:
    target(of, 218)["urlPath"] = "https://mlops-rps.uk/internal/promotion/history"


def other_uid(of: Dashboard) -> None:
    of["uid"] = "copy"


def unknown_annotation_series(of: Dashboard) -> None:
    of["annotations"]["list"][1]["expr"] = "rps_swaps_total"


def unknown_series_of_a_saved_annotation(of: Dashboard) -> None:
    # A newer Grafana moves the expression when a person edits the annotation.
    del of["annotations"]["list"][1]["expr"]
    of["annotations"]["list"][1]["target"] = {"expr": "rps_swaps_total", "interval": "60s", "refId": "Anno"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (rename, "panel 212, query A: there is no series rps_games_played_total"),
        (unknown_label, "panel 212, query A: rps_games_total has no label model"),
        (unknown_grouping, "panel 212, query A: groups by alias, which no series in it has"),
        (status_of_its_own, "panel 212, query A: rps_http_requests_total has no status '500': it has 2xx"),
        (statuses_of_their_own, "panel 212, query A: rps_http_requests_total has no status '50[0-9]'"),
        (lost_legend, "panel 212, query A: the legend shows difficulty, which is not left"),
        (legend_of_a_sum, "panel 213, query A: the legend shows policy, which is not left"),
        (no_expression, "panel 212, query A: it asks for nothing"),
        (no_id, "the panel 'Games completed per hour' has no id"),
        (
            no_list,
            "it is not made as Grafana makes them: Expected `array | null`, got `object` - at `$.panels",
        ),
        (
            no_text,
            "it is not made as Grafana makes them: Expected `str | null`, got `int` - at `$.annotations",
        ),
        (twice, "panel id 201 is there 2 times"),
        (lost, "panel 222 is missing: alerts and render links name it"),
        (overlapping, "panel 202 overlaps panel 201"),
        (too_wide, "panel 218 does not fit the grid of 24 columns"),
        (foreign_source, "data source uid 'P1809F7CD0C75ACF3' is not among"),
        (foreign_source_of_a_variable, "data source uid 'other' is not among"),
        (unknown_variable_series, "variable policy: there is no series rps_rounds_total"),
        (unknown_column, "panel 218, query A: a row of /internal/promotion/history has no key time"),
        (no_columns, "panel 218, query A: it names no columns"),
        (no_path, "panel 218, query A: '' is no key of a row"),
        (
            no_type,
            "panel 218, query A: column 'z' has the type None; it needs one of time, number",
        ),
        (strange_type, "panel 218, query A: column 'z' has the type 'integer'"),
        (cached, "panel 218, query A: cacheDurationSeconds is 300, not 0"),
        (cached_unsaid, "annotation Swaps, with reasons: cacheDurationSeconds is None, not 0"),
        (two_plugins, "the ledger's data source is one, and has the types marcus"),
        (no_plugin, "the ledger's data source has the type 'prometheus'"),
        (filtered_path, "panel 218, query A: '$[?(@.p_value<0.2)].ts' is no key of a row"),
        (absolute_path, "panel 218, query A: the path is 'https://mlops-rps.uk/internal/promotion/history'"),
        (other_uid, "the dashboard's uid is 'copy'"),
        (unknown_annotation_series, "annotation Swaps: there is no series rps_swaps_total"),
        (unknown_series_of_a_saved_annotation, "annotation Swaps: there is no series rps_swaps_total"),
    ],
)
def test_a_broken_rule_is_found(spoil: Callable[[Dashboard], None], said: str) -> None:
    spoiled = generated_dashboard()

    spoil(spoiled)

    found = findings(spoiled, row_keys())
    assert any(finding.startswith(said) for finding in found), found


REQUIRED = ("id", "type", "title", "gridPos", "description", "fieldConfig", "options", "targets")


@pytest.mark.parametrize("value", [None, "gone"])
@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("id_", [201, 213, 218, 220])
def test_whatever_a_panel_lacks_is_found(id_: int, name: str, value: str | None) -> None:
    spoiled = generated_dashboard()
    of = panel(spoiled, id_)

    of[name] = None
    if value == "gone":
        del of[name]

    assert findings(spoiled, row_keys()) != []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_whatever_a_query_lacks_is_found(plugin: str) -> None:
    whole = translated(generated_dashboard(), plugin)
    needed = {"expr", "fields", "columns", "target", "urlPath", "url", "refId", "cacheDurationSeconds"}
    for id_ in PANEL_IDS:
        for name in needed & target(whole, id_).keys():
            spoiled = copy.deepcopy(whole)
            del target(spoiled, id_)[name]
            assert findings(spoiled, row_keys()) != [], (id_, name)


def side_missing(of: Dashboard) -> None:
    del panel(of, 205)["gridPos"]["h"]


def no_source(of: Dashboard) -> None:
    del panel(of, 212)["datasource"]
    del target(of, 212)["datasource"]


def no_uid(of: Dashboard) -> None:
    target(of, 212)["datasource"] = {"type": "prometheus"}


def no_source_type(of: Dashboard) -> None:
    target(of, 212)["datasource"] = {"uid": "grafanacloud-ml-metrics"}


def source_by_title(of: Dashboard) -> None:
    target(of, 212)["datasource"] = "Prometheus"


def mixed_alone(of: Dashboard) -> None:
    panel(of, 212)["datasource"] = {"type": "datasource", "uid": "-- Mixed --"}
    del target(of, 212)["datasource"]


def same_name(of: Dashboard) -> None:
    panel(of, 212)["targets"][1]["refId"] = "A"


def added_and_empty(of: Dashboard) -> None:
    of["panels"].append({"id": 301, "title": "Mine", "type": "stat", "gridPos": {"x": 0, "y": 90, "w": 6, "h": 4}})


def asking_nothing(of: Dashboard) -> None:
    panel(of, 215)["targets"] = [{"refId": "A", "datasource": {"type": "loki", "uid": "-- Grafana --"}}]


def lost_variable(of: Dashboard) -> None:
    of["templating"]["list"] = [one for one in of["templating"]["list"] if one["name"] != "window"]


def variable_without_query(of: Dashboard) -> None:
    of["templating"]["list"][1]["query"] = ""


def variable_without_source(of: Dashboard) -> None:
    del of["templating"]["list"][0]["datasource"]


def variable_without_type(of: Dashboard) -> None:
    del of["templating"]["list"][1]["type"]


def annotation_without_source(of: Dashboard) -> None:
    del of["annotations"]["list"][1]["datasource"]


def annotation_without_query(of: Dashboard) -> None:
    del of["annotations"]["list"][2]["target"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (side_missing, "panel 205 has no h in its gridPos"),
        (no_source, "panel 212 has a query A that names no data source"),
        (no_uid, "panel 212 has a query A that names no uid of its data source"),
        (no_source_type, "panel 212 has a query A that names no type of its data source"),
        (source_by_title, "panel 212 has a query A that names its data source by the title 'Prometheus'"),
        (mixed_alone, "panel 212 has a query A that names no data source of its own"),
        (same_name, "panel 212 has 2 queries A"),
        (added_and_empty, "panel 301 has no queries"),
        (asking_nothing, "panel 215 has a query A that asks for nothing"),
        (lost_variable, "panel 201, query A: there is no variable $window"),
        (lost_variable, "panel 202: there is no variable $window"),
        (variable_without_query, "variable window has no query"),
        (variable_without_source, "variable policy names no data source"),
        (variable_without_type, "variable window has no type"),
        (annotation_without_source, "annotation Swaps names no data source"),
        (annotation_without_query, "annotation Swaps, with reasons asks for nothing"),
    ],
)
def test_a_gap_is_reported_with_its_place(spoil: Callable[[Dashboard], None], said: str) -> None:
    spoiled = generated_dashboard()

    spoil(spoiled)

    found = findings(spoiled, row_keys())
    assert any(finding.startswith(said) for finding in found), found


def test_an_unknown_column_of_infinity_is_found() -> None:
    spoiled = translated(generated_dashboard(), INFINITY)

    target(spoiled, 218)["columns"][0]["selector"] = "time"

    assert findings(spoiled, row_keys()) == [
        "panel 218, query A: a row of /internal/promotion/history has no key time"
    ]


def test_an_unknown_metric_of_simpod_is_found() -> None:
    spoiled = translated(generated_dashboard(), SIMPOD)

    target(spoiled, 218)["target"] = "history"

    (found,) = findings(spoiled, row_keys())
    assert found.startswith("panel 218, query A: there is no metric 'history'; there are promotion_history")


def of_the_process(of: Dashboard) -> None:
    target(of, 212)["expr"] = 'sum by (route) (rate(rps_http_requests_total{status=~"5..", route!="x}"}[5m]))'
    target(of, 212)["legendFormat"] = "{{route}}"
    target(of, 213)["expr"] = 'process_resident_memory_bytes{job="rps-app"} and on (job) up == 1'


def of_grafana_itself(of: Dashboard) -> None:
    panel(of, 216)["datasource"] = {"type": "datasource", "uid": "-- Mixed --"}
    panel(of, 215)["datasource"] = {"type": "datasource", "uid": "-- Dashboard --"}
    panel(of, 215)["targets"] = [{"panelId": 212, "refId": "A"}]
    of["annotations"]["list"][0]["datasource"] = {"type": "datasource", "uid": "grafana"}


def dropping_labels(of: Dashboard) -> None:
    target(of, 212)["expr"] = "sum without (instance, pod) (rps_games_total)"
    target(of, 212)["legendFormat"] = "{{policy}}"


def joined(of: Dashboard) -> None:
    target(of, 212)["expr"] = "rps_model_alias_rank * on (model) group_left () rps_model_promotion_pending"
    target(of, 212)["legendFormat"] = "{{alias}}"


def commented_and_loud(of: Dashboard) -> None:
    target(of, 213)["expr"] = "# open games\nrps_active_games AND ON () (sum(rps_games_total) > 0) # not at first"


def with_a_text_panel(of: Dashboard) -> None:
    grid = {"x": 0, "y": 120, "w": 24, "h": 3}
    of["panels"].append(
        {"id": 301, "title": "Read me", "type": "text", "gridPos": grid, "options": {"content": "$5"}}
    )


def sparse(of: Dashboard) -> None:
    of["tags"] = None
    del target(of, 201)["datasource"]
    panel(of, 201)["targets"][0]["legendFormat"] = None
    del target(of, 218)["params"]
    panel(of, 222)["gridPos"] = {"x": 12, "y": 68.5, "w": 12, "h": 7.5}


def other_rows(of: Dashboard) -> None:
    query = HistoryQuery(TOTALS_COLUMNS, {"days": "7"}, TOTALS_PATH)
    panel(of, 218)["targets"] = [json_api(query), json_api(query._replace(path=f"{TOTALS_PATH}?days=30", ref="B"))]


@pytest.mark.parametrize(
    "change",
    [
        of_the_process,
        of_grafana_itself,
        dropping_labels,
        joined,
        commented_and_loud,
        sparse,
        with_a_text_panel,
        other_rows,
    ],
)
def test_what_grafana_and_prometheus_allow_is_no_finding(change: Callable[[Dashboard], None]) -> None:
    changed = generated_dashboard()

    change(changed)

    assert findings(changed, row_keys()) == []


def test_a_series_that_is_renamed_in_the_exposition_breaks_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(series.SAMPLE_LABELS, "rps_model_alias_rank")

    with pytest.raises(AssertionError, match="rps_model_alias_rank is no series that is scraped"):
        generated_dashboard()
