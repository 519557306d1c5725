"""What each page takes, and what its twin answers."""

from collections.abc import Mapping

from gameplay.web.console.event_page import EventPage
from gameplay.web.console.game_page import GamePage
from gameplay.web.console.overview import Overview
from gameplay.web.description import HTML, JSON, Described, Parameter

_AT = Parameter("at", str, "1", "A position or a time; by default now.")
_POSITION = Parameter("position", str, "1", "A position of the ledger.")
_BOTH = (JSON, HTML)

PAGES: Mapping[tuple[str, str], Described] = {
    ("GET", "/overview.json"): Described(
        summary="Every family and what has moved, as the overview page shows it.",
        query=(_AT,),
        media=_BOTH,
        answer=Overview,
        errors=(400, 404),
    ),
    ("GET", "/play"): Described(
        summary="A page to play on.", media=(HTML,), answer=str, example="<!doctype html>"
    ),
    ("GET", "/games/{game_id}"): Described(
        summary="A game, round by round.",
        path=(Parameter("game_id", str, "0199f3a0-5a1b-7c00-8000-000000000001"),),
        media=_BOTH,
        answer=GamePage,
        errors=(400, 404),
    ),
    ("GET", "/events/{position}"): Described(
        summary="An event as it is stored, with its neighbours.",
        path=(_POSITION,),
        media=_BOTH,
        answer=EventPage,
        errors=(400, 404),
    ),
    ("GET", "/static/{name}"): Described(
        summary="A file of the pages.",
        path=(Parameter("name", str, "console.css"),),
        media=("text/css", "text/javascript"),
        answer=str,
        example="body { margin: 0 }",
        errors=(404,),
    ),
}
