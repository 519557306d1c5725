"""/play: a person plays. The page is a shell; its script speaks the calls that every client speaks."""

from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gameplay.game.rules import TARGET_TENTHS
from gameplay.web.console.formats import FAMILY_NAMES
from gameplay.web.console.pages import html
from ledger.vocabulary import BOTS, FAMILY_OF_POLICY, POLICIES

CHARACTERS: Final = {
    "ace": "is greedy",
    "bob": "copies you",
    "cal": "is cautious",
    "dan": "is superstitious",
    "edd": "studies you",
    "fox": "lies in wait",
    "gus": "throws a die",
    "hal": "is restless",
}


class OpponentShown(Struct, frozen=True):
    """An opponent to choose."""

    name: str
    about: str


class PlayPage(Struct, frozen=True):
    """What the shell needs."""

    policies: tuple[OpponentShown, ...]
    bots: tuple[OpponentShown, ...]
    target_points: int


async def play(request: Request) -> Response:
    """GET /play."""
    policies = tuple(OpponentShown(one, FAMILY_NAMES[FAMILY_OF_POLICY[one]]) for one in POLICIES)
    bots = tuple(OpponentShown(one, CHARACTERS[one]) for one in BOTS)
    return html(request, "play.html", PlayPage(policies, bots, TARGET_TENTHS // 10))
