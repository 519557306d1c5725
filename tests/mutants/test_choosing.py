from tests.mutants.choosing import SECONDS_MAX, choose
from tests.mutants.drawing import Mutant
from tests.mutants.recording import Recording, merged

SOURCE = "def f(x):\n    y = x + 1\n    return g(\n        y,\n        -3,\n    )\n"
OWN, OTHER, SLOW, SERVER = "tests/ledger/test_box.py::a", "tests/b.py::b", "tests/c.py::c", "tests/d.py::d"
SECONDS = {OWN: 2.0, OTHER: 1.0, SLOW: 3.0, SERVER: 0.1}


def mutant(line: int = 2) -> Mutant:
    return Mutant("ledger/box.py", "f", 1, line, "y = x - 1", "y = x + 1", SOURCE)


def recording(lines: dict[int, list[str]], seconds: dict[str, float] = SECONDS) -> Recording:
    return Recording({"ledger/box.py": lines}, seconds, with_server=[SERVER], failed=[])


def test_the_module_s_own_tests_come_first_and_then_the_fastest() -> None:
    job = choose(mutant(), recording({2: [SLOW, OTHER, OWN]}))

    assert list(job.tests.items()) == [(OWN, 2.0), (OTHER, 1.0), (SLOW, 3.0)]
    assert not job.fresh


def test_tests_are_chosen_up_to_a_limit_and_one_at_least() -> None:
    long = SECONDS | {OWN: SECONDS_MAX + 1}

    assert list(choose(mutant(), recording({2: [OWN]}, long)).tests) == [OWN]
    assert list(choose(mutant(), recording({2: [OTHER, SLOW]}, long | {SLOW: SECONDS_MAX})).tests) == [OTHER]


def test_slow_tests_of_the_module_s_own_leave_time_for_others() -> None:
    quick, slow = f"{OWN}1", f"{OWN}2"
    seconds = {quick: 1.0, slow: SECONDS_MAX / 2 + 1, OTHER: 2.0, SLOW: SECONDS_MAX / 2 - 3}

    assert list(choose(mutant(), recording({2: [*seconds]}, seconds)).tests) == [quick, OTHER, SLOW]


def test_a_test_with_a_server_is_chosen_where_no_other_runs_the_line() -> None:
    assert list(choose(mutant(), recording({2: [SERVER, SLOW]})).tests) == [SLOW]
    assert list(choose(mutant(), recording({2: [SERVER]})).tests) == [SERVER]


def test_a_test_that_does_not_pass_by_itself_is_not_chosen() -> None:
    assert list(choose(mutant(), recording({2: ["tests/e.py::skipped", SLOW]})).tests) == [SLOW]


def test_a_part_of_a_call_is_run_where_the_call_begins() -> None:
    assert list(choose(mutant(line=5), recording({2: [OTHER], 3: [SLOW]})).tests) == [SLOW]


def test_what_an_import_runs_is_imported_again() -> None:
    job = choose(mutant(), recording({2: ["", OTHER], 3: [SLOW]}))

    assert (list(job.tests), job.fresh) == ([OWN, OTHER, SLOW], True)


def test_a_line_that_no_test_runs_is_tried_with_all_that_run_the_module() -> None:
    job = choose(mutant(), recording({3: [SLOW]}, {SLOW: 3.0}))

    assert (list(job.tests), job.fresh) == ([SLOW], True)


def test_a_line_that_no_test_runs_is_tried_with_the_module_s_own_which_may_start_a_program() -> None:
    job = choose(mutant(), recording({3: [SLOW]}, SECONDS | {"tests/ledger/test_box.py::started": 1.0}))

    assert (list(job.tests), job.fresh) == (["tests/ledger/test_box.py::started", OWN, SLOW], True)


def test_the_shares_of_a_recording_make_one() -> None:
    whole = merged([recording({2: [OWN]}, {OWN: 2.0}), recording({2: [OTHER], 3: [OTHER]}, {OTHER: 1.0})])

    assert whole.lines == {"ledger/box.py": {2: [OWN, OTHER], 3: [OTHER]}}
    assert whole.seconds == {OWN: 2.0, OTHER: 1.0}
