"""Triggers that keep the log append-only below the code, for each kind of database.

Only the migrations make them; a test proves that both say the same, and an audit compares what a database has.
"""

from typing import Final, NamedTuple

# INSERT OR REPLACE deletes without firing a DELETE trigger; the third trigger leaves it nothing to replace.
SQLITE: Final = {
    "events_refuse_update": """
CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no update');
END""",
    "events_refuse_delete": """
CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: no delete');
END""",
    "events_demand_order": """
CREATE TRIGGER events_demand_order BEFORE INSERT ON events BEGIN
    SELECT raise(ABORT, 'events are append-only: position must be the next one')
    WHERE NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events);
    SELECT raise(ABORT, 'events are append-only: version must be the next one of the stream')
    WHERE NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream);
    SELECT raise(ABORT, 'events are append-only: event id is taken')
    WHERE EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id);
END""",
    "seals_refuse_update": """
CREATE TRIGGER seals_refuse_update BEFORE UPDATE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no update');
END""",
    "seals_refuse_delete": """
CREATE TRIGGER seals_refuse_delete BEFORE DELETE ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: no delete');
END""",
    "seals_demand_order": """
CREATE TRIGGER seals_demand_order BEFORE INSERT ON seals BEGIN
    SELECT raise(ABORT, 'seals are append-only: a seal must cover more than the one before')
    WHERE NEW.size <= (SELECT coalesce(max(size), 0) FROM seals);
END""",
    "identity_refuse_update": """
CREATE TRIGGER identity_refuse_update BEFORE UPDATE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no update');
END""",
    "identity_refuse_delete": """
CREATE TRIGGER identity_refuse_delete BEFORE DELETE ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger keeps its id: no delete');
END""",
    "identity_demand_one": """
CREATE TRIGGER identity_demand_one BEFORE INSERT ON ledger_identity BEGIN
    SELECT raise(ABORT, 'a ledger has one id')
    WHERE EXISTS (SELECT 1 FROM ledger_identity);
END""",
}
"""The statement that makes each trigger, as SQLite stores it."""


class Guard(NamedTuple):
    """A trigger of PostgreSQL's: on a table, at an event, and the function that it calls."""

    table: str
    when: str
    function: str
    argument: str = ""


# One statement may insert many rows, and is checked once, with all of them at hand: the positions go on from the
# head, and each version from the one before it, which an index finds among the old rows and the new; to look for
# the newest of each stream takes as long as to insert the rows. The head's row is what remembers a tail that was
# cut off. It also makes two writers who know of no lock wait for each other, and the later one finds its position
# taken.
FUNCTIONS: Final = {
    "refuse_change": """
BEGIN
    RAISE EXCEPTION '%: no %', TG_ARGV[0], lower(TG_OP) USING ERRCODE = 'integrity_constraint_violation';
END""",
    "demand_event_order": """
DECLARE
    added_count bigint;
    first_position bigint;
    last_position bigint;
    is_torn boolean;
BEGIN
    SELECT count(*), min(position), max(position), bool_or(version <> 1 AND (
        SELECT 1 FROM events AS before WHERE before.stream = added.stream AND before.version = added.version - 1
    ) IS NULL) INTO added_count, first_position, last_position, is_torn FROM added;
    IF added_count = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE ledger_head SET position = last_position WHERE position = first_position - 1;
    IF NOT FOUND OR last_position - first_position + 1 <> added_count THEN
        RAISE EXCEPTION '%: position must be the next one', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF is_torn THEN
        RAISE EXCEPTION '%: version must be the next one of the stream', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END""",
    "demand_seal_order": """
BEGIN
    IF NEW.size <= (SELECT coalesce(max(size), 0) FROM seals) THEN
        RAISE EXCEPTION '%: a seal must cover more than the one before', TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END""",
    "demand_one_identity": """
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_identity) THEN
        RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END""",
}
"""The body of each function, as PostgreSQL stores it."""

_CHANGE = "BEFORE UPDATE OR DELETE OR TRUNCATE"
_EVENTS, _SEALS = "events are append-only", "seals are append-only"
GUARDS: Final = {
    "events_refuse_change": Guard("events", f"{_CHANGE} {{on}} FOR EACH STATEMENT", "refuse_change", _EVENTS),
    "events_demand_order": Guard(
        "events",
        "AFTER INSERT {on} REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
        "demand_event_order",
        _EVENTS,
    ),
    "seals_refuse_change": Guard("seals", f"{_CHANGE} {{on}} FOR EACH STATEMENT", "refuse_change", _SEALS),
    "seals_demand_order": Guard("seals", "BEFORE INSERT {on} FOR EACH ROW", "demand_seal_order", _SEALS),
    "identity_refuse_change": Guard(
        "ledger_identity", f"{_CHANGE} {{on}} FOR EACH STATEMENT", "refuse_change", "a ledger keeps its id"
    ),
    "identity_demand_one": Guard(
        "ledger_identity", "BEFORE INSERT {on} FOR EACH ROW", "demand_one_identity", "a ledger has one id"
    ),
}
"""PostgreSQL's triggers by name."""
GUARDED: Final = frozenset(guard.table for guard in GUARDS.values())
"""The tables on which a trigger of another program's could leave out what is to be stored."""


def make_function(name: str) -> str:
    """The statement that makes a function.

    It runs with its owner's rights, so that the role which appends need not be allowed to move the head. Then its
    search path must be its own: a caller's temporary table would stand in for the head.
    """
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path FROM CURRENT AS $body${FUNCTIONS[name]}$body$"
    )


def make_guard(name: str) -> str:
    """The statement that makes a trigger."""
    guard = GUARDS[name]
    when = guard.when.format(on=f"ON {guard.table}")
    return f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {guard.function}('{guard.argument}')"


FIX_SEARCH_PATH: Final = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
"""Until the transaction's end: what the functions are made with."""
