import pytest

from ledger.events import VersionRun
from ledger.evidence import ParityFound
from ledger.store import Ledger
from ledger.vocabulary import Family
from projections.audit.parity import RunSeen, read_parity_checks
from tests.builders import game_started, parity_checked, training_completed
from tests.projections.stories import append

FAMILY: Family = "feedforward_nn"


def found(position: int, differences: int) -> ParityFound:
    return ParityFound(position=position, rounds=400, differences=differences)


@pytest.fixture
def checked(ledger: Ledger) -> Ledger:
    """Version 5 is checked twice as the run that made it, and once as another; version 1 as one without a run."""
    append(
        ledger,
        training_completed(model_version=5, run_id="r5"),
        parity_checked(version=5, run_id="r5", differences=3),
        game_started(),
        parity_checked(version=5, run_id="r5", differences=1),
        training_completed(status="failure", model_version=None, run_id=None),
        training_completed(model_version=5, run_id="again"),
        parity_checked(version=5, run_id="again", differences=2),
        parity_checked(version=1, run_id=None, differences=4),
        parity_checked(version=5, model_type="xgboost", run_id="again", differences=9),
    )
    return ledger


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (1, None),
        (2, found(2, 3)),
        (3, found(2, 3)),
        (4, found(4, 1)),
        (5, found(4, 1)),
        (6, None),  # its number means a run that nothing has checked
        (7, found(7, 2)),
        (99, found(7, 2)),
    ],
)
def test_the_newest_check_is_that_of_the_position(
    checked: Ledger, position: int, expected: ParityFound | None
) -> None:
    assert read_parity_checks(checked, FAMILY, []).newest(5, position) == expected


def test_a_check_of_a_version_without_a_run_holds_until_a_run_is_known(checked: Ledger) -> None:
    run = VersionRun(version=1, run_id="r1", graph_sha256=None)
    unknown, known = (read_parity_checks(checked, FAMILY, runs) for runs in ([], [RunSeen(9, run)]))

    assert [checks.newest(1, position) for checks in (unknown, known) for position in (7, 8, 9)] == [
        *(None, found(8, 4), found(8, 4)),
        *(None, found(8, 4), None),
    ]
    assert unknown.newest(2, 99) is None


def test_a_family_without_checks_has_none(checked: Ledger) -> None:
    assert read_parity_checks(checked, "multinomial_logistic", []).newest(5, 99) is None
