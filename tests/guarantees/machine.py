"""What callers may do, in any order that hypothesis comes upon, with every check after each step."""

from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, get_args

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from tests.guarantees.receiver import Mood
from tests.guarantees.remembered import FAMILY_OF
from tests.guarantees.world import BROKEN, MOVES, opened_world

FAMILY = st.sampled_from(FAMILIES)
ALIAS = st.sampled_from(ALIASES)
POLICY = st.sampled_from([*FAMILY_OF, "cal"])
MODEL_POLICY = st.sampled_from(sorted(FAMILY_OF))
MOVE = st.sampled_from(MOVES)


class Callers(RuleBasedStateMachine):
    """Players, an operator, outside tools and faults, against one service."""

    prepared: ClassVar[Path]

    games = Bundle("games")

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world = self._open.enter_context(opened_world(self.prepared))

    def teardown(self) -> None:
        with self._open:
            self.world.check_log()

    @rule(target=games, policy=POLICY, counted=st.sampled_from([True, True, True, False]))
    def start(self, policy: str, counted: bool) -> str:
        return self.world.start(policy, counted=counted)

    @rule(game=games, moves=st.lists(MOVE, min_size=1, max_size=6), says_round=st.booleans())
    def play(self, game: str, moves: list[str], says_round: bool) -> None:
        for move in moves:
            if not self.world.expected.games[game].finished:
                self.world.play(game, move, says_round=says_round)

    @rule(game=consumes(games), move=MOVE)
    def finish(self, game: str, move: str) -> None:
        while not self.world.expected.games[game].finished:
            self.world.play(game, move)

    @rule(game=games)
    def retry(self, game: str) -> None:
        self.world.retry(game)
        self.world.misplay(game)

    @rule(policy=MODEL_POLICY, games=st.integers(1, 5), seed=st.integers(0, 2**20))
    def play_out(self, policy: str, games: int, seed: int) -> None:
        for number in range(games):
            self.world.play_out(policy, seed + number)

    @rule(family=FAMILY)
    def cycle(self, family: Family) -> None:
        self.world.cycle(family)

    @rule(family=FAMILY, decision=st.sampled_from(["swap_production_b", "alias_reorder"]))
    def report(self, family: Family, decision: str) -> None:
        self.world.report(family, decision)

    @rule(
        family=FAMILY,
        alias=st.sampled_from(["B", "shadow1", "shadow2"]),
        version=st.integers(1, BROKEN),
    )
    def move_outside(self, family: Family, alias: str, version: int) -> None:
        self.world.move_outside(family, alias, version)

    @rule(family=FAMILY)
    def exchange_outside(self, family: Family) -> None:
        self.world.exchange_outside(family)

    @rule(family=FAMILY)
    def swap(self, family: Family) -> None:
        self.world.swap(family)

    @rule(family=FAMILY)
    def undo(self, family: Family) -> None:
        self.world.undo(family)

    @rule(family=FAMILY)
    def approve(self, family: Family) -> None:
        self.world.approve(family)

    @rule(family=FAMILY)
    def reject(self, family: Family) -> None:
        self.world.reject(family)

    @rule(family=FAMILY, alias=ALIAS, seconds=st.sampled_from([None, 1_000, 5_000]))
    def pin(self, family: Family, alias: Alias, seconds: int | None) -> None:
        self.world.pin(family, alias, seconds)

    @rule(family=FAMILY, alias=ALIAS)
    def unpin(self, family: Family, alias: Alias) -> None:
        self.world.unpin(family, alias)

    @rule(family=FAMILY, alias=ALIAS, version=st.integers(1, BROKEN))
    def place(self, family: Family, alias: Alias, version: int) -> None:
        self.world.place(family, alias, version)

    @rule(seconds=st.sampled_from([600, 4_000, -2_000]))
    def set_clock(self, seconds: float) -> None:
        self.world.set_clock(seconds)

    @rule(mood=st.sampled_from(get_args(Mood)))
    def deliver(self, mood: Mood) -> None:
        self.world.deliver(mood)

    @rule(family=FAMILY, status=st.sampled_from(["success", "failure"]))
    def train(self, family: Family, status: str) -> None:
        self.world.train(family, status)

    @rule()
    def lose_registry(self) -> None:
        self.world.lose_registry()

    @rule()
    def find_registry(self) -> None:
        self.world.find_registry()

    @rule(forgets=st.booleans(), saves=st.booleans(), approval=st.booleans())
    def restart(self, forgets: bool, saves: bool, approval: bool) -> None:
        if saves:
            self.world.save_snapshots()
        if forgets:
            self.world.forget_snapshots()
        self.world.restart(approval=approval)

    @invariant()
    def holds(self) -> None:
        self.world.check()
