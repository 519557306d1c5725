"""Commands of an auditor over a million events, each a process, against bare passes over the same file.

Measured in CPU seconds: one thread computes and waits for nothing, and neighbours on the machine do not count. Of
`verify` there is a row of the time that it takes too: two threads compute there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bench.folders import MILLION, RPS_AUDIT, database_of, million_folder
from bench.process import Ran, ran, ran_module
from bench.scenario import Outcome, compare
from ledger.vocabulary import FAMILIES

AT_FROM_HEAD = 1_000
"""`--at` is a position near the head: nearly all has to be known."""


def verify(folder: Path) -> Outcome:
    """The time until the answer is there, against selecting everything and hashing it.

    The database's check of its own structure goes on beside the chain, on another core.
    """
    return _compare("rps-audit verify", _verified, million_folder(folder), "chain", target=1.6, unit="s")


def verify_cpu(folder: Path) -> Outcome:
    """The CPU of both together."""
    return _compare("rps-audit verify", _verified, million_folder(folder), "chain", target=1.6)


def _verified(data: Path) -> Ran:
    """From the second position on, where seals are not compared: their Merkle tree is two more hashes an event."""
    verified = ran(RPS_AUDIT, "--database", database_of(data), "verify", "--from", "2", "--json")
    report = json.loads(verified.output)
    assert report["intact"]
    assert report["report"]["events"] >= MILLION - 1
    return verified


def decisions(folder: Path) -> Outcome:
    """Every decision derived again, against reading the decisions and the ends of games."""

    def ours(data: Path) -> Ran:
        checked = ran(RPS_AUDIT, "--database", database_of(data), "decisions", "--json")
        assert len(json.loads(checked.output)["decisions"]) > 2_000
        return checked

    return _compare("rps-audit decisions", ours, million_folder(folder), "facts", target=2)


def aliases(folder: Path) -> Outcome:
    """What was behind each alias, against reading the promotion's events and the ends of games."""

    def ours(data: Path) -> Ran:
        at = str(MILLION - AT_FROM_HEAD)
        shown = ran(RPS_AUDIT, "--database", database_of(data), "aliases", "--at", at, "--json")
        assert set(json.loads(shown.output)["aliases"]) == set(FAMILIES)
        return shown

    return _compare("rps-audit aliases --at", ours, million_folder(folder), "facts", target=2)


SCENARIOS = {
    "audit-verify": verify,
    "audit-verify-cpu": verify_cpu,
    "audit-decisions": decisions,
    "audit-aliases": aliases,
}


def _compare(
    command: str,
    ours: Callable[[Path], Ran],
    data: Path,
    bare_pass: str,
    target: float,
    unit: Literal["s", "s CPU"] = "s CPU",
) -> Outcome:
    def bare() -> Ran:
        passed = ran_module("bench.passes", bare_pass, data / "ledger.db")
        assert passed.output.strip()
        return passed

    def spent(run: Ran) -> float:
        return run.seconds if unit == "s" else run.cpu_seconds

    return compare(
        f"{command}, 1,000,000 events",
        lambda: spent(ours(data)),
        lambda: spent(bare()),
        wanted="at most",
        target=target,
        unit=unit,
        warm_up=False,
    )
