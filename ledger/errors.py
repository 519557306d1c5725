"""What can go wrong in the ledger. Every error carries its facts and says them in its message."""

TEXT_SHOWN_MAX = 200


class LedgerError(Exception):
    """The root of everything that this package raises on purpose."""


class InvalidTextError(LedgerError, ValueError):
    """A text that does not say what it should: a number, a time."""

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(f"{_shortened(text)!r} is not {expected}")
        self.text = text
        self.expected = expected


class OvertakenError(LedgerError):
    """What the caller decided from has changed since; nothing was written. Read again and decide again."""


class ConflictError(OvertakenError):
    """The stream is not at the version that the caller has read; nothing was written."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream!r} is at version {actual}, not {expected}: read it again and retry")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class DuplicateError(LedgerError):
    """An event id is taken by an event with other content; nothing was written."""

    def __init__(self, event_id: str, position: int) -> None:
        super().__init__(f"event id {event_id} belongs to another event, at position {position}")
        self.event_id = event_id
        self.position = position


class InvalidEventError(LedgerError):
    """The event would not read back as it was given (a NaN, an unknown word, a number out of range)."""

    def __init__(self, event_type: str, problem: str) -> None:
        super().__init__(f"{event_type} is not storable: {problem}")
        self.event_type = event_type
        self.problem = problem


class UnreadableEventError(LedgerError):
    """Stored bytes that no codec understands; the position is known where an entry was read."""

    def __init__(self, event_type: str, schema_version: int, problem: str, position: int | None = None) -> None:
        where = "" if position is None else f" at position {position}"
        super().__init__(f"cannot read {event_type}{where} (schema version {schema_version}): {problem}")
        self.event_type = event_type
        self.schema_version = schema_version
        self.problem = problem
        self.position = position


class BusyError(LedgerError):
    """The writer's queue is full; nothing was written. Try again in a moment."""

    def __init__(self, waiting: int, limit: int) -> None:
        super().__init__(f"{waiting} of at most {limit} events are waiting to be written: try again in a moment")
        self.waiting = waiting
        self.limit = limit


class ClosedError(LedgerError):
    """The writer has been closed; nothing was written."""

    def __init__(self) -> None:
        super().__init__("the writer is closed")


class StorageError(LedgerError):
    """The database refused (locked too long, a trigger); nothing was written."""


class UnavailableError(StorageError):
    """The database went away, or did not answer in time: whether what was sent to it is stored is not known.

    The same append may be sent again with the same ids.
    """


class DiskFullError(StorageError):
    """There is no room for what was to be written; nothing was written."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"disk full: make room where the database lies ({problem})")
        self.problem = problem


class LeftOutError(StorageError):
    """The database has stored fewer events than it was given, without an error: they are not acknowledged."""

    def __init__(self, stored: int, given: int) -> None:
        super().__init__(
            f"the database took {stored} of {given} events: a trigger or a rule that is none of the ledger's is on"
            " its tables; `rps-audit verify` names it"
        )
        self.stored = stored
        self.given = given


class ReplacedError(StorageError):
    """The database's file was removed or replaced while it was open: nothing that was written since counts."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(
            f"{path} {problem}: it was removed or replaced under this process, and nothing is acknowledged until"
            " the file is put back or the process restarted"
        )
        self.path = path
        self.problem = problem


class NoLedgerError(StorageError):
    """There is no database, and the caller is not one that makes it."""

    def __init__(self, path: object) -> None:
        super().__init__(f"no ledger at {path}: set RPS_DATA_DIR or run `rps setup`")
        self.path = path


class ClockError(StorageError):
    """The system's clock has jumped, and an event would keep its time for ever; nothing was written."""

    def __init__(self, jump_seconds: float, limit_seconds: float) -> None:
        way = "forward" if jump_seconds > 0 else "back"
        super().__init__(
            f"the system's clock has jumped {way} by {abs(jump_seconds):,.0f} seconds, more than"
            f" RPS_CLOCK_AHEAD_MAX ({limit_seconds:,.0f}): set it right, or, if its time is to stand,"
            ' run `rps clock accept --reason "..."`'
        )
        self.jump_seconds = jump_seconds
        self.limit_seconds = limit_seconds


class IdentityError(LedgerError):
    """The database is not the ledger that is known outside it."""


class DamagedError(StorageError):
    """The database's file is not as the database wrote it."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the database is damaged ({problem}): run `rps-audit verify`")
        self.problem = problem


class SchemaError(LedgerError):
    """The database's schema is not the one that this release was written for."""

    def __init__(self, actual: str | None, expected: str) -> None:
        # Migrations are numbered, so a later one has the greater name.
        newer = actual is not None and actual > expected
        remedy = "a newer release has been here: run that one" if newer else "run `rps migrate`"
        super().__init__(f"the database is at migration {actual or 'none'}, not {expected}: {remedy}")
        self.actual = actual
        self.expected = expected


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}..."
