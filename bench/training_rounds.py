"""Two training rounds on simulated games, and how well each bot is predicted in the end.

    python -m bench.training_rounds

Sets up in a scratch folder, lets every bot play every policy over HTTP, trains, plays and trains again, and prints
the hold-out accuracy of each family's Production by bot, with 95 % intervals, as Markdown. Takes some minutes.
No game is thinned out (a stride of 1, where the default is 5): there are only bots here, and the table says so.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from bench.folders import RPS
from bench.servers import service
from gameplay.client.simulate import ScriptedPlayer, connect
from ledger.vocabulary import BOTS, FAMILIES, POLICIES

FIRST_GAMES = 1_500
ROUNDS = 2
GAMES_A_PAIR = 20
STRIDE = 1
CHANCE = 1 / 3

messages = Console(stderr=True)

Shown = dict[str, Any]


def main() -> None:
    """Play, train, and print."""
    with tempfile.TemporaryDirectory(prefix="rps-rounds-") as folder:
        variables = {"RPS_DATA_DIR": folder, "TRAINING_LEGACY_GAME_STRIDE": str(STRIDE)}
        environment = {**os.environ, **variables}
        subprocess.run([RPS, "setup", "--games", str(FIRST_GAMES)], env=environment, check=True)
        stages = [_production(environment)]
        with service(Path(folder), **variables) as served:
            for number in range(1, ROUNDS + 1):
                _play(served.url, number)
                subprocess.run([RPS, "train"], env=environment, check=True, stdout=sys.stderr)
                stages.append(_production(environment))
    _print_versions(stages)
    _print_accuracies(stages[-1])


def _play(url: str, number: int) -> None:
    pairs = [(bot, policy) for bot in BOTS for policy in POLICIES]
    with connect(url) as client:
        for bot, policy in track(pairs, f"Games, round {number}", console=messages):
            for _ in ScriptedPlayer(client, bot).games(policy, GAMES_A_PAIR):
                pass


def _production(environment: dict[str, str]) -> dict[str, Shown]:
    command = [str(RPS), "models", "--by-opponent", "--json"]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    shown = [json.loads(line) for line in printed.splitlines()]
    return {one["model_type"]: one for one in shown if one["alias"] == "Production"}


def _print_versions(stages: list[dict[str, Shown]]) -> None:
    out = sys.stdout
    out.write(f"With `TRAINING_LEGACY_GAME_STRIDE={STRIDE}`:\n\n")
    out.write(f"| Production of | set-up | {' | '.join(f'round {n}' for n in range(1, ROUNDS + 1))} |\n")
    out.write("|---" * (ROUNDS + 2) + "|\n")
    for family in FAMILIES:
        cells = [
            f"v{stage[family]['version']}, {100 * stage[family]['holdout_accuracy']:.1f} %" for stage in stages
        ]
        out.write(f"| `{family}` | {' | '.join(cells)} |\n")


def _print_accuracies(production: dict[str, Shown]) -> None:
    out = sys.stdout
    out.write(f"\n| bot | {' | '.join(f'`{family}`' for family in FAMILIES)} |\n")
    out.write("|---" * (1 + len(FAMILIES)) + "|\n")
    for bot in BOTS:
        cells = [_cell(production[family]["by_opponent"].get(bot)) for family in FAMILIES]
        out.write(f"| `{bot}` | {' | '.join(cells)} |\n")


def _cell(score: Shown | None) -> str:
    """Accuracy and interval; then by how many points it lies above chance at least, or that it does not."""
    if score is None:
        return "not held out"
    low, high = score["interval"]
    above = f"+{100 * (low - CHANCE):.0f} at least" if low > CHANCE else "chance"
    share = score["correct"] / score["rows"]
    return f"{100 * share:.1f} ({100 * low:.1f} to {100 * high:.1f}), {above}"


if __name__ == "__main__":
    main()
