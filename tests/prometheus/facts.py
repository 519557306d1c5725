"""What the ledger says, counted from its rows with nothing but SQL and JSON: the measure for every query."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from ledger.vocabulary import FAMILIES

Payload = dict[str, Any]
Key = tuple[tuple[str, str], ...]
Numbers = dict[Key, float]
"""Labels -> value, as Prometheus answers a query."""


def key(**labels: str) -> Key:
    """A set of labels."""
    return tuple(sorted(labels.items()))


class Facts:
    """The events of a ledger; counters begin at `since_us`, all else at the beginning."""

    def __init__(self, database: Path, since_us: int) -> None:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT type, recorded_us, payload FROM events ORDER BY position").fetchall()
        self.events: list[tuple[str, int, Payload]] = [(type_, us, json.loads(text)) for type_, us, text in rows]
        self.since_us = since_us

    def counted(self, type_: str) -> list[Payload]:
        """Events that the counters have seen, but for test games."""
        return [
            payload
            for found, recorded_us, payload in self.events
            if found == type_ and recorded_us >= self.since_us and payload.get("counted", True)
        ]

    def all_of(self, *types: str) -> list[tuple[str, int, Payload]]:
        """Every event of some types, with its time."""
        return [event for event in self.events if event[0] in types]

    def tally(
        self,
        type_: str,
        *labels: str,
        born: Iterable[Key] = (),
        where: Callable[[Payload], bool] = lambda _payload: True,
    ) -> Numbers:
        """How many events there are for each value of some labels; `born` are there with 0 even without any.

        A label may be renamed: `model=model_type` reads the field `model_type`.
        """
        found = Counter(dict.fromkeys(born, 0))
        for payload in filter(where, self.counted(type_)):
            pairs = (label.partition("=") for label in labels)
            found[tuple(sorted((name, str(payload[field or name])) for name, _, field in pairs))] += 1
        return {labels_: float(count) for labels_, count in found.items()}

    def assignment(self, family: str) -> dict[str, int]:
        """The version behind each alias."""
        last = [p for _, _, p in self.all_of("promotion.aliases_assigned") if p["model_type"] == family][-1]
        return {one["alias"]: one["after"] for one in last["assignments"]}

    def holdouts(self, family: str) -> dict[str, float]:
        """The hold-out accuracy of the version behind each alias."""
        trained = {
            payload["model_version"]: payload["holdout_accuracy"]
            for _, _, payload in self.all_of("training.completed")
            if payload["model_type"] == family
        }
        return {alias: trained[version] for alias, version in self.assignment(family).items()}

    def last_cycles(self) -> dict[str, tuple[int, Payload]]:
        """Each family's last cycle, with its time."""
        return {payload["model_type"]: (us, payload) for _, us, payload in self.all_of("promotion.cycle_decided")}

    def last_swaps(self) -> dict[str, int]:
        """When each family was last swapped, in microseconds."""
        moved = self.all_of("promotion.aliases_assigned")
        return {payload["model_type"]: us for _, us, payload in moved if payload["swapped"]}

    def since_swap(self, family: str) -> tuple[dict[str, int], int]:
        """(games of each side that count as evidence, cycles) since the family's last swap."""
        games, cycles = {"Production": 0, "B": 0}, 0
        swaps = 0
        for type_, _, payload in self.events:
            if payload.get("model_type") != family:
                continue
            if type_ == "promotion.aliases_assigned" and payload["swapped"]:
                games, cycles, swaps = {"Production": 0, "B": 0}, 0, swaps + 1
            elif type_ == "promotion.cycle_decided":
                cycles += 1
            elif type_ == "game.finished" and payload["counted"] and not payload["degraded"]:
                games[payload["alias"]] += payload["swap_count"] == swaps
        return games, cycles

    def open_games(self) -> int:
        """Games begun and neither finished nor abandoned."""
        begun = {p["game_id"] for _, _, p in self.all_of("game.started") if p["counted"]}
        return len(begun - {p["game_id"] for _, _, p in self.all_of("game.finished", "game.abandoned")})

    def ranks(self) -> Numbers:
        """The challengers' places as last evaluated."""
        found: Numbers = {}
        for _, _, cycle in self.all_of("promotion.cycle_decided"):
            ranking = cycle["report"]["alias_rankings"] if cycle.get("report") else cycle["ranking"]
            for ranked in ranking:
                found[key(model=cycle["model_type"], alias=ranked["alias"])] = ranked["rank"]
        return found


def by_family(value: Callable[[str], float | None]) -> Numbers:
    """A number for each family that has one."""
    return {key(model=family): found for family in FAMILIES if (found := value(family)) is not None}
