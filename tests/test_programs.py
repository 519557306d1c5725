import pytest

SUITE = """
import pytest
from tests.programs import require, require_packaged

@pytest.fixture(scope="session")
def server():
    return require("a-program-that-no-system-has")

@pytest.mark.parametrize("number", range(3))
def test_with_the_server(server, number): ...

def test_with_a_wheel():
    require_packaged("weed", "a-distribution-that-is-not-installed")

def test_that_needs_nothing(): ...

@pytest.mark.skip(reason="of another reason")
def test_that_is_skipped(): ...
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose tests need programs that are missing."""
    pytester.makepyfile(SUITE)
    return pytester


def test_a_run_says_how_many_tests_it_left_out_and_what_installs_their_programs(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)

    ran = suite.runpytest_inprocess("-p", "tests.left_out")

    ran.assert_outcomes(passed=1, skipped=5)
    ran.stdout.fnmatch_lines(
        [
            "*left out for a missing program*",
            "3 tests: a-program-that-no-system-has is not installed (Debian: apt-get install *)",
            "1 test: weed is not installed (pip install a-distribution-that-is-not-installed)",
            "4 tests were left out",
        ]
    )


def test_on_ci_a_missing_program_fails_its_tests(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    ran = suite.runpytest_inprocess("-p", "tests.left_out")

    ran.assert_outcomes(passed=1, failed=1, errors=3, skipped=1)
    ran.stdout.no_fnmatch_line("*left out for a missing program*")
