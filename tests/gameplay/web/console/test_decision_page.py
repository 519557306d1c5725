from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from ledger.events import Event
from ledger.vocabulary import ALIASES
from tests.builders import aliases_planned, cycle_decided, plan_approved, plan_rejected
from tests.gameplay.web.console.browsers import PHONE
from tests.gameplay.web.console.told import SWAP_QUERY
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, service_behind


def shown(client: Any, position: int, **query: object) -> Any:
    return ok(client.get(f"/decisions/{position}.json", params=query))


def swap_of(site: Site) -> int:
    return int(ok(site.client.get("/decisions.json", params=SWAP_QUERY))["rows"][0]["id"])


def test_a_decision_has_its_evidence_formula_verdicts_and_what_followed(site: Site) -> None:
    decision = shown(site.client, swap_of(site))

    evidence = decision["evidence"]
    assert evidence["after"] < evidence["through"] < decision["position"]
    assert decision["formula"][-1].endswith("< alpha = 0.20")
    assert [one["rule"] for one in decision["verdicts"]] == ["ztest/1", "anytime-sign/1"]
    assert decision["plan"]["status"] == "carried out"
    aliases = {one["alias"]: one for one in decision["aliases"]}
    assert list(aliases) == list(ALIASES)
    assert (aliases["Production"]["before"], aliases["Production"]["after"]) == (
        aliases["B"]["after"],
        aliases["B"]["before"],
    )
    assert decision["sealed"]["size"] >= decision["position"]


def test_the_games_behind_it_are_the_window_s(site: Site) -> None:
    position = swap_of(site)
    evidence = shown(site.client, position)["evidence"]
    games: list[Any] = []
    query: dict[str, object] = {}
    while True:
        page = shown(site.client, position, **query)["games"]
        games += page["games"]
        if page["next_before"] is None:
            break
        query = {"games_before": page["next_before"]}

    assert all(evidence["after"] < one["position"] <= evidence["through"] for one in games)
    assert len({one["game_id"] for one in games}) == len(games)
    counted = [one for one in games if one["counts"]]
    assert len(counted) >= evidence["production"]["window"]["tries"] + evidence["b"]["window"]["tries"]


def test_neighbours_lead_to_the_cycles_of_the_family(site: Site) -> None:
    decision = shown(site.client, swap_of(site))
    before = shown(site.client, decision["previous_position"])

    assert before["family"] == decision["family"]
    assert before["next_position"] == decision["position"]
    assert before["cycle"] == decision["cycle"] - 1


def test_a_plan_is_open_until_it_is_carried_out(served: TestClient) -> None:
    ledger = service_behind(served).core.ledger
    stream = "promotion-feedforward_nn"
    landed = ledger.append(stream, [cycle_decided(), aliases_planned()], ledger.version(stream))

    decision = shown(served, landed.first_position)

    assert (decision["plan"]["status"], decision["plan"]["completed_position"]) == ("open", None)
    assert [one["before"] != one["after"] for one in decision["aliases"]] == [True, True, False, False]
    assert decision["sealed"] is None


@pytest.mark.parametrize(
    ("said", "answer", "text"),
    [
        (plan_approved, "approved", "approved by ada"),
        (plan_rejected, "rejected", "rejected by ada"),
        (partial(plan_rejected, cause="expired", actor=None, reason=None), "expired", "not approved in time"),
    ],
)
def test_a_plan_that_waits_has_its_answer(
    served: TestClient, said: Callable[..., Event], answer: str, text: str
) -> None:
    ledger = service_behind(served).core.ledger
    stream = "promotion-feedforward_nn"
    waiting: list[Event] = [cycle_decided(), aliases_planned(approve_by_us=ledger.now_us() + 3_600_000_000)]
    first = ledger.append(stream, waiting, ledger.version(stream)).first_position

    plan = shown(served, first)["plan"]
    assert (plan["status"], plan["answered"]) == ("waiting", None)
    page = served.get(f"/decisions/{first}", headers={"Accept": "text/html"}).text
    assert 'waits for <a href="/operator">approval</a>' in page

    position = ledger.append(stream, [said(plan=ledger.version(stream))], ledger.version(stream)).last_position
    plan = shown(served, first)["plan"]
    assert (plan["answered"]["answer"], plan["answered"]["position"]) == (answer, position)
    assert text in served.get(f"/decisions/{first}", headers={"Accept": "text/html"}).text


def test_a_decision_looked_at_from_before_its_plan_has_none(site: Site) -> None:
    position = swap_of(site)

    assert shown(site.client, position, at=position)["plan"] is None


@pytest.mark.parametrize("position", ["1", "0", "999999", "x"])
def test_what_is_no_decision_is_404(shared: TestClient, position: str) -> None:
    answer = shared.get(f"/decisions/{position}.json")

    assert answer.status_code == 404
    if position == "1":
        assert "/events/1" in answer.json()["detail"]


def test_a_decision_s_page_has_no_violation_on_a_phone(site: Site, visiting_as: Any) -> None:
    with visiting_as(viewport=PHONE, color_scheme="dark") as visit:
        visit.open(f"/decisions/{swap_of(site)}")

        assert visit.violations() == []
        assert visit.overflow() == 0
