"""Players who go on whatever happens, and a scraper: what they were told, and when."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx2

from ledger.vocabulary import MOVES, POLICIES

PLAYERS = 12
AGAIN_SECONDS = 0.1
TIMEOUT_SECONDS = 20.0
SCRAPE_SECONDS = 0.5


class Told(NamedTuple):
    """A round that was acknowledged to a player."""

    game_id: str
    round_no: int
    user_move: str
    bot_move: str


@dataclass
class Seen:
    """Everything that clients of the service have seen."""

    told: list[Told] = field(default_factory=list)
    answered_seconds: list[float] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    scrapes: int = 0
    went_back: list[str] = field(default_factory=list)

    def refused(self, what: str) -> None:
        self.refusals[what] = self.refusals.get(what, 0) + 1

    def longest_gap(self, from_seconds: float, to_seconds: float) -> float:
        """The longest time without an acknowledgement that began in a span."""
        inside = [at for at in self.answered_seconds if from_seconds <= at <= to_seconds]
        ends = [from_seconds, *inside, to_seconds]
        return max(after - before for before, after in itertools.pairwise(ends))


class Clients:
    """Players and a scraper, on one event loop."""

    def __init__(self, url: str, seen: Seen) -> None:
        self._url = url
        self._seen = seen
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Have everybody stop after what they are doing."""
        self._ending.set()

    async def run(self) -> None:
        """Play and scrape until the end."""
        async with httpx2.AsyncClient(base_url=self._url, timeout=TIMEOUT_SECONDS) as client:
            await asyncio.gather(self._scrape(client), *(self._play(client, one) for one in range(PLAYERS)))

    async def _play(self, client: httpx2.AsyncClient, number: int) -> None:
        moves = itertools.cycle(MOVES[number % 3 :] + MOVES[: number % 3])
        while not self._ending.is_set():
            asked = {"policy": POLICIES[number % 3], "session_id": f"drill-{number}"}
            started = await self._until_answered(client, "/start_game", asked)
            round_no = 1
            while started is not None:
                move = next(moves)
                body = {"game_id": started["game_id"], "user_move": move, "round": round_no}
                answer = await self._until_answered(client, "/play", body)
                if answer is None:
                    return
                self._seen.answered_seconds.append(time.monotonic())
                self._seen.told.append(Told(started["game_id"], round_no, move, answer["bot_move"]))
                if answer["finished"]:
                    break
                round_no += 1

    async def _until_answered(self, client: httpx2.AsyncClient, path: str, body: object) -> dict[str, Any] | None:
        """The answer of a call that is made again for as long as it is not a 200; None at the end."""
        while not self._ending.is_set():
            try:
                response = await client.post(path, json=body)
            except httpx2.HTTPError as error:
                self._seen.refused(type(error).__name__)
            else:
                if response.status_code == 200:
                    return dict(response.json())
                self._seen.refused(str(response.status_code))
                if response.status_code not in (502, 503, 504):
                    self._seen.unexpected.append(f"{path} {response.status_code}: {response.text}")
            await asyncio.sleep(AGAIN_SECONDS)
        return None

    async def _scrape(self, client: httpx2.AsyncClient) -> None:
        """Scrape again and again; no counter of the ledger may fall, whichever process answers."""
        before: dict[str, float] = {}
        while not self._ending.is_set():
            try:
                response = await client.get("/metrics", params={"scope": "ledger"})
                if response.status_code == 200:
                    counters = _counters(response.text)
                    fallen = [name for name, value in before.items() if counters.get(name, 0.0) < value]
                    self._seen.went_back += fallen
                    self._seen.scrapes += 1
                    before = counters
            except httpx2.HTTPError as error:
                self._seen.refused(f"scrape {type(error).__name__}")
            await asyncio.sleep(SCRAPE_SECONDS)


def _counters(body: str) -> dict[str, float]:
    """The samples that may only rise."""
    lines = (line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#"))
    rising = ("_total", "_bucket", "_count", "rps_ledger_position")
    return {name: float(value) for name, value in lines if name.partition("{")[0].endswith(rising)}
