"""Object storage for models: a local directory by default, S3 or MinIO by URL.

It is a copy of what the registry holds, close to the service:

    <run id>/model.onnx                      the graph
    <run id>/meta.json                       version, run id and card
    <registered name>/versions/<version>     names the run
    <registered name>/.alias_<alias>         names version and run, for people and scripts
    <run id>/.alias_<alias>                  says the same where scripts look that know the run
"""

from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import msgspec

from gameplay.models.artifacts import REGISTERED_NAMES, ModelCard, ModelFiles, digest
from gameplay.models.errors import (
    DigestMismatch,
    ModelDamaged,
    ModelMissing,
    PointerTaken,
    StoreSettingError,
    StoreUnavailable,
)
from ledger.decoders import json_decoder
from ledger.masking import Masking, mask_addresses
from ledger.vocabulary import ALIASES, FAMILIES, Alias, Family
from projections.objects import (
    AddressError,
    AlreadyExistsError,
    ObjectStore,
    Patience,
    S3Access,
    failures,
    open_bucket,
    open_folder,
    parse_address,
)

# A version that does not come in time is taken from the registry instead; waiting would gain nothing.
PATIENCE = Patience(request_seconds=3, connect_seconds=1, retries=1)

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)

INCOMING = "incoming"
LEFTOVER_AGE = timedelta(hours=1)
"""What is written now takes seconds; an older temporary object is a dead writer's."""


class Marker(msgspec.Struct, frozen=True):
    """What an alias's marker says; `run_id` is None when the version itself is not in the store."""

    version: int
    run_id: str | None


class ModelStore(Protocol):
    """What the service needs of a model store. Every method raises StoreUnavailable."""

    def put_model(self, family: Family, files: ModelFiles) -> None:
        """Keep a version. Raises PointerTaken where its number is another run's."""
        ...

    def get_model(self, family: Family, version: int) -> ModelFiles:
        """A version as it was put. Raises ModelMissing, ModelDamaged."""
        ...

    def set_marker(self, family: Family, alias: Alias, version: int) -> None:
        """Say which version an alias names."""
        ...

    def sweep_markers(self, family: Family) -> None:
        """Remove what says of other versions that an alias names them."""
        ...

    def versions(self, family: Family) -> dict[int, str]:
        """Every version of a family that is kept, with its run id."""
        ...

    def remove(self, family: Family, version: int) -> None:
        """Remove a version; one that is not there is no error."""
        ...

    def remove_leftovers(self) -> None:
        """Remove what writers that died have left behind."""
        ...


class _Meta(msgspec.Struct, frozen=True):
    version: int
    run_id: str
    card: ModelCard


class _Pointer(msgspec.Struct, frozen=True):
    run_id: str


_decode_marker = json_decoder(Marker).decode
_decode_meta = json_decoder(_Meta).decode
_decode_pointer = json_decoder(_Pointer).decode


class ObjectModelStore:
    """A model store in object storage; may be shared by threads and by processes."""

    def __init__(self, objects: ObjectStore, *, masked: Masking = mask_addresses) -> None:
        self._objects = objects
        self._masked = masked

    def put_model(self, family: Family, files: ModelFiles) -> None:
        """Keep a version, instead of an earlier copy of it. Raises PointerTaken, StoreUnavailable.

        The description comes first, by which a folder that a crash leaves behind is known for ours; the pointer
        comes last, so that it never names a version that is only half there.
        """
        self._require_own(family, files)
        meta = _Meta(files.version, files.run_id, files.card)
        with self._translated("keep a version"):
            self._replace(f"{files.run_id}/meta.json", msgspec.json.encode(meta))
            self._replace(f"{files.run_id}/model.onnx", files.onnx)
        self._point(family, files)

    def get_model(self, family: Family, version: int) -> ModelFiles:
        """A version, its digest checked. Raises ModelMissing, ModelDamaged, StoreUnavailable."""
        run_id = self._run_of(family, version)
        if run_id is None:
            raise ModelMissing(family, version)
        onnx = self._get(f"{run_id}/model.onnx")
        encoded = self._get(f"{run_id}/meta.json")
        if onnx is None or encoded is None:
            raise ModelMissing(family, version)
        try:
            meta = _decode_meta(encoded)
        except UNREADABLE as error:
            raise ModelDamaged(family, version, f"its description cannot be read: {error}") from error
        if (actual := digest(onnx)) != meta.card.onnx_digest:
            raise DigestMismatch(family, version, meta.card.onnx_digest, actual)
        return ModelFiles(version, run_id, meta.card, onnx)

    def _point(self, family: Family, files: ModelFiles) -> None:
        key, pointer = _pointer_key(family, files.version), msgspec.json.encode(_Pointer(files.run_id))
        with self._translated("keep a version"):
            try:
                # Whether it is there is for the storage to say: another process may write it at this moment.
                self._objects.put(key, pointer, mode="create")
            except AlreadyExistsError:
                self._require_own(family, files)
                self._replace(key, pointer)

    def _require_own(self, family: Family, files: ModelFiles) -> None:
        """Raise PointerTaken where the number is another run's. A pointer that cannot be read is no run's."""
        try:
            run_id = self._run_of(family, files.version)
        except ModelDamaged:
            return
        if run_id not in (None, files.run_id):
            raise PointerTaken(family, files.version, f"it is run {run_id}, not run {files.run_id}")

    def set_marker(self, family: Family, alias: Alias, version: int) -> None:
        """Say which version an alias names, whether or not the store has it. Raises StoreUnavailable.

        The marker in the run's folder comes first and the former run's goes last: a crash in between leaves one
        too many, never none.
        """
        try:
            run_id = self._run_of(family, version)
        except ModelDamaged:
            run_id = None  # as good as not there; loading the version or a sync says so
        before = self._marker(family, alias)
        with self._translated(f"mark {alias}"):
            if run_id is not None:
                line = f"{REGISTERED_NAMES[family]}@{alias} v{version}\n"
                self._replace(_run_marker_key(run_id, alias), line.encode())
            self._replace(_marker_key(family, alias), msgspec.json.encode(Marker(version, run_id)))
        if before is not None and before.run_id not in (None, run_id):
            self._delete(_run_marker_key(before.run_id, alias))

    def sweep_markers(self, family: Family) -> None:
        """Remove the markers in the folders of runs that their aliases do not name. Raises StoreUnavailable."""
        named = {alias: marker.run_id for alias in ALIASES if (marker := self._marker(family, alias))}
        for run_id in self.versions(family).values():
            for alias in self._marked(run_id):
                if named.get(alias) != run_id:
                    self._delete(_run_marker_key(run_id, alias))

    def _marker(self, family: Family, alias: Alias) -> Marker | None:
        """What an alias's marker says; None where there is none, or none that can be read."""
        encoded = self._get(_marker_key(family, alias))
        try:
            return _decode_marker(encoded) if encoded else None
        except UNREADABLE:
            return None

    def _marked(self, run_id: str) -> list[Alias]:
        with self._translated("look at markers"):
            paths = {meta["path"] for page in self._objects.list(run_id) for meta in page}
        return [alias for alias in ALIASES if _run_marker_key(run_id, alias) in paths]

    def versions(self, family: Family) -> dict[int, str]:
        """Every version of a family that is kept, with its run id. Raises StoreUnavailable.

        Left out is what lies in the folder and is no pointer, or none that can be read.
        """
        folder = f"{REGISTERED_NAMES[family]}/versions"
        with self._translated("list the versions"):
            names = [meta["path"].rpartition("/")[2] for page in self._objects.list(folder) for meta in page]
        runs: dict[int, str] = {}
        for version in sorted(int(name) for name in names if name.isdecimal()):
            with suppress(ModelDamaged):
                if run_id := self._run_of(family, version):
                    runs[version] = run_id
        return runs

    def remove(self, family: Family, version: int) -> None:
        """Remove a version; one that is not there is no error. Raises ModelDamaged, StoreUnavailable.

        The pointer goes last: while it is there, a removal that was interrupted can be taken up again.
        """
        run_id = self._run_of(family, version)
        if run_id is None:
            return
        self._delete_run(run_id)
        self._delete(_pointer_key(family, version))

    def remove_leftovers(self) -> None:
        """Remove what writers that died have left behind, an hour ago or earlier. Raises StoreUnavailable.

        These are temporary objects, and the folders of runs that no pointer names.
        """
        latest = datetime.now(UTC) - LEFTOVER_AGE
        self._remove_incoming(latest)
        referred = {run_id for family in FAMILIES for run_id in self.versions(family).values()}
        with self._translated("look for leftovers"):
            folders = {prefix.rstrip("/") for prefix in self._objects.list_with_delimiter()["common_prefixes"]}
        for run_id in sorted(folders - referred - {INCOMING, *REGISTERED_NAMES.values()}):
            if self._is_abandoned(run_id, latest):
                self._delete_run(run_id)

    def _remove_incoming(self, latest: datetime) -> None:
        with self._translated("look for leftovers"):
            found = [meta for page in self._objects.list(INCOMING) for meta in page]
            for meta in found:
                if meta["last_modified"] < latest:
                    with suppress(FileNotFoundError):
                        self._objects.delete(meta["path"])

    def _is_abandoned(self, run_id: str, latest: datetime) -> bool:
        """Whether a folder is a version's, by its own description: others may keep theirs in the same bucket."""
        with self._translated(f"look at {run_id}"):
            try:
                found = self._objects.get(f"{run_id}/meta.json")
                written, encoded = found.meta["last_modified"], bytes(found.bytes())
            except FileNotFoundError:
                return False
        try:
            meta = _decode_meta(encoded)
        except UNREADABLE:
            return False
        return meta.run_id == run_id and written < latest

    def _delete_run(self, run_id: str) -> None:
        for alias in self._marked(run_id):
            self._delete(_run_marker_key(run_id, alias))
        for name in ("model.onnx", "meta.json"):
            self._delete(f"{run_id}/{name}")

    def _delete(self, key: str) -> None:
        # It may be half removed already; a local directory minds, S3 does not.
        with self._translated("remove a version"), suppress(FileNotFoundError):
            self._objects.delete(key)

    def _run_of(self, family: Family, version: int) -> str | None:
        encoded = self._get(_pointer_key(family, version))
        if encoded is None:
            return None
        try:
            return _decode_pointer(encoded).run_id
        except UNREADABLE as error:
            raise ModelDamaged(family, version, f"its pointer cannot be read: {error}") from error

    def _get(self, key: str) -> bytes | None:
        with self._translated(f"read {key}"):
            try:
                return bytes(self._objects.get(key).bytes())
            except FileNotFoundError:
                return None

    def _replace(self, key: str, content: bytes) -> None:
        # A reader sees the old bytes or the new ones, and what a crash leaves behind is under a key that is
        # never read.
        temporary = f"{INCOMING}/{uuid4()}"
        self._objects.put(temporary, content)
        self._objects.rename(temporary, key, overwrite=True)

    def _translated(self, operation: str) -> AbstractContextManager[None]:
        return _translated(operation, self._masked)


def open_model_store(
    url: str, access: S3Access | None = None, *, make: bool = True, masked: Masking = mask_addresses
) -> ObjectModelStore:
    """The model store in the object storage at `url`; `masked` takes secrets out of what errors say.

    Raises StoreSettingError, StoreUnavailable.
    """
    return ObjectModelStore(open_objects(url, access, make=make, masked=masked), masked=masked)


def open_objects(
    url: str, access: S3Access | None = None, *, make: bool = True, masked: Masking = mask_addresses
) -> ObjectStore:
    """Object storage at `file:///FOLDER` or `s3://BUCKET[/PREFIX]`, which needs `access`.

    A missing folder is made, or else stands for a store that is empty. Touches no network. Raises
    StoreSettingError, StoreUnavailable.
    """
    try:
        place = parse_address(url)
        if isinstance(place, Path):
            with _translated(f"open {masked(url)}", masked):
                return open_folder(place, make=make)
        if access is None:
            raise StoreSettingError(masked(url), "needs an access key and a secret key")
        with _translated(masked(f"open s3://{place.name}"), masked):
            return open_bucket(place, access, PATIENCE)
    except AddressError as error:
        raise StoreSettingError("the model store", masked(str(error))) from error


def _pointer_key(family: Family, version: int) -> str:
    return f"{REGISTERED_NAMES[family]}/versions/{version}"


def _marker_key(family: Family, alias: Alias) -> str:
    return f"{REGISTERED_NAMES[family]}/.alias_{alias}"


def _run_marker_key(run_id: str, alias: Alias) -> str:
    return f"{run_id}/.alias_{alias}"


def _translated(operation: str, masked: Masking) -> AbstractContextManager[None]:
    return failures(lambda problem: StoreUnavailable(operation, masked(problem)))
