"""What an outside automation says of the cycle that it ran, as part of the event that records it."""

from typing import Annotated

from msgspec import Meta

from ledger.facts import Count, Fact, Identifier, Share, Version
from ledger.vocabulary import Alias


class ReportedRanking(Fact, frozen=True, kw_only=True):
    """A challenger's place as an outside automation reported it."""

    alias: Alias
    rank: Annotated[int, Meta(ge=1, le=3)]
    source_alias: Alias | None = None
    accuracy: Share | None = None
    total_predictions: Count | None = None


class ReportedAccuracy(Fact, frozen=True, kw_only=True):
    """An alias's action accuracy as an outside automation reported it."""

    alias: Alias
    source_alias: Alias | None = None
    accuracy: Share | None = None
    total_predictions: Count | None = None


class ReportedAssignment(Fact, frozen=True, kw_only=True):
    """An alias's version as an outside automation reported it."""

    alias: Alias
    version: Version | None = None
    source_alias: Alias | None = None
    previous_version: Version | None = None
    changed: bool | None = None


class Report(Fact, frozen=True, kw_only=True):
    """What an outside automation said of the cycle that it ran, kept as it was said.

    `body_sha256` (hexadecimal) distinguishes a repeated report from another one under the same key.
    """

    body_sha256: Identifier
    production_wins: Count | None = None
    production_total_games: Count | None = None
    b_wins: Count | None = None
    b_total_games: Count | None = None
    production_games_since_swap: Count | None = None
    b_games_since_swap: Count | None = None
    promotion_cycles_since_swap: Count | None = None
    alias_rankings: tuple[ReportedRanking, ...] = ()
    alias_accuracies: tuple[ReportedAccuracy, ...] = ()
    alias_assignments: tuple[ReportedAssignment, ...] = ()
    created_us: Count | None = None
