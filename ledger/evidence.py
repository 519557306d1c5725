"""What a promotion cycle decides from: the rule, the games of both sides, and what they say."""

from typing import Annotated

from msgspec import Meta

from ledger.facts import Count, Difference, Fact, Identifier, Share, Version
from ledger.vocabulary import Alias, CountedPlayers, Decision, EvidenceWindow, ReasonCode


class Guards(Fact, frozen=True, kw_only=True):
    """What may hold a swap back; 0 and null are off."""

    sample_ratio: bool
    cooldown_cycles: Count
    cooldown_seconds: Count
    fallback_share_max: Share | None
    parity: bool = False


class Rule(Fact, frozen=True, kw_only=True):
    """A decision rule with every parameter it used; `alpha` is a decimal string, so that it stays exact.

    With `settle_seconds` the games are counted in the order in which they were assigned: those that were assigned
    so long ago, each with what it had come to by then. Without, finished games are counted. `evidence` says since
    when: since the last swap, or since the version behind Production or B last changed. `players` says whose,
    and `ranking_players` whose rounds put the challengers in order.
    With `approval_seconds` a swap is carried out only if an operator approves it within that time.
    """

    name: Identifier
    alpha: Identifier
    minimum_games: Count
    minimum_predictions: Count
    settle_seconds: Count | None = None
    guards: Guards | None = None
    evidence: EvidenceWindow = "since_swap"
    players: CountedPlayers = "all"
    ranking_players: CountedPlayers = "all"
    approval_seconds: Count | None = None


class Tally(Fact, frozen=True, kw_only=True):
    """Finished games and how many of them the bot won."""

    games: Count
    wins: Count


class Arm(Fact, frozen=True, kw_only=True):
    """One side of the comparison: the alias's games in the window, and those of the version now behind it."""

    version: Version
    window: Tally
    own: Tally


class Evidence(Fact, frozen=True, kw_only=True):
    """What a decision rests on, and the positions it was counted between (after, through)."""

    after_position: Count
    through_position: Count
    production: Arm
    b: Arm


class TallyByKind(Fact, frozen=True, kw_only=True):
    """Finished games by the kind of their player."""

    human: Tally
    bot: Tally
    script: Tally


class Side(Fact, frozen=True, kw_only=True):
    """An alias's finished games in a window, and the versions that played them."""

    versions: tuple[Version, ...]
    games: TallyByKind


class Counted(Fact, frozen=True, kw_only=True):
    """Both sides in the window that began at a position."""

    after_position: Count
    production: Side
    b: Side


class Windows(Fact, frozen=True, kw_only=True):
    """The finished games of a look, whichever of them its rule decides by.

    `since_swap` has what each alias played since the last swap, `version_pair` what the present two versions
    played since both are behind Production and B. `mixed`: a game of the first was played by another version.
    """

    since_swap: Counted
    version_pair: Counted
    mixed: bool


class Split(Fact, frozen=True, kw_only=True):
    """Games assigned to each side while B was meant to have this share of them."""

    b_share: Share
    production: Count
    b: Count


class ParityFound(Fact, frozen=True, kw_only=True):
    """What a version's newest parity check found, and the position at which that is recorded."""

    position: Version
    rounds: Count
    differences: Count


class Watched(Fact, frozen=True, kw_only=True):
    """What the guards look at, since the last swap: splits, finished games and those in which a fallback chose.

    `seconds` is null before any swap. `b_parity` is the newest parity check of the version behind B, whenever it
    was made; null where there is none of the run that the version now comes of.
    """

    splits: tuple[Split, ...]
    production_finished: Count
    production_fallbacks: Count
    b_finished: Count
    b_fallbacks: Count
    cycles: Count
    seconds: Count | None
    b_parity: ParityFound | None = None


class Interval(Fact, frozen=True, kw_only=True):
    """Where the difference of two win rates lies."""

    lower: Difference
    upper: Difference


class Statistics(Fact, frozen=True, kw_only=True):
    """What the games of one look say, whatever the rule in force; null where there is nothing to say it by.

    `difference` is B's win rate less Production's, `interval` its 90 % interval for one look, `sequence` the one
    that holds at every look at once. `exact_p` and `small_sample` are for people: no rule reads them. So many
    `tosses` were `favourable` to B; `log_e` is the logarithm of E, `log_e_max` its largest in this window so far.
    `lead_missing` is how many tosses in a row would bring E to its criterion, `games_needed` how many games of
    each side a B that is better by ten points needs at Production's present rate.
    """

    difference: Difference | None
    interval: Interval | None
    sequence: Interval | None
    exact_p: Share | None
    small_sample: bool
    favourable: Count
    tosses: Count
    log_e: float
    log_e_max: float
    lead_missing: Count
    games_needed: Count | None


class RuleVerdict(Fact, frozen=True, kw_only=True):
    """What one rule says of the evidence, with the parameters of the rule in force."""

    rule: Identifier
    decision: Decision
    reason_code: ReasonCode
    z_statistic: float | None
    p_value: Share | None


class Tickers(Fact, frozen=True, kw_only=True):
    """Games and cycles since the last Production/B swap, as they stand after the cycle."""

    production_games: Count
    b_games: Count
    cycles: Count


class RankedChallenger(Fact, frozen=True, kw_only=True):
    """A challenger's place at evaluation, before any move; rank 1 is next in line for Production."""

    alias: Alias
    version: Version
    rank: Annotated[int, Meta(ge=1, le=3)]
    correct: Count
    predictions: Count
