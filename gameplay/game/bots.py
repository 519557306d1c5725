"""Eight scripted characters, each either a scripted player or a bot in a policy's place.

A script sees a game from its own side, and its move is a pure function of its name, its seed and that view: a
service that restarts in the middle of a game goes on as if nothing had happened, and an auditor can play a
game again from the seed in its first event.

How well a model can read them: `cal`, `dan` and `bob` nearly always, `ace` and `edd` mostly, `fox` somewhat,
`hal` a little, and `gus` not at all.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gameplay.game.rounds import PastRound
from gameplay.game.rules import BEATEN_BY, BEATS, most_valuable, worth
from ledger.events import Points
from ledger.vocabulary import BOTS, MOVES, BotName, Move, Result

_MIRRORED: Final[dict[Result, Result]] = {"win": "lose", "lose": "win", "draw": "draw"}


@dataclass(frozen=True, slots=True)
class View:
    """A game as one side sees it, before a round: `points` are that round's, histories run from round 1.

    Points and scores are in tenths; a result `win` means that this side won.
    """

    points: Points
    own_moves: tuple[Move, ...]
    other_moves: tuple[Move, ...]
    own_results: tuple[Result, ...]
    own_score_tenths: int
    other_score_tenths: int
    round_no: int


def scripted_move(name: BotName, seed: int, view: View) -> Move:
    """A script's move in the round that `view` is before: a pure function of name, seed and view."""
    # A generator for each round, not one for the game: nothing has to be carried from round to round or wound
    # forward after a restart. The name is in it, so that two scripts with one seed do not move alike. A string
    # is hashed by `random` itself, the same in every process.
    return BOT_MOVES[name](view, random.Random(f"{name}:{seed}:{view.round_no}"))


def script_named(name: str) -> BotName | None:
    """The script of this name in any case (`Gus`), or None."""
    wanted = name.lower()
    return next((bot for bot in BOTS if bot == wanted), None)


def view_of(past: Sequence[PastRound], points: Points, side: Literal["user", "bot"]) -> View:
    """What `side` sees before the round after `past`, when that round is worth `points`."""
    user_moves = tuple(played.user_move for played in past)
    bot_moves = tuple(played.bot_move for played in past)
    results = tuple(played.result for played in past)
    user_score, bot_score = (past[-1].user_score_tenths, past[-1].bot_score_tenths) if past else (0, 0)
    round_no = len(past) + 1
    if side == "user":
        return View(points, user_moves, bot_moves, results, user_score, bot_score, round_no)
    mirrored = tuple(_MIRRORED[result] for result in results)
    return View(points, bot_moves, user_moves, mirrored, bot_score, user_score, round_no)


def ace(view: View, rng: random.Random) -> Move:
    """Greedy: takes the most valuable move; after a loss, three times in four, the one that beats it."""
    top = most_valuable(view.points)
    lost = view.own_results[-1:] == ("lose",)
    return BEATEN_BY[top] if lost and rng.random() < 0.75 else top


def bob(view: View, rng: random.Random) -> Move:
    """A copycat: plays what the other side played last, and one time in ten anything."""
    if not view.other_moves or rng.random() < 0.1:
        return rng.choice(MOVES)
    return view.other_moves[-1]


def cal(view: View, _rng: random.Random) -> Move:
    """Cautious, and no chance in it: beats the most valuable move; after three losses in a row, takes it."""
    top = most_valuable(view.points)
    return top if view.own_results[-3:] == ("lose",) * 3 else BEATEN_BY[top]


def dan(view: View, rng: random.Random) -> Move:
    """Superstitious: stays with a move that won, otherwise goes on to the one that beats it."""
    if not view.own_moves:
        return rng.choice(MOVES)
    last = view.own_moves[-1]
    return last if view.own_results[-1] == "win" else BEATEN_BY[last]


def edd(view: View, rng: random.Random) -> Move:
    """A scholar: beats what the other side played most in the last three rounds; one time in six, a hunch."""
    recent = Counter(reversed(view.other_moves[-3:]))
    if not recent or rng.random() < 1 / 6:
        return rng.choice(MOVES)
    # Among equals the latest: a Counter keeps the order of first sight, and it was fed backwards.
    return BEATEN_BY[recent.most_common(1)[0][0]]


def fox(view: View, rng: random.Random) -> Move:
    """Sly: takes the most valuable move when behind, else lies in wait for it; in three moves, one feint."""
    top = most_valuable(view.points)
    behind = view.own_score_tenths < view.other_score_tenths
    if rng.random() < 1 / 3:
        return BEATS[top]
    return top if behind else BEATEN_BY[top]


def gus(_view: View, rng: random.Random) -> Move:
    """A die: every move alike, whatever happened. No model can predict it better than one time in three."""
    return rng.choice(MOVES)


def hal(view: View, rng: random.Random) -> Move:
    """Restless: rather not the same move twice, and otherwise each as often as its points suggest."""
    weights: list[float] = [worth(view.points, move) for move in MOVES]
    if view.own_moves:
        weights[MOVES.index(view.own_moves[-1])] /= 3
    return rng.choices(MOVES, weights=weights)[0]


BOT_MOVES: Final[dict[BotName, Callable[[View, random.Random], Move]]] = {
    "ace": ace,
    "bob": bob,
    "cal": cal,
    "dan": dan,
    "edd": edd,
    "fox": fox,
    "gus": gus,
    "hal": hal,
}
