"""The ledger as OpenMetrics with timestamps, from which Prometheus gets back what restarts made it lose.

`promtool tsdb create-blocks-from openmetrics` drops what it does not like without a word: samples out of order,
a second sample at one time. It takes milliseconds for seconds. So what is written here is read back and
checked, and the samples in the blocks are counted against those in the files.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

from ledger.entries import Entry
from ledger.files import problem_of
from ledger.store import Ledger
from ledger.times import show_time
from projections.audit.replay import Replay
from projections.errors import BackfillError
from projections.fold import Progress
from projections.metrics.exposition import LedgerCollector

HEAD_BLOCK_SECONDS = 3 * 3_600
"""Prometheus writes this much by itself; blocks from elsewhere must end before it."""
LOOKBACK_SECONDS = 300
"""An older sample is not seen by a query, so a longer step would leave holes."""
DAY_SECONDS = 86_400
PROMTOOL_SECONDS_MAX = 600
MANIFEST = "backfill.json"
_FILE_PREFIX = "ledger-"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Manifest(msgspec.Struct, frozen=True):
    """What a backfill wrote: up to which position, over which time (seconds since the epoch), how much."""

    last_position: int
    from_seconds: int
    to_seconds: int
    step_seconds: int
    labels: dict[str, str]
    series: int
    samples: int
    files: tuple[str, ...]


class Blocks(NamedTuple):
    """What promtool made of the files."""

    blocks: int
    samples: int


def write_backfill(
    ledger: Ledger,
    out: Path,
    *,
    step_seconds: int,
    since_us: int,
    labels: Mapping[str, str],
    now_seconds: float,
    from_us: int | None = None,
    to_us: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write a file for each day (UTC) and a manifest into `out`, which must be empty, and check the files.

    Every series of `/metrics?scope=ledger` has a sample at each multiple of `step_seconds` from the last one
    before the first event to the first one after the last event, or as `from_us` and `to_us` cut it. The last
    HEAD_BLOCK_SECONDS before now are left to the server's own scrapes. Raises BackfillError, ProjectionError.
    """
    assert 1 <= step_seconds < LOOKBACK_SECONDS
    head = ledger.head()
    first = ledger.read(limit=1)
    if not first:
        raise BackfillError("the ledger has no events")
    start, end = _grid(first[0].recorded_us, head.recorded_us, step_seconds, now_seconds, from_us, to_us)
    with _all_or_nothing(out):
        replay = Replay(ledger, since_us=since_us)
        writer = _Writer(out, labels)
        entries = _by_time(ledger, head.position, progress)
        for seconds in range(start, end + 1, step_seconds):
            if batch := next_batch(entries, seconds):
                replay.fold(batch)
            writer.sample(seconds, replay, changed=bool(batch) or seconds == start)
        writer.close()
        manifest = Manifest(
            last_position=replay.head.position,
            from_seconds=start,
            to_seconds=end,
            step_seconds=step_seconds,
            labels=dict(labels),
            series=len(writer.prefixes),
            samples=writer.samples,
            files=tuple(path.name for path in writer.files),
        )
        _check(out, manifest, now_seconds)
        (out / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def make_blocks(out: Path, manifest: Manifest, promtool: str) -> Blocks:
    """Have promtool make blocks of the files, in `out`/blocks, and count their samples. Raises BackfillError."""
    blocks = out / "blocks"
    with ExitStack() as undo:
        # Half of the blocks would be taken in by a server like any other.
        undo.callback(shutil.rmtree, blocks, ignore_errors=True)
        for name in manifest.files:
            options = ["--quiet", "--max-block-duration=24h"]
            _run([promtool, "tsdb", "create-blocks-from", *options, "openmetrics", str(out / name), str(blocks)])
        listed = _run([promtool, "tsdb", "list", str(blocks)])
        # BLOCK ULID, MIN TIME, MAX TIME, DURATION, NUM SAMPLES, ...; a row a block.
        counts = [int(row.split()[4]) for row in listed.splitlines()[1:] if row.strip()]
        made = Blocks(len(counts), sum(counts))
        if made.samples != manifest.samples:
            written = f"{manifest.samples} samples were written"
            raise BackfillError(f"{written} and the blocks hold {made.samples}: promtool dropped some")
        undo.pop_all()
    return made


def next_batch(entries: "Peekable", seconds: int) -> list[Entry]:
    """The entries that come next and were recorded at `seconds` or before."""
    batch: list[Entry] = []
    while (entry := entries.peek()) is not None and entry.recorded_us <= seconds * 1_000_000:
        batch.append(entry)
        entries.take()
    return batch


class Peekable:
    """An iterator whose next item can be looked at."""

    def __init__(self, items: Iterator[Entry]) -> None:
        self._items = items
        self._next = next(items, None)

    def peek(self) -> Entry | None:
        """The next item; None at the end."""
        return self._next

    def take(self) -> None:
        """Go on."""
        self._next = next(self._items, None)


Labels = tuple[tuple[str, str], ...]


class _Writer:
    """Samples by day, family and series: OpenMetrics wants each family, and in it each series, in one piece."""

    def __init__(self, out: Path, labels: Mapping[str, str]) -> None:
        self.prefixes: set[bytes] = set()
        self.samples = 0
        self.files: list[Path] = []
        self._out = out
        self._labels = labels
        self._heads: dict[str, bytes] = {}
        self._values: dict[str, dict[Labels, list[bytes]]] = {}
        self._lines: dict[str, dict[Labels, list[bytes]]] = {}
        self._day: int | None = None
        self._known: dict[tuple[str, Labels], bytes] = {}

    def sample(self, seconds: int, replay: Replay, *, changed: bool) -> None:
        """All series at one time; unless something changed, with the values of the time before."""
        day = seconds // DAY_SECONDS
        if day != self._day:
            self.close()
            self._day = day
        if changed:
            for family in LedgerCollector(replay.read_models).collect():
                self._read(family)
        end = b" %d\n" % seconds
        for name, series in self._values.items():
            lines = self._lines.setdefault(name, {})
            for labels, values in series.items():
                lines.setdefault(labels, []).extend([value + end for value in values])
                self.samples += len(values)

    def close(self) -> None:
        """Write the day's file."""
        if self._day is None or not self._lines:
            return
        day = datetime.fromtimestamp(self._day * DAY_SECONDS, UTC)
        path = self._out / f"{_FILE_PREFIX}{day:%Y-%m-%d}.om"
        with path.open("wb") as file:
            for name, series in self._lines.items():
                file.write(self._heads[name])
                for lines in series.values():
                    file.writelines(lines)
            file.write(b"# EOF\n")
        self.files.append(path)
        self._lines = {}

    def _read(self, family: Metric) -> None:
        if family.name not in self._heads:
            self._heads[family.name] = f"# TYPE {family.name} {family.type}\n".encode()
        values: dict[Labels, list[bytes]] = {}
        for sample in family.samples:
            labels = tuple(sample.labels.items())
            key = sample.name, labels
            prefix = self._known.get(key)
            if prefix is None:
                prefix = self._known[key] = self._prefix(sample.name, sample.labels)
                self.prefixes.add(prefix)
            shown: str = floatToGoString(sample.value)  # type: ignore[no-untyped-call]
            # A histogram's buckets belong together at each time.
            together = tuple(label for label in labels if label[0] != "le")
            values.setdefault(together, []).append(prefix + shown.encode())
        self._values[family.name] = values

    def _prefix(self, name: str, labels: Mapping[str, str]) -> bytes:
        pairs = sorted({**labels, **self._labels}.items())
        shown = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in pairs)
        return f"{name}{{{shown}}} ".encode()


def _grid(
    first_us: int, last_us: int, step: int, now_seconds: float, from_us: int | None, to_us: int | None
) -> tuple[int, int]:
    """The first and the last time of the samples, in seconds: before the first event, after the last."""
    start = (first_us // 1_000_000 - 1) // step * step
    end = -(-last_us // (step * 1_000_000)) * step
    if from_us is not None and to_us is not None and from_us > to_us:
        raise BackfillError(f"nothing to write: {show_time(from_us)} is after {show_time(to_us)}")
    if from_us is not None:
        start = max(start, -(-from_us // (step * 1_000_000)) * step)
        if start > end:
            raise BackfillError(f"nothing to write from {show_time(from_us)} on: {_ledger('ends', last_us)}")
    if to_us is not None:
        end = min(end, to_us // (step * 1_000_000) * step)
        if start > end:
            why = _ledger("begins", first_us) if to_us < first_us else f"no sample of each {step} s lies there"
            raise BackfillError(f"nothing to write up to {show_time(to_us)}: {why}")
    newest = int(now_seconds - HEAD_BLOCK_SECONDS) // step * step
    end = min(end, newest)
    if start > end:
        began, limit = show_time(start * 1_000_000), show_time(newest * 1_000_000)
        raise BackfillError(f"nothing to write from {began} on: only what is older than {limit} can be filled in")
    return start, end


def _ledger(does: str, recorded_us: int) -> str:
    return f"the ledger {does} at {show_time(recorded_us)}"


@contextmanager
def _all_or_nothing(out: Path) -> Iterator[None]:
    """An empty folder to write into, empty again if anything goes wrong. Raises BackfillError.

    What was written until then would pass for a whole backfill, and keep the next attempt out of the folder.
    """
    try:
        with ExitStack() as undo:
            if not out.exists():
                undo.callback(out.rmdir)
            out.mkdir(parents=True, exist_ok=True)
            if any(out.iterdir()):
                raise BackfillError(f"{out} is not empty: blocks that are made twice double the data")
            undo.callback(_empty, out)
            yield
            undo.pop_all()
    except OSError as error:
        raise BackfillError(f"cannot write into {out}: {problem_of(error)}") from error


def _empty(out: Path) -> None:
    for path in (*out.glob(f"{_FILE_PREFIX}*"), out / MANIFEST):
        path.unlink(missing_ok=True)


def _by_time(ledger: Ledger, through: int, progress: Progress | None) -> Peekable:
    def entries() -> Iterator[Entry]:
        for page in ledger.pages(through=through):
            yield from page
            if progress is not None:
                progress(len(page))

    return Peekable(entries())


def _check(out: Path, manifest: Manifest, now_seconds: float) -> None:
    """Read the files back: time rises in every series, is in seconds, and nothing is missing."""
    last: dict[bytes, int] = {}
    samples = 0
    for name in manifest.files:
        with (out / name).open("rb") as file:
            for line in file:
                if line.startswith(b"#"):
                    continue
                series, _value, time = line.rsplit(b" ", 2)
                seconds = int(time)
                if seconds <= last.get(series, 0):
                    raise BackfillError(f"{name}: time does not rise in {series.decode()}")
                if not 10**9 < seconds < min(2 * 10**9, now_seconds - HEAD_BLOCK_SECONDS + 1):
                    raise BackfillError(f"{name}: {seconds} is no time in seconds that can be filled in")
                last[series] = seconds
                samples += 1
    if samples != manifest.samples:
        raise BackfillError(f"{manifest.samples} samples were made and the files hold {samples}")


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROMTOOL_SECONDS_MAX)
    except OSError as error:
        raise BackfillError(f"cannot run {command[0]}: {problem_of(error)}") from error
    except subprocess.TimeoutExpired as error:
        raise BackfillError(f"{command[0]} did not end within {PROMTOOL_SECONDS_MAX} s") from error
    if done.returncode != 0:
        raise BackfillError(f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
