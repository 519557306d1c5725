"""The service, what callers do with it, and what must hold after each thing that they did."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from gameplay.promotion import planning
from gameplay.promotion.applying import settle
from gameplay.promotion.operator.execution import execute
from gameplay.promotion.operator.orders import (
    ApproveOrder,
    Order,
    Origin,
    PinOrder,
    RejectOrder,
    SwapOrder,
    UndoOrder,
    UnpinOrder,
)
from gameplay.refusals import Refusal
from ledger.engines.database import transaction
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.schema import projection_snapshots
from tests.gameplay.faults import FaultyRegistry, registry_with_versions
from tests.gameplay.graphs import NAN, files
from tests.gameplay.web_clients import (
    REPORT_PATH,
    ok,
    serving,
)
from tests.guarantees.checked import Checked
from tests.guarantees.expected import Expected
from tests.guarantees.receiver import Mood, WebhookReceiver
from tests.guarantees.remembered import BEATS, Rules

MOVES = ("rock", "paper", "scissors")
BEATEN_BY = {beaten: move for move, beaten in BEATS.items()}
BROKEN = 6
"""A version whose every prediction fails."""
# A bot that expects this move of every player; see registry_with_versions.
PREDICTS: dict[int, str | None] = {
    1: "rock",
    2: "paper",
    3: "scissors",
    4: "rock",
    5: "rock",
    BROKEN: None,
}
RULES = Rules(alpha=0.45, minimum_games=2, minimum_predictions=5, approval_seconds=3_600.0)


@contextmanager
def opened_world(prepared: Path) -> Iterator["World"]:
    """A service over a copy of a prepared folder; its registry is in memory, everything else is real."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr("gameplay.core.Ledger", partial(Ledger, clock=clock))
        world = World(clock, shutil.copytree(prepared, Path(folder) / "data"))
        try:
            yield world
        finally:
            world.close()


class Clock:
    """The time that events are stamped with; it stands still until the world moves it."""

    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


class World(Checked):
    """One ledger, one registry, one service that restarts, and the model of what it must show."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        super().__init__()
        self.clock = clock
        self.registry = _registry(folder)
        self.receiver = WebhookReceiver()
        self.settings = Settings(
            data_dir=folder,
            promotion_schedule=None,
            promotion_alpha=str(RULES.alpha),
            promotion_minimum_games=RULES.minimum_games,
            promotion_minimum_predictions=RULES.minimum_predictions,
            promotion_approval_seconds=int(RULES.approval_seconds),
            # It would hold back swaps by the accidents of these few games.
            guard_sample_ratio=False,
        )
        self.expected = Expected(RULES, PREDICTS)
        for family in FAMILIES:  # the set-up has trained a version for each alias
            for _ in range(4):
                self.expected.trained(family, "success")
        self.expected.passed(clock.seconds)
        self._keys = 0
        self._open()
        self.first_sent = self._core.ledger.head().position
        self.receiver.deliver(self._core.ledger, "takes")  # the first start sends what comes after it

    def close(self) -> None:
        """The service ends."""
        self._running.__exit__(None, None, None)

    # What callers do.

    def start(self, policy: str, *, counted: bool = True) -> str:
        body = {"policy": policy, "mark_test_game": not counted}
        answer = ok(self.client.post("/start_game", json=body))
        self.expected.started(policy, counted=counted, answer=answer)
        return str(answer["game_id"])

    def play(self, game_id: str, user_move: str, *, says_round: bool = True) -> bool:
        """One round; whether it was the game's last."""
        request: dict[str, Any] = {"game_id": game_id, "user_move": user_move}
        if says_round:
            request["round"] = self.expected.games[game_id].rounds + 1
        answer = ok(self.client.post("/play", json=request))
        self.expected.played(game_id, request, answer)
        return bool(answer["finished"])

    def play_out(self, policy: str, seed: int, *, counted: bool = True) -> None:
        """A whole game of a player who moves at random."""
        moves = random.Random(seed)
        game_id = self.start(policy, counted=counted)
        while not self.play(game_id, moves.choice(MOVES)):
            pass

    def play_all(self, policy: str, move: str) -> None:
        """A whole game of a player who makes one move only."""
        game_id = self.start(policy)
        while not self.play(game_id, move):
            pass

    def play_for(self, policy: str, favoured: str) -> None:
        """A whole game whose player lets the bot win behind the favoured alias, and beats it behind the other.

        A model here expects the same move each time, so the bot's answer is known, but for some rounds in which
        the points make another one worth more.
        """
        game_id = self.start(policy)
        game = self.expected.games[game_id]
        expected = self.expected.predicts[game.versions[game.alias or favoured]]
        assert expected is not None
        answer = BEATEN_BY[expected]
        move = expected if game.alias == favoured else BEATEN_BY[answer]
        while not self.play(game_id, move):
            pass

    def retry(self, game_id: str) -> None:
        """The last round is sent again, as by a client that lost the answer."""
        last = self.expected.games[game_id].last
        if last is None or "round" not in last[0]:
            return
        self.expected.retried(game_id, ok(self.client.post("/play", json=last[0])))

    def misplay(self, game_id: str) -> None:
        """A round that is not the next one, and a move in a game that has ended: refused, nothing changed."""
        game = self.expected.games[game_id]
        body = {"game_id": game_id, "user_move": "rock", "round": game.rounds + 2}
        assert self.client.post("/play", json=body).status_code == 409
        if game.finished:
            del body["round"]
            assert self.client.post("/play", json=body).status_code == 409

    def cycle(self, family: Family) -> None:
        decided = planning.cycle(self._core.promotion, family, trigger="manual", source="test")
        expected = self.expected.decided(family, registry_answers=not self.registry.down)
        found = decided and decided.decision
        assert found == expected, f"{found}, and expected {expected}: {decided}"

    def report(self, family: Family, decision: str, *, times: int = 2) -> None:
        """An outside automation has moved aliases in the registry and reports it, its answer lost now and then."""
        if self._is_held_up(family):
            return
        before = self.expected.families[family].versions
        if decision == "swap_production_b":
            after = {**before, "Production": before["B"], "B": before["Production"]}
        else:
            after = {**before, "B": before["shadow1"], "shadow1": before["B"]}
        self.registry.named[family] = {alias: after[alias] for alias in ALIASES}
        body = {
            "model_type": family,
            "decision": decision,
            "reorder_applied": decision == "alias_reorder",
            "alias_assignments": [
                {"alias": alias, "version": version, "previous_version": before[alias]}
                for alias, version in after.items()
            ],
        }
        self._keys += 1
        headers = {"Idempotency-Key": f"report-{self._keys}"}
        answers = [ok(self.client.post(REPORT_PATH, json=body, headers=headers)) for _ in range(times)]
        assert all(answer == answers[0] for answer in answers)
        self.expected.reported(family, decision, after)

    def move_outside(self, family: Family, alias: str, version: int) -> None:
        """Another tool sets an alias in the registry, and the service is asked to look."""
        before = self.expected.families[family].versions
        if self._is_held_up(family) or version in before.values():
            return
        self._adopt(family, {**before, alias: version})

    def exchange_outside(self, family: Family) -> None:
        """Another tool exchanges Production and B in the registry, and the service is asked to look."""
        before = self.expected.families[family].versions
        if not self._is_held_up(family):
            self._adopt(family, {**before, "Production": before["B"], "B": before["Production"]})

    def swap(self, family: Family) -> None:
        """An operator exchanges Production and B."""
        self._order(SwapOrder(family=family, origin=self._origin("swap")), self.expected.swapped)

    def undo(self, family: Family) -> None:
        """An operator takes the last swap back."""
        self._order(UndoOrder(family=family, origin=self._origin("undo")), self.expected.undone)

    def approve(self, family: Family) -> None:
        """An operator approves the swap that waits."""
        applied = self.expected.approved(family, registry_answers=not self.registry.down)
        self._give(ApproveOrder(family=family, origin=self._origin("approval")), applied is not None, applied)

    def reject(self, family: Family) -> None:
        """An operator rejects the swap that waits."""
        accepted = self.expected.rejected(family)
        self._give(RejectOrder(family=family, origin=self._origin("rejection")), accepted, None)

    def pin(self, family: Family, alias: Alias, seconds: int | None) -> None:
        """An operator holds what is behind an alias, for a while or for good."""
        accepted = self.expected.pinned(family, alias, seconds)
        expires_us = None if seconds is None else int((self.expected.now + seconds) * 1_000_000)
        order = PinOrder(family=family, alias=alias, expires_us=expires_us, origin=self._origin("pin"))
        self._give(order, accepted, None)

    def unpin(self, family: Family, alias: Alias) -> None:
        """An operator holds an alias no more."""
        accepted = self.expected.unpinned(family, alias)
        self._give(UnpinOrder(family=family, alias=alias, origin=self._origin("unpin")), accepted, None)

    def _order(self, order: SwapOrder | UndoOrder, expect: Callable[[str], dict[str, int] | None]) -> None:
        after = None if self._is_held_up(order.family) else expect(order.family)
        self._give(order, after is not None, True)

    def _give(self, order: Order, accepted: bool, applied: bool | None) -> None:
        """Ordered twice under one key, as by an operator whose connection broke."""
        if not accepted:
            _require_refused(partial(execute, self._core.promotion, order))
            return
        first, again = (execute(self._core.promotion, order) for _ in range(2))
        assert (first.applied, again.applied, again.repeated) == (applied, applied, True)
        assert first.position == again.position

    def _origin(self, what: str) -> Origin:
        self._keys += 1
        return Origin(actor="Ada", reason=f"a {what} by hand", key=f"order-{self._keys}")

    def train(self, family: Family, status: str) -> None:
        """An outside trainer reports its run."""
        body = {"model_type": family, "status": status, "duration_seconds": 12.5}
        ok(self.client.post("/internal/training/complete", json=body))
        self.expected.trained(family, status)

    def place(self, family: Family, alias: Alias, version: int) -> None:
        """A training of this service has a new version for an alias."""
        if version in self.expected.families[family].versions.values():
            return
        place = partial(planning.assign, self._core.promotion, family, {alias: version}, cause="training")
        placed = self.expected.placed(family, alias, version, registry_answers=not self.registry.down)
        if placed is None:
            _require_refused(place)
        else:
            assert place().completed is placed

    def set_clock(self, seconds: float) -> None:
        """The clock goes on or is set back; then something is recorded, and every family is looked at."""
        self.clock.seconds += seconds
        self.train("xgboost", "failure")
        for family in FAMILIES:
            settle(self._core.promotion, family)
        self.expected.passed(self.clock.seconds)

    def deliver(self, mood: Mood) -> None:
        """The webhook sends to a receiver in this mood."""
        self.receiver.deliver(self._core.ledger, mood)

    def lose_registry(self) -> None:
        self.registry.down = True

    def find_registry(self) -> None:
        """The registry is back, and the service is asked to look."""
        self.registry.down = False
        self._reload()

    def restart(self, *, approval: bool | None = None) -> None:
        """Another process, which has swaps wait for an approval or not."""
        self.check_log()
        self.close()
        if approval is not None:
            self.settings = replace(self.settings, promotion_approval="swap" if approval else "off")
        self._open()

    def forget_snapshots(self) -> None:
        """The cache is gone: the next start replays every event."""
        with transaction(self._core.engine, write=[projection_snapshots]) as connection:
            connection.execute(projection_snapshots.delete())

    def save_snapshots(self) -> None:
        self._core.read_models.projector.save(every=1)

    def _open(self) -> None:
        self._running = serving(self.settings, self.registry)
        self.client = self._running.__enter__()
        self.expected.opened(needs_approval=self.settings.promotion_approval == "swap")
        if not self.registry.down:
            self._settled()

    def _reload(self) -> None:
        ok(self.client.post("/models/reload"))
        self._settled()

    def _settled(self) -> None:
        for family in FAMILIES:
            self.expected.settled(family)

    def _adopt(self, family: Family, after: dict[str, int]) -> None:
        self.registry.named[family] = {alias: after[alias] for alias in ALIASES}
        self._reload()
        self.expected.moved(family, after)

    def _is_held_up(self, family: Family) -> bool:
        """Whether an outside tool could not do its work now, or would meet a plan of ours."""
        return self.registry.down or self.expected.families[family].pending is not None


def _require_refused(act: Callable[[], object]) -> None:
    try:
        act()
    except Refusal:
        return
    raise AssertionError("what should have been refused was done")


def _registry(folder: Path) -> FaultyRegistry:
    """Six versions of each family; the sixth is broken, and the model store has all of them."""
    registry = registry_with_versions(count=BROKEN)
    store = open_model_store((folder / "models").as_uri())
    for family in FAMILIES:
        registry.keep(family, files(BROKEN, (NAN, NAN, NAN), family=family))
        for version in (BROKEN - 1, BROKEN):
            store.put_model(family, registry.kept[family, version])
    return registry
