"""Grafana's newer form, read as the classic one."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gameplay.observability.dashboard.document import generated_dashboard
from gameplay.observability.dashboard.elements import ElementsError, classic
from gameplay.observability.dashboard.exported import NoDashboardError, adopted, changes, normalized
from gameplay.observability.dashboard.history_targets import PLUGINS
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.parts import panels, rows
from gameplay.observability.dashboard.variants import translated
from tests.gameplay.observability.newer_form import Dashboard, element, item, newer, resource, section

GAMES = {
    "datasource": {"type": "prometheus", "uid": "elsewhere"},
    "expr": "sum(rps_games_total)",
    "refId": "A",
}


def one_panel(id_: int, **more: Any) -> Dashboard:
    thresholds = {"mode": "absolute", "steps": [{"color": "green", "value": None}]}
    return {
        "description": "",
        "fieldConfig": {"defaults": {"thresholds": thresholds}, "overrides": []},
        "id": id_,
        "options": {},
        "targets": [dict(GAMES)],
        "title": f"Panel {id_}",
        "type": "timeseries",
        **more,
    }


def spec(layout: Dashboard, *numbers: int, **more: Any) -> Dashboard:
    """A dashboard of simple panels, laid out."""
    return {
        "elements": {f"panel-{number}": element(one_panel(number)) for number in numbers},
        "layout": layout,
        "title": "Games",
        **more,
    }


def grid(*items: Dashboard) -> Dashboard:
    return {"kind": "GridLayout", "spec": {"items": list(items)}}


def at(number: int, x: int, y: int, width: int = 12, height: int = 8) -> Dashboard:
    return item(f"panel-{number}", x=x, y=y, width=width, height=height)


def places(dashboard: Dashboard) -> list[tuple[str, int, int, int, int]]:
    return [
        (panel["title"], *(panel["gridPos"][side] for side in "xywh")) for panel in dashboard.get("panels", [])
    ]


@pytest.mark.parametrize("wrapped", [resource, lambda spec: {"dashboard": spec}, lambda spec: spec])
@pytest.mark.parametrize("plugin", PLUGINS)
def test_our_dashboard_comes_back_from_the_newer_form(
    plugin: str, wrapped: Callable[[Dashboard], Dashboard]
) -> None:
    ours = translated(generated_dashboard(), plugin)

    theirs = normalized(wrapped(newer(ours)))

    assert changes(ours, theirs) == []
    assert findings(adopted(theirs), row_keys()) == []
    assert [row["id"] for row in rows(theirs)] == [1, 2, 3, 4, 5, 6, 7]


def test_an_edit_in_the_newer_form_is_reported_by_its_panel() -> None:
    edited = newer(generated_dashboard())
    edited["elements"]["panel-221"]["spec"]["title"] = "Ranks"
    edited["elements"]["panel-219"]["spec"]["data"]["spec"]["queryOptions"]["timeFrom"] = "7d"
    query = edited["elements"]["panel-212"]["spec"]["data"]["spec"]["queries"][0]["spec"]
    query["hidden"] = True

    assert changes(generated_dashboard(), normalized(resource(edited))) == [
        "panel 212 (Games completed per hour): targets[0].hide is new: True",
        "panel 219 (Promotion Trendlines (24h)): timeFrom: '24h' -> '7d'",
        "panel 221 (Alias Rank Timeline): title: 'Alias Rank Timeline' -> 'Ranks'",
    ]


def test_what_was_read_is_left_as_it_was() -> None:
    export = resource(newer(generated_dashboard()))
    before = copy.deepcopy(export)

    normalized(export)

    assert export == before


def test_panels_on_a_grid_keep_their_places() -> None:
    read = classic(spec(grid(at(7, 0, 0), at(3, 12, 0, 12, 4)), 3, 7))

    assert places(read) == [("Panel 7", 0, 0, 12, 8), ("Panel 3", 12, 0, 12, 4)]


def test_sections_come_one_below_the_other() -> None:
    sections = [section("One", [at(1, 0, 0), at(2, 12, 2)]), section("Two", [at(3, 0, 0)], hideHeader=True)]
    read = classic(
        spec({"kind": "RowsLayout", "spec": {"rows": [*sections, section("Three", [at(4, 0, 0)])]}}, 1, 2, 3, 4)
    )

    assert places(read) == [
        ("One", 0, 0, 24, 1),
        ("Panel 1", 0, 1, 12, 8),
        ("Panel 2", 12, 3, 12, 8),
        ("Panel 3", 0, 11, 12, 8),
        ("Three", 0, 19, 24, 1),
        ("Panel 4", 0, 20, 12, 8),
    ]
    assert [row["id"] for row in rows(read)] == [5, 6]


def test_a_closed_section_holds_its_panels_and_takes_one_line() -> None:
    closed = section("Closed", [at(2, 0, 0)], collapse=True)
    read = classic(spec({"kind": "RowsLayout", "spec": {"rows": [closed, section("Open", [at(5, 0, 0)])]}}, 2, 5))

    assert [panel["id"] for panel in read["panels"][0]["panels"]] == [2]
    assert places(read) == [("Closed", 0, 0, 24, 1), ("Open", 0, 1, 24, 1), ("Panel 5", 0, 2, 12, 8)]
    assert [panel["id"] for panel in panels(read)] == [2, 5]


def test_tabs_become_rows_with_the_rows_inside_them_below() -> None:
    inner = section("Row", [at(1, 0, 0)])
    tabs = [
        section("Games", [], "TabsLayoutTab", layout={"kind": "RowsLayout", "spec": {"rows": [inner]}}),
        section("Other", [at(2, 0, 0)], "TabsLayoutTab"),
    ]
    read = classic(spec({"kind": "TabsLayout", "spec": {"tabs": tabs}}, 1, 2))

    assert places(read) == [
        ("Games", 0, 0, 24, 1),
        ("Row", 0, 1, 24, 1),
        ("Panel 1", 0, 2, 12, 8),
        ("Other", 0, 10, 24, 1),
        ("Panel 2", 0, 11, 12, 8),
    ]


@pytest.mark.parametrize(
    ("settings", "width", "height"),
    [
        ({}, 8, 8),
        ({"maxColumnCount": 2, "rowHeightMode": "short"}, 12, 4),
        ({"maxColumnCount": 1, "rowHeight": 380}, 24, 10),
    ],
)
def test_an_automatic_grid_is_filled_from_the_left(settings: Dashboard, width: int, height: int) -> None:
    items = [
        {"kind": "AutoGridLayoutItem", "spec": {"element": {"kind": "ElementReference", "name": f"panel-{n}"}}}
        for n in range(4)
    ]
    read = classic(spec({"kind": "AutoGridLayout", "spec": {"items": items, **settings}}, *range(4)))

    columns = 24 // width
    assert places(read) == [
        (f"Panel {n}", n % columns * width, n // columns * height, width, height) for n in range(4)
    ]


def test_a_data_source_that_an_export_for_sharing_leaves_out_is_ours() -> None:
    shared = newer(generated_dashboard())
    for one in shared["elements"].values():
        for query in one["spec"]["data"]["spec"]["queries"]:
            query["spec"]["query"].pop("datasource")
            query["spec"]["query"]["labels"] = {"grafana.app/export-label": "prometheus-1"}

    assert changes(generated_dashboard(), normalized(resource(shared))) == []


def test_the_drafts_of_the_form_are_read_too() -> None:
    draft = newer(generated_dashboard())
    for one in draft["elements"].values():
        visual = one["spec"]["vizConfig"]
        visual["kind"] = visual.pop("group")
        for query in one["spec"]["data"]["spec"]["queries"]:
            inner = query["spec"]["query"]
            inner["kind"] = inner.pop("group")
            query["spec"]["datasource"] = {"type": inner["kind"], "uid": inner.pop("datasource")["name"]}

    assert changes(generated_dashboard(), normalized(resource(draft))) == []


def test_what_a_panel_has_beside_its_queries_is_kept() -> None:
    read = spec(grid(at(1, 0, 0)), 1)
    inner = read["elements"]["panel-1"]["spec"]
    inner |= {"transparent": True, "links": [{"title": "Docs", "url": "https://example.org"}]}
    inner["data"]["spec"] |= {
        "queryOptions": {"maxDataPoints": 100, "timeShift": "1h"},
        "transformations": [{"kind": "Transformation", "group": "limit", "spec": {"options": {"limit": 10}}}],
    }
    read["layout"]["spec"]["items"][0]["spec"]["repeat"] = {"mode": "variable", "value": "policy", "maxPerRow": 3}

    (panel,) = classic(read)["panels"]

    assert panel["transparent"]
    assert panel["links"] == [{"title": "Docs", "url": "https://example.org"}]
    assert (panel["maxDataPoints"], panel["timeShift"]) == (100, "1h")
    assert panel["transformations"] == [{"id": "limit", "options": {"limit": 10}}]
    assert (panel["repeat"], panel["maxPerRow"]) == ("policy", 3)


def test_queries_of_two_sources_make_a_panel_of_mixed_ones() -> None:
    read = spec(grid(at(1, 0, 0)), 1)
    other = copy.deepcopy(read["elements"]["panel-1"]["spec"]["data"]["spec"]["queries"][0])
    other["spec"]["query"]["datasource"]["name"] = "another"
    read["elements"]["panel-1"]["spec"]["data"]["spec"]["queries"].append(other)

    (panel,) = classic(read)["panels"]

    assert panel["datasource"]["uid"] == "-- Mixed --"


@pytest.mark.parametrize(
    ("kind", "more", "type_"),
    [
        ("TextVariable", {"spec": {"name": "v", "query": "a", "hide": "hideLabel"}}, "textbox"),
        ("ConstantVariable", {"spec": {"name": "v", "query": "a", "hide": "hideVariable"}}, "constant"),
        ("DatasourceVariable", {"spec": {"name": "v", "pluginId": "prometheus"}}, "datasource"),
        (
            "IntervalVariable",
            {"spec": {"name": "v", "query": "1m,5m", "refresh": "onTimeRangeChanged"}},
            "interval",
        ),
        ("AdhocVariable", {"group": "prometheus", "datasource": {"name": "here"}, "spec": {"name": "v"}}, "adhoc"),
        ("SwitchVariable", {"spec": {"name": "v", "current": "false"}}, "switch"),
    ],
)
def test_each_kind_of_variable_is_read(kind: str, more: Dashboard, type_: str) -> None:
    (variable,) = classic(spec(grid(), variables=[{"kind": kind, **more}]))["templating"]["list"]

    assert (variable["type"], variable["name"]) == (type_, "v")
    assert variable.get("datasource") == ({"type": "prometheus", "uid": "here"} if "group" in more else None)
    assert isinstance(variable.get("hide", 0), int)


def test_a_variable_whose_query_is_text_keeps_it() -> None:
    query = {"kind": "DataQuery", "group": "prometheus", "spec": {"__legacyStringValue": "label_values(up, job)"}}
    variable = {"kind": "QueryVariable", "spec": {"name": "job", "query": query}}

    (read,) = classic(spec(grid(), variables=[variable]))["templating"]["list"]

    assert read["query"] == "label_values(up, job)"


CONDITION = {
    "kind": "ConditionalRenderingGroup",
    "spec": {
        "condition": "and",
        "visibility": "show",
        "items": [{"kind": "ConditionalRenderingData", "spec": {"value": True}}],
    },
}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (spec({"kind": "SpiralLayout", "spec": {}}), "SpiralLayout"),
        (spec(grid(at(9, 0, 0))), "panel-9"),
        (spec(grid(), cursorSync="Sometimes"), "Sometimes"),
        (spec(grid(), elements=[]), "elements"),
        (spec(grid(), variables=[{"kind": "MoodVariable", "spec": {}}]), "MoodVariable"),
        (spec(grid(at(1, 0, 0)), elements={"panel-1": {"kind": "LibraryPanel", "spec": {"id": 1}}}), "unlink it"),
        (spec(grid(at(1, 0, 0)), elements={"panel-1": {"kind": "Panel", "spec": {"id": "1"}}}), "id"),
        (
            spec(
                {"kind": "RowsLayout", "spec": {"rows": [section("At night", [], conditionalRendering=CONDITION)]}}
            ),
            "'At night' is shown under conditions",
        ),
        (
            spec(
                {
                    "kind": "RowsLayout",
                    "spec": {"rows": [section("Mine", [], variables=[{"kind": "TextVariable"}])]},
                }
            ),
            "variables of its own",
        ),
    ],
)
def test_what_the_classic_form_has_no_words_for_is_refused(broken: Dashboard, said: str) -> None:
    with pytest.raises(ElementsError, match=said):
        classic(broken)
    with pytest.raises(NoDashboardError, match=said):
        normalized(resource(broken))
