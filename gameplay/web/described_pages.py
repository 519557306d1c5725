"""What each page takes, and what its twin answers."""

from collections.abc import Mapping
from typing import Literal

from gameplay.web.console.decision_list import DecisionList
from gameplay.web.console.decision_page import DecisionPage
from gameplay.web.console.derivation import Derived
from gameplay.web.console.event_page import EventPage
from gameplay.web.console.family_page import FamilyPage
from gameplay.web.console.game_page import GamePage
from gameplay.web.console.operator_page import OperatorPage
from gameplay.web.console.overview import Overview
from gameplay.web.console.what_if_page import WhatIfPage
from gameplay.web.described_cycles import CYCLES
from gameplay.web.description import CSV, HTML, JSON, STREAM, Described, Parameter
from ledger.sealing.proofs import Proof
from ledger.vocabulary import CountedPlayers, EvidenceWindow, Family

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
    ("GET", "/live"): Described(
        summary="News of the head, as server-sent events, for pages that watch.",
        query=(Parameter("once", Literal["0", "1", "true", "false"], "1", "The news of now, and an end."),),
        media=(STREAM,),
        answer=str,
        example='id: 4711\nevent: head\ndata: {"position":4711}\n\n',
        errors=(400,),
    ),
    ("GET", "/decisions"): Described(
        summary="The promotion cycles, to filter and to page through.",
        query=(
            _AT,
            *CYCLES,
            Parameter("limit", int, 50, "1 to 200."),
        ),
        media=_BOTH,
        answer=DecisionList,
        errors=(400,),
    ),
    ("GET", "/decisions.csv"): Described(
        summary="The same cycles as CSV, all of them at once.",
        query=(_AT, *CYCLES, Parameter("limit", int, 10_000, "1 to 10,000.")),
        media=(CSV,),
        answer=str,
        example="id,ts,ts_ms\r\n4711,2026-11-01T00:00:00Z,1793491200000\r\n",
        errors=(400,),
    ),
    ("GET", "/decisions/{position}"): Described(
        summary="Why a cycle decided as it did.",
        path=(_POSITION,),
        query=(Parameter("games_before", int, 4711, "Games finished before this position: the next page."),),
        media=_BOTH,
        answer=DecisionPage,
        errors=(400, 404),
    ),
    ("POST", "/decisions/{position}/derive"): Described(
        summary="Derives a decision again from raw events, and says whether it agrees.",
        path=(_POSITION,),
        media=_BOTH,
        answer=Derived,
        errors=(400, 404, 429),
    ),
    ("GET", "/decisions/{position}/proof"): Described(
        summary="The file that proves a decision against a signed checkpoint.",
        path=(_POSITION,),
        answer=Proof,
        errors=(400, 404, 409, 429),
    ),
    ("GET", "/play"): Described(
        summary="A page to play on.", media=(HTML,), answer=str, example="<!doctype html>"
    ),
    ("GET", "/families/{family}"): Described(
        summary="How a family's versions have done over time, and what each cycle saw.",
        path=(Parameter("family", str, "xgboost", "A family."),),
        query=(_AT, Parameter("cycles", int, 200, "1 to 1000: so many of the newest cycles.")),
        media=_BOTH,
        answer=FamilyPage,
        errors=(400, 404),
    ),
    ("GET", "/what-if"): Described(
        summary="The same events under another rule, beside what happened.",
        query=(
            _AT,
            Parameter("model_type", Family, "xgboost", "One family, or several.", repeated=True),
            Parameter("rule", Literal["ztest/1", "anytime-sign/1"], "anytime-sign/1", "Another rule."),
            Parameter("alpha", str, "0.05", "Another alpha: a decimal between 0 and 1."),
            Parameter("minimum_games", int, 30, "Games that each alias needs."),
            Parameter("minimum_predictions", int, 30, "Predictions for a reorder."),
            Parameter("settle_seconds", int, 1_800, "How old a game has to be for the anytime rule."),
            Parameter("evidence", EvidenceWindow, "since_swap", "Which games are evidence."),
            Parameter("players", CountedPlayers, "all", "Whose games are evidence."),
        ),
        media=_BOTH,
        answer=WhatIfPage,
        errors=(400, 429),
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
    ("GET", "/operator"): Described(
        summary="What an operator may hold, swap and take back.",
        query=(_AT,),
        media=_BOTH,
        answer=OperatorPage,
        errors=(400, 429),
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
