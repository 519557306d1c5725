"""Why is this version Production: a family's last moves, written down in the registry for its own readers.

Nothing waits for it. A move is complete in the ledger first; what cannot be written down now is written down by
the next run, from the ledger.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from gameplay.models.descriptions import POSITION_TAG, policy_text
from gameplay.models.errors import RegistryError
from gameplay.models.registry import Registry
from ledger.events import (
    AliasChange,
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    CycleDecided,
    Event,
)
from ledger.store import Ledger
from ledger.streams import promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family

log = logging.getLogger(__name__)

MOVES_MAX: Final = 20
REASON_MAX: Final = 90
"""With twenty reasons of this length the text stays well below the 5,000 characters that MLflow keeps."""

KINDS: Final = {
    "bootstrap": "first",
    "manual": "operator",
    "registry": "adopted",
    "report": "reported",
    "training": "training",
}
"""What an assignment's cause is called in a tag, `ledger.training` for instance; a swap and a reorder go first."""


class Move(NamedTuple):
    """An assignment that changed something, or a version that is held from here on or no longer, and why."""

    position: int
    recorded_us: int
    kind: str
    assignments: tuple[AliasChange, ...]
    reason: str


class Annotations:
    """Every family's moves, as one process writes them into the registry."""

    def __init__(self, ledger: Ledger, registry: Registry) -> None:
        self._ledger = ledger
        self._registry = registry
        self._families = {family: Moves(family) for family in FAMILIES}
        self.problems: dict[Family, str] = {}

    def run(self) -> None:
        """Write down what has come since the last run that succeeded, for families without an open plan."""
        for family, known in self._families.items():
            for entry in self._ledger.read_stream(promotion_stream(family), known.version):
                known.fold(self._ledger.decode(entry), entry.version, entry.position, entry.recorded_us)
            if known.is_written or known.open_plan:
                continue
            tags = {version: dict(found) for version, found in known.unwritten.items()}
            try:
                self._registry.annotate(family, known.text(), tags)
            except RegistryError as error:
                self._fail(family, str(error))
            else:
                known.unwritten.clear()
                known.is_written = True
                self.problems.pop(family, None)

    def _fail(self, family: Family, problem: str) -> None:
        if self.problems.get(family) != problem:
            log.warning("%s: its moves are not written down in the registry yet: %s", family, problem)
        self.problems[family] = problem


class Moves:
    """The fold of a family's stream, and what of it is not in the registry yet."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.version = 0
        self.open_plan: AliasesPlanned | None = None
        self.is_written = True
        self.unwritten: dict[int, dict[str, str]] = defaultdict(dict)
        self._moves: deque[Move] = deque(maxlen=MOVES_MAX)
        self._reasons: dict[int, str] = {}
        self._aliases: dict[Alias, int] = {}
        self._since: Move | None = None

    def fold(self, event: Event, version: int, position: int, recorded_us: int) -> None:
        """Take in the event with the stream's next version."""
        self.version = version
        match event:
            case CycleDecided() as decided:
                # Cycles go on while a plan awaits approval: the one that planned it is no longer the newest.
                planned_by = self.open_plan.cycle if self.open_plan else None
                kept = {cycle: reason for cycle, reason in self._reasons.items() if cycle == planned_by}
                self._reasons = {**kept, decided.cycle: decided.reason}
            case AliasesPlanned() as planned:
                self.open_plan = planned
            case AliasesAssigned() as assigned:
                self.open_plan = None
                self._assigned(assigned, position, recorded_us)
            case AliasPinned() as pin:
                self._held("pin", pin, position, recorded_us)
            case AliasUnpinned() as pin:
                self._held("unpin", pin, position, recorded_us)
            case _:
                pass  # rules, approvals and what else stands on the stream say nothing of a version

    def _assigned(self, event: AliasesAssigned, position: int, recorded_us: int) -> None:
        changed = [one for one in event.assignments if one.before != one.after]
        if not changed:
            return
        reason = self._reasons.get(event.cycle, "") if event.cycle is not None else ""
        move = Move(position, recorded_us, _kind(event), event.assignments, _said(event) or reason)
        self._aliases = {one.alias: one.after for one in event.assignments}
        if any(one.alias == "Production" for one in changed):
            self._since = move
        self._add(move, [one.after for one in changed])

    def _held(self, kind: str, event: AliasPinned | AliasUnpinned, position: int, recorded_us: int) -> None:
        kept = tuple(AliasChange(alias=alias, before=now, after=now) for alias, now in self._aliases.items())
        reason = f"{event.alias}: {_said(event) or 'it has expired'}"
        self._add(Move(position, recorded_us, kind, kept, reason), [event.version])

    def _add(self, move: Move, versions: Sequence[int]) -> None:
        self._moves.append(move)
        for version in versions:
            position = str(move.position)
            self.unwritten[version] |= {POSITION_TAG: position, f"ledger.{move.kind}": position}
        self.is_written = False

    def text(self) -> str:
        """The description of the registered model, in Markdown."""
        return "\n".join([*self._head(), *(_row(move) for move in reversed(self._moves))])

    def _head(self) -> Iterator[str]:
        yield policy_text(self.family)
        if self._since is not None:
            move, version = self._since, self._aliases["Production"]
            since = f"since {_utc(move.recorded_us)} UTC, by {move.kind} at ledger position {move.position:,}"
            yield ""
            yield f"**Production is version {version}** {since}{': ' if move.reason else ''}{_plain(move.reason)}"
        yield ""
        yield f"| position | UTC | move | {' | '.join(ALIASES)} | why |"
        yield f"|{'---|' * (len(ALIASES) + 4)}"


def _said(event: AliasesAssigned | AliasPinned | AliasUnpinned) -> str:
    """Who ordered it, and why; empty where no operator did."""
    return f"{event.actor}: {event.reason}" if event.actor else ""


def _kind(event: AliasesAssigned) -> str:
    if event.undoes is not None:
        return "undo"
    if event.swapped:
        return "swap"
    return "reorder" if event.reordered else KINDS.get(event.cause, event.cause)


def _row(move: Move) -> str:
    versions = {one.alias: _version(one) for one in move.assignments}
    cells = [
        f"{move.position:,}",
        _utc(move.recorded_us),
        move.kind,
        *(versions.get(alias, "") for alias in ALIASES),
    ]
    return f"| {' | '.join(cells)} | {_plain(move.reason)} |"


def _version(change: AliasChange) -> str:
    return f"v{change.after}" if change.before == change.after else f"**v{change.after}**"


def _utc(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1_000_000, UTC):%Y-%m-%d %H:%M}"


def _plain(text: str) -> str:
    """A reason in one cell: its line breaks and bars would end the cell, and some are as long as a page."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= REASON_MAX else f"{line[: REASON_MAX - 1]}…"
