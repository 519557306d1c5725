"""Everything that a serving process consists of, built once and closed in order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.models.registry import Registry
from gameplay.promotion.adoption import adopt_all
from gameplay.refusals import Unavailable
from gameplay.serving.cross_family import CrossFamily
from gameplay.serving.play import Play, Split
from gameplay.serving.process_metrics import register
from gameplay.serving.schedule import Schedule
from ledger.errors import StorageError
from ledger.vocabulary import FAMILIES
from ledger.writer import Writer
from projections.errors import ProjectionError
from projections.metrics.exposition import Exposition

log = logging.getLogger(__name__)


@dataclass
class Service:
    """One serving process."""

    core: Core
    writer: Writer
    play: Play
    cross_family: CrossFamily
    exposition: Exposition
    started_us: int
    caught_up: bool = False
    broken_start: str | None = None
    """Why the process will never become ready; it must be started again."""

    def require_caught_up(self) -> None:
        """Raise Unavailable until the projections have reached the head once; ProjectionError when they cannot."""
        self.core.read_models.projector.check()
        if self.broken_start is not None:
            raise Unavailable(f"the start failed, and only another one helps: {self.broken_start}")
        if not self.caught_up:
            raise Unavailable("the projections are replaying the ledger; try again in a moment")

    def missing(self) -> list[str]:
        """What this process still lacks to be ready; empty when it is."""
        if failure := self.core.read_models.projector.failure:
            return [str(failure)]
        if self.broken_start is not None:
            return [f"the start failed, and only another one helps: {self.broken_start}"]
        if not self.caught_up:
            return ["projections: replaying the ledger"]
        aliases, games = self.core.alias_versions(), self.core.game_versions()
        missing: list[str] = []
        for family in FAMILIES:
            if not aliases[family]:
                missing.append(f"{family}: no aliases yet")
            missing += [
                f"{family}: version {version} is not loaded"
                for version in sorted(aliases[family] | games[family])
                if not self.core.models.is_loaded(family, version)
                # A version that is gone for good may be missed by the games that began with it, and by nobody
                # else: once it has been tried, the process is as ready for them as it will ever be.
                and (version in aliases[family] or not self.core.models.failure(family, version))
            ]
        return missing


@asynccontextmanager
async def open_service(
    settings: Settings, process: CollectorRegistry, *, registry: Registry | None = None
) -> AsyncIterator[Service]:
    """A serving process: it answers at once, and becomes ready in the background.

    `process` receives the metrics that are the process's own. The registry is MLflow's, unless another is given.
    """
    core = await asyncio.to_thread(open_core, settings, registry=registry)
    try:
        async with Writer(core.ledger) as writer:
            service = _build(core, writer, process)
            schedule = Schedule(core, process, since_us=service.started_us)
            service.cross_family.start()
            preparing = asyncio.create_task(asyncio.to_thread(_prepare, service, schedule))
            try:
                yield service
            finally:
                service.core.models.stop()
                # What it raised has been logged, and must not keep the rest from being closed.
                await asyncio.gather(preparing, return_exceptions=True)
                await service.cross_family.close()
                await asyncio.to_thread(_wind_up, service, schedule)
    finally:
        core.close()


def _build(core: Core, writer: Writer, process: CollectorRegistry) -> Service:
    settings = core.settings
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
        play=Play(core.ledger, writer, core.read_models, core.models, split=split, listen=cross_family.offer),
        cross_family=cross_family,
        exposition=Exposition(core.read_models, process),
        started_us=time.time_ns() // 1_000,
    )
    register(process, core, writer)
    return service


def _prepare(service: Service, schedule: Schedule) -> None:
    """Catch up, load the models, then look at the registry, which takes seconds to open."""
    try:
        service.core.read_models.projector.start()
        service.caught_up = True
        wanted = service.core.wanted_versions()
        service.core.models.preload(
            [(family, version) for family in FAMILIES for version in sorted(wanted[family])]
        )
        schedule.start()
        _adopt(service)
    except ProjectionError:
        # The projector goes on saying so, at /readyz too; another start would meet the same event.
        log.exception("the projections have stopped")
        raise
    except Exception as error:  # the thread's outermost frame: without these lines nobody would hear of it
        service.broken_start = str(error)
        log.exception("the service cannot become ready")
        raise


def _adopt(service: Service) -> None:
    try:
        problems = adopt_all(service.core.promotion, FAMILIES).problems
    except StorageError as error:
        log.warning("the registry's aliases could not be compared with the ledger's: %s", error)
    else:
        for family, problem in problems.items():
            log.warning("%s: ledger and registry could not be brought together: %s", family, problem)


def _wind_up(service: Service, schedule: Schedule) -> None:
    schedule.shutdown()
    service.core.read_models.projector.save(every=1)
