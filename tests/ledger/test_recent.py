from hypothesis import given
from hypothesis import strategies as st

from ledger.chain import GENESIS
from ledger.entries import Entry, Head
from ledger.recent import Recent
from tests.builders import game_started
from tests.projections.stories import entries

START = Head(0, GENESIS, 0)
HISTORY = [entry for entry, _ in entries([game_started(game_id=f"g{number}") for number in range(40)])]
OTHER = [entry for entry, _ in entries([game_started(game_id=f"h{number}") for number in range(40)])]


def head_at(history: list[Entry], position: int) -> Head:
    return history[position - 1].head if position else START


HISTORIES = {"one": HISTORY, "other": OTHER}
names = st.sampled_from(sorted(HISTORIES))
batches = st.lists(st.tuples(names, st.integers(0, 39), st.integers(1, 9)), min_size=1, max_size=12)
"""What is added: of which history, after which position, and how many."""


@given(added=batches, name=names, after=st.integers(0, 40), limit=st.integers(1, 50))
def test_what_is_given_follows_the_head_that_was_asked_for(
    added: list[tuple[str, int, int]], name: str, after: int, limit: int
) -> None:
    recent = Recent(entries_max=12)
    for other, before, count in added:
        recent.add(head_at(HISTORIES[other], before), HISTORIES[other][before : before + count])

    head = head_at(HISTORIES[name], after)
    found = recent.after(head, limit)

    holding = [history for history in HISTORIES.values() if head_at(history, after) == head]
    assert found in [history[after : after + len(found)] for history in holding]
    assert len(found) <= limit
    last, before, count = HISTORIES[added[-1][0]], added[-1][1], added[-1][2]
    assert recent.after(head_at(last, before), count) == last[before : before + count]


def test_entries_that_follow_each_other_are_given_at_once() -> None:
    recent = Recent()
    for start in range(0, 40, 5):
        recent.add(head_at(HISTORY, start), HISTORY[start : start + 5])

    assert recent.after(START, 100) == HISTORY
    assert recent.after(HISTORY[6].head, 3) == HISTORY[7:10]
    assert recent.after(HISTORY[-1].head, 3) == []


def test_the_oldest_are_let_go() -> None:
    recent = Recent(entries_max=5)
    for position in range(40):
        recent.add(head_at(HISTORY, position), HISTORY[position : position + 1])

    assert recent.after(head_at(HISTORY, 20), 100) == []
    assert recent.after(head_at(HISTORY, 35), 100) == HISTORY[35:]


def test_nothing_is_known_of_what_came_before_a_gap() -> None:
    recent = Recent()
    recent.add(START, HISTORY[:5])
    recent.add(head_at(HISTORY, 7), HISTORY[7:9])

    assert recent.after(START, 100) == []
    assert recent.after(head_at(HISTORY, 7), 100) == HISTORY[7:9]


def test_after_it_was_cleared_it_knows_nothing_and_begins_again() -> None:
    recent = Recent()
    recent.add(START, HISTORY[:5])
    recent.clear()
    assert recent.after(START, 100) == []

    recent.add(head_at(HISTORY, 5), HISTORY[5:7])

    assert recent.after(head_at(HISTORY, 5), 100) == HISTORY[5:7]
