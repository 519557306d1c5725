"""Whether the games were split between the aliases as they should be: sample-ratio mismatch."""

import math
from typing import Final, NamedTuple

from projections.decision.e_process import log_beta

P_MISMATCH: Final = 0.001
"""So often one look takes a true split for a mismatch; a look every cycle, 1,000 times, errs in 2.4 % of runs."""
E_MISMATCH: Final = 1_000
"""At most one run in so many ever reaches this with a true split, however often it is looked at."""
CONCENTRATION: Final = 50
"""Of the prior of the anytime form, around the intended split; part of what its E means."""


class SampleRatio(NamedTuple):
    """What games of B and of Production say of the intended split: p of one look, and ln E for any look."""

    p_value: float
    log_e: float

    @property
    def mismatch(self) -> bool:
        """Whether either form takes the split for another one than intended."""
        return self.p_value < P_MISMATCH or self.log_e >= math.log(E_MISMATCH)


def sample_ratio(b_games: int, production_games: int, b_share: float = 0.5) -> SampleRatio:
    """Compare games with B's intended share, which lies between 0 and 1, both excluded."""
    return SampleRatio(
        chi_square_p(b_games, production_games, b_share),
        log_mismatch_e(b_games, production_games, CONCENTRATION, b_share),
    )


def chi_square_p(b_games: int, production_games: int, b_share: float = 0.5) -> float:
    """The p-value of the chi-square test with one degree of freedom, erfc(sqrt(chi2 / 2)); 1 without games.

    chi2 = (n_B - rN)^2 / (N r (1-r)) for N games and the share r.
    """
    games = b_games + production_games
    if not games:
        return 1.0
    away = abs(b_games - b_share * games)
    return math.erfc(away / math.sqrt(2 * games * b_share * (1 - b_share)))


def log_mismatch_e(b_games: int, production_games: int, a: float, b_share: float = 0.5) -> float:
    """The logarithm of E against the intended share, two-sided, with a Beta(2ar, 2a(1-r)) mixture around it.

    Source: Lindon and Malek, Anytime-valid inference for multinomial count data, NeurIPS 2022, arXiv:2011.03567.
    """
    to_b, to_production = 2 * a * b_share, 2 * a * (1 - b_share)
    mixture = log_beta(to_b + b_games, to_production + production_games) - log_beta(to_b, to_production)
    return mixture - b_games * math.log(b_share) - production_games * math.log1p(-b_share)
