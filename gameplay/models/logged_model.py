"""A version as MLflow's own tools know it: a LoggedModel with signature, example, metrics and data set.

These are the calls of `mlflow.onnx.log_model`. That function itself takes tracking server, experiment and run
from variables of the whole process, which the threads of a service would take from each other.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gameplay.game.features import FEATURE_NAMES
from gameplay.models.artifacts import ModelCard, ModelFiles, TrainedModel, digest
from gameplay.models.descriptions import metrics, parameters, requirements, run_tags
from gameplay.models.errors import VersionMissing
from ledger.decoders import json_decoder
from ledger.vocabulary import MOVES, Family

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, RunInfo
    from mlflow.models import ModelSignature

CARD_FILE: Final = "card.json"
GRAPH_FILE: Final = "model.onnx"
DATA_SET: Final = "ledger"
DIGEST_LENGTH: Final = 36
"""As much of a data set's digest as MLflow keeps."""
METRICS_A_BATCH: Final = 900
"""MLflow takes 1,000 values at a time, parameters included."""

_decode_card = json_decoder(ModelCard).decode


def log_model(
    client: "MlflowClient",
    run: "RunInfo",
    trained: TrainedModel,
    *,
    ledger_id: str | None,
    alone: AbstractContextManager[Any],
) -> str:
    """Log a trained model with all that is known of it under a run; returns its URI, `models:/m-...`.

    `alone` keeps other threads out while MLflow writes the files: it changes what belongs to the process.
    """
    card = trained.card
    model = client.create_logged_model(
        run.experiment_id,
        name=f"{card.family}-{card.alias}",
        source_run_id=run.run_id,
        params=parameters(card),
        tags=run_tags(card, trained.origin),
    )
    with ExitStack() as failing:
        failing.callback(client.finalize_logged_model, model.model_id, "FAILED")
        with tempfile.TemporaryDirectory(prefix="rps-model-") as folder:
            written, attached = Path(folder) / "model", Path(folder) / "run"
            with alone:
                _write_model(written, trained, run.run_id, model.model_id, model.artifact_location)
            client.log_model_artifacts(model.model_id, str(written))
            _write_attachments(attached, trained)
            client.log_artifacts(run.run_id, str(attached))
        _log_facts(client, run.run_id, model.model_id, trained, ledger_id)
        failing.pop_all()
    client.finalize_logged_model(model.model_id, "READY")
    return f"models:/{model.model_id}"


def read_model(family: Family, version: int, run_id: str, model: Path) -> ModelFiles:
    """The files of a version, from its folder as it was downloaded. Raises VersionMissing."""
    try:
        onnx = (model / GRAPH_FILE).read_bytes()
        card = _decode_card((model / CARD_FILE).read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VersionMissing(family, version, str(error)) from error
    if (actual := digest(onnx)) != card.onnx_digest:
        raise VersionMissing(family, version, f"its graph is damaged: {actual} is not {card.onnx_digest}")
    return ModelFiles(version, run_id, card, onnx)


def _write_model(folder: Path, trained: TrainedModel, run_id: str, model_id: str, location: str) -> None:
    """A folder that MLflow's own tools load, with our card in it."""
    import mlflow.onnx
    import onnx
    from mlflow.models import Model

    mlflow.onnx.save_model(
        onnx.load_from_string(trained.onnx),
        str(folder),
        mlflow_model=Model(artifact_path=location, model_uuid=model_id, run_id=run_id, model_id=model_id),
        signature=_signature(),
        input_example=_example(),
        # Given explicitly, or MLflow would run the model in a new process to find out, for seconds.
        pip_requirements=requirements(),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    (folder / GRAPH_FILE).write_bytes(trained.onnx)  # the digest is of these bytes, not of a copy
    (folder / CARD_FILE).write_bytes(msgspec.json.encode(trained.card))


def _write_attachments(folder: Path, trained: TrainedModel) -> None:
    folder.mkdir()
    for name, content in trained.attachments.items():
        (folder / name).write_bytes(content)


def _signature() -> "ModelSignature":
    """A column for each feature, a column for each move. `double`, for a column of `float` refuses pandas' own."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    given = Schema([ColSpec("double", name) for name in FEATURE_NAMES])
    return ModelSignature(inputs=given, outputs=Schema([ColSpec("float", move) for move in MOVES]))


def _example() -> Any:
    """One row, whose values say nothing and whose columns say what is asked for."""
    import pandas as pd

    return pd.DataFrame([[0.0] * len(FEATURE_NAMES)], columns=list(FEATURE_NAMES))


def _log_facts(
    client: "MlflowClient", run_id: str, model_id: str, trained: TrainedModel, ledger_id: str | None
) -> None:
    from mlflow.entities import LoggedModelOutput, Param
    from mlflow.utils.time import get_current_time_millis

    params = [Param(name, value) for name, value in parameters(trained.card).items()]
    _log_data_set(client, run_id, _data_set(trained.card, ledger_id))
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    found = list(_metrics(trained, run_id, model_id, get_current_time_millis()))
    for first in range(0, len(found), METRICS_A_BATCH):
        client.log_batch(
            run_id, metrics=found[first : first + METRICS_A_BATCH], params=params if not first else ()
        )


def _log_data_set(client: "MlflowClient", run_id: str, data_set: "DatasetInput") -> None:
    """Twice if need be: of two runs that bring the same data set at once, a server on SQL refuses the second."""
    from mlflow.exceptions import MlflowException

    try:
        client.log_inputs(run_id, [data_set])
    except MlflowException:
        client.log_inputs(run_id, [data_set])


def _metrics(trained: TrainedModel, run_id: str, model_id: str, now_ms: int) -> Iterator["Metric"]:
    """The scores, which belong to run and model and tell their data set; the curves are the run's alone."""
    from mlflow.entities import Metric

    of = {"model_id": model_id, "run_id": run_id}
    on = {"dataset_name": DATA_SET, "dataset_digest": _digest(trained.card)}
    for name, value in metrics(trained.card).items():
        yield Metric(name, value, now_ms, 0, **of, **on)
    for name, values in trained.curves.items():
        yield from _curve(name, values, now_ms)


def _curve(name: str, values: Sequence[float], now_ms: int) -> Iterator["Metric"]:
    from mlflow.entities import Metric

    for step, value in enumerate(values):
        yield Metric(name, value, now_ms, step)


def _data_set(card: ModelCard, ledger_id: str | None) -> "DatasetInput":
    """The rows that the version learned from, as MLflow's pages and `mlflow.data` read it."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source, known = card.source, {} if ledger_id is None else {"ledger.id": ledger_id}
    columns = [{"type": "double", "name": name, "required": True} for name in FEATURE_NAMES]
    where = {
        **known,
        "ledger.after_position": str(source.after_position),
        "ledger.through_position": str(source.through_position),
        "rows_sha256": source.rows_digest,
    }
    profile = {"num_rows": source.rows, "num_games": source.games}
    data_set = Dataset(
        name=DATA_SET,
        digest=_digest(card),
        source_type="code",
        source=CodeDatasetSource(where).to_json(),
        schema=msgspec.json.encode({"mlflow_colspec": columns}).decode(),
        profile=msgspec.json.encode(profile).decode(),
    )
    return DatasetInput(data_set, [InputTag("mlflow.data.context", "training")])


def _digest(card: ModelCard) -> str:
    return card.source.rows_digest[:DIGEST_LENGTH]
