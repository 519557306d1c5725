"""The rule file, asked of promtool: it is valid, its tests pass, and every change of a rule fails them."""

import copy
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from projections.alerts.alerts import alerts
from projections.alerts.grafana import provisioning_file, rule_group
from projections.alerts.prometheus import rule_file
from projections.alerts.rule_tests import cases, unit_tests
from projections.dashboard.board import PANEL_IDS
from projections.process_series import SCRAPE_LABELS, STORED_LABELS
from projections.promql import names
from projections.site import DASHBOARD_UID, DATASOURCE_UIDS
from tests.prometheus.conftest import require

ALERTS = [alert.name for alert in alerts()]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("promtool"), *arguments], capture_output=True, text=True, check=False)


def write(folder: Path, name: str, rules: dict[str, Any], only: str | None = None) -> Path:
    """A rule file and its tests beside it; the path of the tests."""
    tests = unit_tests(f"{name}.yml")
    if only is not None:
        rules["groups"][0]["rules"] = [rule for rule in rules["groups"][0]["rules"] if rule["alert"] == only]
        tests["tests"] = [one for one in tests["tests"] if one["name"].startswith(f"{only}:")]
    (folder / f"{name}.yml").write_text(yaml.safe_dump(rules))
    path = folder / f"{name}.test.yml"
    path.write_text(yaml.safe_dump(tests))
    return path


def rules_with(alert: str, **changes: Any) -> dict[str, Any]:
    """The rule file with one alert's fields changed; None takes a field away."""
    rules = copy.deepcopy(rule_file())
    (rule,) = (rule for rule in rules["groups"][0]["rules"] if rule["alert"] == alert)
    for name, value in changes.items():
        rule.pop(name.rstrip("_"), None)
        if value is not None:
            rule[name.rstrip("_")] = value
    return rules


def mutants(alert: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was changed, the rule file with it) for every part of an alert's rule."""
    (meant,) = (one for one in alerts() if one.name == alert)
    expression = meant.expression
    flipped = {"<": ">=", ">": "<="}[meant.comparison]
    yield "never", rules_with(alert, expr=f"({expression}) and on () vector(0) > 1")
    yield (
        "flipped",
        rules_with(
            alert,
            expr=expression.replace(f" {meant.comparison} {meant.threshold}", f" {flipped} {meant.threshold}"),
        ),
    )
    higher = meant.threshold * 3 if meant.threshold > 0 else 1.5
    bound = f"{meant.comparison} {higher if meant.name != 'RpsAliasAssignmentPending' else 1}"
    yield (
        "other bound",
        rules_with(alert, expr=expression.replace(f"{meant.comparison} {meant.threshold}", bound, 1)),
    )
    if meant.gate:
        yield "no gate", rules_with(alert, expr=f"{meant.value} {meant.comparison} {meant.threshold}")
    for window in set(re.findall(r"\[\d+[mh]\]|offset \d+h", expression)):
        longer = re.sub(r"\d+", lambda number: str(3 * int(number[0])), window)
        yield f"{window} is {longer}", rules_with(alert, expr=expression.replace(window, longer))
    for number in set(re.findall(r"[<>] (\d{2,})\b", meant.gate)):
        yield f"gate {number}", rules_with(alert, expr=expression.replace(number, str(3 * int(number))))
    if meant.hold != "0s":
        yield "no hold", rules_with(alert, for_=None)
        yield "longer hold", rules_with(alert, for_=f"{3 * int(meant.hold[:-1])}m")


def test_the_rules_are_valid_and_their_tests_pass(tmp_path: Path) -> None:
    tests = write(tmp_path, "rules", rule_file())

    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yml"))
    tested = promtool("test", "rules", str(tests))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_change_of_a_rule_fails_its_tests(tmp_path: Path, alert: str) -> None:
    changed = list(mutants(alert))
    written = [write(tmp_path, f"rules{n}", rules, only=alert) for n, (_, rules) in enumerate(changed)]

    told = promtool("test", "rules", *map(str, written))

    # It says nothing else on its standard output: a heading for each file, and SUCCESS under those that pass.
    verdicts = re.split(r"^Unit Testing: .*$", told.stdout, flags=re.MULTILINE)[1:]
    survivors = [what for (what, _), verdict in zip(changed, verdicts, strict=True) if "SUCCESS" in verdict]
    assert len(changed) >= 3
    assert survivors == []
    assert told.returncode != 0


def test_every_alert_fires_and_stays_quiet_in_some_test() -> None:
    for alert in ALERTS:
        moments = [firing for case in cases() if case.alert == alert for firing in case.moments.values()]
        assert any(moments), alert
        assert not all(moments), alert


def test_alerts_name_series_and_labels_that_exist() -> None:
    for alert in alerts():
        named = names(alert.expression)
        for metric, labels in named.metrics.items():
            assert labels <= {*STORED_LABELS[metric], *SCRAPE_LABELS}, alert.name


def test_every_alert_leads_to_a_panel() -> None:
    assert {alert.panel_id for alert in alerts()} <= set(PANEL_IDS)


def test_grafana_gets_every_alert_with_the_comparison_as_its_own_node() -> None:
    (group,) = provisioning_file()["groups"]

    assert [rule["title"] for rule in group["rules"]] == ALERTS
    assert len({rule["uid"] for rule in group["rules"]}) == len(ALERTS)
    for rule, alert in zip(group["rules"], alerts(), strict=True):
        asked, compared = rule["data"]
        assert asked["model"]["expr"] == alert.gated_value
        assert compared["model"]["conditions"][0]["evaluator"]["params"] == [alert.threshold]
        assert {one["datasourceUid"] for one in rule["data"]} <= DATASOURCE_UIDS
        assert rule["condition"] == compared["refId"]
        assert rule["noDataState"] == "OK"
        assert rule["annotations"]["__dashboardUid__"] == DASHBOARD_UID
        assert rule["annotations"]["__panelId__"] == str(alert.panel_id)
        assert len(rule["uid"]) <= 40


def test_grafanas_provisioning_would_replace_nothing_in_a_query() -> None:
    for rule in provisioning_file()["groups"][0]["rules"]:
        # It takes $NAME for a variable of its environment everywhere but in annotations.
        assert "$" not in str({name: value for name, value in rule.items() if name != "annotations"})


def test_the_snippet_is_the_same_group_in_the_words_of_the_api() -> None:
    group = rule_group()

    assert [rule["title"] for rule in group["rules"]] == ALERTS
    assert {rule["folderUID"] for rule in group["rules"]} == {group["folderUid"]}
    assert {rule["ruleGroup"] for rule in group["rules"]} == {group["title"]}
