"""Commands of an auditor over a million events, each a process, against bare passes over the same file.

Measured in CPU seconds: one thread computes and waits for nothing, and neighbours on the machine do not count.
"""

import json
from collections.abc import Callable
from pathlib import Path

from bench.folders import MILLION, RPS_AUDIT, database_of, million_folder
from bench.process import ran, ran_module
from bench.scenario import Outcome, compare
from ledger.vocabulary import FAMILIES

AT_FROM_HEAD = 1_000
"""`--at` is a position near the head: nearly all has to be known."""


def verify(folder: Path) -> Outcome:
    """The chain, against selecting everything and hashing it.

    From the second position on, where seals are not compared: their Merkle tree is two more hashes an event.
    """
    data = million_folder(folder)

    def ours() -> float:
        verified = ran(RPS_AUDIT, "--database", database_of(data), "verify", "--from", "2", "--json")
        report = json.loads(verified.output)
        assert report["intact"]
        assert report["report"]["events"] >= MILLION - 1
        return verified.cpu_seconds

    return _compare("rps-audit verify", ours, data, "chain", target=1.6)


def decisions(folder: Path) -> Outcome:
    """Every decision derived again, against reading the decisions and the ends of games."""
    data = million_folder(folder)

    def ours() -> float:
        checked = ran(RPS_AUDIT, "--database", database_of(data), "decisions", "--json")
        assert len(json.loads(checked.output)["decisions"]) > 2_000
        return checked.cpu_seconds

    return _compare("rps-audit decisions", ours, data, "facts", target=2)


def aliases(folder: Path) -> Outcome:
    """What was behind each alias, against reading the promotion's events and the ends of games."""
    data = million_folder(folder)

    def ours() -> float:
        at = str(MILLION - AT_FROM_HEAD)
        shown = ran(RPS_AUDIT, "--database", database_of(data), "aliases", "--at", at, "--json")
        assert set(json.loads(shown.output)["aliases"]) == set(FAMILIES)
        return shown.cpu_seconds

    return _compare("rps-audit aliases --at", ours, data, "facts", target=2)


SCENARIOS = {"audit-verify": verify, "audit-decisions": decisions, "audit-aliases": aliases}


def _compare(command: str, ours: Callable[[], float], data: Path, bare_pass: str, target: float) -> Outcome:
    def bare() -> float:
        passed = ran_module("bench.passes", bare_pass, data / "ledger.db")
        assert passed.output.strip()
        return passed.cpu_seconds

    return compare(
        f"{command}, 1,000,000 events", ours, bare, wanted="at most", target=target, unit="s CPU", warm_up=False
    )
