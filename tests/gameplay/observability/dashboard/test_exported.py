"""Dashboards that come back from Grafana: what people changed is reported, what Grafana added is not."""

import copy
from typing import Any

import pytest

from gameplay.observability.dashboard.document import TITLE, generated_dashboard
from gameplay.observability.dashboard.exported import NoDashboardError, adopted, changes, is_adopted, normalized
from gameplay.observability.dashboard.history_targets import PLUGINS
from gameplay.observability.dashboard.lint import findings, row_keys
from gameplay.observability.dashboard.parts import panels, variables
from gameplay.observability.dashboard.variants import importable, plugin_of, translated
from gameplay.observability.site import DASHBOARD_UID

Dashboard = dict[str, Any]


def cloned() -> Dashboard:
    """Our dashboard as Grafana gives back a copy of it: under its own ids, with its own defaults filled in."""
    copied = copy.deepcopy(generated_dashboard())
    copied |= {"id": 41, "uid": "ce1xq2", "title": f"{TITLE} Copy", "version": 7, "iteration": 1_700_000_000}
    for panel in panels(copied):
        panel["pluginVersion"] = "12.2.0"
        panel["options"]["showPercentChange"] = False
        panel["options"]["percentChangeColorMode"] = "standard"
        panel["fieldConfig"]["defaults"].setdefault("custom", {})["hideFrom"] = {"legend": False, "viz": False}
        panel["transparent"] = False
        if panel["type"] == "bargauge":
            legend = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False}
            panel["options"] |= {"legend": legend, "maxVizHeight": 300, "textMode": "auto"}
    for variable in variables(copied):
        variable["allowCustomValue"] = True
        for name in ("hide", "skipUrlSync"):
            del variable[name]
    return copied


def panel(of: Dashboard, id_: int) -> Dashboard:
    return next(one for one in panels(of) if one["id"] == id_)


def test_an_unedited_copy_has_no_changes() -> None:
    assert changes(generated_dashboard(), normalized(cloned())) == []


def test_a_variable_says_what_is_chosen_as_grafana_does() -> None:
    assert [variable["current"].keys() for variable in variables(generated_dashboard())] == [{"text", "value"}] * 3


def test_an_import_comes_back_as_the_dashboard() -> None:
    assert normalized(importable(generated_dashboard())) == generated_dashboard()


@pytest.mark.parametrize("wrapped", ["dashboard", "spec"])
def test_a_dashboard_is_taken_out_of_its_wrapping(wrapped: str) -> None:
    assert normalized({wrapped: cloned(), "meta": {"slug": "rps"}})["uid"] == DASHBOARD_UID


@pytest.mark.parametrize(
    ("exported", "said"),
    [
        ({"spec": {"elements": {}, "layout": {}}}, "missing required field `kind`"),
        ({"title": "a rule group"}, "no panels"),
        ({"dashboard": None}, "no dashboard"),
        (
            {"panels": [None]},
            "not made as Grafana makes them: Expected `object`, got `null` - at `.\\.panels",
        ),
    ],
)
def test_what_is_no_dashboard_is_refused(exported: Dashboard, said: str) -> None:
    with pytest.raises(NoDashboardError, match=said):
        normalized(exported)


def test_edits_are_reported_panel_by_panel() -> None:
    edited = cloned()
    panel(edited, 212)["targets"][0]["expr"] = "sum(increase(rps_games_total[2h]))"
    panel(edited, 221)["title"] = "Ranks"
    panel(edited, 222)["fieldConfig"]["defaults"]["max"] = 50
    del panel(edited, 219)["timeFrom"]
    edited["panels"].remove(panel(edited, 214))
    edited["panels"].append(panel(edited, 215) | {"id": 301, "title": "Mine"})
    edited["refresh"] = "5m"

    found = changes(generated_dashboard(), normalized(edited))

    assert [change.partition(": ")[0] for change in found] == [
        "panel 212 (Games completed per hour)",
        "panel 214 (Round outcomes ($__range))",
        "panel 219 (Promotion Trendlines (24h))",
        "panel 221 (Alias Rank Timeline)",
        "panel 222 (Games and cycles since swap)",
        "panel 301 (Mine)",
        "dashboard",
    ]
    assert found[0].endswith("-> 'sum(increase(rps_games_total[2h]))'")
    assert found[1].endswith(": removed")
    assert found[2].endswith("timeFrom is gone: '24h'")
    assert found[4].endswith("fieldConfig.defaults.max is new: 50")
    assert found[6] == "dashboard: refresh: '30s' -> '5m'"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_dashboard_of_any_plugin_is_adopted_with_it(plugin: str) -> None:
    taken = adopted(importable(translated(cloned(), plugin)))

    assert plugin_of(taken) == plugin
    assert findings(taken, row_keys()) == []


def test_a_sparse_dashboard_is_adopted() -> None:
    sparse = cloned() | {"tags": None, "title": None}

    taken = adopted(sparse)

    assert (taken["title"], taken["tags"]) == (TITLE, ["adopted"])
    assert not is_adopted(sparse | {"tags": 5})


def test_panels_without_an_id_are_reported_by_their_titles() -> None:
    edited = cloned()
    edited["panels"] += [{"title": "One", "type": "text"}, {"title": "Two", "type": "text"}]

    found = changes(generated_dashboard(), normalized(edited))

    assert [change for change in found if "added" in change] == [
        "panel None (One): added",
        "panel None (Two): added",
    ]


def test_an_adopted_dashboard_is_ours_and_marked() -> None:
    edited = cloned()
    panel(edited, 221)["title"] = "Ranks"

    taken = adopted(edited)

    assert is_adopted(taken)
    assert not is_adopted(generated_dashboard())
    assert (taken["uid"], taken["id"], taken["title"]) == (DASHBOARD_UID, None, TITLE)
    assert "version" not in taken
    assert findings(taken, row_keys()) == []
    assert adopted(taken) == taken
