"""The model registry: runs, versions and aliases in MLflow.

The only module that imports mlflow, and only inside functions: the import takes seconds, the first open of a
database as long again, and the service answers before either.
"""

import logging
import os
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from gameplay.models.artifacts import (
    REGISTERED_NAMES,
    ModelCard,
    ModelFiles,
    Registered,
    Score,
    TrainedModel,
    digest,
)
from gameplay.models.errors import RegistryUnavailable, VersionMissing
from gameplay.models.relocation import follow
from gameplay.telemetry import disable_telemetry
from ledger.masking import Masking, mask_addresses
from ledger.vocabulary import ALIASES, Alias, Family

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo
    from mlflow.entities.model_registry import ModelVersion

EXPERIMENT = "rps-training"
OWNER_TAG = "promotion_ledger.id"
CARD_FILE = "card.json"
GRAPH_FILE = "model.onnx"

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

    def run_of(self, family: Family, version: int) -> str:
        """The run that the family's version came of. Raises VersionMissing."""
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

    def run_of(self, family: Family, version: int) -> str:
        """The run that the family's version came of. Raises VersionMissing, RegistryUnavailable."""
        with self._translated("look for a version", family, version):
            found = self._client().get_model_version(REGISTERED_NAMES[family], str(version))
        return _run_of(family, version, found)

    def versions(self, family: Family) -> dict[int, str]:
        """Every version of the family that came of a run, with its run. Raises RegistryUnavailable."""
        with self._translated("list the versions"):
            client, token = self._client(), None
            found: dict[int, str] = {}
            while True:
                page = client.search_model_versions(f"name='{REGISTERED_NAMES[family]}'", page_token=token)
                found |= {int(one.version): str(one.run_id) for one in page if one.run_id}
                if not (token := page.token):
                    return found

    def register(
        self, family: Family, run: TrainedModel, *, still_wanted: Callable[[], bool] = lambda: True
    ) -> Registered:
        """Log a run with its files, then register its graph as the next version. Raises RegistryUnavailable.

        The version comes last: a crash leaves a run without one, never a version without its files. It is not made
        when the caller has given up waiting, and would never hear of it.
        """
        with self._translated("register a version"):
            client = self._client()
            experiment = self._experiment(client)
            info = client.create_run(experiment, run_name=f"{family}-{run.card.alias}").info
            with ExitStack() as failing:
                # Else it would be shown as running for ever. Should this fail too, the error has the first in tow.
                failing.callback(client.set_terminated, info.run_id, "FAILED")
                source = self._log(client, run, info)
                _ensure_model(client, REGISTERED_NAMES[family])
                if not still_wanted():
                    raise RegistryUnavailable("register a version", "it came too late")
                created = client.create_model_version(REGISTERED_NAMES[family], source, info.run_id)
                failing.pop_all()
            client.set_terminated(info.run_id)
        return Registered(int(created.version), info.run_id)

    def download(self, family: Family, version: int) -> ModelFiles:
        """The files of a version. Raises VersionMissing, RegistryUnavailable."""
        with self._translated("download a version", family, version):
            client = self._client()
            run_id = _run_of(family, version, client.get_model_version(REGISTERED_NAMES[family], str(version)))
            with tempfile.TemporaryDirectory(prefix="rps-model-") as folder:
                model = Path(client.download_artifacts(run_id, "model", folder))
                return _read_files(family, version, run_id, model)

    def discard(self, family: Family, landed: Registered) -> None:
        """Take back a version that was registered and cannot be used, and say so at its run."""
        with self._translated("take back a version"):
            client = self._client()
            client.delete_model_version(REGISTERED_NAMES[family], str(landed.version))
            client.set_tag(landed.run_id, "discarded", f"its version {landed.version} belongs to another run")

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
            client.set_experiment_tag(self._experiment(client), OWNER_TAG, ledger_id)

    @contextmanager
    def _translated(
        self, operation: str, family: Family | None = None, version: int | None = None
    ) -> Iterator[None]:
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

    def _log(self, client: "MlflowClient", run: TrainedModel, info: "RunInfo") -> str:
        """Describe the run and upload its files; where they lie."""
        _describe(client, info.run_id, run.card)
        with tempfile.TemporaryDirectory(prefix="rps-model-") as folder:
            with self._alone, _hushed():
                _write_files(Path(folder), run)
            client.log_artifacts(info.run_id, folder)
        return f"{info.artifact_uri}/model"

    def _experiment(self, client: "MlflowClient") -> str:
        from mlflow.exceptions import MlflowException

        if found := client.get_experiment_by_name(EXPERIMENT):
            return str(found.experiment_id)
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=self._artifact_location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)  # another process was first


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


def _run_of(family: Family, version: int, found: "ModelVersion") -> str:
    if not found.run_id:
        raise VersionMissing(family, version, "it was registered without a run")
    return str(found.run_id)


def _ensure_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _describe(client: "MlflowClient", run_id: str, card: ModelCard) -> None:
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.time import get_current_time_millis

    now_ms = get_current_time_millis()
    tags = {"family": card.family, "trained_for": card.alias, "code_version": card.code_version}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now_ms, 0) for name, value in _metrics(card).items()],
        params=[Param(name, value) for name, value in _parameters(card).items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )


def _write_files(folder: Path, run: TrainedModel) -> None:
    """`model/` is a model as MLflow's own tools load it, with our card in it; attachments lie beside it."""
    import mlflow.onnx
    import onnx

    mlflow.onnx.save_model(
        onnx.load_from_string(run.onnx),
        str(folder / "model"),
        # Given explicitly, or MLflow would run the model in a new process to find out, for seconds.
        pip_requirements=["onnxruntime", "numpy"],
        onnx_execution_providers=["CPUExecutionProvider"],
    )
    (folder / "model" / GRAPH_FILE).write_bytes(run.onnx)  # the digest is of these bytes, not of a copy
    (folder / "model" / CARD_FILE).write_bytes(msgspec.json.encode(run.card))
    for name, content in run.attachments.items():
        (folder / name).write_bytes(content)


def _read_files(family: Family, version: int, run_id: str, model: Path) -> ModelFiles:
    try:
        onnx = (model / GRAPH_FILE).read_bytes()
        card = msgspec.json.decode((model / CARD_FILE).read_bytes(), type=ModelCard)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VersionMissing(family, version, str(error)) from error
    if (actual := digest(onnx)) != card.onnx_digest:
        raise VersionMissing(family, version, f"its graph is damaged: {actual} is not {card.onnx_digest}")
    return ModelFiles(version, run_id, card, onnx)


def _metrics(card: ModelCard) -> dict[str, float]:
    scores: dict[str, Score] = {
        "training": card.training,
        "validation": card.validation,
        "holdout": card.holdout,
        **{f"holdout_vs_{opponent}": score for opponent, score in card.by_opponent.items()},
        **{f"holdout_own_vs_{opponent}": score for opponent, score in card.own_by_opponent.items()},
    }
    if card.folds:
        scores |= {f"fold_{number}": score for number, score in enumerate(card.folds)}
    accuracies = {f"{name}_accuracy": score.accuracy for name, score in scores.items()}
    counts = {f"{name}_rows": float(score.rows) for name, score in scores.items()}
    known = {name: value for name, value in accuracies.items() if value is not None}
    return {**known, **counts, **_stability(card.folds)}


def _stability(folds: Sequence[Score]) -> dict[str, float]:
    accuracies = [score.accuracy for score in folds if score.accuracy is not None]
    if len(accuracies) < 2:
        return {}
    return {"folds_mean_accuracy": fmean(accuracies), "folds_sd_accuracy": stdev(accuracies)}


def _parameters(card: ModelCard) -> dict[str, str]:
    source = msgspec.structs.asdict(card.source)
    return {
        **{name: str(value) for name, value in card.hyperparameters.items()},
        **{f"data_{name}": str(value) for name, value in source.items()},
        **{f"library_{name}": version for name, version in card.libraries.items()},
        "features_digest": card.features_digest,
    }
