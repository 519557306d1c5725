"""verify, seal, prove, verify-proof: whether the ledger is what was written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ledger.chain import GENESIS
from ledger.errors import DamagedError
from ledger.sealing.checkpoints import CheckpointError
from ledger.sealing.keys import Verifier, open_signer, read_signer, read_verifier
from ledger.sealing.proofs import ProofError, check_proof, encode_proof, make_proof, read_proof
from ledger.sealing.seals import last_seal, seal_head
from ledger.store import Ledger
from ledger.times import show_time
from ledger.verification.audit import audit
from ledger.verification.findings import Finding
from ledger.verification.walk import Anchor, VerificationReport
from projections.audit.archive import ArchiveError, open_archive
from projections.commands.console import (
    bad,
    finding,
    good,
    json_option,
    json_value,
    print_json,
    print_payload,
    progress,
    say,
)
from projections.commands.outputs import new_file
from projections.commands.positions import AnchorType, PositionType
from projections.commands.source import Source, length, pass_source
from projections.errors import PositionError
from projections.positions import check_position
from projections.read_models.history import NAME as HISTORY
from projections.read_models.history import History

FILE = click.Path(dir_okay=False, path_type=Path)


def archive_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--archive` and what opens it; their former names are taken, and not shown."""
    for name, kind, text in (
        ("credentials", FILE, "File with keys, in AWS's form."),
        ("endpoint", click.STRING, "URL of an S3 API that is not AWS's own."),
    ):
        command = click.option(f"--witness-{name}", name, type=kind, hidden=True)(command)
        command = click.option(f"--archive-{name}", name, type=kind, default=None, help=text)(command)
    command = click.option("--witness", "archive", hidden=True)(command)
    text = "The checkpoint archive: the model store's folder, or s3://BUCKET/PREFIX."
    return click.option("--archive", default=None, help=text)(command)


@click.command()
@click.option("--from", "first", type=PositionType(1), default=1, help="Trust what is before this position.")
@click.option("--expect", "anchors", type=AnchorType(), multiple=True, help="A chain hash written down elsewhere.")
@click.option(
    "--key",
    "keys",
    type=FILE,
    multiple=True,
    help="Public key of the seals; default: beside the database.",
)
@archive_options
@json_option
@pass_source
def verify(
    source: Source,
    first: int,
    anchors: tuple[Anchor, ...],
    keys: tuple[Path, ...],
    archive: str | None,
    endpoint: str | None,
    credentials: Path | None,
    as_json: bool,
) -> None:
    """Recompute the chain and the seals from the stored bytes; name what was changed, and where.

    Rows of the promotion history that are not those that were folded are a finding too.

    Example: rps-audit verify --expect 4711:6f1e... --archive data/models
    """
    verifiers = source.verifiers(keys)
    # Before the ledger: what is sealed meanwhile would be missing there, not in the archive.
    archived = _archived(archive, endpoint, credentials)
    try:
        ledger = source.reader()
        report = _audited(ledger, first, anchors, verifiers, archived)
        spoiled = History(ledger).damage()
    except DamagedError as error:
        report, spoiled = _unreadable(first, error), None
    if as_json:
        found = {"intact": report.intact, "signatures_checked": bool(verifiers), "key_named": bool(keys)}
        print_json({**found, "report": report, HISTORY: spoiled})
    else:
        for line in _lines(report, verifiers, beside=not keys, archive=archive is not None):
            say(line)
        if spoiled:
            say(bad(f"{HISTORY}: {spoiled}; `rps-audit rebuild --projection {HISTORY}` folds it again"))
    if spoiled or not report.intact:
        finding()


def _archived(url: str | None, endpoint: str | None, credentials: Path | None) -> list[tuple[int, bytes]]:
    if url is None:
        if endpoint is not None or credentials is not None:
            raise click.UsageError("no archive is named: add --archive s3://BUCKET/PREFIX")
        return []
    notes = open_archive(url, endpoint, credentials).notes()
    if not notes:
        raise ArchiveError(f"the archive at {url} has no seals: it is another ledger's, or they were taken away")
    return notes


def _audited(
    ledger: Ledger,
    first: int,
    anchors: tuple[Anchor, ...],
    verifiers: list[Verifier],
    archived: list[tuple[int, bytes]],
) -> VerificationReport:
    events = length(ledger)
    if first > 1 and events is not None:
        check_position(ledger, first)
    with progress("Verifying", events and events - first + 1) as advance:
        return audit(
            ledger, verifiers=verifiers, archived=archived, first=first, anchors=anchors, progress=advance
        )


def _unreadable(first: int, error: DamagedError) -> VerificationReport:
    """What can be said of a file in which not even the tables are found."""
    found = (Finding(None, "damaged", error.problem),)
    return VerificationReport(
        first=first, last=0, events=0, chain_hash=GENESIS, claims=0, findings=found, unchecked_from=first
    )


def _lines(report: VerificationReport, verifiers: list[Verifier], *, beside: bool, archive: bool) -> Iterator[str]:
    for found in report.findings:
        yield bad(str(found))
    if report.unchecked_from is not None:
        yield bad(f"from position {report.unchecked_from:,} on nothing was looked at: the walk ended there")
    if report.intact:
        what = f"positions {report.first:,} to {report.last:,}" if report.events else "an empty ledger"
        yield good(f"intact: {what}")
        yield f"head {report.last}:{report.chain_hash.hex()}"
    if report.first > 1:
        yield f"what is before position {report.first:,} was taken on trust; seals were not compared"
        return
    if not report.seals:
        yield "there is no seal: a log that was rewritten as a whole would look the same"
    if report.seals or report.archived:
        counted = f"{report.seals:,} seal{'s' * (report.seals != 1)}"
        counted += f", {report.archived:,} of the archive's" if archive else ""
        some = f"{report.claims:,} fit{'s' * (report.claims == 1)}, as far as the chain does"
        yield f"{counted}: {'all fit' if report.claims == report.seals + report.archived else some}"
        yield _signed(report, verifiers, beside=beside)


def _signed(report: VerificationReport, verifiers: list[Verifier], *, beside: bool) -> str:
    if not verifiers:
        return "their signatures are not checked: no public key is named"
    if not report.signers:
        return "none of them is signed by " + ", ".join(key.label for key in verifiers)
    by = f"they are signed by {', '.join(report.signers)}"
    return f"{by}, the key that lies beside the database: compare it with one from elsewhere" if beside else by


@click.command()
@click.option("--key", type=FILE, required=True, help="Private key; made where there is no seal yet.")
@json_option
@pass_source
def seal(source: Source, key: Path, as_json: bool) -> None:
    """Seal what is not sealed yet. A running service does so by itself.

    Example: rps-audit seal --key data/seal.key
    """
    ledger = source.writer()
    # Once there is a seal every other key is a stranger's: a name that is mistyped must not make one.
    made = seal_head(ledger, read_signer(key) if last_seal(ledger) else open_signer(key))
    if as_json:
        print_json({"sealed": made.size if made else None, "note": made.checkpoint.decode() if made else None})
    else:
        click.echo(made.checkpoint.decode() if made else "everything is sealed already", nl=not made)


@click.command()
@click.argument("position", type=PositionType())
@click.option("--out", type=FILE, default=None, help="A new file; by default proof-POSITION.json.")
@json_option
@pass_source
def prove(source: Source, position: int, out: Path | None, as_json: bool) -> None:
    """Write a small file that proves one event against a signed checkpoint, without the database.

    Example: rps-audit prove 4711 --out proof.json
    """
    ledger = source.reader()
    check_position(ledger, position)
    newest = last_seal(ledger)
    if newest is None or newest.size < position:
        covered = f"the last seal covers {newest.size} events" if newest else "there is no seal yet"
        raise PositionError(f"position {position} is not sealed: {covered}")
    try:
        proof = encode_proof(make_proof(ledger, position, newest, source.verifiers(())))
    except (ProofError, CheckpointError) as error:
        _print_broken(error, "proved", as_json=as_json)
        return
    path = out or Path(f"proof-{position}.json")
    with new_file(path) as file:
        file.write(proof)
    if as_json:
        print_json({"position": position, "size": newest.size, "file": str(path), "bytes": len(proof)})
    else:
        say(f"{path}: position {position:,} is among the {newest.size:,} events sealed, {len(proof):,} bytes")


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
    except (ProofError, CheckpointError) as error:
        _print_broken(error, "holds", as_json=as_json)
        return
    row, checkpoint = proven.row, proven.checkpoint
    if as_json:
        print_json(
            {
                "holds": True,
                "position": row.position,
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "signer": verifier.label,
                "type": proof.event.type,
                "stream": proof.event.stream,
                "recorded": show_time(row.recorded_us),
                "payload": json_value(row.payload),
            }
        )
        return
    say(good(f"holds: position {row.position:,} of {checkpoint.origin}, sealed at {checkpoint.size:,} events"))
    say(f"signed by {verifier.label}")
    say(f"{proof.event.type} on {proof.event.stream}, recorded {show_time(row.recorded_us)}")
    print_payload(row.payload)


def _print_broken(error: Exception, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({what: False, "problem": str(error)})
    else:
        say(bad(str(error)))
    finding()
