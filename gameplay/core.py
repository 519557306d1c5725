"""What the service and the commands share: the ledger, its read models, the registry and the model store."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from gameplay.config import Settings
from gameplay.identity import Copies, renew_last
from gameplay.models.deadlines import RegistryInTime, StoreInTime
from gameplay.models.loaded import Models
from gameplay.models.registry import MlflowRegistry, Registry
from gameplay.models.store import ModelStore, open_model_store, open_objects
from gameplay.observability.happenings import appended, happened
from gameplay.promotion.state import Promotion
from gameplay.telemetry import disable_telemetry
from ledger.clock import ClockGuard
from ledger.engines.database import holds_ledger, open_engine, open_reader
from ledger.errors import IdentityError, SchemaError, StorageError
from ledger.events import VersionRun
from ledger.files import make_folder, problem_of
from ledger.identity import read_id
from ledger.sealing.keys import open_signer
from ledger.sealing.seals import Sealer, last_seal
from ledger.store import Ledger
from ledger.upgrade import REVISION, check_tables, current_revision, upgrade
from ledger.vocabulary import ALIASES, FAMILIES, Family
from projections.audit.archive import CheckpointArchive
from projections.objects import S3Access
from projections.read_models.all import ReadModels
from projections.read_models.families import Families, StreamedFamilies
from projections.read_models.moves import OpenPlan
from projections.read_models.standings import PromotionState


@dataclass
class PlayCore:
    """What every serving process has: the ledger, the promotion states, and the models behind them."""

    settings: Settings
    engine: Engine
    ledger: Ledger
    families: Families
    registry: Registry
    store: ModelStore
    models: Models
    copies: Copies
    read_only: bool = False

    def alias_versions(self) -> dict[Family, set[int]]:
        """The versions behind each family's aliases: without them a new game has nothing to be played with."""
        with self.families.current() as families:
            return {family: set(families[family].aliases.values()) for family in FAMILIES}

    def game_versions(self) -> dict[Family, set[int]]:
        """The versions with which games in progress are known to be played, whatever the aliases name by now."""
        return {family: set() for family in FAMILIES}

    def wanted_versions(self) -> dict[Family, set[int]]:
        """The versions that each family wants loaded: behind its aliases, in an open plan, in an open game."""
        aliases, games = self.alias_versions(), self.game_versions()
        with self.families.current() as families:
            return {
                family: aliases[family] | games[family] | _planned(families[family].plan) for family in FAMILIES
            }

    def trained_versions(self) -> dict[Family, set[int]]:
        """The newest versions that were trained after those behind the aliases, and may soon be behind one.

        No more of them than there are aliases: a training moves no more, and what earlier ones have left behind
        would fill memory and store.
        """
        with self.families.current() as families:
            return {family: _newer(families[family]) for family in FAMILIES}

    def ask_for_models(self) -> None:
        """Have every version loaded that is wanted or may soon be: another process may move the aliases."""
        versions, trained = self.wanted_versions(), self.trained_versions()
        wanted = [(family, version) for family in FAMILIES for version in versions[family] | trained[family]]
        self.models.retain(wanted)
        for family, version in wanted:
            self.models.ask(family, version)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.models.close()
        if not self.read_only:
            renew_last(self.copies, self.ledger)
        self.engine.dispose()


@dataclass(kw_only=True)
class Core(PlayCore):
    """One process's way to everything that lasts."""

    read_models: ReadModels
    promotion: Promotion
    has_claimed: bool = False

    def game_versions(self) -> dict[Family, set[int]]:
        """The versions with which the games in progress are played, whatever the aliases name by now."""
        with self.read_models.projector.current():
            return {family: self.read_models.open_games.state.versions(family) for family in FAMILIES}

    def open_sealer(self) -> Sealer:
        """What seals the ledger, its archive being the model store. Raises KeyFileError, StoreError."""
        signer = open_signer(self.settings.seal_key, make=last_seal(self.ledger) is None)
        return Sealer(self.ledger, signer, _archive(self.settings))

    def claim_registry(self) -> None:
        """Have the registry name this ledger, where it names none; asked until it has answered once.

        Raises RegistryError, IdentityError.
        """
        if self.has_claimed:
            return
        here, owner = read_id(self.engine), self.registry.owner()
        if owner is None:
            self.registry.set_owner(here)
        elif owner != here:
            raise IdentityError(
                f"the registry's models are those of ledger {owner}, and this is ledger {here}: name another"
                ' MLFLOW_TRACKING_URI, or run `rps accept-ledger --reason "..."`'
            )
        self.has_claimed = True


def open_core(
    settings: Settings,
    *,
    registry: Registry | None = None,
    read_only: bool = False,
    accepting: bool = False,
) -> Core:
    """The ledger, migrated, and everything around it; the caller replays and loads what it needs.

    With `read_only` no file and no folder is made, no migration runs, read models stay in memory, the model store
    is not refilled, and an append raises StorageError; a ledger must exist. The registry is MLflow's, unless
    another is given. A database that is not the ledger known outside is refused, unless the caller is `accepting`
    it. Raises StorageError, SchemaError, StoreError, IdentityError.
    """
    with _opened(settings, read_only=read_only, accepting=accepting) as (ledger, copies):
        read_models = ReadModels(ledger, since_us=settings.metrics_since_us, read_only=read_only)
        families = read_models.families
        outside = _outside(settings, families, registry, read_only=read_only, make=not (read_only or accepting))
        promotion = Promotion(
            ledger, read_models, outside.registry, store=outside.store, load=outside.models.identify
        )
        return Core(
            settings,
            ledger.engine,
            ledger,
            families,
            *outside,
            copies,
            read_only,
            read_models=read_models,
            promotion=promotion,
        )


def open_play_core(settings: Settings, *, registry: Registry | None = None) -> PlayCore:
    """As `open_core`, for a process that plays games and folds no more than that takes."""
    with _opened(settings) as (ledger, copies):
        families = StreamedFamilies(ledger)
        outside = _outside(settings, families, registry)
        return PlayCore(settings, ledger.engine, ledger, families, *outside, copies)


@contextmanager
def _opened(
    settings: Settings, *, read_only: bool = False, accepting: bool = False
) -> Iterator[tuple[Ledger, Copies]]:
    """The ledger; it is let go of where the block fails."""
    disable_telemetry()
    if not read_only:
        _make_folder(settings.data_dir)
    copies = Copies(settings.data_dir, _archive(settings, make=not read_only))
    with ExitStack() as failing:
        engine = _open_reader(settings) if read_only else _open_writer(settings, copies, accepting=accepting)
        failing.callback(engine.dispose)
        migrated = _prepare(engine, read_only=read_only)
        ledger = Ledger(engine, guard=ClockGuard(jump_seconds_max=settings.clock_ahead_seconds), listen=appended)
        if migrated:
            text = f"migrated: the database is at migration {REVISION}"
            happened("migrated", text, position=ledger.head().position, migration=REVISION)
        if not (read_only or accepting):
            copies.check_file(ledger)
            copies.check_archive(ledger)
        yield ledger, copies
        failing.pop_all()


class _Outside(NamedTuple):
    """What a process has around its ledger."""

    registry: Registry
    store: ModelStore
    models: Models


def _outside(
    settings: Settings,
    families: Families,
    registry: Registry | None,
    *,
    read_only: bool = False,
    make: bool = True,
) -> _Outside:
    masked = settings.masking()
    if registry is None:
        # A server has its own place for artifacts: a path of this machine would mean nothing to the others.
        served = settings.mlflow_tracking_uri.startswith(("http://", "https://"))
        artifacts = None if served else (settings.data_dir.absolute() / "artifacts").as_uri()
        mlflow = MlflowRegistry(
            settings.mlflow_tracking_uri, artifact_location=artifacts, make=make, masked=masked
        )
        registry = RegistryInTime(mlflow)
    store = StoreInTime(
        open_model_store(settings.model_store_url, _s3_access(settings), make=not read_only, masked=masked)
    )
    models = Models(store, registry, known=partial(_known_run, families), refill=not read_only)
    return _Outside(registry, store, models)


def _make_folder(path: Path) -> None:
    """Before anything else is written into it: any program could enter what other parts make on the way."""
    try:
        make_folder(path)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path}: {problem_of(error)}") from error


def _open_writer(settings: Settings, copies: Copies, *, accepting: bool) -> Engine:
    """The ledger's database, which is made where there is none and none is known outside."""
    if not (accepting or holds_ledger(settings.database_url)):
        copies.check_birth(settings.shown()["database_url"])
    return open_engine(settings.database_url)


def _open_reader(settings: Settings) -> Engine:
    """The ledger's database, which must exist, for reading alone."""
    return open_reader(settings.database_url, traceless=True)


def _prepare(engine: Engine, *, read_only: bool) -> bool:
    """Have the database at the newest migration; one that is only read must be there already. True if it moved."""
    if not read_only:
        return upgrade(engine)
    if (revision := current_revision(engine)) != REVISION:
        raise SchemaError(revision, REVISION)
    check_tables(engine)
    return False


def _known_run(families: Families, family: Family, version: int) -> VersionRun | None:
    """What the ledger knew of a version at the last catch-up: a thread that loads waits for no other."""
    return families.known[family].run(version)


def _planned(plan: OpenPlan | None) -> set[int]:
    return {one.after for one in plan.assignments} if plan else set()


def _newer(promotion_state: PromotionState) -> set[int]:
    if not promotion_state.aliases:
        return set()
    newest = max(promotion_state.aliases.values())
    return set(
        sorted(version for version in promotion_state.holdout_accuracies if version > newest)[-len(ALIASES) :]
    )


def _archive(settings: Settings, *, make: bool = True) -> CheckpointArchive:
    access, masked = _s3_access(settings), settings.masking()
    return CheckpointArchive(open_objects(settings.model_store_url, access, make=make, masked=masked))


def _s3_access(settings: Settings) -> S3Access | None:
    if settings.minio_access_key is None or settings.minio_secret_key is None:
        return None
    return S3Access(settings.minio_endpoint, settings.minio_access_key, settings.minio_secret_key)
