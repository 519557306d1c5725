"""The rows of the promotion history as they were at a position.

A row changes twice after its cycle: when its plan is made, and when that is carried out. So at a past position
every row is what is stored now, but for a family's newest cycle and that of its open plan: these are made again
from the events that had come by then.
"""

from collections.abc import Iterator

from msgspec import structs

from ledger.events import AliasesAssigned, AliasesPlanned, wire_name
from ledger.store import Ledger
from projections.read_models.history import History, Query
from projections.read_models.history_fold import after_plan, before_plans
from projections.read_models.standings import PromotionState, PromotionStates
from projections.schema import StoredRow

_PLANS = frozenset(wire_name(cls) for cls in (AliasesPlanned, AliasesAssigned))


class PastHistory:
    """The history at a position, over the table that is folded up to there or further."""

    def __init__(self, history: History, ledger: Ledger, position: int, states: PromotionStates) -> None:
        self._history = history
        self._ledger = ledger
        self._position = position
        self._unsettled = {
            (family, cycle): promotion
            for family, promotion in states.families.items()
            for cycle in {promotion.cycle, promotion.plan and promotion.plan.cycle}
            if cycle
        }

    def rows(self, query: Query) -> list[StoredRow]:
        """The rows that a query asks for, in its order."""
        end = self._position + 1
        before_id = end if query.before_id is None else min(query.before_id, end)
        # A row that counts as reordered by now may not have been then, and falls out of the answer.
        limit = None if query.limit is None else query.limit + len(self._unsettled)
        stored = self._history.rows(structs.replace(query, before_id=before_id, limit=limit))
        return [row for row in map(self._as_it_was, stored) if _is_wanted(row, query)][: query.limit]

    def totals(self, from_us: int, to_us: int) -> dict[str, dict[str, int]]:
        """For each family: how many cycles came to each decision, challengers reordered, and all cycles."""
        totals = self._history.totals(from_us, to_us, through=self._position)
        for now, then in self._changed():
            if from_us <= now.recorded_us < to_us:
                totals[now.model_type]["alias_reorder"] -= _is_reordered(now) - _is_reordered(then)
        return totals

    def _changed(self) -> Iterator[tuple[StoredRow, StoredRow]]:
        """Each row that may have changed since, now and then."""
        for family, cycle in self._unsettled:
            query = Query(model_types=(family,), cycle=cycle, before_id=self._position + 1)
            for row in self._history.rows(query):
                yield row, self._as_it_was(row)

    def _as_it_was(self, row: StoredRow) -> StoredRow:
        promotion = self._unsettled.get((row.model_type, row.cycle))
        if promotion is None:
            return row
        row = before_plans(row)
        for event in self._plans(row, promotion):
            if event.cycle == row.cycle:
                row = after_plan(row, event)
        return row

    def _plans(self, row: StoredRow, promotion: PromotionState) -> Iterator[AliasesPlanned | AliasesAssigned]:
        """What was planned and carried out after a cycle, up to this position."""
        (decided,) = self._ledger.read(row.id - 1, limit=1)
        for entry in self._ledger.read_stream(decided.stream, decided.version, promotion.stream_version):
            if entry.type in _PLANS:
                event = self._ledger.decode(entry)
                assert isinstance(event, AliasesPlanned | AliasesAssigned)
                yield event


def _is_wanted(row: StoredRow, query: Query) -> bool:
    if not query.decisions or row.decision in query.decisions:
        return True
    return "alias_reorder" in query.decisions and _is_reordered(row)


def _is_reordered(row: StoredRow) -> bool:
    return bool(row.reorder_applied) or row.decision == "alias_reorder"
