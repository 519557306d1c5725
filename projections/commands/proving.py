"""verify, seal, prove, verify-proof: whether the ledger is what was written."""

import re
import time
from pathlib import Path
from typing import Any

import click

from ledger.audit import Anchor, Report
from ledger.chain import GENESIS
from ledger.notes import NoteError
from ledger.proofs import ProofError, check_proof, make_proof, read_proof, write_proof
from ledger.seal import open_signer, read_verifier
from ledger.seals import Sealer, audit, last_seal, read_seals
from projections.commands.console import bad, finding, good, json_option, print_json, print_payload, progress, say
from projections.commands.source import Source
from projections.moments import MomentError, check_position, show_time
from projections.witness import open_witness

_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})").fullmatch
FILE = click.Path(dir_okay=False, path_type=Path)


class AnchorType(click.ParamType[Anchor]):
    """POSITION:HASH."""

    name = "position:hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Anchor:
        """An anchor from its text."""
        found = _ANCHOR(str(value))
        if not found:
            self.fail(f"{value!r} is no anchor: write a position, a colon and 64 hexadecimal digits", param, ctx)
        return Anchor(int(found[1]), bytes.fromhex(found[2]))


@click.command()
@click.option("--from", "first", type=click.IntRange(min=1), default=1, help="Trust what is before this position.")
@click.option("--expect", "anchors", type=AnchorType(), multiple=True, help="A chain hash written down elsewhere.")
@click.option(
    "--key",
    "keys",
    type=FILE,
    multiple=True,
    help="Public key of the seals; default: beside the database.",
)
@click.option("--witness", default=None, help="Folder with copies of the seals: the model store's.")
@json_option
@click.pass_obj
def verify(
    source: Source,
    first: int,
    anchors: tuple[Anchor, ...],
    keys: tuple[Path, ...],
    witness: str | None,
    as_json: bool,
) -> None:
    """Recompute the chain and the seals from the stored bytes; name what was changed, and where.

    Example: rps-audit verify --expect 4711:6f1e... --witness data/models
    """
    ledger = source.reader()
    head = ledger.head().position
    if head or first > 1:
        check_position(ledger, first)
    verifiers = source.verifiers(keys)
    witnessed = open_witness(witness).notes() if witness else []
    with progress("Verifying", head - first + 1) as advance:
        report = audit(
            ledger,
            verifiers=verifiers,
            witnessed=witnessed,
            first=first,
            anchors=anchors,
            progress=advance,
        )
    if as_json:
        print_json({"intact": report.intact, "signatures_checked": bool(verifiers), "report": report})
    else:
        _tell(report, len(read_seals(ledger)), signed=bool(verifiers))
    if not report.intact:
        finding()


def _tell(report: Report, seals: int, *, signed: bool) -> None:
    for found in report.findings:
        say(bad(str(found)))
    if report.intact:
        what = f"positions {report.first:,} to {report.last:,}" if report.events else "an empty ledger"
        say(good(f"intact: {what}"))
        say(f"head {report.last}:{(report.chain_hash if report.events else GENESIS).hex()}")
    if report.first > 1:
        say(f"what is before position {report.first} was taken on trust; seals were not compared")
    elif report.claims:
        by = "their signatures hold" if signed else "their signatures are not checked: no public key is named"
        say(f"{report.claims} checkpoints fit, {by}")
    elif not seals:
        say("there is no seal: a log that was rewritten as a whole would look the same")


@click.command()
@click.option("--key", type=FILE, required=True, help="Private key; made on first use.")
@json_option
@click.pass_obj
def seal(source: Source, key: Path, as_json: bool) -> None:
    """Seal what is not sealed yet. A running service does so by itself.

    Example: rps-audit seal --key data/seal.key
    """
    ledger = source.writer()
    made = Sealer(ledger, open_signer(key)).run(time.time_ns() // 1_000, wait=False)
    if as_json:
        print_json({"sealed": made.size if made else None, "note": made.note.decode() if made else None})
    else:
        click.echo(made.note.decode() if made else "everything is sealed already", nl=not made)


@click.command()
@click.argument("position", type=click.INT)
@click.option("--out", type=FILE, default=None, help="Where to; by default proof-POSITION.json.")
@json_option
@click.pass_obj
def prove(source: Source, position: int, out: Path | None, as_json: bool) -> None:
    """Write a small file that proves one event against a signed checkpoint, without the database.

    Example: rps-audit prove 4711 --out proof.json
    """
    ledger = source.reader()
    check_position(ledger, position)
    newest = last_seal(ledger)
    if newest is None or newest.size < position:
        covered = f"the last seal covers {newest.size} events" if newest else "there is no seal yet"
        raise MomentError(f"position {position} is not sealed: {covered}")
    path = out or Path(f"proof-{position}.json")
    write_proof(make_proof(ledger, position, newest), path)
    size_bytes = path.stat().st_size
    if as_json:
        print_json({"position": position, "size": newest.size, "file": str(path), "bytes": size_bytes})
    else:
        say(f"{path}: position {position} is among the {newest.size} events sealed, {size_bytes} bytes")


@click.command("verify-proof")
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, required=True, help="Public key of the log.")
@json_option
def verify_proof(file: Path, key: Path, as_json: bool) -> None:
    """Check a proof file. Needs the public key and nothing else.

    Example: rps-audit verify-proof proof.json --key seal.key.pub
    """
    proof, verifier = read_proof(file), read_verifier(key)
    try:
        proven = check_proof(proof, verifier)
    except (ProofError, NoteError) as error:
        if as_json:
            print_json({"holds": False, "problem": str(error)})
        else:
            say(bad(str(error)))
        finding()
        return
    row, checkpoint = proven.row, proven.checkpoint
    if as_json:
        print_json({"holds": True, "position": row.position, "origin": checkpoint.origin, "size": checkpoint.size})
        return
    say(good(f"holds: position {row.position} of {checkpoint.origin}, sealed at {checkpoint.size} events"))
    say(f"{proof.event.type} on {proof.event.stream}, recorded {show_time(row.recorded_us)}")
    print_payload(row.payload)
