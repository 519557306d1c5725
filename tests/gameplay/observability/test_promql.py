import pytest

from gameplay.observability.promql import grouped, growth, labels_left, names, share, vector


def test_a_selector_is_written_when_series_and_labels_exist() -> None:
    assert vector("rps_games_total", 'policy=~"$policy"', window="5m") == 'rps_games_total{policy=~"$policy"}[5m]'
    assert vector("rps_training_duration_seconds_bucket", 'le="10.0"').startswith("rps_training_duration_seconds_")


@pytest.mark.parametrize(
    ("sample", "matcher"),
    [
        ("rps_games", 'policy="brian"'),
        ("rps_training_duration_seconds", 'model_type="xgboost"'),
        ("rps_games_total", 'model="xgboost"'),
        ("rps_games_total", "policy"),
    ],
)
def test_a_selector_is_refused_when_nothing_has_that_name(sample: str, matcher: str) -> None:
    with pytest.raises(AssertionError):
        vector(sample, matcher)


def test_a_share_leaves_out_what_has_not_happened() -> None:
    written = share("rps_game_wins_total", "rps_games_total", window="12h", by="policy")

    assert written == (
        "sum by (policy) (increase(rps_game_wins_total[12h]))"
        " / (sum by (policy) (increase(rps_games_total[12h])) > 0)"
    )


def test_an_aggregation_over_nothing_needs_no_labels() -> None:
    assert grouped("sum", "", "rps_active_games") == "sum(rps_active_games)"
    assert growth("rps_games_total", window="1h", by="") == "sum(increase(rps_games_total[1h]))"


@pytest.mark.parametrize(
    ("expression", "metrics", "grouping", "made"),
    [
        ("a", {"a": set()}, set(), set()),
        ('sum by (x, y) (rate(a_total{b=~"c|d", e!="f"}[5m])) * 60', {"a_total": {"b", "e"}}, {"x", "y"}, set()),
        ("sum(a) by (x)", {"a": set()}, {"x"}, set()),
        ("a - on (m) group_left (n) b offset 30m", {"a": set(), "b": set()}, {"m", "n"}, set()),
        ('a{x="by (y) {z}"} > 1e3 and on () b', {"a": {"x"}, "b": set()}, set(), set()),
        ('label_join(a{s="t"}, "model", "", "model_type")', {"a": {"s"}}, set(), {"model"}),
        ("histogram_quantile(0.95, sum by (le) (b_bucket)) or NaN", {"b_bucket": set()}, {"le"}, set()),
        ("rps:ratio_12h unless bool_gauge", {"rps:ratio_12h": set(), "bool_gauge": set()}, set(), set()),
        ("time() - max(a or 0 * b)", {"a": set(), "b": set()}, set(), set()),
        ("sum without (x) (a)", {"a": set()}, set(), set()),
        ("a / ignoring (x) group_left b", {"a": set(), "b": set()}, set(), set()),
        ("SUM BY (x) (a) AND ON (y) b OFFSET 5m", {"a": set(), "b": set()}, {"x", "y"}, set()),
        ("# how many a\nsum(b) # of c\n", {"b": set()}, set(), set()),
        ('a{x="#1"} and b', {"a": {"x"}, "b": set()}, set(), set()),
        ("a{x='by (y)', z = \"`\"}", {"a": {"x", "z"}}, set(), set()),
        ('sum by ($group, x) (a{y=~"${policy:regex}"}) > ${bound}', {"a": {"y"}}, {"x"}, set()),
        ('count_values by (x) ("version", a)', {"a": set()}, {"x"}, {"version"}),
    ],
)
def test_the_names_in_an_expression_are_found(
    expression: str, metrics: dict[str, set[str]], grouping: set[str], made: set[str]
) -> None:
    assert tuple(names(expression)) == (metrics, grouping, made)


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("sum(a)", set()),
        ("sum by (x, y) (a) * 60", {"x", "y"}),
        ("SUM (a) BY (x) > 0", {"x"}),
        ("# a\nmax by (x) (a)", {"x"}),
        ("sum by (x) (a) / (sum by (x) (b) > 0)", {"x"}),
        ("quantile(0.9, a)", set()),
        ('sum by (x) (a{y=")"})', {"x"}),
        ("sum without (x) (a)", None),
        ("sum by ($group) (a)", None),
        ("a", None),
        ("topk(3, a)", None),
        ("histogram_quantile(0.95, sum by (le, x) (a))", None),
        ("sum by (x) (a) * on (x) group_left (y) b", None),
        ("sum by (x) (a) or sum by (y) (b)", None),
        ("sum(a", set()),
    ],
)
def test_the_labels_that_an_aggregation_leaves_are_reported_when_it_comes_last(
    expression: str, left: set[str] | None
) -> None:
    assert labels_left(expression) == left
