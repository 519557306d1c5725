"""Whether the database holds the ledger that is known outside it, and how an operator says that it does.

What is known outside: a link of its chain in the data folder, and its signed checkpoints in the archive.
"""

import logging
import threading
from pathlib import Path

from ledger.errors import IdentityError, LedgerError, StorageError
from ledger.events import KnownLedger, LedgerAccepted
from ledger.identity import ADVICE, LinkFile, check_link, newest_link
from ledger.sealing.seals import read_seals
from ledger.store import Ledger
from projections.audit.archive import ArchiveError, CheckpointArchive

log = logging.getLogger(__name__)

FILE_NAME = "ledger.id"
ARCHIVE_SECONDS_MAX = 5.0


class Copies:
    """What is kept of a ledger outside its database."""

    def __init__(self, folder: Path, archive: CheckpointArchive) -> None:
        self._file = LinkFile(folder / FILE_NAME)
        self._archive = archive
        self._kept: KnownLedger | None = None
        self._is_known = False

    def check_birth(self, database: str) -> None:
        """Raise IdentityError when a ledger is known that `database`, which does not exist, should hold."""
        known = self._file.read()
        if known is not None:
            where = f"{self._file.path} knows ledger {known.ledger_id} up to position {known.position}"
        elif (newest := self._newest()) is not None:
            where = f"the checkpoint archive has a seal over {newest[0]} events of it"
        else:
            return
        raise IdentityError(
            f"there is no database at {database}, and {where}: put the ledger back, from a backup if need be; to"
            ' begin another one in its place, run `rps migrate` and `rps accept-ledger --reason "..."`'
        )

    def check_file(self, ledger: Ledger) -> None:
        """Compare the ledger with the link in the data folder, which is made where there is none.

        Raises IdentityError, StorageError.
        """
        known = self._file.read()
        if known is not None:
            check_link(ledger, known, str(self._file.path))
        self._kept, self._is_known = known, True
        if known is None:
            self.renew(ledger)

    def check_archive(self, ledger: Ledger) -> None:
        """Compare the ledger with the archive's newest checkpoint. Raises IdentityError, StorageError.

        An archive that does not answer is compared before the next seal, at the latest.
        """
        newest = self._newest()
        if newest is None:
            return
        size, checkpoint = newest
        name, head = ledger.engine.url.database, ledger.head().position
        if size > head:
            raise IdentityError(
                f"{name} ends at position {head}, and the checkpoint archive has a seal over {size} events:"
                f" {ADVICE}"
            )
        if all(seal.checkpoint != checkpoint for seal in read_seals(ledger, after=size - 1)):
            raise IdentityError(
                f"{name} lacks the seal over {size} events that the checkpoint archive has, so that its history is"
                f" another one: {ADVICE}"
            )

    def renew(self, ledger: Ledger) -> None:
        """Keep the newest link of a ledger that was compared or accepted, if it has grown. Raises StorageError."""
        if not self._is_known:
            return
        ledger.check()
        link = newest_link(ledger)
        if self._kept != link:
            self._file.write(link)
            self._kept = link

    def accept(self, ledger: Ledger, reason: str) -> LedgerAccepted:
        """Record that the ledger goes on from this database, and bring the copies outside in line with it.

        Raises StorageError, ArchiveError.
        """
        here = newest_link(ledger)
        sealed = {seal.checkpoint for seal in read_seals(ledger)}
        foreign = [size for size, checkpoint in self._archive.notes() if checkpoint not in sealed]
        accepted = LedgerAccepted(
            ledger_id=here.ledger_id,
            position=here.position,
            chain_hash=here.chain_hash,
            known=self._known(),
            archived=len(foreign),
            reason=reason,
        )
        receipt = ledger.record(accepted)
        # In this order a crash leaves an event too many, and never a copy that was changed without one.
        self._archive.set_aside(foreign, f"before-{receipt.last_position}-of-{here.ledger_id}")
        self._kept, self._is_known = None, True
        self.renew(ledger)
        return accepted

    def _known(self) -> KnownLedger | None:
        try:
            return self._file.read()
        except IdentityError as error:
            log.warning("%s", error)
            return None

    def _newest(self) -> tuple[int, bytes] | None:
        """The archive's newest checkpoint; None, with a word in the log, where it does not answer in time."""
        found: list[tuple[int, bytes] | None] = []
        problems: list[LedgerError] = []

        def ask() -> None:
            try:
                found.append(self._archive.newest())
            except ArchiveError as error:
                problems.append(error)

        asking = threading.Thread(target=ask, name="archive-newest", daemon=True)
        asking.start()
        asking.join(ARCHIVE_SECONDS_MAX)
        if not found:
            problem = problems[0] if problems else f"no answer within {ARCHIVE_SECONDS_MAX:g} s"
            log.warning("the ledger is not compared with the checkpoint archive: %s", problem)
            return None
        return found[0]


def renew_last(copies: Copies, ledger: Ledger) -> None:
    """Keep the newest link at a process's end; where that fails the one before stands, which is true as well."""
    try:
        copies.renew(ledger)
    except (StorageError, IdentityError) as error:
        log.warning("the ledger's newest link is not kept outside: %s", error)
