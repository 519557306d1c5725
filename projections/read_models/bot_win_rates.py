"""How games against each opponent end, by the kind of player. Test games are left out."""

from typing import get_args

from msgspec import Struct, field

from ledger.entries import Entry
from ledger.events import GameFinished
from ledger.vocabulary import MODEL_TYPE_OF_OPPONENT, PlayerKind
from projections.projection import Projection, on


class Outcomes(Struct, gc=False):
    """Finished games by who won."""

    bot_wins: int = 0
    player_wins: int = 0
    ties: int = 0

    @property
    def games(self) -> int:
        """How many they are."""
        return self.bot_wins + self.player_wins + self.ties

    def plus(self, other: "Outcomes") -> "Outcomes":
        """Both together."""
        return Outcomes(
            self.bot_wins + other.bot_wins, self.player_wins + other.player_wins, self.ties + other.ties
        )


def _by_opponent() -> dict[tuple[str, str], Outcomes]:
    return {(policy, kind): Outcomes() for policy in MODEL_TYPE_OF_OPPONENT for kind in get_args(PlayerKind)}


class BotWinRates(Struct):
    """By opponent and kind of player."""

    outcomes: dict[tuple[str, str], Outcomes] = field(default_factory=_by_opponent)

    def of(self, policy: str, *, people_only: bool) -> Outcomes:
        """The games against an opponent, of people or of all kinds of players."""
        if people_only:
            return self.outcomes[policy, "human"]
        total = Outcomes()
        for kind in get_args(PlayerKind):
            total = total.plus(self.outcomes[policy, kind])
        return total


def projection(since_us: int) -> Projection[BotWinRates]:
    """The games that were finished at `since_us` (microseconds since the epoch, UTC) or later."""

    def game_finished(state: BotWinRates, event: GameFinished, entry: Entry) -> None:
        if event.in_metrics and entry.recorded_us >= since_us:
            outcomes = state.outcomes[event.policy, event.player_kind]
            match event.winner:
                case "bot":
                    outcomes.bot_wins += 1
                case "user":
                    outcomes.player_wins += 1
                case "tie":
                    outcomes.ties += 1

    return Projection(
        "bot_win_rates", 1, BotWinRates, (on(GameFinished, game_finished),), settings=f"since_us={since_us}"
    )
