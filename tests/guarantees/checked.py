"""What must hold after anything that callers have done."""

import json
from functools import cache
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.testclient import TestClient

from gameplay.core import Core
from ledger.vocabulary import FAMILIES
from projections.projection import Tracked
from projections.read_models.all import ReadModels
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import history, ok, sample_values, service_behind
from tests.guarantees.expected import Expected
from tests.guarantees.receiver import TYPES, WebhookReceiver
from tests.guarantees.remembered import WITHHELD, Series, series
from tests.ledger.chains import assert_intact

FEED_PAGE = 20

COUNTERS = frozenset(
    {
        "rps_model_predictions_by_alias_total",
        "rps_model_correct_predictions_by_alias_total",
        "rps_model_games_by_alias_total",
        "rps_model_game_wins_by_alias_total",
        "rps_model_promotion_events_total",
        "rps_model_alias_reorders_total",
        "rps_action_predictions_total",
        "rps_action_wins_total",
        "rps_action_losses_total",
        "rps_action_ties_total",
        "rps_games_total",
        "rps_game_wins_total",
        "rps_game_losses_total",
        "rps_training_completed_total",
        "rps_model_fallback_total",
    }
)


class Checked:
    """A service, what it must show, and those who follow it."""

    client: TestClient
    expected: Expected
    registry: FaultyRegistry
    receiver: WebhookReceiver

    def __init__(self) -> None:
        self.followed: list[dict[str, Any]] = []
        """What the feed has shown to one that follows it."""
        self.first_sent = 0
        """The webhook sends what comes after this position."""

    def check(self) -> None:
        """Everything, after anything."""
        found = self._series()
        self._check_series(found)
        self._check_history()
        self._check_replay(found[series("rps_ledger_position")])
        self._check_registry()
        self._check_followers()

    def check_log(self) -> None:
        """Every event is in its place, linked to the one before; every promotion event arrives in the end."""
        assert_intact(list(self._core.ledger.read(0, limit=1_000_000)))
        self.receiver.deliver(self._core.ledger, "takes")
        self.receiver.check(self._sent())
        assert {one.position for one in self.receiver.taken} == self._sent().keys()

    def _check_series(self, found: dict[Series, float]) -> None:
        counters = {key: value for key, value in found.items() if key[0] in COUNTERS}
        assert {key[0] for key in counters} == COUNTERS, "every counter is there from the first scrape"
        _require_equal(counters, {key: self.expected.counts.get(key, 0) for key in counters})
        assert self.expected.counts.keys() <= counters.keys()
        gauges = self.expected.gauges()
        shown = {key: value for key, value in found.items() if key[0] in {name for name, _ in gauges}}
        shown |= {key: found[key] for key in found if key[0] == "rps_model_promotion_z_statistic"}
        _require_equal(shown, gauges)

    def _check_history(self) -> None:
        shown = history(self.client, limit=200, detail=1)
        assert sorted((row["id"] for row in shown), reverse=True) == [row["id"] for row in shown]
        for family in FAMILIES:
            state = self.expected.families[family]
            rows = [row for row in shown if row["model_type"] == family]
            assert [row["decision"] for row in rows] == state.decisions[::-1], family
            if state.ranking:
                ranking = sorted(rows[0]["alias_rankings"], key=lambda one: one["rank"])
                found = [(one["version"], one["total_predictions"]) for one in ranking]
                assert found == state.ranking, f"{found}, and expected {state.ranking}"

    def _check_replay(self, position: float) -> None:
        core = self._core
        assert position == core.ledger.head().position
        again = ReadModels(core.ledger, since_us=core.settings.metrics_since_us, read_only=True)
        with again.projector.current(), core.read_models.projector.current():
            both: tuple[tuple[Tracked[Any], ...], ...] = (core.read_models.tracked, again.tracked)
            for live, replayed in zip(*both, strict=True):
                assert live.encode() == replayed.encode(), live.projection.name

    def _check_registry(self) -> None:
        for family in FAMILIES:
            if not self.expected.families[family].pending:
                assert self.registry.named[family] == self.expected.families[family].versions

    def _check_followers(self) -> None:
        """The feed shows what the log has, by position; the receiver has a beginning of what there is to send."""
        shown, open_before = len(self.followed), self._unfinished()
        while page := self._page():
            self.followed += page
        written = self._rows(shown)
        found = self.followed[shown:]
        assert [one["position"] for one in self.followed] == list(range(1, len(self.followed) + 1))
        assert [_shown(one) for one in found] == [_visible(row, open_before) for row in written]
        self.receiver.check(self._sent())

    def _page(self) -> list[dict[str, Any]]:
        after = len(self.followed)
        page = ok(self.client.get("/internal/ledger/events", params={"after": after, "limit": FEED_PAGE}))
        events: list[dict[str, Any]] = page["events"]
        assert page["next_after"] == after + len(events), "a follower would leave events out"
        return events

    def _rows(self, after: int) -> list[tuple[Any, ...]]:
        """What the log has, by plain SQL."""
        columns = "position, event_id, stream, version, type, payload"
        with self._core.engine.connect() as connection:
            query = text(f"SELECT {columns} FROM events WHERE position > :after ORDER BY position")
            return [tuple(row) for row in connection.execute(query, {"after": after})]

    def _sent(self) -> dict[int, str]:
        """Position -> id of the events that there are to send."""
        return {row[0]: row[1] for row in self._rows(self.first_sent) if row[4] in TYPES}

    def _unfinished(self) -> set[str]:
        return {f"game-{game_id}" for game_id, game in self.expected.games.items() if not game.finished}

    def _series(self) -> dict[Series, float]:
        body = self.client.get("/metrics", params={"scope": "ledger"}).raise_for_status().text
        return {_labelled(name): value for name, value in sample_values(body).items()}

    @property
    def _core(self) -> Core:
        return service_behind(self.client).core


@cache
def _labelled(sample: str) -> Series:
    """A sample's name and labels, of which there are few."""
    (family,) = text_string_to_metric_families(f"{sample} 1\n")
    return series(family.samples[0].name, **family.samples[0].labels)


def _shown(event: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(event[name] for name in ("position", "event_id", "stream", "version", "type", "payload"))


def _visible(row: tuple[Any, ...], unfinished: set[str]) -> tuple[Any, ...]:
    """A row of the log, without what would help the player of an unfinished game."""
    *plain, kind, payload = row
    hidden = WITHHELD.get(kind, set()) if row[2] in unfinished else set()
    return (*plain, kind, {name: value for name, value in json.loads(payload).items() if name not in hidden})


def _require_equal(found: dict[Series, float], expected: dict[Series, float]) -> None:
    pairs = {key: (found.get(key), expected.get(key)) for key in found.keys() | expected.keys()}
    differing = {key: pair for key, pair in pairs.items() if pair[0] != pytest.approx(pair[1], abs=1e-9)}
    assert not differing, f"shown, and expected: {differing}"
