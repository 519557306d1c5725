"""The model registry: runs, versions and aliases in MLflow.

MLflow is imported here and in `logged_model`, and only inside functions: the import takes seconds, the first open
of a database as long again, and the service answers before either.
"""

import logging
import os
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from gameplay.models.artifacts import REGISTERED_NAMES, ModelFiles, Registered, TrainedModel
from gameplay.models.descriptions import policy_text, run_tags, version_tags, version_text
from gameplay.models.errors import RegistryUnavailable, VersionMissing
from gameplay.models.logged_model import log_model, read_model
from gameplay.models.relocation import follow
from gameplay.telemetry import disable_telemetry
from ledger.masking import Masking, mask_addresses
from ledger.vocabulary import ALIASES, Alias, Family

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment
    from mlflow.entities.model_registry import ModelVersion

EXPERIMENT = "rps-training"
WEBHOOK = "promotion-ledger"
WEBHOOK_EVENTS = ("model_version_alias.created", "model_version_alias.deleted")
OWNER_TAG = "promotion_ledger.id"

# MLflow reads these from the environment and from nowhere else. Its own defaults retry an unreachable server
# for minutes; an operator's values win.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class Registry(Protocol):
    """What the service needs of a model registry. Every method raises RegistryUnavailable."""

    def aliases(self, family: Family) -> dict[Alias, int]:
        """The version behind each alias that is set."""
        ...

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        """Set an alias; setting it again changes nothing. Raises VersionMissing."""
        ...

    def runs(self, family: Family, versions: Collection[int]) -> dict[int, str]:
        """Those of the versions that the family has and that came of a run, with their runs."""
        ...

    def versions(self, family: Family) -> dict[int, str]:
        """Every version of the family that came of a run, with its run."""
        ...

    def register(self, family: Family, run: TrainedModel) -> Registered:
        """Keep a trained model as the family's next version. Moves no alias."""
        ...

    def discard(self, family: Family, landed: Registered) -> None:
        """Take back a version that was registered and cannot be used."""
        ...

    def download(self, family: Family, version: int) -> ModelFiles:
        """The files of a version. Raises VersionMissing."""
        ...

    def annotate(self, family: Family, text: str, tags: Mapping[int, Mapping[str, str]]) -> None:
        """Have the family described by a text in Markdown and its versions tagged, but for those that are gone."""
        ...

    def owner(self) -> str | None:
        """The id of the ledger whose models these are, if one has said so."""
        ...

    def set_owner(self, ledger_id: str) -> None:
        """Keep the id of the ledger whose models these are."""
        ...


class MlflowRegistry:
    """The registry behind an MLflow tracking URI, opened at first use; may be shared by threads."""

    def __init__(
        self,
        tracking_uri: str,
        *,
        artifact_location: str | None = None,
        make: bool = True,
        masked: Masking = mask_addresses,
    ) -> None:
        """`make`: whether a database that does not exist is made; without it the registry is unavailable.

        `masked` takes secrets out of what errors say: MLflow repeats the URI.
        """
        self.tracking_uri = tracking_uri
        self._masked = masked
        self._make = make
        self._is_served = tracking_uri.startswith(("http://", "https://"))
        self._artifact_location = artifact_location
        self._opened: MlflowClient | None = None
        disable_telemetry()
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        # Two threads that open a new SQLite database at once would both try to make its tables.
        self._alone = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the client is there: to make it takes seconds, of which a call has no part."""
        return self._opened is not None

    def open(self) -> None:
        """Make the client. Raises RegistryUnavailable."""
        with self._translated("open the registry"):
            self._client()

    def aliases(self, family: Family) -> dict[Alias, int]:
        """The version behind each alias that is set; others than our four are left out."""
        with self._translated("read the aliases"):
            found = self._registered_aliases(REGISTERED_NAMES[family])
        return {alias: int(found[alias]) for alias in ALIASES if alias in found}

    def assign(self, family: Family, alias: Alias, version: int) -> None:
        """Set an alias. Raises VersionMissing, RegistryUnavailable."""
        with self._translated(f"set {alias}", family, version):
            self._client().set_registered_model_alias(REGISTERED_NAMES[family], alias, str(version))

    def runs(self, family: Family, versions: Collection[int]) -> dict[int, str]:
        """Those of the versions that the family has and that came of a run, with their runs.

        Raises RegistryUnavailable.
        """
        if not versions:
            return {}
        # One search over their span: to get a version by its number takes half as long, and a move asks for four.
        span = f"version_number >= {min(versions)} and version_number <= {max(versions)}"
        with self._translated("look for versions"):
            found = _runs(self._versions(family, span))
        return {version: run_id for version, run_id in found.items() if version in versions}

    def versions(self, family: Family) -> dict[int, str]:
        """Every version of the family that came of a run, with its run. Raises RegistryUnavailable."""
        with self._translated("list the versions"):
            return _runs(self._versions(family))

    def register(
        self, family: Family, run: TrainedModel, *, still_wanted: Callable[[], bool] = lambda: True
    ) -> Registered:
        """Log a run with its files, then register its graph as the next version. Raises RegistryUnavailable.

        The version comes last: a crash leaves a run without one, never a version without its files. It is not made
        when the caller has given up waiting, and would never hear of it.
        """
        with self._translated("register a version"):
            client = self._client()
            experiment, origin = self._experiment(client), run.origin
            ledger_id = experiment.tags.get(OWNER_TAG)
            info = client.create_run(
                experiment.experiment_id,
                start_time=origin.began_ms if origin else None,
                tags=run_tags(run.card, origin),
                run_name=f"{family}-{run.card.alias}",
            ).info
            with ExitStack() as failing:
                # Else it would be shown as running for ever. Should this fail too, the error has the first in tow.
                failing.callback(client.set_terminated, info.run_id, "FAILED")
                source = log_model(client, info, run, ledger_id=ledger_id, alone=self._hushed_alone())
                _ensure_model(client, family)
                if not still_wanted():
                    raise RegistryUnavailable("register a version", "it came too late")
                with self._as_default():
                    created = client.create_model_version(
                        REGISTERED_NAMES[family],
                        source,
                        info.run_id,
                        tags=version_tags(run.card, ledger_id),
                        description=version_text(run.card, origin, ledger_id),
                        model_id=source.rpartition("/")[2],
                    )
                failing.pop_all()
            client.set_terminated(info.run_id)
        return Registered(int(created.version), info.run_id)

    def download(self, family: Family, version: int) -> ModelFiles:
        """The files of a version. Raises VersionMissing, RegistryUnavailable."""
        with self._translated("download a version", family, version):
            from mlflow.artifacts import download_artifacts

            client, name = self._client(), REGISTERED_NAMES[family]
            run_id = _run_of(family, version, client.get_model_version(name, str(version)))
            # Of a version from before LoggedModels this is a folder of its run.
            place = client.get_model_version_download_uri(name, str(version))
            with tempfile.TemporaryDirectory(prefix="rps-model-") as folder:
                model = download_artifacts(place, dst_path=folder, tracking_uri=self.tracking_uri)
                return read_model(family, version, run_id, Path(model))

    def discard(self, family: Family, landed: Registered) -> None:
        """Take back a version that was registered and cannot be used, and say so at its run."""
        with self._translated("take back a version"):
            client = self._client()
            client.delete_model_version(REGISTERED_NAMES[family], str(landed.version))
            client.set_tag(landed.run_id, "discarded", f"its version {landed.version} belongs to another run")

    def annotate(self, family: Family, text: str, tags: Mapping[int, Mapping[str, str]]) -> None:
        """Describe the family and tag its versions, where that says something new. Raises RegistryUnavailable."""
        with self._translated("write the moves down"):
            client, name = self._client(), REGISTERED_NAMES[family]
            if client.get_registered_model(name).description != text:
                client.update_registered_model(name, text)
            for found in self._versions(family) if tags else ():
                for key, value in tags.get(int(found.version), {}).items():
                    if found.tags.get(key) != value:
                        client.set_model_version_tag(name, found.version, key, value)

    def owner(self) -> str | None:
        """The id of the ledger whose models these are, if one has said so. Raises RegistryUnavailable."""
        with self._translated("read whose models these are"):
            experiment = self._client().get_experiment_by_name(EXPERIMENT)
        found = experiment.tags.get(OWNER_TAG) if experiment else None
        return None if found is None else str(found)

    def set_owner(self, ledger_id: str) -> None:
        """Keep the id of the ledger whose models these are. Raises RegistryUnavailable."""
        with self._translated("say whose models these are"):
            client = self._client()
            client.set_experiment_tag(self._experiment(client).experiment_id, OWNER_TAG, ledger_id)

    def send_webhooks(self, url: str, secret: str) -> bool:
        """Have MLflow's server send a signed request to an address when an alias moves; True if that is new.

        Raises RegistryUnavailable, also where the server refuses the address.
        """
        with self._translated("register a webhook"):
            client, found = self._client(), None
            pages = client.list_webhooks()
            while found is None:
                found = next((one for one in pages if one.name == WEBHOOK), None)
                if found is not None or not pages.token:
                    break
                pages = client.list_webhooks(page_token=pages.token)
            asked: dict[str, Any] = {
                "url": url,
                "events": list(WEBHOOK_EVENTS),
                "secret": secret,
                "status": "ACTIVE",
            }
            if found is None:
                client.create_webhook(WEBHOOK, **asked)
            else:
                client.update_webhook(found.webhook_id, **asked)
            return found is None

    @contextmanager
    def _translated(
        self, operation: str, family: Family | None = None, version: int | None = None
    ) -> Iterator[None]:
        with self._alone:  # its modules import each other: threads that import several at once find one half there
            from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            problem = self._masked(str(error))
            if error.error_code == "RESOURCE_DOES_NOT_EXIST" and family is not None and version is not None:
                raise VersionMissing(family, version, problem) from error
            raise RegistryUnavailable(operation, problem) from error
        except (OSError, SQLAlchemyError, sqlite3.Error, ImportError, ValueError) as error:
            # Not everything comes as MLflow's own error: files, its database, an artifact store's missing client,
            # and an address that does not parse.
            raise RegistryUnavailable(operation, self._masked(str(error))) from error

    def _client(self) -> "MlflowClient":
        with self._alone:
            if self._opened is None:
                if not self._make and _is_missing(self.tracking_uri):
                    raise RegistryUnavailable(
                        "open the registry", self._masked(f"there is no {self.tracking_uri}")
                    )
                if self._make and self._artifact_location is not None:
                    follow(self.tracking_uri, EXPERIMENT, self._artifact_location)
                # It announces every table that it makes and every version that it registers.
                logging.getLogger("mlflow").setLevel(logging.WARNING)
                with _hushed():
                    from mlflow import MlflowClient

                    self._opened = MlflowClient(self.tracking_uri)
            return self._opened

    def _registered_aliases(self, name: str) -> dict[str, Any]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(self._client().get_registered_model(name).aliases)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise

    def _versions(self, family: Family, *conditions: str) -> "Iterator[ModelVersion]":
        client, token = self._client(), None
        asked = " and ".join((f"name='{REGISTERED_NAMES[family]}'", *conditions))
        while True:
            page = client.search_model_versions(asked, page_token=token)
            yield from page
            if not (token := page.token):
                return

    @contextmanager
    def _hushed_alone(self) -> Iterator[None]:
        with self._alone, _hushed():
            yield

    @contextmanager
    def _as_default(self) -> Iterator[None]:
        """Have our address be the whole process's, which no server needs.

        MLflow's store in a database looks a LoggedModel up there, and not where its own client was told to look.
        """
        if self._is_served:
            yield
            return
        import mlflow

        with self._alone, _hushed():
            # The variable mirrors what was set before; None unsets both.
            before = os.environ.get("MLFLOW_TRACKING_URI")
            mlflow.set_tracking_uri(self.tracking_uri)
            try:
                yield
            finally:
                mlflow.set_tracking_uri(before)

    def _experiment(self, client: "MlflowClient") -> "Experiment":
        from mlflow.exceptions import MlflowException

        if (found := client.get_experiment_by_name(EXPERIMENT)) is None:
            try:
                client.create_experiment(EXPERIMENT, artifact_location=self._artifact_location)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise  # another process was first
            found = client.get_experiment_by_name(EXPERIMENT)
        assert found is not None
        return found


def _is_missing(tracking_uri: str) -> bool:
    """Whether opening the registry would make its database."""
    scheme, _, path = tracking_uri.partition(":///")
    return scheme == "sqlite" and not Path(path).exists()


@contextmanager
def _hushed() -> Iterator[None]:
    # Its modules, loaded at their first use, warn of their own affairs. The filters belong to the whole process:
    # two threads in here at once would leave them changed, so the caller holds a lock.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _runs(versions: "Iterable[ModelVersion]") -> dict[int, str]:
    return {int(one.version): str(one.run_id) for one in versions if one.run_id}


def _run_of(family: Family, version: int, found: "ModelVersion") -> str:
    if not found.run_id:
        raise VersionMissing(family, version, "it was registered without a run")
    return str(found.run_id)


def _ensure_model(client: "MlflowClient", family: Family) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(REGISTERED_NAMES[family], description=policy_text(family))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
