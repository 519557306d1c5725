"""How often a rule errs and how long it takes, by playing it many times. The only room that imports numpy.

Two versions of fixed win rates play the same number of games a cycle, and the rule looks after each cycle, as the
scheduled job does. All runs of a rule advance together, one array element each, and all rules see the same games.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.evidence import Rule
from projections.decision.e_process import fewest_favourable
from projections.decision.rules import ANYTIME_SIGN, SIGN_A, Z_TEST, read_alpha

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]


class Setting(NamedTuple):
    """What is played: the win rates of the versions that begin behind Production and B, and how often."""

    production_rate: float
    b_rate: float
    games: int
    """A cycle, both aliases together; a fair coin says which of them plays each."""
    cycles: int
    runs: int
    seed: int

    @property
    def gain(self) -> float:
        """How much better the version is that begins behind B."""
        return self.b_rate - self.production_rate


class Course(NamedTuple):
    """What a rule did in every run. A swap is right when it makes the better version Production, else false."""

    rule: Rule
    first_false: list[int]
    """The cycle of each run's first false swap; 0 where there was none."""
    first_right: list[int]
    false_swaps: int
    """In all runs together."""
    swaps: int
    best_cycles: int
    """Cycles, of all runs, after which no better version than Production was there."""


class Result(NamedTuple):
    """One setting under every rule."""

    setting: Setting
    courses: list[Course]


class Played(NamedTuple):
    """One cycle of every run, by version: the one that began behind B, and its games are the challenger's."""

    challenger_games: "Counts"
    challenger_wins: "Counts"
    incumbent_games: "Counts"
    incumbent_wins: "Counts"


def simulate(setting: Setting, rules: Sequence[Rule], progress: Callable[[int], None] | None = None) -> Result:
    """Every rule over the same games; `progress` hears of the cycles done. Raises RuleError."""
    walks = [_Walk(setting, rule) for rule in rules]
    for cycle, played in enumerate(play(setting), start=1):
        for walk in walks:
            walk.take(cycle, played)
        if progress is not None:
            progress(1)
    return Result(setting, [walk.course() for walk in walks])


def play(setting: Setting) -> Iterator[Played]:
    """The cycles, one after the other; the same ones for the same seed."""
    import numpy as np

    random = np.random.default_rng(setting.seed)
    for _ in range(setting.cycles):
        challenger = random.binomial(setting.games, 0.5, setting.runs)
        incumbent = setting.games - challenger
        yield Played(
            challenger,
            random.binomial(challenger, setting.b_rate),
            incumbent,
            random.binomial(incumbent, setting.production_rate),
        )


class _Walk:
    """One rule in every run. Counts are those of the present window, by version and not by alias."""

    def __init__(self, setting: Setting, rule: Rule) -> None:
        import numpy as np

        self._setting = setting
        self._rule = rule
        self._swaps_now = _CRITERIA[rule.name](setting, rule)
        self._window = np.zeros((len(Played._fields), setting.runs), dtype=np.int64)
        self._challenger_leads = np.zeros(setting.runs, dtype=np.bool_)
        self._first_false = np.zeros(setting.runs, dtype=np.int64)
        self._first_right = np.zeros(setting.runs, dtype=np.int64)
        self._false_swaps = self._swaps = self._best_cycles = 0

    def take(self, cycle: int, played: Played) -> None:
        self._window += played
        window = Played(*self._window)
        minimum = max(self._rule.minimum_games, 1)
        enough = (window.challenger_games >= minimum) & (window.incumbent_games >= minimum)
        swapped = (enough & self._swaps_now(window, self._challenger_leads)).nonzero()[0]
        if swapped.size:
            self._swap(cycle, swapped)
        leading = int(self._challenger_leads.sum())
        gain = self._setting.gain
        self._best_cycles += (
            leading if gain > 0 else self._setting.runs - leading if gain < 0 else self._setting.runs
        )

    def course(self) -> Course:
        return Course(
            self._rule,
            self._first_false.tolist(),
            self._first_right.tolist(),
            self._false_swaps,
            self._swaps,
            self._best_cycles,
        )

    def _swap(self, cycle: int, swapped: "Counts") -> None:
        self._window[:, swapped] = 0
        self._challenger_leads[swapped] ^= True
        leads, gain = self._challenger_leads[swapped], self._setting.gain
        right = leads if gain > 0 else ~leads if gain < 0 else leads & False
        self._swaps += swapped.size
        self._false_swaps += int((~right).sum())
        for first, which in ((self._first_right, swapped[right]), (self._first_false, swapped[~right])):
            first[which] = first[which] + (first[which] == 0) * cycle


Criterion = Callable[[Played, "Flags"], "Flags"]
"""Which runs swap, from their windows and from whether the challenger is Production there."""


def _z_criterion(_setting: Setting, rule: Rule) -> Criterion:
    import numpy as np

    # p < alpha is z above this; compared without a division, so that a variance of zero swaps nothing.
    z_alpha = -NormalDist().inv_cdf(float(read_alpha(rule.alpha)))

    def swaps_now(window: Played, challenger_leads: "Flags") -> Any:
        challenger_games = np.maximum(window.challenger_games, 1)
        incumbent_games = np.maximum(window.incumbent_games, 1)
        ahead = window.challenger_wins / challenger_games - window.incumbent_wins / incumbent_games
        pooled = (window.challenger_wins + window.incumbent_wins) / (challenger_games + incumbent_games)
        variance = pooled * (1 - pooled) * (1 / challenger_games + 1 / incumbent_games)
        b_ahead = np.where(challenger_leads, -ahead, ahead)
        return (b_ahead > z_alpha * np.sqrt(variance)) & (variance > 0)

    return swaps_now


def _sign_criterion(setting: Setting, rule: Rule) -> Criterion:
    import numpy as np

    tosses_max = setting.games * setting.cycles
    fewest = np.array(fewest_favourable(tosses_max, SIGN_A, 1 / Fraction(read_alpha(rule.alpha))))

    def swaps_now(window: Played, challenger_leads: "Flags") -> Any:
        tosses = window.challenger_games + window.incumbent_games
        for_challenger = window.challenger_wins + window.incumbent_games - window.incumbent_wins
        for_b = np.where(challenger_leads, tosses - for_challenger, for_challenger)
        return for_b >= fewest[tosses]

    return swaps_now


_CRITERIA: dict[str, Callable[[Setting, Rule], Criterion]] = {
    Z_TEST: _z_criterion,
    ANYTIME_SIGN: _sign_criterion,
}
