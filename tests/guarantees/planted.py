"""Bugs that services of this kind have had, each to be switched on in this one. A walk names what finds it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from gameplay.promotion import applying, assignments, planning, reports
from gameplay.promotion.backends import Backends
from gameplay.promotion.operator import approvals, execution, moves
from gameplay.promotion.operator.moves import planned
from gameplay.serving import play
from gameplay.serving.cloud_events import message
from gameplay.serving.webhook import Webhook
from gameplay.web import feed
from ledger.chain import link
from ledger.engines import sqlite_queries
from ledger.ids import new_id
from ledger.recent import Recent
from ledger.store import Ledger
from projections import snapshots
from projections.decision import rules
from projections.read_models import counters, counting, standings, tickers
from projections.read_models.moves import Pin

Patch = pytest.MonkeyPatch


class Bug(NamedTuple):
    """How it is planted, and the walk that meets it."""

    plant: Callable[[Patch], object]
    walk: str


def _tail_skips_an_event(patch: Patch) -> None:
    """A reader that believes the next position to be one more than the last one it saw."""
    read = Ledger.read

    def skipping(self: Ledger, after: int = 0, **how: Any) -> Any:
        page = read(self, after, **how)
        return page[:1] + page[2:] if after and len(page) > 4 else page

    patch.setattr(Ledger, "read", skipping)


def _snapshot_of_an_older_state(patch: Patch) -> None:
    """The position is taken when the snapshot is written, and the state was encoded before."""
    take, first = snapshots.take, dict[str, bytes]()

    def late(tracked: Any, head: Any) -> dict[str, Any]:
        row = take(tracked, head)
        return {**row, "state": first.setdefault(row["name"], row["state"])}

    patch.setattr(snapshots, "take", late)


def _chain_forks(patch: Patch) -> None:
    """The first entry of each append follows the beginning instead of the head."""
    patch.setattr("ledger.numbering.link", lambda _previous, leaf: link(bytes(32), leaf))


def _remembered_head_is_believed(patch: Patch) -> None:
    """A writer that appends to the head which it has made itself, whoever has appended since."""
    believing = [statement.replace("IS ?", "IS NOT ?", 1) for statement in sqlite_queries._EXTENSIONS]
    patch.setattr(sqlite_queries, "_EXTENSIONS", believing)


def _recent_skips_an_event(patch: Patch) -> None:
    """What was appended here is folded with a gap."""
    after = Recent.after

    def skipping(self: Recent, head: Any, limit: int) -> list[Any]:
        found = after(self, head, limit)
        return found[:1] + found[2:] if len(found) > 4 else found

    patch.setattr(Recent, "after", skipping)


def _reorder_resets_the_tickers(patch: Patch) -> None:
    apply = tickers._aliases_assigned
    patch.setattr(
        tickers,
        "_aliases_assigned",
        lambda state, event, entry: apply(state, replace(event, swapped=event.swapped or event.reordered), entry),
    )


def _record_stays_with_the_alias(patch: Patch) -> None:
    """A challenger that moves to another alias begins with no record."""
    apply = standings._aliases_assigned

    def forgetting(state: Any, event: Any, entry: Any) -> None:
        apply(state, event, entry)
        if event.reordered:
            state.families[event.model_type].records.clear()

    patch.setattr(standings, "_aliases_assigned", forgetting)


def _fallback_is_evidence(patch: Patch) -> None:
    patch.setattr(counting, "is_evidence", lambda event: event.in_metrics)


def _game_of_the_last_window_is_evidence(patch: Patch) -> None:
    for module in (tickers, standings):
        patch.setattr(module, "is_evidence_since", lambda event, _swap_count: counting.is_evidence(event))


def _test_game_counts(patch: Patch) -> None:
    count = counters._HANDLERS["game.finished"]
    patch.setitem(
        counters._HANDLERS,
        "game.finished",
        lambda state, event, entry: count(state, replace(event, in_metrics=True), entry),
    )


def _key_is_forgotten(patch: Patch) -> None:
    """A report that is sent again under its Idempotency-Key is another report."""
    patch.setattr(reports, "keyed_id", lambda *_: new_id())


def _retry_is_another_round(patch: Patch) -> None:
    answered = play._answered
    patch.setattr(play, "_answered", lambda game, move, _round_no: answered(game, move, None))


def _two_sided_test(patch: Patch) -> None:
    tested = rules.pooled_z_test

    def doubled(*tallies: Any) -> Any:
        found = tested(*tallies)
        return found and (found[0], min(1.0, 2 * found[1]))

    patch.setattr(rules, "pooled_z_test", doubled)


def _adopted_swap_is_no_swap(patch: Patch) -> None:
    patch.setattr(assignments, "is_swap", lambda _before, _after: False)


def _plan_is_completed_unapplied(patch: Patch) -> None:
    """The ledger says that the aliases are moved, and the registry was never asked."""
    patch.setattr(Backends, "apply", lambda *_: {})


def _abandons_the_prediction_of_b(patch: Patch) -> None:
    """Predictions of the alias that did not play are not counted."""
    count = counters._HANDLERS["game.prediction_made"]
    patch.setitem(
        counters._HANDLERS,
        "game.prediction_made",
        lambda state, event, entry: count(state, event, entry) if event.served else None,
    )


def _counters_survive_in_memory_only(patch: Patch) -> None:
    """A start begins to count where the ledger ends."""
    load = snapshots.load

    def emptied(ledger: Ledger, tracked: Any) -> bool | None:
        if tracked.projection.name == "counters":
            tracked.position = ledger.head().position
            return True
        return load(ledger, tracked)

    patch.setattr(snapshots, "load", emptied)


def _order_moves_again(patch: Patch) -> None:
    """An order that is sent again under its key is carried out again."""
    patch.setattr(execution, "_repeated", lambda *_: None)
    patch.setattr(execution, "event_id", lambda _origin: None)


def _undo_begins_no_window(patch: Patch) -> None:
    patch.setattr(
        "gameplay.promotion.operator.undo.planned",
        lambda *given, **named: planned(*given, **{**named, "swapped": False}),
    )


def _swap_waits_for_nobody(patch: Patch) -> None:
    patch.setattr("projections.decision.cycle.approval.approve_by", lambda _rule, _decided_us: None)


def _approval_never_comes_too_late(patch: Patch) -> None:
    patch.setattr(applying, "has_expired", lambda _plan, _now_us: False)


def _rejected_plan_stays_open(patch: Patch) -> None:
    reject = approvals.reject
    patch.setattr(approvals, "reject", lambda state, order: reject(state, order)[:1])


def _pin_holds_no_cycle(patch: Patch) -> None:
    patch.setattr("projections.decision.cycle.pins.holding", lambda _promotion, _now_us: {})


def _training_moves_what_is_pinned(patch: Patch) -> None:
    patch.setattr(planning, "holding_at", lambda _state: {})


def _order_moves_what_is_pinned(patch: Patch) -> None:
    patch.setattr(moves, "against", lambda _state, _versions: None)


def _pin_holds_for_ever(patch: Patch) -> None:
    patch.setattr(Pin, "holds", lambda _pin, _now_us: True)


def _noted_before_it_arrives(patch: Patch) -> None:
    """A receiver that does not take an event never gets it: the next start goes on behind it."""
    send = Webhook._send

    def noting(self: Webhook, entry: Any) -> str | None:
        self._checkpoint.write(entry.position)
        return send(self, entry)

    patch.setattr(Webhook, "_send", noting)


def _delivery_has_an_id_of_its_own(patch: Patch) -> None:
    """Each attempt has another id, so a receiver cannot know what it has."""

    def renamed(*given: Any) -> Any:
        headers, body = message(*given)
        return {**headers, "ce-id": new_id()}, body

    patch.setattr("gameplay.serving.webhook.message", renamed)


def _goes_on_after_a_refusal(patch: Patch) -> None:
    """What was refused is left out, as a queue does that drops what fails."""
    patch.setattr(
        Webhook, "_back_off", lambda self, entry, _problem: self._checkpoint.write(entry.position) or 0.0
    )


def _page_ends_at_the_head(patch: Patch) -> None:
    """A full page says that there is nothing behind it."""
    read = feed.read_page

    def ending(*given: Any) -> Any:
        page = read(*given)
        return page._replace(through=page.head)

    patch.setattr(feed, "read_page", ending)


def _feed_shows_an_open_game(patch: Patch) -> None:
    patch.setattr(feed, "is_open", lambda _ledger, _game_id: False)


BUGS = {
    "a tail that skips an event": Bug(_tail_skips_an_event, "games"),
    "a fold of one's own appends that skips an event": Bug(_recent_skips_an_event, "games"),
    "a snapshot whose position is newer than its state": Bug(_snapshot_of_an_older_state, "games"),
    "a chain that forks": Bug(_chain_forks, "moves"),
    "a remembered head that is believed": Bug(_remembered_head_is_believed, "decisions"),
    "a reorder that resets the tickers": Bug(_reorder_resets_the_tickers, "decisions"),
    "a record that stays with the alias": Bug(_record_stays_with_the_alias, "decisions"),
    "a fallback that is counted as evidence": Bug(_fallback_is_evidence, "degraded"),
    "a game of the last window that is counted in this one": Bug(
        _game_of_the_last_window_is_evidence, "decisions"
    ),
    "a test game that is counted": Bug(_test_game_counts, "games"),
    "an idempotency key that is forgotten": Bug(_key_is_forgotten, "decisions"),
    "a retry that plays another round": Bug(_retry_is_another_round, "games"),
    "a test that is two-sided": Bug(_two_sided_test, "decisions"),
    "an adopted swap that resets nothing": Bug(_adopted_swap_is_no_swap, "moves"),
    "an order that is carried out twice": Bug(_order_moves_again, "moves"),
    "an undo that begins no window": Bug(_undo_begins_no_window, "moves"),
    "a plan that is completed without the registry": Bug(_plan_is_completed_unapplied, "registry_away"),
    "a prediction beside the game that is not counted": Bug(_abandons_the_prediction_of_b, "games"),
    "a swap that waits for nobody": Bug(_swap_waits_for_nobody, "approvals"),
    "an approval that never comes too late": Bug(_approval_never_comes_too_late, "approvals"),
    "a rejected plan that stays open": Bug(_rejected_plan_stays_open, "approvals"),
    "a pin that holds no cycle": Bug(_pin_holds_no_cycle, "pins"),
    "a training that moves what is pinned": Bug(_training_moves_what_is_pinned, "pins"),
    "an order that moves what is pinned": Bug(_order_moves_what_is_pinned, "pins"),
    "a pin that never expires": Bug(_pin_holds_for_ever, "pins"),
    "a delivery that is noted before it arrives": Bug(_noted_before_it_arrives, "deliveries"),
    "a delivery with another id each time": Bug(_delivery_has_an_id_of_its_own, "deliveries"),
    "a delivery that is left out once it is refused": Bug(_goes_on_after_a_refusal, "deliveries"),
    "a page of the feed that hides the next one": Bug(_page_ends_at_the_head, "games"),
    "a feed that tells of an unfinished game": Bug(_feed_shows_an_open_game, "games"),
    "counters that a restart zeroes": Bug(_counters_survive_in_memory_only, "games"),
}
