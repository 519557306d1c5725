import pytest

from ledger.evidence import RuleVerdict
from projections.commands.looks import e_value, otherwise, print_looks, print_windows
from tests.builders import cycle_decided, statistics


def verdict(rule: str, decision: str) -> RuleVerdict:
    return RuleVerdict(
        rule=rule,
        decision=decision,  # type: ignore[arg-type]
        reason_code="not_better",
        z_statistic=None,
        p_value=None,
    )


def test_a_look_is_a_line_with_every_statistic(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("columns", "console"):
        monkeypatch.setattr(f"projections.commands.{room}.PIPE_COLUMNS", 200)
    print_looks([cycle_decided()])

    shown = capsys.readouterr().out
    for cell in ("+0.350", "+0.093 to +0.550", "-0.076 to +0.695", "0.0148", "5.92", "0.1690", "140", "swap"):
        assert cell in shown


def test_both_windows_are_shown_by_kind_of_player(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("columns", "console"):
        monkeypatch.setattr(f"projections.commands.{room}.PIPE_COLUMNS", 200)
    print_windows([cycle_decided(), cycle_decided(windows=None)])

    swap, pair = (line.split() for line in capsys.readouterr().out.splitlines() if "feedforward" in line)
    assert swap[1:] == [
        "since",
        "the",
        "swap,",
        "mixed",
        "0",
        "v1",
        "8/20",
        "-",
        "-",
        "v2,",
        "v5",
        "15/19",
        "0/1",
        "-",
    ]
    assert pair[1:] == ["version", "pair", "400", "v1", "8/20", "-", "-", "v2", "13/16", "0/1", "-"]


def test_cycles_without_statistics_have_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_looks([cycle_decided(statistics=None, verdicts=())])

    assert capsys.readouterr().out == ""


def test_a_look_without_games_shows_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    empty = statistics(difference=None, interval=None, sequence=None, exact_p=None, games_needed=None)

    print_looks([cycle_decided(statistics=empty)])

    assert " - " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("log_e", "shown"), [(0.0, "1.00"), (-6.3, "0.00"), (13.8, "984,609.11"), (1_337.4, "10^581")]
)
def test_e_is_shown_however_large(log_e: float, shown: str) -> None:
    assert e_value(statistics(log_e=log_e)) == shown


def test_a_cycle_names_the_rules_that_would_have_decided_otherwise() -> None:
    both = (verdict("ztest/1", "swap_production_b"), verdict("anytime-sign/1", "retain_production"))

    assert otherwise(cycle_decided(verdicts=both)) == "anytime-sign/1: retain"
    assert otherwise(cycle_decided(verdicts=both[:1])) is None
    assert otherwise(cycle_decided(verdicts=())) is None
    assert e_value(None) is None
