import re
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ledger.engines.database import open_reader
from ledger.store import Ledger
from projections.audit.replay import Replay
from projections.errors import BackfillError
from projections.metrics.backfill import (
    HEAD_BLOCK_SECONDS,
    MANIFEST,
    Manifest,
    make_blocks,
    write_backfill,
)
from projections.metrics.exposition import LedgerCollector
from scripts.ports import free_port
from tests.disks import files_of_at_most
from tests.programs import require
from tests.prometheus.processes import get, running, wait_for

LABELS = {"job": "rps-ledger", "instance": "ledger"}
STEP_SECONDS = 240
BEGAN = 1_762_156_800
"""2025-11-03T08:00:00Z, when the example begins."""
YEARS_LATER = BEGAN + 10**8
OF_A_HISTOGRAM = re.compile(r'_(bucket|count|sum)(?=\{)|,le="[^"]*"')
"""What its series have of their own, each beside the others."""


@pytest.fixture(scope="module")
def played(example: Path) -> Iterator[Ledger]:
    """The example, for reading."""
    engine = open_reader(f"sqlite:///{example}")
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def written(played: Ledger, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The example's backfill, and where it is."""
    out = tmp_path_factory.mktemp("backfill") / "out"
    return out, fill(played, out)


def fill(
    ledger: Ledger,
    out: Path,
    *,
    now: float = YEARS_LATER,
    from_us: int | None = None,
    to_us: int | None = None,
) -> Manifest:
    return write_backfill(
        ledger,
        out,
        step_seconds=STEP_SECONDS,
        since_us=0,
        labels=LABELS,
        now_seconds=now,
        from_us=from_us,
        to_us=to_us,
    )


def counters(ledger: Ledger, position: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of every counter and histogram at a position, by name and labels."""
    replay = Replay(ledger)
    replay.advance(position)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in LedgerCollector(replay.read_models).collect()
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def test_the_manifest_says_what_the_files_hold(played: Ledger, written: tuple[Path, Manifest]) -> None:
    out, manifest = written

    assert msgspec.json.decode((out / MANIFEST).read_bytes(), type=Manifest) == manifest
    assert sorted(path.name for path in out.iterdir()) == sorted([MANIFEST, *manifest.files])
    assert manifest.last_position == played.head().position
    assert len(manifest.files) == 7
    assert manifest.from_seconds < BEGAN
    assert manifest.from_seconds % STEP_SECONDS == manifest.to_seconds % STEP_SECONDS == 0


def test_a_file_is_openmetrics_with_the_state_at_each_time(played: Ledger, written: tuple[Path, Manifest]) -> None:
    out, manifest = written
    # Of a histogram's second time the library's parser keeps one bucket; Prometheus is asked about those below.
    lines = (out / manifest.files[-1]).read_text("utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if "rps_training_duration_seconds" not in line)
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    position, seconds = manifest.last_position, manifest.to_seconds

    shown = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if float(sample.timestamp) == seconds
    }

    replay = Replay(played)
    replay.advance(position)
    expected = {
        (sample.name, tuple(sorted({**sample.labels, **LABELS}.items()))): sample.value
        for family in LedgerCollector(replay.read_models).collect()
        for sample in family.samples
        if family.type != "histogram"
    }
    assert shown == expected
    assert {family.type for family in families} == {"counter", "gauge"}


def test_a_series_is_in_one_piece_with_its_times_in_order(
    played: Ledger, written: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """As OpenMetrics asks for it: all samples of one, then all of the next, and a histogram's by their time."""
    out = tmp_path / "last_hours"
    manifest = fill(played, out, from_us=(written[1].to_seconds - 3 * STEP_SECONDS) * 1_000_000)
    lines = (out / manifest.files[-1]).read_text("utf-8").splitlines()
    samples = [line.rsplit(" ", 2) for line in lines if not line.startswith("#")]
    pieces = [
        (series, [int(seconds) for _, _, seconds in piece])
        for series, piece in groupby(samples, key=lambda one: OF_A_HISTOGRAM.sub("", one[0]))
    ]

    times = [*range(manifest.from_seconds, manifest.to_seconds + 1, STEP_SECONDS)]
    assert len(times) > 2
    assert len({series for series, _ in pieces}) == len(pieces)
    assert {tuple(dict.fromkeys(seconds)) for _, seconds in pieces} == {tuple(times)}
    assert all(seconds == sorted(seconds) for _, seconds in pieces)


def test_all_counters_begin_at_zero(written: tuple[Path, Manifest]) -> None:
    """A counter that is born at 1 would hide its first event from increase()."""
    out, manifest = written
    first = f" {manifest.from_seconds}\n"

    with (out / manifest.files[0]).open() as file:
        values = {line.split(" ")[-2] for line in file if line.endswith(first) and "_total{" in line}

    assert values == {"0.0"}


def test_promtool_drops_nothing(written: tuple[Path, Manifest]) -> None:
    out, manifest = written

    blocks = make_blocks(out, manifest, require("promtool"))

    assert blocks.samples == manifest.samples
    assert blocks.blocks >= len(manifest.files)


def test_prometheus_counts_what_the_ledger_counts(
    played: Ledger, written: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """increase() over the whole time equals the ledger's own counts, exactly, for every counter."""
    prometheus, promtool = require("prometheus"), require("promtool")
    source, manifest = written
    out = Path(shutil.copytree(source, tmp_path / "out", ignore=shutil.ignore_patterns("blocks")))
    make_blocks(out, manifest, promtool)
    expected = counters(played, manifest.last_position)
    (tmp_path / "prometheus.yml").touch()
    address = f"127.0.0.1:{free_port()}"
    server = [
        prometheus,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={out / 'blocks'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]

    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    with running(server, tmp_path / "prometheus.log"):
        wait_for("Prometheus answers", lambda: get(f"http://{address}/api/v1/query", query="1"))
        seconds = manifest.to_seconds - manifest.from_seconds
        for name in sorted({name for name, _ in expected}):
            query = f"increase({name}[{seconds}s])"
            answer = get(f"http://{address}/api/v1/query", query=query, time=str(manifest.to_seconds))
            for one in answer["data"]["result"]:
                labels = {key: value for key, value in one["metric"].items() if key not in LABELS}
                found[name, tuple(sorted(labels.items()))] = float(one["value"][1])

    assert found == expected
    assert sum(value for (name, _), value in found.items() if name == "rps_games_total") > 100


def test_only_what_is_asked_for_is_written(played: Ledger, tmp_path: Path) -> None:
    """From a time to a time; what happened before is in the values all the same."""
    noon, midnight = BEGAN + 4 * 3_600, BEGAN + 16 * 3_600

    manifest = fill(played, tmp_path / "out", from_us=noon * 10**6, to_us=midnight * 10**6)

    assert (manifest.from_seconds, manifest.to_seconds) == (noon, midnight)
    assert len(manifest.files) == 2
    position = played.read(manifest.last_position, limit=1)[0]
    assert position.recorded_us > midnight * 10**6
    text = (tmp_path / "out" / manifest.files[0]).read_text("utf-8")
    assert (
        f'rps_ledger_events_total{{instance="ledger",job="rps-ledger",type="training.completed"}} 12.0 {noon}'
        in text
    )


def test_no_sample_lies_before_the_time_from_which_they_are_asked_for(played: Ledger, tmp_path: Path) -> None:
    noon = BEGAN + 4 * 3_600

    manifest = fill(played, tmp_path / "out", from_us=noon * 10**6 + 1, to_us=(noon + 3 * STEP_SECONDS) * 10**6)

    assert (manifest.from_seconds, manifest.to_seconds) == (noon + STEP_SECONDS, noon + 3 * STEP_SECONDS)


def test_times_between_which_no_sample_lies_are_refused_for_that(played: Ledger, tmp_path: Path) -> None:
    noon = BEGAN + 4 * 3_600

    with pytest.raises(BackfillError, match=f"no sample of each {STEP_SECONDS} s lies there"):
        fill(played, tmp_path / "out", from_us=noon * 10**6 + 1, to_us=noon * 10**6 + 2)


def test_the_last_hours_are_left_to_the_server(played: Ledger, tmp_path: Path) -> None:
    now = BEGAN + 86_400

    manifest = fill(played, tmp_path / "out", now=now)

    assert now - HEAD_BLOCK_SECONDS - STEP_SECONDS < manifest.to_seconds <= now - HEAD_BLOCK_SECONDS


def test_a_ledger_that_is_too_young_has_nothing_to_fill_in(played: Ledger, tmp_path: Path) -> None:
    with pytest.raises(BackfillError, match="only what is older"):
        fill(played, tmp_path / "out", now=BEGAN + 60)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("from_hours", "to_hours", "reason"),
    [
        (16, 4, "2025-11-04T00:00:00.000000Z is after 2025-11-03T12:00:00.000000Z"),
        (None, -24, "up to 2025-11-02T08:00:00.000000Z: the ledger begins at 2025-11-03T08:00"),
        (-48, -24, "up to 2025-11-02T08:00:00.000000Z: the ledger begins at 2025-11-03T08:00"),
        (240, None, "from 2025-11-13T08:00:00.000000Z on: the ledger ends at 2025-11-09T03:02"),
    ],
)
def test_a_time_without_the_ledger_is_refused_for_what_it_is(
    played: Ledger, tmp_path: Path, from_hours: int | None, to_hours: int | None, reason: str
) -> None:
    from_us, to_us = (
        None if hours is None else (BEGAN + hours * 3_600) * 10**6 for hours in (from_hours, to_hours)
    )

    with pytest.raises(BackfillError, match=reason):
        fill(played, tmp_path / "out", from_us=from_us, to_us=to_us)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("made_before", [True, False])
def test_a_full_disk_is_reported_and_nothing_half_written_stays(
    played: Ledger, tmp_path: Path, made_before: bool
) -> None:
    out = tmp_path / "out"
    if made_before:
        out.mkdir()

    with (
        files_of_at_most(3_000_000),
        pytest.raises(BackfillError, match=r"cannot write into .*out: File too large"),
    ):
        fill(played, out)

    assert list(tmp_path.rglob("*")) == ([out] if made_before else [])
    assert fill(played, out).samples > 0


def test_an_empty_ledger_has_nothing_to_fill_in(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(BackfillError, match="no events"):
        fill(ledger, tmp_path / "out")


def test_a_folder_that_is_not_empty_is_not_written_into(played: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BackfillError, match="not empty"):
        fill(played, tmp_path)
    with pytest.raises(BackfillError, match="cannot write"):
        fill(played, tmp_path / "file")


def test_samples_that_promtool_drops_are_noticed(written: tuple[Path, Manifest], tmp_path: Path) -> None:
    """It takes files out of order without a word."""
    promtool = require("promtool")
    source, manifest = written
    name = manifest.files[0]
    lines = (source / name).read_bytes().splitlines(keepends=True)
    (tmp_path / name).write_bytes(b"".join([lines[0], *lines[1:4], *lines[1:4], lines[-1]]))
    spoiled = msgspec.structs.replace(manifest, files=(name,), samples=6)

    with pytest.raises(BackfillError, match="6 samples were written and the blocks hold 3"):
        make_blocks(tmp_path, spoiled, promtool)
    assert not (tmp_path / "blocks").exists()


def test_a_file_that_promtool_refuses_is_an_error(tmp_path: Path, written: tuple[Path, Manifest]) -> None:
    promtool = require("promtool")
    (tmp_path / "broken.om").write_text("no metrics\n")
    broken = msgspec.structs.replace(written[1], files=("broken.om",))

    with pytest.raises(BackfillError, match="failed"):
        make_blocks(tmp_path, broken, promtool)
    with pytest.raises(BackfillError, match="cannot run"):
        make_blocks(tmp_path, broken, str(tmp_path / "no promtool"))
