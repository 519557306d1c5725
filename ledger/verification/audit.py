"""An audit: the chain, the seals here and in the checkpoint archive, and the database's own structures."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from msgspec import structs

from ledger.errors import DamagedError, IdentityError
from ledger.identity import read_id
from ledger.sealing.checkpoints import CheckpointError
from ledger.sealing.keys import Verifier
from ledger.sealing.merkle import CompactRange
from ledger.sealing.seals import Seal, open_checkpoint, read_seals
from ledger.store import Ledger
from ledger.verification.findings import Finding
from ledger.verification.integrity import damages
from ledger.verification.walk import Anchor, Claim, VerificationReport, verify


def audit(
    ledger: Ledger,
    *,
    verifiers: Sequence[Verifier] = (),
    archived: Sequence[tuple[int, bytes]] = (),
    first: int = 1,
    anchors: Sequence[Anchor] = (),
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify chain, seals and the database's own structures.

    `archived` are (size, checkpoint) as the archive outside the database has them. The caller reads them before
    this call: a seal goes to the table first, so that none that is made meanwhile is missed there.
    """
    damaged: list[Finding] = []
    try:
        seals = read_seals(ledger)
    except DamagedError as error:
        seals = []
        damaged = [Finding(None, "damaged", f"the seals cannot be read: {error.problem}")]
    stored, kept = check_seals(seals, verifiers), check_checkpoints(archived, verifiers, "the archive's seal")
    claims = (*stored.claims, *kept.claims)
    # The database looks through its own structures without the interpreter, so that another core may do it.
    with ThreadPoolExecutor(max_workers=1) as beside:
        structures = beside.submit(damages, ledger.engine)
        report = verify(ledger, first=first, anchors=anchors, claims=claims, progress=progress)
    missing = [] if damaged else missing_seals(seals, archived)
    damaged += _unnamed(ledger)
    found = (*report.findings, *missing, *stored.findings, *kept.findings, *damaged, *structures.result())
    return structs.replace(
        report,
        findings=tuple(dict.fromkeys(found)),  # a damage may have been met twice
        seals=len(seals),
        archived=len(archived),
        signers=tuple(sorted({*stored.signers, *kept.signers})),
    )


def _unnamed(ledger: Ledger) -> list[Finding]:
    """What is wrong with the ledger's id, without which no service starts on it."""
    try:
        read_id(ledger.engine)
    except (IdentityError, DamagedError) as error:
        return [Finding(None, "damaged", str(error))]
    return []


class Checked(NamedTuple):
    """What checkpoints claim of the log, what is wrong with themselves, and the keys that signed them."""

    claims: list[Claim]
    findings: list[Finding]
    signers: set[str]


def check_seals(seals: Sequence[Seal], verifiers: Sequence[Verifier]) -> Checked:
    """The seals' checkpoints and compact ranges.

    Without verifiers the signatures stay unchecked, but must all be by one key.
    """
    checked = check_checkpoints([(seal.size, seal.checkpoint) for seal in seals], verifiers, "the seal")
    roots = {claim.size: claim.root for claim in checked.claims}
    for seal in seals:
        try:
            fits = CompactRange.decode(seal.size, seal.compact_range).root() == roots.get(seal.size, b"")
        except ValueError:
            fits = False
        if seal.size in roots and not fits:
            problem = f"the seal over {seal.size} events has a compact range that does not lead to its root"
            checked.findings.append(Finding(seal.size, "bad seal", problem))
    return checked


def check_checkpoints(
    checkpoints: Iterable[tuple[int, bytes]], verifiers: Sequence[Verifier], source: str
) -> Checked:
    """As `check_seals`, of checkpoints that are said to be over so many events each."""
    claims: list[Claim] = []
    findings: list[Finding] = []
    signers: set[str] = set()
    for size, checkpoint in checkpoints:
        try:
            opened, signer = open_checkpoint(checkpoint, verifiers)
        except CheckpointError as error:
            findings.append(Finding(size, "bad seal", f"{source} over {size} events: {error}"))
            continue
        signers.add(signer)
        if opened.checkpoint.size != size:
            problem = f"{source} stored for {size} events is over {opened.checkpoint.size}"
            findings.append(Finding(size, "bad seal", problem))
            continue
        claims.append(Claim(size, opened.checkpoint.root, source))
        if not verifiers and len(signers) > 1:
            problem = f"{source} over {size} events is signed by another key than those before"
            findings.append(Finding(size, "bad seal", problem))
            break
    return Checked(claims, findings, signers)


def missing_seals(seals: Sequence[Seal], archived: Sequence[tuple[int, bytes]]) -> list[Finding]:
    """The seals that the archive has and the table has not. The ledger never takes a seal away."""
    stored = {seal.size for seal in seals}
    missing = sorted(size for size, _checkpoint in archived if size not in stored)
    if not missing:
        return []
    several = f"{len(missing)} of the archive's seals, the last one over {missing[-1]} events, are"
    what = several if len(missing) > 1 else f"the archive's seal over {missing[0]} events is"
    return [Finding(missing[0], "missing seal", f"{what} not in the ledger")]
