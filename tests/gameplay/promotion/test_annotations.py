import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gameplay.promotion.annotations import MOVES_MAX, Annotations, Moves
from ledger.events import Event
from ledger.store import Ledger
from ledger.streams import promotion_stream
from tests.builders import alias_pinned, aliases_assigned, aliases_planned, assignments, cycle_decided
from tests.gameplay.faults import registry_with_versions
from tests.gameplay.promotion.house import FAMILY

DESCRIPTION_MAX = 5_000  # MLflow's column
FIRST, SWAPPED = (1, 2, 3, 4), (2, 1, 3, 4)


def swap(reason: str = "B won 9 of 12 games, Production 3 of 11") -> list[Event]:
    """A cycle that swaps, from its decision to the plan's end."""
    moved = {"model_type": FAMILY, "cycle": 1, "assignments": assignments(FIRST, SWAPPED), "swapped": True}
    return [
        cycle_decided(model_type=FAMILY, reason=reason),
        aliases_planned(**moved),
        aliases_assigned(**moved, cause="promotion", plan=3),
    ]


def append(ledger: Ledger, batch: Sequence[Event]) -> int:
    """The position of the last one."""
    stream = promotion_stream(FAMILY)
    return ledger.append(stream, batch, ledger.version(stream)).last_position


def test_a_swap_is_written_down_with_its_reason_and_tagged(ledger: Ledger) -> None:
    registry, first = registry_with_versions(), append(ledger, [aliases_assigned(model_type=FAMILY)])
    position = append(ledger, swap())

    Annotations(ledger, registry).run()

    text = registry.described[FAMILY]
    assert "the policy `forrest` plays by it" in text
    assert "**Production is version 2** since" in text
    assert f"by swap at ledger position {position}: B won 9 of 12 games" in text
    newest, oldest = text.splitlines()[-2:]
    assert newest.startswith(f"| {position} |")
    assert "| swap | **v2** | **v1** | v3 | v4 | B won 9 of 12" in newest
    assert oldest.startswith(f"| {first} |")
    assert registry.tagged[FAMILY, 2] == {
        "ledger.position": str(position),
        "ledger.first": str(first),
        "ledger.swap": str(position),
    }
    assert registry.tagged[FAMILY, 3]["ledger.position"] == str(first)


def test_nothing_is_written_while_a_plan_is_open(ledger: Ledger) -> None:
    registry, annotations = registry_with_versions(), None
    append(ledger, [aliases_assigned(model_type=FAMILY)])
    decided, planned, assigned = swap()
    append(ledger, [decided, planned])
    annotations = Annotations(ledger, registry)
    annotations.run()
    before = dict(registry.described)

    append(ledger, [assigned])
    annotations.run()

    assert FAMILY not in before
    assert "| swap |" in registry.described[FAMILY]


def test_a_swap_that_was_approved_after_other_cycles_has_the_reason_of_its_own(ledger: Ledger) -> None:
    registry = registry_with_versions()
    append(ledger, [aliases_assigned(model_type=FAMILY)])
    decided, planned, assigned = swap()
    append(ledger, [decided, planned])
    for cycle in (2, 3):
        append(ledger, [cycle_decided(model_type=FAMILY, cycle=cycle, reason="the plan awaits approval")])
    append(ledger, [assigned])

    Annotations(ledger, registry).run()

    newest = registry.described[FAMILY].splitlines()[-2]
    assert "| swap | **v2** | **v1** | v3 | v4 | B won 9 of 12" in newest


def test_what_fails_is_written_by_the_next_run(ledger: Ledger) -> None:
    registry = registry_with_versions()
    annotations = Annotations(ledger, registry)
    append(ledger, [aliases_assigned(model_type=FAMILY), *swap()])
    registry.down = True
    annotations.run()
    problems = dict(annotations.problems)
    registry.down = False

    annotations.run()

    assert "it is down" in problems[FAMILY]
    assert annotations.problems == {}
    assert "| swap |" in registry.described[FAMILY]
    assert "ledger.swap" in registry.tagged[FAMILY, 1]


def test_a_registry_is_left_alone_while_nothing_moves(ledger: Ledger) -> None:
    registry = registry_with_versions()
    annotations = Annotations(ledger, registry)
    append(ledger, [aliases_assigned(model_type=FAMILY)])
    annotations.run()
    calls = registry.calls

    append(ledger, [cycle_decided(model_type=FAMILY, decision="retain_production")])
    annotations.run()

    assert registry.calls == calls


def test_a_version_that_is_gone_is_passed_over(ledger: Ledger) -> None:
    registry = registry_with_versions()
    append(ledger, [aliases_assigned(model_type=FAMILY)])
    del registry.kept[FAMILY, 4]

    Annotations(ledger, registry).run()

    assert FAMILY in registry.described
    assert (FAMILY, 4) not in registry.tagged


def test_each_kind_of_move_has_its_tag(ledger: Ledger) -> None:
    registry, kinds = registry_with_versions(count=6), {}
    append(ledger, [aliases_assigned(model_type=FAMILY)])
    before = FIRST
    for number, (cause, kind) in enumerate(
        [("training", "training"), ("report", "reported"), ("manual", "operator"), ("registry", "adopted")]
    ):
        after = (*before[:3], 5 + number % 2)
        moved = aliases_assigned(model_type=FAMILY, cause=cause, assignments=assignments(before, after))
        kinds[kind], before = append(ledger, [moved]), after

    Annotations(ledger, registry).run()

    found = registry.tagged[FAMILY, 5] | registry.tagged[FAMILY, 6]
    assert {kind: found[f"ledger.{kind}"] for kind in kinds} == {kind: str(at) for kind, at in kinds.items()}


def test_an_operators_orders_say_who_gave_them_and_why(ledger: Ledger) -> None:
    registry, stream = registry_with_versions(), []
    stream.append(append(ledger, [aliases_assigned(model_type=FAMILY)]))
    who = {"actor": "ada", "reason": "B | is worse\nthan it looks"}
    stream.append(append(ledger, [alias_pinned(model_type=FAMILY, alias="B", version=2, **who)]))
    moved = {"cause": "manual", "assignments": assignments(FIRST, SWAPPED), "swapped": True, **who}
    stream.append(append(ledger, [aliases_assigned(model_type=FAMILY, **moved)]))
    moved |= {"assignments": assignments(SWAPPED, FIRST), "undoes": stream[-1]}
    stream.append(append(ledger, [aliases_assigned(model_type=FAMILY, **moved)]))

    Annotations(ledger, registry).run()

    undo, swapped, pin, _ = registry.described[FAMILY].splitlines()[-4:]
    assert "| undo | **v1** | **v2** |" in undo
    assert "| swap | **v2** | **v1** |" in swapped
    assert "| pin | v1 | v2 | v3 | v4 | B: ada: B \\| is worse than it looks |" in pin
    assert registry.tagged[FAMILY, 2] == {
        "ledger.position": str(stream[3]),
        "ledger.first": str(stream[0]),
        "ledger.pin": str(stream[1]),
        "ledger.swap": str(stream[2]),
        "ledger.undo": str(stream[3]),
    }


@given(st.lists(st.text(max_size=400), max_size=30))
def test_the_text_fits_with_the_last_moves_whatever_their_reasons(reasons: list[str]) -> None:
    moves = Moves(FAMILY)
    events: list[Event] = [aliases_assigned(model_type=FAMILY)]
    for reason in reasons:
        events += swap(reason)

    for version, event in enumerate(events, start=1):
        moves.fold(event, version, 10**12 + version, 1_760_000_000_000_000)

    rows = [line for line in moves.text().splitlines() if line.startswith("| 1,000,")]
    assert len(moves.text()) <= DESCRIPTION_MAX
    assert len(rows) == min(MOVES_MAX, 1 + len(reasons))
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 9 for row in rows)
