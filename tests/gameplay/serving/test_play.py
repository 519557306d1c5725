import asyncio
import itertools
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gameplay.game.answers import PlayAnswer
from gameplay.game.games import Game, Prediction, Step, decide_abandoned, evolve, fold
from gameplay.game.openings import OPENINGS
from gameplay.game.players import Player
from gameplay.game.policies import UNIFORM
from gameplay.game.rules import assigned_alias
from gameplay.refusals import Conflict, NotFound, TooMany, Unavailable
from gameplay.serving import room
from gameplay.serving.play import Play, Split
from gameplay.serving.room import FoldedRoom, Room
from gameplay.web.answers import play_answer
from ledger.appends import Receipt
from ledger.entries import Entry
from ledger.errors import BusyError
from ledger.events import AliasesAssigned, Assignment, PredictionMade
from ledger.store import Ledger
from ledger.streams import game_stream, promotion_stream
from ledger.vocabulary import ALIASES, FAMILIES, MOVES, Family, Move
from ledger.writer import Writer
from projections.read_models.all import ReadModels
from projections.read_models.families import Families, States, StreamedFamilies
from tests.builders import aliases_assigned, assignments, game_started, round_played
from tests.patience import PATIENCE_SECONDS

HUMAN = Player("human", "p-1")


class Leaning:
    """A predictor whose answer depends on the version and on the row, so that other inputs show."""

    def predict(
        self, family: Family, assignment: Assignment | None, row: npt.NDArray[np.float32]
    ) -> tuple[Prediction, ...]:
        assert assignment is not None
        predictions = []
        for alias in ALIASES:
            version = getattr(assignment, alias)
            index = (version + int(row.sum()) + len(family)) % 3
            weights = [0.2, 0.2, 0.2]
            weights[index] = 0.6
            probabilities = (weights[0], weights[1], weights[2])
            predictions.append(Prediction(alias, version, probabilities, MOVES[index], "model"))
        return tuple(predictions)


def reads(ledger: Ledger, **limits: int) -> tuple[Families, Room]:
    read_models = ReadModels(ledger)
    return read_models.families, FoldedRoom(read_models, **limits)


@dataclass
class Process:
    """One of several processes over the same database."""

    play: Play
    writer: Writer

    async def start(self, **more: bool) -> str:
        game = await self.play.start("forrest", HUMAN, in_metrics=more.get("in_metrics", True))
        return game.started.game_id


@asynccontextmanager
async def process(ledger: Ledger, **split: float) -> AsyncIterator[Process]:
    async with Writer(ledger) as writer:
        share = Split(share=split.get("share", 0.5), enabled=True)
        yield Process(Play(ledger, writer, *reads(ledger), Leaning(), split=share), writer)


@pytest.fixture
def ready(ledger: Ledger) -> Ledger:
    """A ledger in which every family has its aliases."""
    for family in FAMILIES:
        ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)
    return ledger


async def play_out(play: Play, game_id: str, move: Move = "rock") -> Game:
    while (game := (await play.play(game_id, move, None))[0]).finished is None:
        pass
    return game


async def refused(request: Awaitable[object]) -> str:
    with pytest.raises(Conflict) as caught:
        await request
    return str(caught.value)


def stored(ledger: Ledger, game_id: str) -> Game:
    return fold([ledger.decode(entry) for entry in ledger.read_stream(game_stream(game_id))])


def test_a_game_takes_alias_versions_and_swap_count_from_one_position(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            started = stored(ready, await one.start()).started
            alias = assigned_alias(started.game_id, 0.5)
            assert (started.alias, started.model_type, started.swap_count) == (alias, "xgboost", 0)
            assert started.assignment == Assignment(Production=1, B=2, shadow1=3, shadow2=4)
            assert started.model_version == {"Production": 1, "B": 2}[alias]
            assert started.assignment_probability == 0.5
            assert started.opening in OPENINGS
            assert started.bot_seed is not None

    asyncio.run(scenario())


def test_a_scripted_opponent_has_a_seed_and_no_alias(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            started = (await one.play.start("hal", HUMAN, in_metrics=True)).started
            assert (started.model_type, started.alias, started.model_version) == ("scripted", None, None)
            assert (started.opening, started.assignment, started.assignment_probability) == (None, None, 0.0)
            assert started.bot_seed is not None

    asyncio.run(scenario())


@pytest.mark.parametrize(("share", "alias"), [(0.0, "Production"), (1.0, "B")])
def test_the_split_decides_who_plays(ready: Ledger, share: float, alias: str) -> None:
    async def scenario() -> None:
        async with process(ready, share=share) as one:
            games = [stored(ready, await one.start()) for _ in range(5)]
            assert {game.started.alias for game in games} == {alias}

    asyncio.run(scenario())


def test_b_does_not_play_when_the_comparison_is_off(ready: Ledger) -> None:
    async def scenario() -> None:
        async with Writer(ready) as writer:
            split = Split(share=1.0, enabled=False)
            play = Play(ready, writer, *reads(ready), Leaning(), split=split, rng=random.Random(1))
            started = (await play.start("brian", HUMAN, in_metrics=True)).started
            assert (started.alias, started.assignment_probability) == ("Production", 1.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_retry_gets_the_first_answer(ready: Ledger, restarted: bool) -> None:
    async def scenario() -> None:
        answers: dict[int, PlayAnswer] = {}
        async with process(ready) as one:
            game_id = await one.start()
            game = Game(stored(ready, game_id).started)
            while game.finished is None:
                round_no = len(answers) + 1
                game, played = await one.play.play(game_id, "paper", round_no)
                assert played == round_no
                answers[round_no] = play_answer(game, round_no)
            head = ready.head()
            async with process(ready) if restarted else same(one) as again:
                for round_no, first in answers.items():
                    game, played = await again.play.play(game_id, "paper", round_no)
                    assert (played, play_answer(game, played)) == (round_no, first)
            assert answers[max(answers)].finished
            assert not answers[max(answers) - 1].finished
            assert ready.head() == head

    asyncio.run(scenario())


@asynccontextmanager
async def same(one: Process) -> AsyncIterator[Process]:
    yield one


def test_a_retry_with_another_move_is_refused(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            await one.play.play(game_id, "rock", 1)
            assert "was played with rock" in await refused(one.play.play(game_id, "paper", 1))

    asyncio.run(scenario())


@pytest.mark.parametrize("round_no", [3, 100])
def test_a_round_that_is_not_the_next_one_is_refused(ready: Ledger, round_no: int) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            await one.play.play(game_id, "rock", 1)
            assert f"is at round 2, not {round_no}" in await refused(one.play.play(game_id, "rock", round_no))

    asyncio.run(scenario())


def test_a_finished_game_is_refused_but_its_last_round_is_answered(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            game = await play_out(one.play, game_id)
            rounds = len(game.rounds)
            for round_no in (None, rounds + 1):
                assert "is finished" in await refused(one.play.play(game_id, "rock", round_no))
            assert (await one.play.play(game_id, "rock", rounds))[1] == rounds

    asyncio.run(scenario())


@pytest.mark.parametrize("round_no", [None, 3])
def test_an_abandoned_game_is_refused_even_where_it_was_in_memory(ready: Ledger, round_no: int | None) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            for _ in range(2):
                await one.play.play(game_id, "rock", None)
            game = fold([ready.decode(entry) for entry in ready.read_stream(game_stream(game_id))])
            ready.append(game_stream(game_id), [decide_abandoned(game, 60)], game.version)
            assert "is abandoned" in await refused(one.play.play(game_id, "rock", round_no))
            assert (await one.play.play(game_id, "rock", 2))[1] == 2

    asyncio.run(scenario())


def test_an_unknown_game_is_not_found(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            for request in (one.play.play("nobody", "rock", 1), one.play.find("nobody")):
                with pytest.raises(NotFound, match="nobody"):
                    await request

    asyncio.run(scenario())


async def two_at_once(
    first: Play, second: Play, game_id: str, round_no: int | None
) -> list[tuple[Game, int] | BaseException]:
    # Both know the game as it is now; one that read it later would rightly play the round after.
    for play in (first, second):
        await play.find(game_id)
    requests = [play.play(game_id, "rock", round_no) for play in (first, second)]
    return await asyncio.gather(*requests, return_exceptions=True)


@pytest.mark.parametrize("rounds_before", [0, 3])
@pytest.mark.parametrize("rounds_elsewhere", [0, 2])
def test_a_double_click_in_one_process_is_one_round(
    ready: Ledger, rounds_before: int, rounds_elsewhere: int
) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as other:
            game_id = await one.start()
            for _ in range(rounds_before):
                await one.play.play(game_id, "rock", None)
            for _ in range(rounds_elsewhere):  # what this process has in memory is stale then
                await other.play.play(game_id, "rock", None)
            outcomes = await two_at_once(one.play, one.play, game_id, None)
            (refusal,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert isinstance(refusal, Conflict)
            assert "has moved on" in str(refusal)
            await assert_played_on(ready, one.play, game_id, rounds_before + rounds_elsewhere + 1)

    asyncio.run(scenario())


class LateReads(Ledger):
    """A ledger whose second read of a stream, and each one after it, waits until it is let go."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger.engine)
        self.let_go = threading.Event()
        self._reads = itertools.count(1)

    def read_stream(self, stream: str, after_version: int = 0, through_version: int | None = None) -> list[Entry]:
        if next(self._reads) > 1:
            self.let_go.wait(PATIENCE_SECONDS)
        return super().read_stream(stream, after_version, through_version)


def test_a_double_click_on_a_stale_game_is_one_round_whichever_reads_later(ready: Ledger) -> None:
    ledger = LateReads(ready)

    async def scenario() -> None:
        async with process(ready) as other, Writer(ledger) as writer:
            play = Play(ledger, writer, *reads(ready), Leaning(), split=Split(share=0.5, enabled=True))
            game_id = (await play.start("forrest", HUMAN, in_metrics=True)).started.game_id
            await other.play.play(game_id, "rock", None)
            clicks = [asyncio.ensure_future(play.play(game_id, "rock", None)) for _ in range(2)]
            await asyncio.wait(clicks, return_when=asyncio.FIRST_COMPLETED)
            ledger.let_go.set()
            outcomes = await asyncio.gather(*clicks, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes].count(Conflict) == 1
            assert len(stored(ready, game_id).rounds) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("rounds_before", [0, 3])
def test_of_two_processes_that_play_at_once_the_second_plays_the_round_after(
    ready: Ledger, rounds_before: int
) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as other:
            game_id = await one.start()
            for _ in range(rounds_before):
                await one.play.play(game_id, "rock", None)
            outcomes = await two_at_once(one.play, other.play, game_id, None)
            played = [outcome[1] for outcome in outcomes if isinstance(outcome, tuple)]
            assert sorted(played) == [rounds_before + 1, rounds_before + 2]

    asyncio.run(scenario())


def test_a_whole_game_is_played_by_turns_in_three_processes_without_a_round(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as two, process(ready) as three:
            game_id = await one.start()
            turns = itertools.cycle((one.play, two.play, three.play))
            rounds: list[int] = []
            game = await one.play.find(game_id)
            while game.finished is None:
                game, round_no = await next(turns).play(game_id, "rock", None)
                rounds.append(round_no)
            assert rounds == list(range(1, len(rounds) + 1))
            assert stored(ready, game_id) == game
            for play in (one.play, two.play, three.play):
                assert "is finished" in await refused(play.play(game_id, "rock", None))

    asyncio.run(scenario())


def test_a_move_is_decided_again_three_times_and_then_refused(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as other:

            class Overtaken(Writer):
                """Before each of its appends the other process plays on."""

                async def append(self, *args: Any, **more: Any) -> Receipt:
                    if overtaking:
                        await other.play.play(game_id, "paper", None)
                    return await super().append(*args, **more)

            async with Overtaken(ready) as writer:
                overtaking = False
                play = Play(ready, writer, *reads(ready), Leaning(), split=Split())
                game_id = (await play.start("forrest", HUMAN, in_metrics=True)).started.game_id
                overtaking = True
                assert "round 5" in await refused(play.play(game_id, "rock", None))
            assert {played.user_move for played in stored(ready, game_id).rounds} == {"paper"}

    asyncio.run(scenario())


def test_a_game_that_the_database_has_lost_rounds_of_is_read_again(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as other:
            game_id = await one.start()
            game = await one.play.find(game_id)
            evolve(game, round_played(game_id=game_id))  # a round that no stream holds
            assert (await one.play.play(game_id, "rock", None))[1] == 1
            assert (await other.play.play(game_id, "rock", None))[1] == 2

    asyncio.run(scenario())


def test_games_in_memory_are_read_again_when_the_ledger_is_another_one(ready: Ledger) -> None:
    async def scenario() -> None:
        families = StreamedFamilies(ready)
        async with Writer(ready) as writer:
            play = Play(ready, writer, families, FoldedRoom(ReadModels(ready)), Leaning(), split=Split())
            game_id = (await play.start("forrest", HUMAN, in_metrics=True)).started.game_id
            evolve(await play.find(game_id), round_played(game_id=game_id))  # a round of the history before
            assert (await play.find(game_id)).next_round == 2
            families.forks += 1
            assert (await play.find(game_id)).next_round == 1

    asyncio.run(scenario())


class Loading:
    """A loader that notes what it was asked to load, and where the ledger was then."""

    def __init__(self, ledger: Ledger) -> None:
        self.asked: list[tuple[Family, list[int], int]] = []
        self._ledger = ledger
        self._loaded: set[tuple[Family, int]] = set()

    def is_loaded(self, family: Family, version: int) -> bool:
        return (family, version) in self._loaded

    def make_ready(self, family: Family, versions: Iterable[int], _seconds_max: float) -> None:
        wanted = list(versions)
        self.asked.append((family, wanted, self._ledger.head().position))
        self._loaded.update((family, version) for version in wanted)


def test_a_game_starts_when_its_versions_are_ready(ready: Ledger) -> None:
    models = Loading(ready)

    async def scenario() -> None:
        async with Writer(ready) as writer:
            play = Play(ready, writer, *reads(ready), Leaning(), split=Split(), models=models)
            for opponent in ("forrest", "hal", "forrest"):
                await play.start(opponent, HUMAN, in_metrics=True)

    position = ready.head().position
    asyncio.run(scenario())
    first = ("xgboost", [1, 2, 3, 4], position)
    assert models.asked == [first], "before anything is appended, for no scripted bot, and once"


def test_a_game_starts_from_memory_and_with_what_another_process_has_assigned_since(ready: Ledger) -> None:
    looks: list[int] = []

    class Looked(StreamedFamilies):
        @contextmanager
        def current(self) -> Iterator[States]:
            looks.append(1)
            with super().current() as states:
                yield states

    def assigned(version: int) -> list[AliasesAssigned]:
        moved = assignments((1, 2, 3, 4), (version, 2, 3, 4))
        return [aliases_assigned(model_type="xgboost", assignments=moved)]

    async def scenario() -> None:
        families, stream = Looked(ready), promotion_stream("xgboost")
        families.start()
        looks.clear()
        async with Writer(ready) as writer:
            play = Play(ready, writer, families, FoldedRoom(ReadModels(ready)), Leaning(), split=Split())

            async def start() -> tuple[int, int]:
                game = await play.start("forrest", HUMAN, in_metrics=True)
                assert game.started.assignment is not None
                return game.started.assignment.Production, len(looks)

            assert [await start(), await start()] == [(1, 0), (1, 0)]
            ready.append(stream, assigned(9), ready.version(stream))
            assert [await start(), await start()] == [(9, 1), (9, 1)]

    asyncio.run(scenario())


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("rounds_before", [0, 3])
def test_of_two_identical_requests_both_get_the_one_answer(
    ready: Ledger, processes: int, rounds_before: int
) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as other:
            game_id = await one.start()
            for _ in range(rounds_before):
                await one.play.play(game_id, "rock", None)
            second = (one if processes == 1 else other).play
            outcomes = await two_at_once(one.play, second, game_id, rounds_before + 1)
            answers = [play_answer(*outcome) for outcome in outcomes if isinstance(outcome, tuple)]
            assert len(answers) == 2
            assert answers[0] == answers[1]
            await assert_played_on(ready, one.play, game_id, rounds_before + 1)

    asyncio.run(scenario())


async def assert_played_on(ledger: Ledger, play: Play, game_id: str, rounds: int) -> None:
    """The game has so many rounds, and the next one can be played at once."""
    game = stored(ledger, game_id)
    assert [played.round for played in game.rounds] == list(range(1, rounds + 1))
    assert (await play.find(game_id)) == game
    assert (await play.play(game_id, "paper", None))[1] == rounds + 1


def test_a_crowd_for_one_round_counts_once(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            for round_no in range(1, 5):
                crowd = [one.play.play(game_id, "rock", round_no) for _ in range(10)]
                crowd += [one.play.play(game_id, "paper", round_no) for _ in range(10)]
                outcomes = await asyncio.gather(*crowd, return_exceptions=True)
                assert {isinstance(outcome, Conflict) for outcome in outcomes[:10]} == {False}
                assert {type(outcome) for outcome in outcomes[10:]} == {Conflict}
            assert len(stored(ready, game_id).rounds) == 4

    asyncio.run(scenario())


def test_a_round_may_be_played_where_an_older_state_is_in_memory(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one, process(ready) as other:
            game_id = await one.start()
            await other.play.find(game_id)
            for round_no in (1, 2):
                await one.play.play(game_id, "rock", round_no)
            game, played = await other.play.play(game_id, "rock", 3)
            assert (played, len(game.rounds)) == (3, 3)
            assert (await one.play.play(game_id, "rock", 4))[1] == 4

    asyncio.run(scenario())


def test_a_slow_read_does_not_put_an_older_game_into_memory(ready: Ledger) -> None:
    class SlowLedger(Ledger):
        meanwhile: Callable[[], object] | None = None

        def read_stream(
            self, stream: str, after_version: int = 0, through_version: int | None = None
        ) -> list[Entry]:
            entries = super().read_stream(stream, after_version, through_version)
            if self.meanwhile:
                self.meanwhile()
            return entries

    async def scenario() -> None:
        slow = SlowLedger(ready.engine)
        async with process(slow) as before:
            game_id = await before.start()
        async with process(slow) as one:  # which has to read the game
            loop = asyncio.get_running_loop()
            played = asyncio.Event()

            async def play_first() -> None:
                slow.meanwhile = None
                await one.play.play(game_id, "rock", 1)
                played.set()

            slow.meanwhile = lambda: asyncio.run_coroutine_threadsafe(play_first(), loop).result()
            await one.play.find(game_id)
            assert played.is_set()
            assert (await one.play.play(game_id, "rock", None))[1] == 2

    asyncio.run(scenario())


def test_a_game_keeps_its_alias_and_versions_through_a_swap(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready, share=0.0) as one:
            before = await one.start()
            swapped = aliases_assigned(
                model_type="xgboost",
                cause="report",
                assignments=assignments((1, 2, 3, 4), (2, 1, 3, 4)),
                swapped=True,
            )
            ready.append("promotion-xgboost", [swapped], 1)
            after = await one.start()
            old, new = [await play_out(one.play, game_id) for game_id in (before, after)]
        async with process(ready) as restarted:
            assert await restarted.play.find(before) == old
        assert old.finished is not None
        assert new.finished is not None
        assert (old.finished.alias, old.finished.model_version, old.finished.swap_count) == ("Production", 1, 0)
        assert (new.finished.alias, new.finished.model_version, new.finished.swap_count) == ("Production", 2, 1)
        assert versions_that_predicted(ready, before)["Production"] == {1}
        assert versions_that_predicted(ready, after)["Production"] == {2}

    asyncio.run(scenario())


def versions_that_predicted(ledger: Ledger, game_id: str) -> dict[str, set[int]]:
    versions: dict[str, set[int]] = {}
    for entry in ledger.read_stream(game_stream(game_id)):
        if isinstance(event := ledger.decode(entry), PredictionMade):
            versions.setdefault(event.alias, set()).add(event.model_version)
    return versions


@pytest.mark.parametrize("rounds", [0, 2, 3, 5])
def test_a_game_goes_on_after_a_restart_as_if_there_had_been_none(ready: Ledger, rounds: int) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            for _ in range(rounds):
                await one.play.play(game_id, "scissors", None)
            undisturbed = await one.play.find(game_id)
        async with process(ready) as again:
            assert await again.play.find(game_id) == undisturbed
            game, played = await again.play.play(game_id, "paper", rounds + 1)
            assert played == rounds + 1
            assert stored(ready, game_id) == game

    asyncio.run(scenario())


def test_a_full_queue_changes_no_game(ready: Ledger) -> None:
    async def scenario() -> None:
        async with process(ready) as one:
            game_id = await one.start()
            one.writer.queue_events_max = 1
            one.writer.unanswered_events = 1
            with pytest.raises(BusyError):
                await one.play.play(game_id, "rock", 1)
            one.writer.unanswered_events = 0
            assert (await one.play.play(game_id, "rock", 1))[1] == 1

    asyncio.run(scenario())


def test_a_family_without_versions_plays_uniformly_and_is_fallback_affected(ledger: Ledger) -> None:
    class NoPredictor:
        def predict(
            self, _family: Family, assignment: Assignment | None, _row: npt.NDArray[np.float32]
        ) -> tuple[Prediction, ...]:
            assert assignment is None
            steps = (Step("mlflow_miss", "no versions yet"),)
            return tuple(Prediction(alias, None, UNIFORM, "rock", "uniform", steps) for alias in ALIASES)

    async def scenario() -> None:
        async with Writer(ledger) as writer:
            play = Play(ledger, writer, *reads(ledger), NoPredictor(), split=Split())
            game = await play.start("logan", HUMAN, in_metrics=True)
            ended = await play_out(play, game.started.game_id)
            assert game.started.model_version is None
            assert ended.finished is not None
            assert ended.finished.fallback_affected

    asyncio.run(scenario())


def with_open_games(ledger: Ledger, count: int, player_id: str) -> None:
    for number in range(count):
        game_id = f"{player_id}-{number}"
        ledger.append(game_stream(game_id), [game_started(game_id=game_id, player_id=player_id)], 0)


def test_no_game_starts_while_too_many_are_open(ready: Ledger) -> None:
    with_open_games(ready, 3, "ada")

    async def scenario() -> None:
        async with Writer(ready) as writer:
            play = Play(ready, writer, *reads(ready, games_max=4), Leaning(), split=Split())
            game = await play.start("forrest", HUMAN, in_metrics=True)
            with pytest.raises(Unavailable, match="RPS_OPEN_GAMES_MAX"):
                await play.start("forrest", HUMAN, in_metrics=True)
            await play_out(play, game.started.game_id)
            await play.start("forrest", HUMAN, in_metrics=True)

    asyncio.run(scenario())


def test_a_player_with_too_many_open_games_starts_no_other(ready: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPEN_GAMES_A_PLAYER_MAX", 2)
    with_open_games(ready, 2, HUMAN.player_id)

    async def scenario() -> None:
        async with process(ready) as one:
            with pytest.raises(TooMany, match="2 open games"):
                await one.start()
            await one.play.start("forrest", Player("human", "p-2"), in_metrics=True)

    asyncio.run(scenario())
