from typing import Any

import pytest

from gameplay.promotion.operator.execution import execute, preview
from gameplay.refusals import Invalid
from tests.gameplay.promotion.house import House
from tests.gameplay.promotion.operator.ordering import swap


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": ""}, "the reason is empty"),
        ({"reason": " \t\n\u2003"}, "the reason is empty"),
        ({"reason": "x" * 4_001}, "at most 4000 characters"),
        ({"reason": "nul\0"}, "at most 4000 characters"),
        ({"reason": "half \ud800"}, "half a surrogate pair"),
        ({"actor": ""}, "the actor is a name"),
        ({"actor": "  "}, "the actor is a name"),
        ({"actor": "a\nb"}, "the actor is a name"),
        ({"actor": "a" * 201}, "the actor is a name"),
        ({"actor": "\udcff"}, "half a surrogate pair"),
        ({"key": ""}, "the key must have 1 to 200 characters"),
        ({"key": "k" * 201}, "the key must have 1 to 200 characters"),
    ],
)
def test_an_order_without_a_proper_origin_is_refused_before_anything_is_looked_at(
    house: House, changes: dict[str, Any], problem: str
) -> None:
    head, calls = house.ledger.head(), house.registry.calls

    for act in (execute, preview):
        with pytest.raises(Invalid, match=problem):
            act(house.process(), swap(**changes))

    assert (house.ledger.head(), house.registry.calls) == (head, calls)


def test_a_reason_may_have_lines_and_any_letters(house: House) -> None:
    done = execute(house.process(), swap(actor="Ada Lovelace ✓", reason="first line\nsecond line: é 空"))

    assert done.event.reason == "first line\nsecond line: é 空"
