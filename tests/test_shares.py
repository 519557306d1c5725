import pytest


def test_the_end_of_a_run_says_what_its_marked_tests_took(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.postgresql
        @pytest.mark.parametrize("number", range(3))
        def test_marked(number):
            assert number < 2

        def test_other():
            pass
    """)
    pytester.makeini("[pytest]\nmarkers = postgresql: a mark")

    result = pytester.runpytest("-p", "tests.shares")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["postgresql: * s for 3 tests"])
    result.stdout.no_fnmatch_line("browser: *")
