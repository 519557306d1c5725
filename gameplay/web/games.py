"""Games over HTTP: start, ask for the points, play."""

import uuid
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gameplay.game import players
from gameplay.refusals import Refusal
from gameplay.web.answers import play_answer, points_answer, start_answer
from gameplay.web.bodies import Line, MaybeLine, answer, decode, read_body
from gameplay.web.queries import one
from gameplay.web.state import lanes_of, service_of
from ledger.decoders import json_decoder
from ledger.facts import Round
from ledger.vocabulary import POLICIES, Move, Opponent

ANONYMOUS = "Player"


class StartGame(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/start_game`; null, and an empty name or session, mean absent."""

    policy: Opponent
    difficulty_mode: Literal["normal", "standard", "easy"] | None = None
    player_name: MaybeLine | None = None
    player_kind: Literal["human", "script"] | None = None
    session_id: MaybeLine | None = None
    mark_test_game: bool | None = None
    is_test: bool | None = None
    is_test_game: bool | None = None
    is_test_data: bool | None = None

    def in_metrics(self) -> bool:
        """Whether the game is no test."""
        return not (self.mark_test_game or self.is_test or self.is_test_game or self.is_test_data)


class PlayRound(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/play`; `round` is the round that the client believes it plays."""

    game_id: Line
    user_move: Move
    easy_mode: bool | None = None
    round: Round | None = None


class EraseName(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/erase_name`: it names the player by the session."""

    session_id: Line


_start_decoder = json_decoder(StartGame)
_play_decoder = json_decoder(PlayRound)
_erase_decoder = json_decoder(EraseName)


async def start_game(request: Request) -> Response:
    """POST /start_game."""
    service = service_of(request)
    asked = decode(await read_body(request), _start_decoder)
    service.require_caught_up()
    session_id = asked.session_id or uuid.uuid4().hex
    player = players.identify(asked.player_name, session_id, scripted=asked.player_kind == "script")
    name = asked.player_name if player.kind != "bot" else None
    game = await service.play.start(asked.policy, player, in_metrics=asked.in_metrics(), name=name)
    return answer(
        start_answer(
            game,
            session_id=session_id,
            player_name=asked.player_name or ANONYMOUS,
            eased=asked.difficulty_mode == "easy",
        )
    )


async def round_points_of(request: Request) -> Response:
    """GET /round_points?game_id=."""
    game_id = one(request, "game_id")
    if not game_id:
        raise Refusal("round_points needs ?game_id=")
    game = await service_of(request).play.find(game_id)
    return answer(points_answer(game))


async def play(request: Request) -> Response:
    """POST /play."""
    asked = decode(await read_body(request), _play_decoder)
    game, round_no = await service_of(request).play.play(asked.game_id, asked.user_move, asked.round)
    return answer(play_answer(game, round_no))


async def erase_name(request: Request) -> Response:
    """POST /erase_name: the player's own request to be known by no name."""
    asked = decode(await read_body(request), _erase_decoder)
    engine = service_of(request).base.ledger.engine
    erased = await lanes_of(request).writes(players.erase_of, engine, asked.session_id)
    return answer({"success": True, "erased": erased})


async def policies(_request: Request) -> Response:
    """GET /policies."""
    return answer(POLICIES)
