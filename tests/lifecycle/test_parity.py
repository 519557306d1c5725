"""What was served against what the ledger says; twenty games of cal's with each policy, and what may be wrong."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from gameplay.cli import rps
from gameplay.client.simulate import ScriptedPlayer
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.game.answers import PlayAnswer
from gameplay.game.features import FEATURE_NAMES
from gameplay.models.artifacts import Score, TrainedModel
from gameplay.models.descriptions import metrics
from gameplay.models.loaded import Models
from gameplay.models.store import open_model_store
from gameplay.parity import capture as captures
from gameplay.parity.capture import CapturedRound
from gameplay.parity.comparison import Cards, check, compare_accuracies
from gameplay.parity.recording import check_versions, last_rounds
from gameplay.promotion import planning
from gameplay.serving.schedule import Schedule
from gameplay.training.retraining import candidates, read_training_data, retrain
from ledger.events import ParityChecked, PredictionMade
from ledger.streams import game_stream, serving_stream
from ledger.vocabulary import FAMILIES, FAMILY_OF_POLICY, MOVES, POLICIES, Family, Policy
from tests.builders import assignment
from tests.gameplay.clocks import DAILY, FIRING, at_head
from tests.gameplay.faults import FaultyRegistry
from tests.gameplay.web_clients import service_behind, wait_until
from tests.lifecycle.conftest import GAMES_A_POLICY, serving, silently
from tests.projections.sabotage import edit, writable_copy

REPOSITORY = Path(__file__).parents[2]

Change = Callable[[CapturedRound], CapturedRound]


@pytest.fixture(scope="module")
def past(played: Path) -> Iterator[Core]:
    """What the games were played with; no service runs any more."""
    core = open_core(Settings(data_dir=played))
    yield core
    core.close()


@pytest.fixture(scope="module")
def rounds(past: Core) -> list[CapturedRound]:
    """Three games against forrest, as the ledger has them."""
    return [one for game in captures.from_ledger(past.ledger, "cal", "forrest", 3) for one in game]


@pytest.mark.parametrize("policy", POLICIES)
def test_twenty_games_of_each_policy_are_without_a_difference(past: Core, policy: Policy) -> None:
    games = list(captures.from_ledger(past.ledger, "cal", policy, GAMES_A_POLICY))

    report = check(past.ledger, past.models, [one for game in games for one in game], strict=True)

    assert report.differences == []
    assert (report.games, report.fallbacks) == (GAMES_A_POLICY, 0)
    assert report.predictions == 4 * report.rounds > 0
    assert {one.family for one in report.comparisons} == {FAMILY_OF_POLICY[policy]}
    assert sum(one.live.rows for one in report.comparisons) == report.rounds


def test_what_clients_get_is_what_the_ledger_has(settings: Settings) -> None:
    answers: list[PlayAnswer] = []
    with serving(settings) as client:
        for _ in ScriptedPlayer(client, "cal", seed=1).games("logan", 2, listen=answers.append):
            pass
        ledger = service_behind(client).core.ledger
        live = [one for answer in answers if (one := captures.from_answer("cal", answer))]

        past = [one for game in captures.from_ledger(ledger, "cal", "logan", 2) for one in game]

        assert live == sorted(past, key=lambda one: (one.game_id != live[0].game_id, one.round))
        assert all(len(one.features) == len(FEATURE_NAMES) for one in live)
        assert check(ledger, service_behind(client).core.models, live, strict=True).differences == []


def first_feature_by_a_hair(one: CapturedRound) -> CapturedRound:
    return replace(one, features=(math.nextafter(one.features[0], 2), *one.features[1:]))


def other_probabilities(one: CapturedRound) -> CapturedRound:
    rock, paper, scissors = one.probabilities
    return replace(one, probabilities=(rock, scissors, paper))


WRONG: dict[str, tuple[Change, str]] = {
    "a feature": (first_feature_by_a_hair, "the feature player_lag1_rock"),
    "probabilities": (other_probabilities, "(version"),
    "a version": (lambda one: replace(one, model_version=9), "the version behind"),
    "an expected move": (
        lambda one: replace(one, predicted=next(move for move in MOVES if move != one.predicted)),
        "expects",
    ),
    "the bot's move": (
        lambda one: replace(one, bot_move=next(move for move in MOVES if move != one.bot_move)),
        "the bot's move",
    ),
    "the player's move": (
        lambda one: replace(one, actual=next(move for move in MOVES if move != one.actual)),
        "the player's move",
    ),
    "an unknown game": (lambda one: replace(one, game_id="elsewhere"), "not in this ledger"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=list(WRONG))
def test_what_was_served_otherwise_is_found(
    past: Core, rounds: list[CapturedRound], change: Change, words: str
) -> None:
    served = [change(rounds[0]), *rounds[1:]]

    report = check(past.ledger, past.models, served, strict=True)

    assert len(report.differences) >= 1
    assert words in str(report.differences[0])
    assert len(report.findings) >= len(report.differences)


def test_a_hair_is_found_by_strict_parity_alone(past: Core, rounds: list[CapturedRound]) -> None:
    served = [first_feature_by_a_hair(rounds[0]), *rounds[1:]]

    assert check(past.ledger, past.models, served, strict=False).differences == []


def cards_of(core: Core, rounds: Sequence[CapturedRound]) -> Cards:
    """The card of each version that played."""
    keys = {(FAMILY_OF_POLICY[cast(Policy, one.policy)], one.model_version) for one in rounds}
    wanted = [(family, version) for family, version in keys if version]
    core.models.preload(wanted)
    return {key: card for key in wanted if (card := core.models.card(*key))}


def by_one_version(rounds: Sequence[CapturedRound]) -> list[CapturedRound]:
    """The rounds as if one version had played all games, whatever the draw was."""
    return [replace(one, model_version=rounds[0].model_version) for one in rounds]


def test_another_accuracy_than_in_training_is_a_finding(past: Core, rounds: list[CapturedRound]) -> None:
    never_right = [replace(one, predicted=MOVES[MOVES.index(one.actual) - 1]) for one in by_one_version(rounds)]
    cards = cards_of(past, never_right)

    (one,) = compare_accuracies(cards, never_right)

    assert one.is_finding
    card = cards[one.family, one.version]
    assert (one.player, one.held_out_of, one.holdout) == ("cal", "rehearsal", card.rehearsal["cal"])
    assert one.metric in metrics(card)
    assert one.live.correct == 0


@pytest.mark.parametrize(("missed", "is_finding"), [(0, False), (20, False), (80, True), (200, True)])
def test_a_difference_that_five_points_and_chance_explain_is_no_finding(
    past: Core, rounds: list[CapturedRound], missed: int, is_finding: bool
) -> None:
    """A version that reads nine in ten, over 400 live rounds of which some are missed that it should have read."""
    (first, *_) = rounds
    wrong = next(move for move in MOVES if move != first.actual)
    predicted = [wrong] * (40 + missed) + [first.actual] * (360 - missed)
    live = [replace(first, predicted=move) for move in predicted]
    cards = {
        key: replace(card, rehearsal={"cal": Score(900, 1000)}) for key, card in cards_of(past, rounds).items()
    }

    (one,) = compare_accuracies(cards, live)

    assert one.is_finding is is_finding


def test_without_a_rehearsal_accuracy_is_compared_with_the_policys_own_games_once_there_are_some(
    played: Path, tmp_path: Path
) -> None:
    core = open_core(Settings(data_dir=shutil.copytree(played, tmp_path / "data"), training_legacy_stride=1))
    core.read_models.projector.start()
    dataset = read_training_data(core.ledger, core.settings)
    due = candidates(core, dataset, ("multinomial_logistic",), ("B",), force=False)
    retrain(core, dataset, due, source="test", track=silently, folds=0, notice_seconds=0)
    against_logan = [one for game in captures.from_ledger(core.ledger, "cal", "logan", 3) for one in game]
    by_the_new_one = [replace(one, model_version=5) for one in against_logan]
    # As the cards of versions from before there were rehearsals.
    cards = {key: replace(card, rehearsal={}) for key, card in cards_of(core, by_the_new_one).items()}

    (one,) = compare_accuracies(cards, by_the_new_one)

    card = cards["multinomial_logistic", 5]
    assert (one.held_out_of, one.holdout) == ("own games", card.own_by_opponent["cal"])
    assert one.metric in metrics(card)
    assert 50 <= one.holdout.rows < card.by_opponent["cal"].rows
    core.close()


def test_a_player_who_was_not_held_out_is_no_finding(past: Core, rounds: list[CapturedRound]) -> None:
    stranger = [replace(one, player="hal", predicted="rock") for one in rounds]
    (one, *_) = compare_accuracies(cards_of(past, rounds), [replace(one, player="nobody") for one in stranger])

    assert (one.holdout.rows, one.interval, one.is_finding) == (0, None, False)


@pytest.mark.parametrize(("rows", "is_finding"), [(49, False), (50, True)])
def test_a_handful_of_rows_held_out_is_compared_with_nothing(
    past: Core, rounds: list[CapturedRound], rows: int, is_finding: bool
) -> None:
    never_right = [replace(one, predicted=MOVES[MOVES.index(one.actual) - 1]) for one in by_one_version(rounds)]
    few = {"cal": Score(10, 10)}
    cards = {
        key: replace(card, by_opponent={"cal": Score(rows, rows)}, own_by_opponent=few, rehearsal=few)
        for key, card in cards_of(past, rounds).items()
    }

    (one,) = compare_accuracies(cards, never_right)

    assert (one.held_out_of, one.holdout.rows, one.is_finding) == ("all games", rows, is_finding)


def test_a_check_of_nothing_is_a_finding(past: Core, rounds: list[CapturedRound]) -> None:
    nothing = check(past.ledger, past.models, [], strict=True)
    (finding,) = nothing.findings
    assert finding.startswith("nothing that a model played was compared: 0 games with 0 rounds")

    by_fallback = [replace(one, probability_source="uniform") for one in rounds]
    unread = check(past.ledger, past.models, by_fallback, strict=False)
    assert f"{len(rounds)} of them by a fallback" in unread.findings[0]


def test_every_version_of_a_long_past_is_compared(played: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=shutil.copytree(played, tmp_path / "data"), promotion_schedule=None)
    core = open_core(settings)
    core.read_models.projector.start()
    for version in range(1, 5):
        files = core.registry.download("xgboost", version)
        core.registry.register("xgboost", TrainedModel(files.card, files.onnx, {}))
    assert planning.move(core.promotion, "xgboost", assignment((5, 6, 7, 8)), cause="manual")
    with serving(settings) as client:
        for _ in ScriptedPlayer(client, "cal", seed=3).games("forrest", 3):
            pass
    few = Models(core.store, core.registry, kept_a_family=4)
    both = [one for game in captures.from_ledger(core.ledger, "cal", "forrest", 8) for one in game]

    report = check(core.ledger, few, both, strict=True)

    assert report.differences == []
    compared = {one.version for one in report.comparisons}
    assert compared & {1, 2}
    assert compared & {5, 6}
    assert all(one.holdout.rows for one in report.comparisons)
    few.close()
    core.close()


def test_captured_rounds_outlast_their_file(rounds: list[CapturedRound], tmp_path: Path) -> None:
    path = tmp_path / "captures" / "rounds.jsonl"

    assert captures.write(path, rounds) == len(rounds) == len(path.read_text("utf-8").splitlines())
    assert captures.read(path) == rounds


def run(
    arguments: Sequence[str], folder: Path, *, games: int = 3, code: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, over a data folder, with the code of some checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RPS_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, *arguments, "--replay", "--games", str(games), "--json"],
        cwd=code,
        env={**environment, "RPS_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_changed_feature_in_a_copy_of_the_code_is_found(played: Path, tmp_path: Path) -> None:
    for package in ("ledger", "projections", "gameplay", "migrations"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    features = tmp_path / "gameplay" / "game" / "features.py"
    source = features.read_text("utf-8")
    assert source.count("len(past) + 1.0") == 1
    features.write_text(source.replace("len(past) + 1.0", "len(past) + 2.0"), "utf-8")
    start = "import sys; from gameplay.cli import main; sys.argv[0] = 'rps'; main()"

    result = run(["-c", start, "capture", "--policy", "logan", "--strict-parity"], played, code=tmp_path)

    assert result.returncode == 1, result.stderr
    findings = json.loads(result.stdout)["findings"]
    assert any("gives" in finding for finding in findings)
    assert any("learned from" in finding for finding in findings)


def test_the_script_is_the_command_for_cal_and_forrest_and_finds_nothing_after_a_set_up(played: Path) -> None:
    """Two hundred rounds are not off the rehearsal by a fifth: chance alone would not do that."""
    result = run(["scripts/capture_cal_forrest_dataset.py", "--strict-parity"], played, games=GAMES_A_POLICY)

    assert result.returncode == 0, result.stdout + result.stderr
    record = json.loads(result.stdout)
    assert (record["games"], record["differences"]) == (GAMES_A_POLICY, 0)
    assert {one["held_out_of"] for one in record["comparisons"]} == {"rehearsal"}
    assert {(one["model_type"], one["player"]) for one in record["comparisons"]} == {("xgboost", "cal")}
    assert [one.policy for one in captures.read(Path(record["file"]))] == ["forrest"] * record["rounds"]


def test_the_command_fails_when_there_is_no_game_to_replay(played: Path) -> None:
    result = CliRunner().invoke(rps, ["capture", "--replay", "--user", "hal"], env={"RPS_DATA_DIR": str(played)})

    assert result.exit_code == 1
    assert "nothing that a model played was compared" in result.stdout


def test_the_command_shows_what_it_found_and_fails(played: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(played, tmp_path / "data")
    shutil.rmtree(folder / "models")
    environment = {"RPS_DATA_DIR": str(folder), "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}

    result = CliRunner().invoke(
        rps, ["capture", "--replay", "--games", "1", "--out", str(tmp_path / "rounds.jsonl")], env=environment
    )

    assert result.exit_code == 1
    assert "cannot be loaded" in result.stdout
    assert (tmp_path / "rounds.jsonl").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scheduled_check_is_a_fact_of_each_version_behind_an_alias(past: Core, family: Family) -> None:
    """Of the shadows too: they play no game, and predict in every round."""
    promotion = past.promotion.state(family).promotion
    rounds = last_rounds(past.ledger, family)

    events = list(check_versions(past.ledger, past.models, family, promotion, rounds))

    assert {event.version for event in events} == set(promotion.aliases.values())
    played = [event for event in events if event.version in {one.model_version for one in rounds}]
    beside = [event for event in events if event not in played]
    assert sum(event.games for event in played) == GAMES_A_POLICY
    assert len(beside) >= 2
    shown = {(event.games, event.rounds, event.held_out, event.metric) for event in beside}
    assert shown == {(GAMES_A_POLICY, len(rounds), None, None)}
    for event in events:
        assert (event.differences, event.player) == (0, "cal")
        assert event.rounds == event.live.rows > 0
        assert event.run_id == promotion.runs[event.version] == past.models.run_id(family, event.version)
        assert (event.held_out is None) == (event.metric is None)


def test_a_scheduled_check_counts_the_differences_of_each_version(past: Core) -> None:
    promotion = past.promotion.state("xgboost").promotion
    rounds = last_rounds(past.ledger, "xgboost")
    served = [first_feature_by_a_hair(one) if one.alias == "Production" else one for one in rounds]

    events = check_versions(past.ledger, past.models, "xgboost", promotion, served)

    differences = {event.version: event.differences for event in events}
    of_production = sum(one.alias == "Production" for one in rounds)
    assert of_production > 0
    assert differences.pop(promotion.aliases["Production"]) == of_production
    assert set(differences.values()) <= {0}


def test_what_a_shadow_has_predicted_otherwise_counts_against_the_shadow(past: Core, tmp_path: Path) -> None:
    promotion = past.promotion.state("xgboost").promotion
    with writable_copy(Path(str(past.engine.url.database)), tmp_path) as ledger:
        rounds = last_rounds(ledger, "xgboost")
        game = ledger.read_stream(game_stream(rounds[0].game_id))
        changed = next(
            entry.position
            for entry in game
            if isinstance(event := ledger.decode(entry), PredictionMade) and event.alias == "shadow1"
        )
        edit(ledger, changed, lambda payload: payload.update(probabilities=[1.0, 0.0, 0.0]))

        events = check_versions(ledger, past.models, "xgboost", promotion, rounds)

        differences = {event.version: event.differences for event in events}
    assert differences.pop(promotion.aliases["shadow1"]) == 1
    assert set(differences.values()) == {0}


def test_a_scheduled_check_says_nothing_of_what_cannot_be_loaded(
    past: Core, rounds: list[CapturedRound], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    promotion = past.promotion.state("xgboost").promotion
    nothing = Models(open_model_store(f"file://{tmp_path}"), FaultyRegistry())

    assert list(check_versions(past.ledger, nothing, "xgboost", promotion, rounds)) == []

    assert "no parity check of games with version" in caplog.text
    nothing.close()


def test_a_scheduled_check_ends_when_the_service_does(past: Core, rounds: list[CapturedRound]) -> None:
    promotion = past.promotion.state("xgboost").promotion

    assert list(check_versions(past.ledger, past.models, "xgboost", promotion, rounds, lambda: True)) == []


def test_the_parity_job_records_what_it_has_checked(played: Path, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=shutil.copytree(played, tmp_path / "data"), promotion_schedule=None, parity_schedule=DAILY
    )
    core = open_core(settings)
    core.read_models.projector.start()
    clocks = at_head(core)
    process = CollectorRegistry()
    schedule = Schedule(core, process, clocks=clocks.clocks)
    schedule.start()
    clocks.reaches(FIRING)
    schedule.look()
    wait_until(
        lambda: process.get_sample_value("rps_job_last_run_timestamp_seconds", {"job": "parity"}) is not None
    )
    schedule.shutdown()

    checked = [core.ledger.decode(entry) for entry in core.ledger.read_stream(serving_stream("xgboost"))]

    assert [type(event) for event in checked] == [ParityChecked] * 4
    core.close()
