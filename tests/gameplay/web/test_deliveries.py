import pytest

from gameplay.web import deliveries
from gameplay.web.deliveries import FRESH_SECONDS, Deliveries


def test_a_delivery_counts_once_until_its_time_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    seen = Deliveries(lambda: now[0])

    assert [seen.is_new("a"), seen.is_new("a"), seen.is_new("b")] == [True, False, True]
    now[0] += 2 * FRESH_SECONDS + 1
    assert seen.is_new("a")

    monkeypatch.setattr(deliveries, "DELIVERIES_MAX", 2)
    assert [seen.is_new(name) for name in ("c", "d", "d")] == [True, True, False]
    assert len(seen._seen) == 2
