"""Tiny ONNX graphs, and versions made of them."""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from gameplay.game.features import FEATURE_NAMES
from gameplay.models.artifacts import (
    FEATURES_DIGEST,
    ModelCard,
    ModelFiles,
    Origin,
    Score,
    Source,
    TrainedModel,
    digest,
)
from ledger.vocabulary import MOVES, Family

WIDTH = len(FEATURE_NAMES)
NAN = float("nan")
ORIGIN = Origin(1_700_000_000_000, "rps train", "ada", "0123abc")


def constant_graph(scores: Sequence[float], *, width: int = WIDTH) -> bytes:
    """A graph that gives the same scores for every row, in one output as older versions have it."""
    return _graph(np.zeros((width, len(scores)), np.float32), np.array(scores, np.float32))


def named_graph(scores: Sequence[float]) -> bytes:
    """A graph that gives the same scores for every row, in an output for each move."""
    return _graph(np.zeros((WIDTH, 3), np.float32), np.array(scores, np.float32), MOVES)


def first_feature_graph() -> bytes:
    """A graph that gives rock the first feature and paper the rest of 1: right for some rows only."""
    weights = np.zeros((WIDTH, 3), np.float32)
    weights[0] = (1, -1, 0)
    return _graph(weights, np.array([0, 1, 0], np.float32))


def card(onnx: bytes, family: Family = "xgboost", *, features_digest: str = FEATURES_DIGEST) -> ModelCard:
    return ModelCard(
        family=family,
        alias="B",
        onnx_digest=digest(onnx),
        features_digest=features_digest,
        hyperparameters={"seed": 11, "hidden": [64, 32], "l2": 0.001},
        source=Source(
            after_position=3,
            through_position=900,
            since_us=0,
            legacy_stride=5,
            limit_games=None,
            games=60,
            rows=700,
            rows_digest="ab" * 32,
        ),
        training=Score(300, 420),
        validation=Score(90, 140),
        holdout=Score(80, 140),
        by_opponent={"cal": Score(70, 100), "human": Score(10, 40)},
        own_by_opponent={"cal": Score(45, 60)},
    )


def files(
    version: int = 1, scores: Sequence[float] = (0.2, 0.5, 0.3), *, family: Family = "xgboost"
) -> ModelFiles:
    onnx = constant_graph(scores)
    return ModelFiles(version, f"run-{family}-{version}", card(onnx, family), onnx)


def trained(scores: Sequence[float] = (0.2, 0.5, 0.3), *, family: Family = "xgboost") -> TrainedModel:
    onnx = named_graph(scores)
    attachments = {"estimator.ubj": b"trees", "dataset.json": b"{}", "confusion_matrix.png": b"a picture"}
    return TrainedModel(card(onnx, family), onnx, attachments, {"validation_log_loss": [1.1, 0.9, 0.8]}, ORIGIN)


def _graph(weights: np.ndarray, bias: np.ndarray, columns: Sequence[str] = ()) -> bytes:
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["probabilities"]),
    ]
    given = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, weights.shape[0]])
    made = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(bias)])]
    if columns:
        nodes.append(helper.make_node("Split", ["probabilities"], list(columns), axis=1))
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in columns]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    graph = helper.make_graph(nodes, "tiny", [given], made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())
