from pathlib import Path

from bench.growth import Point, draw


def test_the_figure_is_drawn_as_both_kinds_and_the_same_again(tmp_path: Path) -> None:
    points = [Point(1_000, 1.0, 2.0, 300.0, 200.0, 1.0), Point(10_000, 1.1, 2.1, 310.0, 201.0, 10.0)]

    png, svg = draw(points, tmp_path)
    first = svg.read_bytes()
    draw(points, tmp_path)

    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"events in the ledger" in first
    assert svg.read_bytes() == first
