"""What is asked of the promotion history: typed columns of its rows, and what narrows them.

Columns are typed since no plugin can be trusted to guess: one null turns a column of numbers into text.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from gameplay.observability.site import HISTORY_PATH
from ledger.vocabulary import DECISIONS

ColumnType = Literal["time", "number", "string", "boolean"]


class Column(NamedTuple):
    key: str
    heading: str
    type: ColumnType


class HistoryQuery(NamedTuple):
    """Columns of the rows behind a path, narrowed by parameters; the same for every plugin."""

    columns: tuple[Column, ...]
    params: Mapping[str, str]
    path: str = HISTORY_PATH
    ref: str = "A"


LEDGER_COLUMNS = (
    Column("ts", "Time", "time"),
    Column("model_type", "Model", "string"),
    Column("decision", "Decision", "string"),
    Column("applied", "Applied", "boolean"),
    Column("production_win_rate", "Production win rate", "number"),
    Column("b_win_rate", "B win rate", "number"),
    Column("z_statistic", "z", "number"),
    Column("p_value", "p", "number"),
    Column("position", "Position", "number"),
    Column("reason", "Reason", "string"),
)
# Grafana's annotations know their fields by these names.
SWAP_COLUMNS = (
    Column("ts", "time", "time"),
    Column("title", "title", "string"),
    Column("text", "text", "string"),
    Column("tags", "tags", "string"),
)
TOTALS_COLUMNS = (
    Column("model", "Model", "string"),
    *(Column(decision, decision, "number") for decision in DECISIONS),
    Column("total_events", "Cycles", "number"),
)
SWAPS: Final = {
    "decision": "swap_production_b",
    "from": "$__isoFrom()",
    "to": "$__isoTo()",
    "limit": "200",
}
