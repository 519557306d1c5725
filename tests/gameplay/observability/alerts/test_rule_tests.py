"""The rule file, asked of promtool: it is valid, its tests pass, and every change of a rule fails them."""

import copy
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameplay.observability.alerts.catalog import alerts
from gameplay.observability.alerts.grafana import provisioning_file, rule_group
from gameplay.observability.alerts.models import MOVES_OF_GAMES
from gameplay.observability.alerts.prometheus import rule_file
from gameplay.observability.alerts.rule_tests import EVALUATION_MINUTES, cases, unit_tests
from gameplay.observability.dashboard.document import PANEL_IDS, generated_dashboard
from gameplay.observability.dashboard.parts import panels, targets
from gameplay.observability.process_series import SCRAPE_LABELS, STORED_LABELS
from gameplay.observability.promql import names
from gameplay.observability.site import DASHBOARD_UID, DATASOURCE_UIDS
from ledger.vocabulary import FAMILY_OF_POLICY, POLICIES
from tests.programs import require

ALERTS = [alert.title for alert in alerts()]

# Parts of a rule that are neither threshold nor window: what the rule says -> what another might say.
EDITS: dict[str, list[tuple[str, str]]] = {
    "RpsChallengerOutperformsProduction": [(r"and on \(model\)", "and on ()")],
    "RpsProductionAccuracyDrift (forrest)": [
        (',alias="Production"', ""),
        (r" and on \(model, alias\) sum by .* > 200", ""),
        (r" and on \(model, alias\) max by \(model, alias\) \(changes.*", ""),
    ],
    "RpsActiveGamesPlateau": [
        (rf"sum\(increase\({counter}\S+ > 0", "vector(0) > 0") for counter in MOVES_OF_GAMES
    ],
    "RpsAutoPromotionStalled": [
        (r" offset \d+s", ""),
        (r" or 0 \* max.*\)", ")"),
        (r" \+ time\(\) - \d+", ""),
    ],
    "RpsSealingFails": [(r'\{task="seal"\}', "")],
    "RpsJobFails": [(r'\{task!="seal"\}', "")],
    "RpsServerErrors": [(r'status="5xx",', ""), (r'route!~"/metrics\|/readyz"', 'route!=""')],
    "RpsJobDead": [
        (r'\{exported_job!~"[^"]*"\}', ""),
        (r" or max by .*\)\)", ")"),
        (r'\{job="rps-app"\}', ""),
    ],
    "RpsSnapshotsDiscarded": [(r'\{job="rps-app"\}', ""), (r"and on \(instance\)", "and on ()")],
    "RpsAuditNotAdvancing": [(r"max_over_time\((\S+)\[1d\]\)", r"\1")],
    "RpsTargetDown": [
        (r' or absent\(up\{job="rps-app"\}\) - 1', ""),
        (r' or absent\(up\{job="rps-ledger"\}\) - 1', ""),
        (r"rps-app\|rps-ledger", "rps-app"),
        (r"rps-app\|rps-ledger", "rps-ledger"),
    ],
}
# They differ in the policy alone, so one of them stands for the three.
ALIKE = [alert.title for alert in alerts() if alert.policy not in (None, "forrest")]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("promtool"), *arguments], capture_output=True, text=True, check=False)


def write(folder: Path, name: str, rules: dict[str, Any], only: str | None = None) -> Path:
    """A rule file and its tests beside it; the path of the tests."""
    tests = unit_tests(f"{name}.yml")
    if only is not None:
        rules["groups"][0]["rules"] = [rules["groups"][0]["rules"][ALERTS.index(only)]]
        tests["tests"] = [one for one in tests["tests"] if one["name"].startswith(f"{only}: ")]
    (folder / f"{name}.yml").write_text(yaml.safe_dump(rules))
    path = folder / f"{name}.test.yml"
    path.write_text(yaml.safe_dump(tests))
    return path


def rules_with(alert: str, **changes: Any) -> dict[str, Any]:
    """The rule file with one alert's fields changed; None takes a field away."""
    rules = copy.deepcopy(rule_file())
    rule = rules["groups"][0]["rules"][ALERTS.index(alert)]
    for name, value in changes.items():
        rule.pop(name.rstrip("_"), None)
        if value is not None:
            rule[name.rstrip("_")] = value
    return rules


def mutants(alert: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was changed, the rule file with it) for every part of an alert's rule."""
    meant = alerts()[ALERTS.index(alert)]
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
    threshold = f"{meant.comparison} {higher if meant.name != 'RpsAliasAssignmentPending' else 1}"
    yield (
        "other threshold",
        rules_with(alert, expr=expression.replace(f"{meant.comparison} {meant.threshold}", threshold, 1)),
    )
    if meant.gate:
        yield "no gate", rules_with(alert, expr=f"{meant.value} {meant.comparison} {meant.threshold}")
    for window in re.finditer(r"\[\d+[mhd]\]|offset \d+[sm]", expression):
        longer = re.sub(r"\d+", lambda number: str(3 * int(number[0])), window[0])
        before, after = expression[: window.start()], expression[window.end() :]
        yield f"{before}{longer}", rules_with(alert, expr=f"{before}{longer}{after}")
    for part, other in EDITS.get(alert, []):
        edited = re.sub(part, other, expression)
        assert edited != expression, part
        yield edited, rules_with(alert, expr=edited)
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


@pytest.mark.parametrize("alert", [title for title in ALERTS if title not in ALIKE])
def test_every_change_of_a_rule_fails_its_tests(tmp_path: Path, alert: str) -> None:
    changed = list(mutants(alert))
    written = [write(tmp_path, f"rules{n}", rules, only=alert) for n, (_, rules) in enumerate(changed)]

    result = promtool("test", "rules", *map(str, written))

    # It says nothing else on its standard output: a heading for each file, and SUCCESS under those that pass.
    verdicts = re.split(r"^Unit Testing: .*$", result.stdout, flags=re.MULTILINE)[1:]
    survivors = [what for (what, _), verdict in zip(changed, verdicts, strict=True) if "SUCCESS" in verdict]
    assert len(changed) >= 3
    assert survivors == []
    assert result.returncode != 0


def test_the_policies_alerts_differ_in_nothing_but_the_policy() -> None:
    (expression,) = {
        alert.expression.replace(FAMILY_OF_POLICY[alert.policy], "") for alert in alerts() if alert.policy
    }

    assert "changes" in expression
    assert len(ALIKE) == len(POLICIES) - 1


def test_the_rules_are_evaluated_at_every_minute_that_a_case_names() -> None:
    minutes = {minutes for case in cases() for minutes in case.firing}

    assert {one for one in minutes if one % EVALUATION_MINUTES} == set()


def test_every_alert_fires_and_stays_quiet_in_some_test() -> None:
    for alert in ALERTS:
        results = [firing for case in cases() if case.title == alert for firing in case.firing.values()]
        assert any(results), alert
        assert not all(results), alert


def test_alerts_name_series_and_labels_that_exist() -> None:
    for alert in alerts():
        named = names(alert.expression)
        for metric, labels in named.metrics.items():
            assert labels <= {*STORED_LABELS[metric], *SCRAPE_LABELS}, alert.name


def test_every_alert_leads_to_a_panel_that_shows_its_series() -> None:
    assert {alert.panel_id for alert in alerts()} <= {*PANEL_IDS, None}
    shown = {one["id"]: [*map(str, targets(one))] for one in panels(generated_dashboard())}
    for alert in alerts():
        if alert.policy and alert.panel_id is not None:
            assert FAMILY_OF_POLICY[alert.policy] in "".join(shown[alert.panel_id])
    (pending,) = (alert for alert in alerts() if alert.name == "RpsAliasAssignmentPending")
    assert "applied" in "".join(shown[pending.panel_id])


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
        there = {"__dashboardUid__": DASHBOARD_UID, "__panelId__": str(alert.panel_id)}
        assert (there.items() <= rule["annotations"].items()) == (alert.panel_id is not None)
        assert ("__panelId__" in rule["annotations"]) == ("__dashboardUid__" in rule["annotations"])
        assert len(rule["uid"]) <= 40


def test_grafanas_provisioning_finds_none_of_its_variables_in_a_rule() -> None:
    for rule in provisioning_file()["groups"][0]["rules"]:
        # It replaces $NAME from its environment; the queries and the annotations it takes as they are.
        assert "$" not in str({name: value for name, value in rule.items() if name not in ("annotations", "data")})


def test_the_snippet_is_the_same_group_in_the_words_of_the_api() -> None:
    group = rule_group()

    assert [rule["title"] for rule in group["rules"]] == ALERTS
    assert {rule["folderUID"] for rule in group["rules"]} == {group["folderUid"]}
    assert {rule["ruleGroup"] for rule in group["rules"]} == {group["title"]}
