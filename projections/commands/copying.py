"""copy: the ledger into another database, of whatever kind."""

import click

from ledger.store import Ledger
from ledger.verification.audit import audit
from ledger.verification.copying import copy_ledger
from ledger.verification.walk import VerificationReport
from projections.commands.console import bad, finding, json_option, print_json, progress, say
from projections.commands.source import Source

# Names belong to the ledger's players, may be erased, and are in no event from which they could be folded again.
BESIDE = ("players",)


@click.command()
@click.option("--from", "from_", metavar="URL", required=True, help="The ledger.")
@click.option("--to", metavar="URL", required=True, help="A database without events, or a file that is not there.")
@json_option
def copy(from_: str, to: str, as_json: bool) -> None:
    """Copy a ledger into another database, of either kind, and verify both.

    Positions, ids, times, hashes, seals, players' names and the ledger's own id stay as they are. Stop the service
    first: it goes on from the copy, which folds its read models again. The role must own the tables it copies to.

    Example: rps-audit copy --from sqlite:///data/ledger.db --to postgresql+psycopg://owner@db/rps
    """
    source = Source(from_).reader()
    before = _verified(source, "Verifying the ledger")
    if not before.intact:
        _report(before, "the ledger is not intact, and nothing was copied", as_json)
        return
    with Source(to).empty() as target, progress("Copying", before.last) as advance:
        copied = copy_ledger(source, target, beside=BESIDE, progress=advance)
    after = _verified(Source(to).reader(), "Verifying the copy")
    if not after.intact:
        _report(after, "the copy is not intact", as_json)
    elif as_json:
        print_json({"events": copied.head.position, "seals": copied.seals, "chain_hash": copied.head.chain_hash})
    else:
        say(f"{copied.head.position:,} events and {copied.seals:,} seals copied, both ledgers verified")
        say(f"head {copied.head.position}:{copied.head.chain_hash.hex()}")


def _verified(ledger: Ledger, what: str) -> VerificationReport:
    with progress(what, ledger.head().position) as advance:
        return audit(ledger, progress=advance)


def _report(report: VerificationReport, problem: str, as_json: bool) -> None:
    if as_json:
        print_json({"problem": problem, "report": report})
    else:
        for found in report.findings:
            say(bad(str(found)))
        say(bad(problem))
    finding()
