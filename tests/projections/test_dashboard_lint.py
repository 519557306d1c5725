"""Each rule for boards, shown a board that breaks it."""

from collections.abc import Callable
from typing import Any

import pytest

from projections import series
from projections.dashboard.board import board
from projections.dashboard.history_targets import INFINITY
from projections.dashboard.lint import findings, row_keys
from projections.dashboard.variants import panels, translated

Board = dict[str, Any]


def panel(of: Board, id_: int) -> Board:
    return next(one for one in panels(of) if one["id"] == id_)


def target(of: Board, id_: int) -> Board:
    found: Board = panel(of, id_)["targets"][0]
    return found


def rename(of: Board) -> None:
    target(of, 212)["expr"] = "sum(increase(rps_games_played_total[1h]))"


def unknown_label(of: Board) -> None:
    target(of, 212)["expr"] = 'sum(increase(rps_games_total{model="xgboost"}[1h]))'


def unknown_grouping(of: Board) -> None:
    target(of, 212)["expr"] = "sum by (alias) (increase(rps_games_total[1h]))"


def lost_legend(of: Board) -> None:
    target(of, 212)["legendFormat"] = "{{difficulty}}"


def twice(of: Board) -> None:
    panel(of, 202)["id"] = 201


def lost(of: Board) -> None:
    of["panels"].remove(panel(of, 222))


def overlapping(of: Board) -> None:
    panel(of, 202)["gridPos"]["x"] = 9


def too_wide(of: Board) -> None:
    panel(of, 218)["gridPos"]["w"] = 25


def foreign_source(of: Board) -> None:
    panel(of, 201)["datasource"] = {"type": "prometheus", "uid": "P1809F7CD0C75ACF3"}


def foreign_source_of_a_variable(of: Board) -> None:
    of["templating"]["list"][0]["datasource"] = {"type": "prometheus", "uid": "other"}


def unknown_variable_series(of: Board) -> None:
    of["templating"]["list"][0]["query"]["query"] = "label_values(rps_rounds_total, policy)"


def unknown_column(of: Board) -> None:
    target(of, 218)["fields"][0]["jsonPath"] = "$[*].time"


def filtered_path(of: Board) -> None:
    target(of, 218)["fields"][0]["jsonPath"] = "$[?(@.p_value<0.2)].ts"


def absolute_path(of: Board) -> None:
    target(of, 218)["urlPath"] = "https://mlops-rps.uk/internal/promotion/history"


def other_uid(of: Board) -> None:
    of["uid"] = "copy"


def unknown_annotation_series(of: Board) -> None:
    of["annotations"]["list"][1]["expr"] = "rps_swaps_total"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (rename, "panel 212, query A: there is no series rps_games_played_total"),
        (unknown_label, "panel 212, query A: rps_games_total has no label model"),
        (unknown_grouping, "panel 212, query A: groups by alias, which no series in it has"),
        (lost_legend, "panel 212, query A: the legend shows difficulty, which is not left"),
        (twice, "panel id 201 is there 2 times"),
        (lost, "panel 222 is missing: alerts and render links name it"),
        (overlapping, "panel 202 overlaps panel 201"),
        (too_wide, "panel 218 does not fit the grid of 24 columns"),
        (foreign_source, "data source uid 'P1809F7CD0C75ACF3' is not among"),
        (foreign_source_of_a_variable, "data source uid 'other' is not among"),
        (unknown_variable_series, "variable policy: there is no series rps_rounds_total"),
        (unknown_column, "panel 218: a history row has no key time"),
        (filtered_path, "panel 218: '$[?(@.p_value<0.2)].ts' is no key of a row"),
        (absolute_path, "panel 218: the path is 'https://mlops-rps.uk/internal/promotion/history'"),
        (other_uid, "the board's uid is 'copy'"),
        (unknown_annotation_series, "annotation Swaps: there is no series rps_swaps_total"),
    ],
)
def test_a_broken_rule_is_found(spoil: Callable[[Board], None], said: str) -> None:
    spoiled = board()

    spoil(spoiled)

    found = findings(spoiled, row_keys())
    assert any(finding.startswith(said) for finding in found), found


def test_an_unknown_column_of_infinity_is_found() -> None:
    spoiled = translated(board(), INFINITY)

    target(spoiled, 218)["columns"][0]["selector"] = "time"

    assert findings(spoiled, row_keys()) == ["panel 218: a history row has no key time"]


def test_a_series_that_is_renamed_in_the_exposition_breaks_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(series.SAMPLE_LABELS, "rps_model_alias_rank")

    with pytest.raises(AssertionError, match="rps_model_alias_rank is no series of the ledger"):
        board()
