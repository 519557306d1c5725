"""Everything that a serving process consists of, built once and closed in order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread

from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.core import Core, PlayCore, open_core, open_play_core
from gameplay.models.errors import RegistryError
from gameplay.models.registry import Registry
from gameplay.observability.happenings import happened
from gameplay.promotion.adoption import adopt_all
from gameplay.promotion.pins import expire
from gameplay.promotion.rules import SETTINGS_ACTOR, rules_of, set_rules
from gameplay.refusals import Unavailable
from gameplay.serving.clocks import Clocks
from gameplay.serving.cross_family import CrossFamily
from gameplay.serving.jobs import Jobs
from gameplay.serving.play import Play, Split
from gameplay.serving.process_metrics import register, register_games, register_views
from gameplay.serving.registry_hints import RegistryHints
from gameplay.serving.roles import PARTS, misdirected
from gameplay.serving.room import FoldedRoom, OwnRoom, Room
from gameplay.serving.schedule import Schedule, jobs_of_play
from gameplay.serving.start import EndingError, Start
from gameplay.serving.threads import Threads
from gameplay.serving.tracking import Draws, in_order, set_tracking
from ledger.errors import StorageError
from ledger.events import CrossFamilySet
from ledger.vocabulary import FAMILIES, Family
from ledger.writer import Writer
from projections.errors import ProjectionError
from projections.metrics.exposition import Exposition, ProcessExposition, Scope
from projections.past import Past

log = logging.getLogger(__name__)

PREPARING = "preparing"
PREPARING_SECONDS_MAX = 3.0
READY_LOOK_SECONDS = 1.0
SAVING_SECONDS_MAX = 2.0


@dataclass
class Games:
    """The part that plays."""

    writer: Writer
    play: Play
    cross_family: CrossFamily


@dataclass
class Views:
    """The part that shows everything, beside the core that folds it."""

    past: Past
    hints: RegistryHints


@dataclass
class Service:
    """One serving process. What its role leaves to others raises Misdirected when it is asked for."""

    base: PlayCore
    games: Games | None
    views: Views | None
    exposition: ProcessExposition
    threads: Threads
    clocks: Clocks
    schedule: Schedule | Jobs
    started_seconds: float
    """By the steady clock."""
    caught_up: bool = False
    has_jobs: bool = False
    ending: Event = field(default_factory=Event)
    """Set when the process begins to end."""
    start: Start = field(init=False)

    def __post_init__(self) -> None:
        self.start = Start(self.ending)

    @property
    def core(self) -> Core:
        """What a process has that folds everything."""
        if not isinstance(self.base, Core):
            raise misdirected("views", "everything but games")
        return self.base

    @property
    def writer(self) -> Writer:
        """What appends the games' events."""
        return self._plays().writer

    @property
    def play(self) -> Play:
        """The games."""
        return self._plays().play

    @property
    def past(self) -> Past:
        """The states at earlier positions."""
        return self._shows().past

    @property
    def hints(self) -> RegistryHints:
        """What the registry announces."""
        return self._shows().hints

    def exposed(self, scope: Scope | None) -> Scope | None:
        """The scope of the metrics that are shown where this one is asked for."""
        if self.views is not None:
            return scope
        if scope == "ledger":
            raise misdirected("views", "?scope=ledger")
        return "process"

    def problems(self) -> dict[Family, str]:
        """What keeps registry and ledger apart, as far as this process looks at the registry."""
        return self.core.promotion.problems if self.views is not None else {}

    def require_caught_up(self) -> None:
        """Raise Unavailable until the projections have reached the head once; ProjectionError when they cannot."""
        self.base.families.check()
        if broken := self._broken_start():
            raise Unavailable(broken)
        if not self.caught_up:
            raise Unavailable(f"the projections are replaying the ledger; try again in a moment{self._held_up()}")

    def uptime_seconds(self) -> float:
        """How long the service has been there."""
        return self.clocks.steady() - self.started_seconds

    def died(self) -> dict[str, str]:
        """The threads that an error ended, by name: only another start brings them back."""
        known = {"model-loader": self.base.models.is_alive()}
        if self.games is not None:
            known["ledger-writer"] = self.games.writer.is_alive()
        gone = {name: "it has ended" for name, is_alive in known.items() if not is_alive}
        return {**gone, **self.threads.died}

    def missing(self) -> list[str]:
        """What this process still lacks to be ready; empty when it is."""
        if failure := self.base.families.failure:
            return [str(failure)]
        if broken := self._broken_start():
            return [broken]
        try:
            self.base.ledger.check()
        except StorageError as error:
            return [str(error)]
        if not self.caught_up:
            return [f"projections: replaying the ledger{self._held_up()}"]
        if not self.has_jobs:
            return [f"jobs: not begun{self._held_up()}"]
        return self._missing_models() if self.games is not None else []

    def _missing_models(self) -> list[str]:
        models = self.base.models
        aliases, games = self.base.alias_versions(), self.base.game_versions()
        missing: list[str] = []
        for family in FAMILIES:
            if not aliases[family]:
                missing.append(f"{family}: no aliases yet")
            missing += [
                f"{family}: version {version} is not loaded{self._why(family, version)}"
                for version in sorted(aliases[family] | games[family])
                if not models.is_loaded(family, version)
                # A version that is gone for good is missed by the games that began with it alone: once it has been
                # tried, the process is as ready for them as it will ever be.
                and (version in aliases[family] or not models.failure(family, version))
            ]
        return missing

    def _why(self, family: Family, version: int) -> str:
        steps = self.base.models.failure(family, version)
        return f": {'; '.join(step.detail for step in steps)}" if steps else ""

    def _plays(self) -> Games:
        if self.games is None:
            raise misdirected("games", "games")
        return self.games

    def _shows(self) -> Views:
        if self.views is None:
            raise misdirected("views", "everything but games")
        return self.views

    def _held_up(self) -> str:
        return f": {self.start.problem}" if self.start.problem else ""

    def _broken_start(self) -> str | None:
        error = self.threads.died.get(PREPARING)
        return f"the start failed, and only another one helps: {error}" if error else None


@asynccontextmanager
async def open_service(
    settings: Settings, process: CollectorRegistry, *, registry: Registry | None = None
) -> AsyncIterator[Service]:
    """A serving process: it answers at once, and becomes ready in the background.

    `process` receives the metrics that are the process's own. The registry is MLflow's, unless another is given.
    """
    clocks = Clocks()
    started_seconds = clocks.steady()
    parts = PARTS[settings.role]
    opener = open_core if "views" in parts else open_play_core
    base = await asyncio.to_thread(opener, settings, registry=registry)
    try:
        async with AsyncExitStack() as ending:
            writer = await ending.enter_async_context(_writer(base)) if "games" in parts else None
            service = _build(base, writer, process, clocks, started_seconds)
            if service.games is not None:
                service.games.cross_family.start()
            preparing = service.threads.start(PREPARING, partial(_prepare, service))
            try:
                yield service
            finally:
                await _close(service, preparing)
    finally:
        base.close()
        seconds = round(clocks.steady() - started_seconds)
        happened("stopped", f"stopped after {seconds} s", position=base.families.position, seconds=seconds)


def _writer(base: PlayCore) -> Writer:
    """The way into the ledger; where events are folded, those that are appended here are folded at once."""
    return Writer(base.ledger, then=base.read_models.projector.keep_up if isinstance(base, Core) else None)


def _build(
    base: PlayCore, writer: Writer | None, process: CollectorRegistry, clocks: Clocks, started_seconds: float
) -> Service:
    threads = Threads()
    register(process, base)
    games = _build_games(base, writer, process, clocks) if writer is not None else None
    if isinstance(base, Core):
        register_views(process, base, clocks.wall)
        return Service(
            base=base,
            games=games,
            views=Views(past=Past(base.read_models), hints=RegistryHints(base.promotion, threads)),
            exposition=Exposition(base.read_models, process),
            threads=threads,
            clocks=clocks,
            schedule=Schedule(base, process, threads=threads, clocks=clocks),
            started_seconds=started_seconds,
        )
    return Service(
        base=base,
        games=games,
        views=None,
        exposition=ProcessExposition(process),
        threads=threads,
        clocks=clocks,
        schedule=Jobs(jobs_of_play(base), process, threads=threads, clocks=clocks),
        started_seconds=started_seconds,
    )


def _build_games(base: PlayCore, writer: Writer, process: CollectorRegistry, clocks: Clocks) -> Games:
    settings = base.settings
    register_games(process, writer)
    cross_family = CrossFamily(
        writer,
        base.families,
        base.models,
        process,
        draws=Draws(base.ledger),
    )
    play = Play(
        base.ledger,
        writer,
        base.families,
        _room(base, clocks),
        base.models,
        split=Split(share=settings.ab_split, enabled=settings.ab_testing),
        listen=cross_family.offer,
        models=base.models,
    )
    return Games(writer, play, cross_family)


def _room(base: PlayCore, clocks: Clocks) -> Room:
    games_max = base.settings.open_games_max
    if isinstance(base, Core):
        return FoldedRoom(base.read_models, games_max=games_max)
    idle_seconds = base.settings.game_idle_seconds
    return OwnRoom(base.ledger, games_max=games_max, idle_seconds=idle_seconds, steady=clocks.steady)


def _prepare(service: Service) -> None:
    try:
        _become_ready(service)
    except EndingError:
        pass
    except ProjectionError:
        # Whenever it comes: the projector goes on saying so, at /readyz too, and another start would meet the same
        # event. So the thread has not died of it, which would have the process started again for nothing.
        log.exception("the projections have stopped")


def _become_ready(service: Service) -> None:
    """Catch up, begin the jobs, load the models, then look at the registry, which takes seconds to open."""
    base, do = service.base, service.start.do
    do(base.families.start, again=partial(_catch_up, base))
    service.caught_up = True
    do(partial(_record_settings, service))
    do(service.schedule.start)  # before anything that another machine may keep waiting
    service.has_jobs = True
    do(partial(_preload, base))
    if isinstance(base, Core):
        do(partial(_claim, base))
        do(partial(_adopt, base))
    do(partial(_say_ready, service))


def _catch_up(base: PlayCore) -> None:
    """Go on where a replay was stopped.

    A second restoring would take what is folded for the ledger's, which a failover may have changed meanwhile.
    """
    with base.families.current():
        pass


def _record_settings(service: Service) -> None:
    base = service.base
    if service.games is not None:
        set_tracking(base.ledger, _tracking(base.settings))
    if isinstance(base, Core):
        set_rules(base.promotion, rules_of(base.settings), actor=SETTINGS_ACTOR)
        for family in FAMILIES:
            base.promotion.retry(family, partial(expire, base.promotion, family))


def _preload(base: PlayCore) -> None:
    wanted = base.wanted_versions()
    base.models.preload([(family, version) for family in FAMILIES for version in sorted(wanted[family])])


def _tracking(settings: Settings) -> CrossFamilySet:
    players = in_order(settings.cross_family_for)
    return CrossFamilySet(share=settings.cross_family_share, players=players, actor=None, reason=None)


def _say_ready(service: Service) -> None:
    if missing := service.missing():
        log.warning("started, and not ready: %s", "; ".join(missing))
        while service.missing():
            if service.base.families.failure or service.ending.wait(READY_LOOK_SECONDS):
                return
    position = service.base.families.position
    versions = {family: sorted(found) for family, found in service.base.alias_versions().items()}
    seconds = round(service.uptime_seconds(), 3)
    shown = ", ".join(f"{family} {'/'.join(map(str, found))}" for family, found in versions.items())
    text = f"ready after {seconds:.1f} s with {position:,} events; versions: {shown}"
    happened("ready", text, position=position, seconds=seconds, events=position, versions=versions)


def _claim(core: Core) -> None:
    try:
        core.claim_registry()
    except RegistryError as error:
        log.warning("the registry is not compared with the ledger: %s", error)


def _adopt(core: Core) -> None:
    for family, problem in adopt_all(core.promotion, FAMILIES).problems.items():
        log.warning("%s: ledger and registry could not be brought together: %s", family, problem)


async def _close(service: Service, preparing: Thread) -> None:
    """End what runs, each within its own limit; what hangs is left behind, as a crash would leave it."""
    service.ending.set()
    service.base.models.stop()
    if service.views is not None:
        service.views.hints.close()
    await asyncio.gather(
        service.games.cross_family.close() if service.games is not None else asyncio.sleep(0),
        asyncio.to_thread(service.schedule.shutdown),
        asyncio.to_thread(preparing.join, PREPARING_SECONDS_MAX),
    )
    if isinstance(service.base, Core):
        saving = service.threads.start("saving", partial(service.base.read_models.projector.save, every=1))
        await asyncio.to_thread(saving.join, SAVING_SECONDS_MAX)
