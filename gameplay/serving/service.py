"""Everything that a serving process consists of, built once and closed in order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread

from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.models.errors import RegistryError
from gameplay.models.registry import Registry
from gameplay.observability.happenings import happened
from gameplay.promotion.adoption import adopt_all
from gameplay.promotion.rules import SETTINGS_ACTOR, rules_of, set_rules
from gameplay.refusals import Unavailable
from gameplay.serving.clocks import Clocks
from gameplay.serving.cross_family import CrossFamily
from gameplay.serving.play import Play, Split
from gameplay.serving.process_metrics import register
from gameplay.serving.schedule import Schedule
from gameplay.serving.threads import Threads
from ledger.errors import StorageError
from ledger.vocabulary import FAMILIES, Family
from ledger.writer import Writer
from projections.errors import ProjectionError
from projections.metrics.exposition import Exposition
from projections.past import Past

log = logging.getLogger(__name__)

PREPARING = "preparing"
PREPARING_SECONDS_MAX = 3.0
SAVING_SECONDS_MAX = 2.0


@dataclass
class Service:
    """One serving process."""

    core: Core
    writer: Writer
    play: Play
    cross_family: CrossFamily
    exposition: Exposition
    past: Past
    threads: Threads
    clocks: Clocks
    schedule: Schedule
    started_seconds: float
    """By the steady clock."""
    caught_up: bool = False

    def require_caught_up(self) -> None:
        """Raise Unavailable until the projections have reached the head once; ProjectionError when they cannot."""
        self.core.read_models.projector.check()
        if broken := self._broken_start():
            raise Unavailable(broken)
        if not self.caught_up:
            raise Unavailable("the projections are replaying the ledger; try again in a moment")

    def uptime_seconds(self) -> float:
        """How long the service has been there."""
        return self.clocks.steady() - self.started_seconds

    def died(self) -> dict[str, str]:
        """The threads that an error ended, by name: only another start brings them back."""
        known = {"ledger-writer": self.writer.is_alive(), "model-loader": self.core.models.is_alive()}
        gone = {name: "it has ended" for name, is_alive in known.items() if not is_alive}
        return {**gone, **self.threads.died}

    def missing(self) -> list[str]:
        """What this process still lacks to be ready; empty when it is."""
        if failure := self.core.read_models.projector.failure:
            return [str(failure)]
        if broken := self._broken_start():
            return [broken]
        try:
            self.core.ledger.check()
        except StorageError as error:
            return [str(error)]
        if not self.caught_up:
            return ["projections: replaying the ledger"]
        aliases, games = self.core.alias_versions(), self.core.game_versions()
        missing: list[str] = []
        for family in FAMILIES:
            if not aliases[family]:
                missing.append(f"{family}: no aliases yet")
            missing += [
                f"{family}: version {version} is not loaded{self._why(family, version)}"
                for version in sorted(aliases[family] | games[family])
                if not self.core.models.is_loaded(family, version)
                # A version that is gone for good is missed by the games that began with it alone: once it has been
                # tried, the process is as ready for them as it will ever be.
                and (version in aliases[family] or not self.core.models.failure(family, version))
            ]
        return missing

    def _why(self, family: Family, version: int) -> str:
        steps = self.core.models.failure(family, version)
        return f": {'; '.join(step.detail for step in steps)}" if steps else ""

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
    core = await asyncio.to_thread(open_core, settings, registry=registry)
    try:
        async with Writer(core.ledger) as writer:
            service = _build(core, writer, process, clocks, started_seconds)
            service.cross_family.start()
            preparing = service.threads.start(PREPARING, partial(_prepare, service))
            try:
                yield service
            finally:
                await _close(service, preparing)
    finally:
        core.close()
        seconds, position = round(clocks.steady() - started_seconds), core.read_models.projector.head.position
        happened("stopped", f"stopped after {seconds} s", position=position, seconds=seconds)


def _build(
    core: Core, writer: Writer, process: CollectorRegistry, clocks: Clocks, started_seconds: float
) -> Service:
    settings, threads = core.settings, Threads()
    split = Split(share=settings.ab_split, enabled=settings.ab_testing)
    cross_family = CrossFamily(
        writer,
        core.read_models,
        core.models,
        process,
        share=settings.cross_family_share,
        kinds=settings.cross_family_for,
    )
    service = Service(
        core=core,
        writer=writer,
        play=Play(
            core.ledger,
            writer,
            core.read_models,
            core.models,
            split=split,
            open_games_max=settings.open_games_max,
            listen=cross_family.offer,
            make_ready=core.models.make_ready,
        ),
        cross_family=cross_family,
        exposition=Exposition(core.read_models, process),
        past=Past(core.read_models),
        threads=threads,
        clocks=clocks,
        schedule=Schedule(core, process, threads=threads, clocks=clocks),
        started_seconds=started_seconds,
    )
    register(process, core, writer, clocks.wall)
    return service


def _prepare(service: Service) -> None:
    try:
        _become_ready(service)
    except ProjectionError:
        # Whenever it comes: the projector goes on saying so, at /readyz too, and another start would meet the same
        # event. So the thread has not died of it, which would have the process started again for nothing.
        log.exception("the projections have stopped")


def _become_ready(service: Service) -> None:
    """Catch up, begin the jobs, load the models, then look at the registry, which takes seconds to open."""
    core = service.core
    core.read_models.projector.start()
    service.caught_up = True
    set_rules(core.promotion, rules_of(core.settings), actor=SETTINGS_ACTOR)
    service.schedule.start()  # before anything that another machine may keep waiting
    wanted = core.wanted_versions()
    core.models.preload([(family, version) for family in FAMILIES for version in sorted(wanted[family])])
    _adopt(core)
    _say_ready(service)


def _say_ready(service: Service) -> None:
    if missing := service.missing():
        log.warning("started, and not ready: %s", "; ".join(missing))
        return
    position = service.core.read_models.projector.head.position
    versions = {family: sorted(found) for family, found in service.core.alias_versions().items()}
    seconds = round(service.uptime_seconds(), 3)
    shown = ", ".join(f"{family} {'/'.join(map(str, found))}" for family, found in versions.items())
    text = f"ready after {seconds:.1f} s with {position:,} events; versions: {shown}"
    happened("ready", text, position=position, seconds=seconds, events=position, versions=versions)


def _adopt(core: Core) -> None:
    try:
        core.claim_registry()
    except RegistryError as error:
        log.warning("the registry is not compared with the ledger: %s", error)
    try:
        problems = adopt_all(core.promotion, FAMILIES).problems
    except StorageError as error:
        log.warning("the registry's aliases could not be compared with the ledger's: %s", error)
    else:
        for family, problem in problems.items():
            log.warning("%s: ledger and registry could not be brought together: %s", family, problem)


async def _close(service: Service, preparing: Thread) -> None:
    """End what runs, each within its own limit; what hangs is left behind, as a crash would leave it."""
    service.core.models.stop()
    await asyncio.gather(
        service.cross_family.close(),
        asyncio.to_thread(service.schedule.shutdown),
        asyncio.to_thread(preparing.join, PREPARING_SECONDS_MAX),
    )
    saving = service.threads.start("saving", partial(service.core.read_models.projector.save, every=1))
    await asyncio.to_thread(saving.join, SAVING_SECONDS_MAX)
