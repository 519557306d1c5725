"""What `rps doctor` looks at: all that a service needs, one thing after the other. Nothing is changed."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from gameplay.commands.opened import check_ledger
from gameplay.commands.settings import service_url
from gameplay.config import Settings
from gameplay.core import Core, open_core
from gameplay.identity import FILE_NAME
from gameplay.models.errors import ModelError, ModelUnavailable
from gameplay.serving.errors import AddressError
from gameplay.serving.folder_locks import server_of
from gameplay.serving.listening import listen
from gameplay.web.access import is_loopback
from ledger.errors import LedgerError, NoLedgerError, SchemaError
from ledger.identity import LinkFile, check_link, read_id
from ledger.rows import Row, Rows
from ledger.sealing.keys import public_path, read_signer
from ledger.sealing.seals import last_seal, open_seal
from ledger.vocabulary import FAMILIES
from projections.errors import ProjectionError

State = Literal["ok", "look", "wrong"]

TAIL_EVENTS = 1_000
FREE_BYTES_LOW, FREE_BYTES_LEAST = 2_000_000_000, 100_000_000
AHEAD_SECONDS_MAX = 10.0
TOKEN_LENGTH_MIN = 16


class Check(NamedTuple):
    """One thing that was looked at: what it is like, and what to do where it is not as it should be.

    `look`: it works, and a person may want to know of it. `wrong`: it does not work.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    """All checks, in the order in which a start meets what they look at."""
    server = server_of(settings.data_dir)
    yield _port(settings, server)
    yield Check("second process", "ok", f"{server} serves this ledger" if server else "no process serves it")
    yield _token(settings)
    yield _folder(settings.data_dir)
    yield _disk(settings.data_dir)
    try:
        check_ledger(settings)
        core = open_core(settings, read_only=True)
    except NoLedgerError as error:
        yield Check("ledger", "look", f"no ledger yet: {error.path}", "`rps serve` or `rps setup` makes one")
        return
    except SchemaError as error:
        newer = error.actual is not None and error.actual > error.expected
        advice = "run the newer release" if newer else "a start migrates it"
        yield Check("ledger", "wrong" if newer else "look", str(error), advice)
        return
    except (LedgerError, ModelError) as error:
        yield Check("ledger", "wrong", str(error), "docs/operations.md says what to do, by symptom")
        return
    try:
        yield from _within(settings, core)
    finally:
        core.close()


def _within(settings: Settings, core: Core) -> Iterator[Check]:
    yield _identity(settings, core)
    yield _tail(core)
    yield _clock(core)
    yield _seal_key(settings, core)
    yield _registry(core)
    yield _store(core)
    yield _versions(core)


def _port(settings: Settings, server: str | None) -> Check:
    try:
        listen(settings.host, settings.port).close()
    except AddressError as error:
        if server is not None:
            return Check("port", "ok", f"taken at {service_url(settings)}, as by the service that runs")
        return Check("port", "wrong", str(error), "set RPS_PORT or RPS_HOST")
    return Check("port", "ok", f"{service_url(settings)} is free")


def _token(settings: Settings) -> Check:
    token = settings.internal_token
    if token is None and not is_loopback(settings.host):
        found = f"none, and {settings.host} is no loopback address: guarded calls are refused"
        return Check("token", "look", found, "set RPS_INTERNAL_TOKEN")
    if token is not None and len(token) < TOKEN_LENGTH_MIN:
        return Check("token", "look", f"shorter than {TOKEN_LENGTH_MIN} characters", "take a longer one")
    return Check("token", "ok", "set" if token else "none; guarded calls are open on this machine alone")


def _folder(folder: Path) -> Check:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        return Check("folder", "wrong", f"{there} is no folder", "set RPS_DATA_DIR to a folder")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            "folder",
            "wrong",
            f"{there} may not be written by this user",
            "give it the rights, or set RPS_DATA_DIR",
        )
    if there != folder.absolute():
        return Check("folder", "look", f"{folder} does not exist yet", "a start makes it")
    if stat.S_IMODE(folder.stat().st_mode) & stat.S_IWOTH:
        return Check("folder", "look", f"every user may write into {folder}", f"chmod o-w {folder}")
    return Check("folder", "ok", str(folder))


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES_LEAST:
        return Check("disk", "wrong", found, "make room: a full disk refuses every append")
    return Check(
        "disk", "look" if free < FREE_BYTES_LOW else "ok", found, "make room" if free < FREE_BYTES_LOW else ""
    )


def _identity(settings: Settings, core: Core) -> Check:
    try:
        found = read_id(core.engine)
        if (known := LinkFile(settings.data_dir / FILE_NAME).read()) is not None:
            check_link(core.ledger, known, str(settings.data_dir / FILE_NAME))
    except LedgerError as error:
        return Check("ledger", "wrong", str(error), "put the right database back, or `rps accept-ledger`")
    return Check("ledger", "ok", f"{found}, {core.ledger.head().position:,} events")


def _tail(core: Core) -> Check:
    """The end of the log, which the next append builds upon; `rps-audit verify` looks at all of it."""
    head = core.ledger.head().position
    rows = [Row._make(row) for page in Rows(core.engine).pages(max(0, head - TAIL_EVENTS), head) for row in page]
    for before, row in pairwise(rows):
        if not row.follows(before.chain_hash):
            return Check("chain", "wrong", f"position {row.position} does not fit the chain", "rps-audit verify")
    return Check("chain", "ok", f"the last {len(rows):,} events fit")


def _clock(core: Core) -> Check:
    ahead = core.ledger.ahead_seconds()
    if ahead > AHEAD_SECONDS_MAX:
        found = (
            f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}, {ahead:,.0f} s behind the ledger's last event"
        )
        return Check(
            "clock", "wrong", found, "set the clock right; new events have the last one's time until then"
        )
    return Check("clock", "ok", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _seal_key(settings: Settings, core: Core) -> Check:
    path, seal = settings.seal_key, last_seal(core.ledger)
    if not path.exists():
        if seal is None and not public_path(path).exists():
            return Check("seal key", "ok", "none yet; the first seal makes it")
        return Check(
            "seal key", "wrong", f"{path} is lost", "put it back from your copy: nothing is sealed without it"
        )
    try:
        verifier = read_signer(path).verifier
        if seal is not None:
            open_seal(seal, [verifier])
    except LedgerError as error:
        return Check("seal key", "wrong", str(error), "put the ledger's own key back")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Check("seal key", "look", f"other users may read {path}", f"chmod 600 {path}")
    return Check("seal key", "ok", f"{verifier.label}, last seal over {seal.size if seal else 0:,} events")


def _registry(core: Core) -> Check:
    try:
        owner = core.registry.owner()
    except ModelError as error:
        return Check("MLflow", "wrong", str(error), "start it, or set MLFLOW_TRACKING_URI; games go on meanwhile")
    if owner is not None and owner != read_id(core.engine):
        return Check(
            "MLflow", "wrong", f"its models are those of ledger {owner}", "name another, or `rps accept-ledger`"
        )
    return Check("MLflow", "ok", "it answers" + ("" if owner else "; the first start names this ledger in it"))


def _store(core: Core) -> Check:
    try:
        kept = sum(len(core.store.versions(family)) for family in FAMILIES)
    except ModelError as error:
        return Check(
            "model store", "wrong", str(error), "set RPS_MODEL_STORE_URL and MINIO_*; MLflow is asked meanwhile"
        )
    return Check(
        "model store", "ok" if kept else "look", f"{kept} versions", "" if kept else "`rps models sync` fills it"
    )


def _versions(core: Core) -> Check:
    try:
        core.read_models.projector.start()
    except (ProjectionError, LedgerError) as error:
        return Check("versions", "wrong", str(error), "rps-audit verify")
    wanted = [
        (family, version) for family, versions in core.wanted_versions().items() for version in sorted(versions)
    ]
    if not wanted:
        return Check("versions", "look", "no aliases yet", "`rps setup` trains the first models")
    loaded = core.models.preload(wanted)
    for (family, version), outcome in loaded.items():
        if isinstance(outcome, ModelUnavailable):
            return Check(
                "versions", "wrong", f"version {version} of {family}: {outcome}", "rps models; rps models sync"
            )
    return Check("versions", "ok", f"all {len(loaded)} behind aliases and open games can be loaded")
