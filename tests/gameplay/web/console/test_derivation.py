import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect
from starlette.testclient import TestClient

from gameplay.web.console import derivation
from projections.audit.decisions import check_decision
from projections.cli import rps_audit
from tests.builders import cycle_decided
from tests.gameplay.web.console.told import SWAP_QUERY
from tests.gameplay.web.sites import Site
from tests.gameplay.web_clients import ok, service_behind
from tests.patience import PATIENCE_SECONDS


def a_swap(site: Site) -> int:
    return int(ok(site.client.get("/decisions.json", params=SWAP_QUERY))["rows"][0]["id"])


def test_a_decision_agrees_with_its_events(site: Site) -> None:
    for row in ok(site.client.get("/decisions.json", params={"limit": 5}))["rows"]:
        derived = ok(site.client.post(f"/decisions/{row['id']}/derive"))

        assert (derived["agrees"], derived["differences"], derived["problems"]) == (True, [], [])
        assert derived["entries"] == row["id"]


def test_a_field_that_comes_out_otherwise_is_named(served: TestClient) -> None:
    ledger = service_behind(served).core.ledger
    stream = "promotion-feedforward_nn"
    landed = ledger.append(stream, [cycle_decided()], ledger.version(stream))

    derived = ok(served.post(f"/decisions/{landed.first_position}/derive"))

    assert derived["agrees"] is False
    fields = {one["field"]: (one["recorded"], one["derived"]) for one in derived["differences"]}
    assert fields["evidence.b.window.games"] == (20, 0)


def test_one_recount_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    position, entered, leave = a_swap(site), threading.Event(), threading.Event()

    def held(*given: Any) -> Any:
        entered.set()
        assert leave.wait(PATIENCE_SECONDS)
        return check_decision(*given)

    monkeypatch.setattr(derivation, "check_decision", held)
    with ThreadPoolExecutor() as other:
        first = other.submit(site.client.post, f"/decisions/{position}/derive")
        assert entered.wait(PATIENCE_SECONDS)
        refused = site.client.post(f"/decisions/{position}/derive")
        proof = site.client.get(f"/decisions/{position}/proof")
        leave.set()

    assert (refused.status_code, proof.status_code) == (429, 429)
    assert int(refused.headers["retry-after"]) > 0
    assert ok(first.result())["agrees"]


def test_a_proof_is_refused_until_the_event_is_sealed(served: TestClient) -> None:
    ledger = service_behind(served).core.ledger
    stream = "promotion-feedforward_nn"
    landed = ledger.append(stream, [cycle_decided()], ledger.version(stream))

    answer = served.get(f"/decisions/{landed.first_position}/proof")

    assert answer.status_code == 409
    assert "not sealed yet" in answer.json()["detail"]


def test_a_person_derives_it_again_and_takes_the_proof_along(site: Site, visit: Any, tmp_path: Path) -> None:
    position = a_swap(site)
    page = visit.open("/decisions")
    page.locator(f"a[href='/decisions/{position}']").click()

    page.get_by_role("button", name="Derive again").click()
    expect(page.get_by_text("It agrees.")).to_be_visible()
    assert visit.violations() == []

    with page.expect_download() as download:
        page.get_by_role("link", name="Proof file").click()
    proof = tmp_path / download.value.suggested_filename
    download.value.save_as(proof)
    key = site.service.core.settings.seal_key.with_name("seal.key.pub")
    checked = CliRunner().invoke(rps_audit, ["verify-proof", str(proof), "--key", str(key)])
    assert checked.exit_code == 0, checked.output
    assert f"position {position:,}" in checked.output


def test_without_a_script_the_answer_is_a_page(site: Site, visiting_as: Any) -> None:
    with visiting_as(java_script_enabled=False) as visit:
        page = visit.open(f"/decisions/{a_swap(site)}")
        page.get_by_role("button", name="Derive again").click()

        expect(page.get_by_role("heading", name="Derived again")).to_be_visible()
        expect(page.get_by_text("It agrees.")).to_be_visible()


def test_what_is_no_decision_is_404(shared: TestClient) -> None:
    assert shared.post("/decisions/1/derive").status_code == 404
    assert shared.get("/decisions/1/proof").status_code == 404
