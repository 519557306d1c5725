"""What narrows, sorts and pages the cycles, alike in the history, on the page of decisions and in its CSV."""

from typing import Final, Literal

from gameplay.web.description import Parameter
from ledger.vocabulary import Decision, Family
from projections.read_models.history_order import Order, Sort

CYCLES: Final = (
    Parameter("model_type", Family, "xgboost", "One family, or several.", repeated=True),
    Parameter("decision", Decision, "swap_production_b", "One decision, or several.", repeated=True),
    Parameter("rule", Literal["ztest/1", "anytime-sign/1"], "ztest/1", "Cycles of this rule."),
    Parameter("since", str, "2026-11-01", "Not before this time; ISO 8601 or epoch."),
    Parameter("from", str, "2026-11-01", "The same."),
    Parameter("to", str, "2126-11-01T00:00:00Z", "Before this time."),
    Parameter("before_id", int, 9_000_000, "Rows before this one."),
    Parameter("after_id", int, 1, "Rows after this one."),
    Parameter("sort", Sort, "time", "By this; rows without a value come last."),
    Parameter("order", Order, "desc", "Which way."),
    Parameter("cursor", int, 9_000_000, "The last row of the page before: the next page, in the same order."),
)
