"""All read models of the service over one ledger, kept at one position."""

from ledger.store import Ledger
from projections.projection import Tracked
from projections.projector import Projector
from projections.read_models import (
    assigned_games,
    bot_win_rates,
    counters,
    open_games,
    player_stats,
    records_by_player,
    standings,
    tickers,
    timeline,
    version_pairs,
)
from projections.read_models.families import FoldedFamilies
from projections.read_models.history import History
from projections.waypoints import ENTRIES_BETWEEN


class ReadModels:
    """What the ledger means, now. Hold `projector.current()` while you look at a state.

    With `read_only` the states are folded in memory alone, and the history's table stays as it is.
    The history's rows are in the ledger's own database unless another `history` is given.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        since_us: int = 0,
        read_only: bool = False,
        history: History | None = None,
        waypoint_entries: int = ENTRIES_BETWEEN,
    ) -> None:
        self.ledger = ledger
        self.since_us = since_us
        self.waypoint_entries = waypoint_entries
        self.counters = Tracked(counters.projection(since_us))
        self.tickers = Tracked(tickers.projection())
        self.standings = Tracked(standings.projection())
        self.open_games = Tracked(open_games.projection())
        self.assigned_games = Tracked(assigned_games.projection())
        self.timeline = Tracked(timeline.projection())
        self.player_stats = Tracked(player_stats.projection(since_us))
        self.bot_win_rates = Tracked(bot_win_rates.projection(since_us))
        self.version_pairs = Tracked(version_pairs.projection())
        self.records_by_player = Tracked(records_by_player.projection())
        self.history = history or History(ledger)
        self.tracked = (
            self.counters,
            self.tickers,
            self.standings,
            self.open_games,
            self.assigned_games,
            self.timeline,
            self.player_stats,
            self.bot_win_rates,
            self.version_pairs,
            self.records_by_player,
        )
        table = None if read_only else self.history
        self.projector = Projector(ledger, self.tracked, table, waypoint_entries=waypoint_entries)
        self.families = FoldedFamilies(self.projector, self.standings)
