"""PostgreSQL's check of an insert by one seek for each event, where it walked through each stream's versions."""

from ledger.engines.dialects import execute

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

POSTGRESQL = (
    # What the function is made with, until the transaction's end.
    "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)",
    """
CREATE OR REPLACE FUNCTION demand_event_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $body$
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
END$body$""",
)


def upgrade() -> None:
    """Lead forward; a file's trigger stays as it is."""
    execute(postgresql=POSTGRESQL)
