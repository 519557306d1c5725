"""The three families: their hyperparameters, how they are fitted, and how each becomes an ONNX graph.

The only module that imports sklearn, xgboost, skl2onnx and onnxmltools, and only inside functions.
"""

import pickle
from collections.abc import Callable
from typing import Any, Final, NamedTuple, assert_never

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from threadpoolctl import threadpool_limits

from gameplay.game.features import FEATURE_NAMES
from gameplay.game.rounds import LOOK_BACK
from gameplay.models.errors import TrainingError
from gameplay.models.graph import INPUT, OUTPUT, Rows
from gameplay.training.dataset import Part, Split
from ledger.vocabulary import MOVES, Alias, Family

Scores = npt.NDArray[np.float64]

# What the newest opsets add is not needed, and an older onnxruntime reads these.
SKLEARN_OPSET: Final = 17
XGBOOST_OPSET: Final = 15

# Unless it is given, a graph is called by a random name, and the same model would have another digest each time.
GRAPH_NAME: Final = "rps"


class Net(Struct, frozen=True, kw_only=True):
    """A multilayer perceptron: hidden layers' sizes, L2 penalty, and epochs without gain until it stops."""

    hidden: tuple[int, ...]
    l2: float
    learning_rate: float
    epochs: int = 40
    patience: int = 5
    batch: int = 256
    seed: int = 11


class Trees(Struct, frozen=True, kw_only=True):
    """Boosted trees: at most so many a class, and how many more are tried without gain."""

    trees: int
    depth: int
    learning_rate: float
    subsample: float = 0.9
    patience: int = 15
    seed: int = 11


class Line(Struct, frozen=True, kw_only=True):
    """A multinomial logistic regression: the smaller `inverse_l2`, the stronger the penalty.

    It sees moves, results and points of the last `lags` rounds, and of earlier ones only what the shares keep.
    """

    inverse_l2: float
    lags: int = LOOK_BACK
    iterations: int = 1_000
    seed: int = 11


Hyperparameters = Net | Trees | Line

HYPERPARAMETERS: Final[dict[Family, dict[Alias, Hyperparameters]]] = {
    "feedforward_nn": {
        "Production": Net(hidden=(64, 32), l2=1e-3, learning_rate=1e-3),
        "B": Net(hidden=(32,), l2=1e-4, learning_rate=2e-3),
        "shadow1": Net(hidden=(96, 48), l2=1e-2, learning_rate=1e-3),
        "shadow2": Net(hidden=(48, 48, 24), l2=1e-3, learning_rate=2e-3),
    },
    "xgboost": {
        "Production": Trees(trees=120, depth=4, learning_rate=0.1),
        "B": Trees(trees=90, depth=3, learning_rate=0.15),
        "shadow1": Trees(trees=80, depth=5, learning_rate=0.1),
        "shadow2": Trees(trees=160, depth=2, learning_rate=0.2),
    },
    "multinomial_logistic": {
        "Production": Line(inverse_l2=1.0),
        "B": Line(inverse_l2=1.0, lags=1),
        "shadow1": Line(inverse_l2=0.001, lags=2),
        "shadow2": Line(inverse_l2=1.0, lags=0),
    },
}
"""For each family and alias; the same data and the same hyperparameters give the same model.

A family's four must not say the same, or the promotion would swap on nothing but luck. Of a line the penalty alone
changes hardly a prediction, so its versions look back by different numbers of rounds.
"""


class Fitted(NamedTuple):
    """A fitted estimator: its own probabilities (n, 50) -> (n, 3), its graph, and itself as a file.

    `curves` has a loss for each epoch or tree, where the fit goes by such.
    """

    probabilities: Callable[[Rows], Scores]
    onnx: bytes
    estimator: bytes
    estimator_file: str
    curves: dict[str, list[float]]


def fit(hyperparameters: Hyperparameters, split: Split) -> Fitted:
    """Fit on the training part; the validation part only says when to stop. Raises TrainingError."""
    missing = [move for index, move in enumerate(MOVES) if index not in split.training.targets]
    if missing:
        # The estimator would number its classes again, and rock's probability would be another move's.
        raise TrainingError(f"no player ever plays {' or '.join(missing)} in the training games")
    match hyperparameters:
        case Net():
            return _net(hyperparameters, split)
        case Line():
            return _line(hyperparameters, split.training)
        case Trees():
            return _trees(hyperparameters, split)
        case _:
            assert_never(hyperparameters)


def _net(parameters: Net, split: Split) -> Fitted:
    """A multilayer perceptron with the weights of the epoch that did best on the validation part.

    Its own early stopping would draw rows at random, so that rounds of one game would be on both sides.
    """
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    _on_one_thread()
    scaler = StandardScaler()
    rows, validation = scaler.fit_transform(split.training.rows), scaler.transform(split.validation.rows)
    net = MLPClassifier(
        hidden_layer_sizes=parameters.hidden,
        alpha=parameters.l2,
        learning_rate_init=parameters.learning_rate,
        batch_size=min(parameters.batch, len(rows)),
        random_state=parameters.seed,
    )
    best_loss, best_weights, worse = np.inf, None, 0
    losses: list[float] = []
    for _ in range(parameters.epochs):
        net.partial_fit(rows, split.training.targets, classes=np.arange(len(MOVES)))
        loss = _log_loss(net.predict_proba(validation), split.validation.targets)
        losses.append(loss)
        worse = 0 if loss < best_loss else worse + 1
        if loss < best_loss:
            best_loss = loss
            best_weights = [array.copy() for array in (*net.coefs_, *net.intercepts_)]
        if worse >= parameters.patience:
            break
    if best_weights is None:
        raise TrainingError("the network diverged in its first epoch")
    layers = len(net.coefs_)
    net.coefs_, net.intercepts_ = best_weights[:layers], best_weights[layers:]
    curves = {"training_loss": [float(loss) for loss in net.loss_curve_], "validation_log_loss": losses}
    return _from_sklearn(scaler, net, curves)


def _line(parameters: Line, training: Part) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    _on_one_thread()
    scaler = StandardScaler()
    line = LogisticRegression(
        C=parameters.inverse_l2, max_iter=parameters.iterations, random_state=parameters.seed
    )
    # What is nought in every row gets a weight of exactly nought, so the graph takes all features as they are.
    line.fit(scaler.fit_transform(training.rows) * _seen(parameters.lags), training.targets)
    return _from_sklearn(scaler, line, {})


def _seen(lags: int) -> npt.NDArray[np.bool_]:
    unseen = [f"_lag{lag}_" for lag in range(lags + 1, LOOK_BACK + 1)]
    return np.array([not any(lag in name for lag in unseen) for name in FEATURE_NAMES])


def _from_sklearn(scaler: Any, classifier: Any, curves: dict[str, list[float]]) -> Fitted:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("scaler", scaler), ("classifier", classifier)])
    graph = convert_sklearn(
        pipeline,
        name=GRAPH_NAME,
        initial_types=[(INPUT, FloatTensorType([None, len(FEATURE_NAMES)]))],
        options={id(classifier): {"zipmap": False}},  # a plain tensor, not a list of dictionaries
        target_opset=SKLEARN_OPSET,
    )
    return Fitted(
        probabilities=pipeline.predict_proba,
        onnx=_with_named_outputs(graph),
        estimator=pickle.dumps(pipeline),
        estimator_file="estimator.pkl",
        curves=curves,
    )


def _trees(parameters: Trees, split: Split) -> Fitted:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from xgboost import XGBClassifier

    trees = XGBClassifier(
        objective="multi:softprob",
        n_estimators=parameters.trees,
        max_depth=parameters.depth,
        learning_rate=parameters.learning_rate,
        subsample=parameters.subsample,
        early_stopping_rounds=parameters.patience,
        random_state=parameters.seed,
        n_jobs=1,
    )
    validation = (split.validation.rows, split.validation.targets)
    trees.fit(split.training.rows, split.training.targets, eval_set=[validation], verbose=False)
    graph = convert_xgboost(
        trees,
        name=GRAPH_NAME,
        initial_types=[(INPUT, FloatTensorType([None, len(FEATURE_NAMES)]))],
        target_opset=XGBOOST_OPSET,
    )
    # Without the trees that were tried after the best one: the classifier and the graph do not use them.
    booster = trees.get_booster()[: trees.best_iteration + 1]
    return Fitted(
        probabilities=trees.predict_proba,
        onnx=_with_named_outputs(graph),
        estimator=bytes(booster.save_raw("ubj")),
        estimator_file="estimator.ubj",
        curves={"validation_log_loss": [float(loss) for loss in trees.evals_result()["validation_0"]["mlogloss"]]},
    )


def _with_named_outputs(model: Any) -> bytes:
    """The graph with a column for each move, and no others, in place of its probabilities and its label.

    By these names MLflow's own loader gives a table with three columns, and needs no wrapper.
    """
    from onnx import TensorProto, checker, helper

    graph = model.graph
    if not any(used.domain in ("", "ai.onnx") for used in model.opset_import):
        # Trees are all of another domain, that of machine learning.
        model.opset_import.append(helper.make_opsetid("", XGBOOST_OPSET))
    graph.node.append(helper.make_node("Split", [OUTPUT], list(MOVES), name="by_move", axis=1))
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(move, TensorProto.FLOAT, [None, 1]) for move in MOVES)
    checker.check_model(model)
    encoded: bytes = model.SerializeToString()
    return encoded


def _on_one_thread() -> None:
    """Have the linear algebra libraries, which must be loaded by now, compute on one thread from here on.

    They split their sums over as many threads as there are cores, and another order of additions rounds otherwise:
    the same rows would give other bytes on another machine. The limit belongs to the whole process and is never
    lifted. Two fits run side by side, and the first to end would lift it under the other.
    """
    threadpool_limits(1)


def _log_loss(scores: Scores, targets: npt.NDArray[np.int64]) -> float:
    return float(-np.log(np.clip(scores[np.arange(len(targets)), targets], 1e-12, 1.0)).mean())
