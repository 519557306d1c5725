"""What the service must show after what callers did: a small second implementation, which shares no code with it.

It knows the rules of the game and of the decisions from their description, and takes in requests and answers;
it never looks into the ledger.
"""

from collections import Counter
from dataclasses import replace
from math import sqrt
from statistics import NormalDist
from typing import Any

from tests.guarantees.remembered import (
    ALIASES,
    BEATS,
    FAMILIES,
    FAMILY_OF,
    OPENING_ROUNDS,
    TARGET,
    ExpectedFamily,
    ExpectedGame,
    ExpectedPin,
    Move,
    Rules,
    Series,
    series,
)


class Expected:
    """Everything that the ledger's series, the tickers and the history must say."""

    def __init__(self, rules: Rules, predicts: dict[int, str | None]) -> None:
        self.rules = rules
        self.predicts = predicts
        """Version -> the move that it always expects; None for one that cannot predict."""
        self.families = {family: ExpectedFamily() for family in FAMILIES}
        self.games: dict[str, ExpectedGame] = {}
        self.counts: Counter[Series] = Counter()
        self.needs_approval = False
        """Whether the rule in force has swaps wait for an operator."""
        self.now = 0.0

    def started(self, policy: str, *, counted: bool, answer: dict[str, Any]) -> None:
        """A game has begun."""
        family = FAMILY_OF.get(policy)
        alias = answer["bot_model_alias"]
        assert (alias in ("Production", "B")) == (family is not None)
        versions = dict(self.families[family].versions) if family else {}
        swap_count = self.families[family].swap_count if family else 0
        self.games[answer["game_id"]] = ExpectedGame(policy, alias, versions, swap_count, counted)

    def played(self, game_id: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """A round has been played for the first time."""
        game = self.games[game_id]
        game.rounds += 1
        assert answer["round"] == game.rounds
        if game.alias is not None:
            assert answer["model_info"]["model_version"] == game.versions[game.alias]
        result = self._scored(game, request["user_move"], answer)
        self._predicted(game, request["user_move"])
        self._count_round(game, result)
        over = max(game.user, game.bot) >= TARGET
        assert answer["finished"] is over
        if over:
            self._finished(game, answer)
        game.last = (request, answer)

    def retried(self, game_id: str, answer: dict[str, Any]) -> None:
        """The last round was asked for again."""
        last = self.games[game_id].last
        assert last is not None
        assert answer == last[1]

    def _scored(self, game: ExpectedGame, user_move: str, answer: dict[str, Any]) -> str:
        points, bot_move = answer["round_points"], answer["bot_move"]
        if user_move == bot_move:
            result, user_delta, bot_delta = "draw", 0.5, 0.5
        elif BEATS[user_move] == bot_move:
            result, user_delta, bot_delta = "win", points[user_move], 0.0
        else:
            result, user_delta, bot_delta = "lose", 0.0, points[bot_move]
        game.user, game.bot = round(game.user + user_delta, 1), round(game.bot + bot_delta, 1)
        assert (answer["result"], answer["user_score"], answer["bot_score"]) == (result, game.user, game.bot)
        return result

    def _predicted(self, game: ExpectedGame, user_move: str) -> None:
        family = FAMILY_OF.get(game.policy)
        if family is None or game.rounds <= OPENING_ROUNDS:
            return
        for alias, version in game.versions.items():
            expected = self.predicts[version]
            if expected is None:
                game.fallback_affected |= alias == game.alias
                if game.counted:
                    self._count("rps_model_fallback_total", model_type=family, alias=alias, reason="predict_error")
            elif game.counted:
                correct = expected == user_move
                self._count("rps_model_predictions_by_alias_total", model=family, alias=alias)
                if correct:
                    self._count("rps_model_correct_predictions_by_alias_total", model=family, alias=alias)
                record = self.families[family].record(version)
                record.predictions += 1
                record.correct += correct

    def _count_round(self, game: ExpectedGame, result: str) -> None:
        if not game.counted:
            return
        labels = {
            "policy": game.policy,
            "difficulty": "standard",
            "model_type": FAMILY_OF.get(game.policy, "scripted"),
        }
        kind = {"lose": "wins", "win": "losses", "draw": "ties"}[result]
        self._count(f"rps_action_{kind}_total", **labels)
        served = self.predicts[game.versions[game.alias]] if game.alias else None
        if served is not None and game.rounds > OPENING_ROUNDS:
            self._count("rps_action_predictions_total", **labels)

    def _finished(self, game: ExpectedGame, answer: dict[str, Any]) -> None:
        game.finished = True
        winner = "tie" if game.user == game.bot else "user" if game.user > game.bot else "bot"
        assert answer["winner"] == winner
        if not game.counted:
            return
        labels = {"policy": game.policy, "difficulty": "standard"}
        self._count("rps_games_total", **labels)
        if winner != "tie":
            self._count("rps_game_wins_total" if winner == "bot" else "rps_game_losses_total", **labels)
        family = FAMILY_OF.get(game.policy)
        if family is None or game.alias is None:
            return
        self._count("rps_model_games_by_alias_total", model=family, alias=game.alias)
        if winner == "bot":
            self._count("rps_model_game_wins_by_alias_total", model=family, alias=game.alias)
        state = self.families[family]
        if not game.fallback_affected and game.swap_count == state.swap_count:
            state.games[game.alias] += 1
            state.wins[game.alias] += winner == "bot"
            record = state.record(game.versions[game.alias])
            record.games += 1
            record.wins += winner == "bot"

    def trained(self, family: str, status: str) -> None:
        """A trainer has reported its run."""
        self._count("rps_training_completed_total", model_type=family, status=status)

    def passed(self, now: float) -> None:
        """Time has passed, and every family was looked at: what nobody has approved in time is closed."""
        self.now = max(self.now, now)
        for family in FAMILIES:
            self._close_expired(self.families[family])

    def opened(self, *, needs_approval: bool) -> None:
        """A process has started with a rule in its settings."""
        self.needs_approval = needs_approval
        for state in self.families.values():
            self._expire_pins(state)

    def decided(self, family: str, *, registry_answers: bool) -> str | None:
        """A cycle: what it decides, or None where an older plan is in its way."""
        state = self.families[family]
        if state.pending and state.pending.approve_by is None and not registry_answers:
            return None
        self.settled(family)
        self._expire_pins(state)
        decision, state.z_and_p = self._decision(state)
        waits = state.pending is not None
        held = decision == "swap_production_b" and (waits or bool({"Production", "B"} & state.pins.keys()))
        if held:
            decision = "retain_production"
        state.ranking = [] if held or decision != "retain_production" else self._ranking(state)
        state.cycles += 1
        state.decisions.append(decision)
        self._count("rps_model_promotion_events_total", model=family, decision=decision)
        move = None if held or waits else self._move(state, decision)
        if move is not None:
            needs_approval = move.swapped and self.needs_approval
            approve_by = self.now + self.rules.approval_seconds if needs_approval else None
            self._plan(family, replace(move, approve_by=approve_by), registry_answers=registry_answers)
        return decision

    def approved(self, family: str, *, registry_answers: bool) -> bool | None:
        """An operator approves what waits; whether it is carried out at once, None where the order is refused."""
        move = self.families[family].pending
        if move is None or move.approve_by is None:
            return None
        self._plan(family, replace(move, approve_by=None), registry_answers=registry_answers)
        return registry_answers

    def rejected(self, family: str) -> bool:
        """An operator rejects what waits; False where the order is refused."""
        state = self.families[family]
        if state.pending is None or state.pending.approve_by is None:
            return False
        state.pending = None
        return True

    def pinned(self, family: str, alias: str, seconds: float | None) -> bool:
        """An operator pins what is behind an alias; False where the order is refused."""
        state = self.families[family]
        if state.pending is not None:
            return False
        self._expire_pins(state)
        until = None if seconds is None else self.now + seconds
        state.pins[alias] = ExpectedPin(state.versions[alias], until)
        return True

    def unpinned(self, family: str, alias: str) -> bool:
        """An operator lets an alias go; False where the order is refused."""
        state = self.families[family]
        if state.pending is not None or alias not in self._holding(state):
            return False
        self._expire_pins(state)
        del state.pins[alias]
        return True

    def placed(self, family: str, alias: str, version: int, *, registry_answers: bool) -> bool | None:
        """A training gives an alias its version: whether it is there now, None where the training is refused."""
        state = self.families[family]
        if state.pending is not None:
            return None
        if alias in self._holding(state):
            return True  # it keeps what it has
        self._expire_pins(state)
        move = Move({**state.versions, alias: version}, swapped=False, reordered=False)
        self._plan(family, move, registry_answers=registry_answers)
        return registry_answers

    def reported(self, family: str, decision: str, after: dict[str, int]) -> None:
        """An outside automation has moved the aliases and says so; no plan may be open."""
        state = self.families[family]
        assert state.pending is None
        self._expire_pins(state)
        state.cycles += 1
        state.decisions.append(decision)
        state.z_and_p = None
        state.ranking = []
        if decision != "alias_reorder":  # which counts where the reorder is executed
            self._count("rps_model_promotion_events_total", model=family, decision=decision)
        self._assign(family, Move(after, decision == "swap_production_b", decision == "alias_reorder"))

    def moved(self, family: str, after: dict[str, int]) -> None:
        """Aliases were moved otherwise: by hand, by a training, in the registry."""
        before = self.families[family].versions
        exchanged = (before["Production"], before["B"]) == (after["B"], after["Production"])
        self._assign(family, Move(after, exchanged and before["Production"] != before["B"], reordered=False))

    def swapped(self, family: str) -> dict[str, int] | None:
        """An operator exchanges Production and B; the aliases after it, None where that is refused."""
        state = self.families[family]
        versions = state.versions
        after = {**versions, "Production": versions["B"], "B": versions["Production"]}
        if self._is_pinned_away(state, after):
            return None
        self._expire_pins(state)
        self.moved(family, after)
        return state.versions

    def undone(self, family: str) -> dict[str, int] | None:
        """An operator takes the last swap back; the aliases after it, None where that is refused."""
        state = self.families[family]
        if state.last_swap is None or state.last_swap[0] == state.versions:
            return None
        before, begins_window = state.last_swap
        if self._is_pinned_away(state, before):
            return None
        self._expire_pins(state)
        self._assign(family, Move(before, begins_window, reordered=False), is_undo=True)
        return state.versions

    def settled(self, family: str) -> None:
        """The open plan of a family, if there is one, is complete; one that waits for approval stays."""
        state = self.families[family]
        self._close_expired(state)
        if (move := state.pending) is not None and move.approve_by is None:
            state.pending = None
            self._assign(family, move)

    def _plan(self, family: str, move: Move, *, registry_answers: bool) -> None:
        self.families[family].pending = move
        if registry_answers:
            self.settled(family)

    def _close_expired(self, state: ExpectedFamily) -> None:
        move = state.pending
        if move is not None and move.approve_by is not None and self.now >= move.approve_by:
            state.pending = None

    def _holding(self, state: ExpectedFamily) -> dict[str, ExpectedPin]:
        return {alias: pin for alias, pin in state.pins.items() if pin.holds(self.now)}

    def _expire_pins(self, state: ExpectedFamily) -> None:
        state.pins = self._holding(state)

    def _is_pinned_away(self, state: ExpectedFamily, after: dict[str, int]) -> bool:
        """Whether a pin is in the way; what an outside tool has moved may be moved back to what is pinned."""
        return any(
            after[alias] not in (state.versions[alias], pin.version) for alias, pin in self._holding(state).items()
        )

    def _decision(self, state: ExpectedFamily) -> tuple[str, tuple[float, float] | None]:
        least = self.rules.minimum_games
        sides = [(state.games[alias], state.wins[alias], state.versions[alias]) for alias in ("Production", "B")]
        if min(games for games, _, _ in sides) < least:
            return "insufficient_data", None
        found = _z_and_p(*sides[0][:2], *sides[1][:2])
        if found is None or found[1] >= self.rules.alpha:
            return "retain_production", found
        # Games of a predecessor behind the alias promote nothing.
        if min(state.record(version).games for _, _, version in sides) < least:
            return "insufficient_data", found
        return "swap_production_b", found

    def _move(self, state: ExpectedFamily, decision: str) -> Move | None:
        versions = state.versions
        if decision == "swap_production_b":
            exchanged = {"Production": versions["B"], "B": versions["Production"]}
            return Move({**versions, **exchanged}, swapped=True, reordered=False)
        if decision != "retain_production":
            return None
        places = [alias for alias in ALIASES[1:] if alias not in state.pins]
        held = {versions[alias] for alias in state.pins if alias != "Production"}
        order = [version for version, _predictions in state.ranking if version not in held]
        if order == [versions[alias] for alias in places]:
            return None
        moved = dict(zip(places, order, strict=True))
        return Move({**versions, **moved}, swapped=False, reordered=True)

    def _ranking(self, state: ExpectedFamily) -> list[tuple[int, int]]:
        order = [state.versions[alias] for alias in ALIASES[1:]]
        records = {version: state.record(version) for version in order}
        if min(record.predictions for record in records.values()) >= self.rules.minimum_predictions:
            order.sort(key=lambda version: -records[version].correct / records[version].predictions)
        return [(version, records[version].predictions) for version in order]

    def _assign(self, family: str, move: Move, *, is_undo: bool = False) -> None:
        state = self.families[family]
        if move.swapped or is_undo:
            state.last_swap = state.versions, move.swapped
        state.versions = dict(move.versions)
        if move.reordered:
            self._count("rps_model_promotion_events_total", model=family, decision="alias_reorder")
            self._count("rps_model_alias_reorders_total", model=family)
        if move.swapped:
            state.swap_count += 1
            state.cycles = 0
            state.games.clear()
            state.wins.clear()
            state.records.clear()

    def _count(self, name: str, **labels: str) -> None:
        self.counts[series(name, **labels)] += 1

    def gauges(self) -> dict[Series, float]:
        """The gauges of the contract that follow from all this; what is not in it is absent."""
        open_games = sum(game.counted and not game.finished for game in self.games.values())
        found: dict[Series, float] = {series("rps_active_games"): open_games}
        for family, state in self.families.items():
            found[series("rps_model_promotion_cycles_since_swap", model=family)] = state.cycles
            found[series("rps_model_promotion_pending", model=family)] = float(state.pending is not None)
            for alias in ("Production", "B"):
                name = "rps_model_games_since_production_swap"
                found[series(name, model=family, alias=alias)] = state.games[alias]
            for alias, version in state.versions.items():
                found[series("rps_model_alias_pinned", model=family, alias=alias)] = float(alias in state.pins)
                found[series("rps_model_alias_version", model=family, alias=alias)] = version
            if state.z_and_p is not None:
                found[series("rps_model_promotion_z_statistic", model=family)] = state.z_and_p[0]
                found[series("rps_model_promotion_p_value", model=family)] = state.z_and_p[1]
        return found


def _z_and_p(games: int, wins: int, b_games: int, b_wins: int) -> tuple[float, float] | None:
    """The pooled two-proportion z of B against Production, and the one-sided p; None where nothing varies."""
    pooled = (wins + b_wins) / (games + b_games)
    if pooled in (0.0, 1.0):
        return None
    z = (b_wins / b_games - wins / games) / sqrt(pooled * (1 - pooled) * (1 / games + 1 / b_games))
    return z, 1 - NormalDist().cdf(z)
