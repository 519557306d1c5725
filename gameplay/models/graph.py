"""An ONNX graph, ready to score rows. The only module that imports onnxruntime.

Training compares an estimator with its graph through this class, so what is compared is what will serve.
"""

import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gameplay.game.features import FEATURE_NAMES
from gameplay.models.errors import GraphError
from gameplay.telemetry import disable_telemetry
from ledger.facts import Probabilities
from ledger.vocabulary import MOVES

Rows = npt.NDArray[np.float32]

INPUT: Final = "rows"
OUTPUT: Final = "probabilities"
"""The one output, of shape (n, 3), of versions from before each move had an output (n, 1) of its own."""

# Float32 probabilities of three classes sum to 1 within some 1e-7. More than this is no rounding, and what
# the graph says is not what it was trained to say.
SUM_TOLERANCE: Final = 1e-3

# ONNX Runtime promises threads that run sessions, and none that make them: to make one registers operators for the
# whole process (its issue 27089). Versions are loaded by several threads at once, so they take turns here.
_MAKING: Final = threading.Lock()


class Graph:
    """Scores rows of features on one thread; may be called by several at once."""

    def __init__(self, onnx: bytes) -> None:
        """Raises GraphError where the bytes are no graph from (n, 50) features to (n, 3) probabilities."""
        with _MAKING:
            session, self._options = _session(onnx)
        self._run: Any = session.run
        self._outputs = _outputs({output.name for output in session.get_outputs()})
        # The first run allocates; it also proves the shapes before a game needs them.
        shape = self.scores(np.zeros((1, len(FEATURE_NAMES)), dtype=np.float32)).shape
        if shape != (1, 3):
            raise GraphError(f"the graph gives scores of shape {shape} for a row, not (1, 3)")

    def scores(self, rows: Rows) -> npt.NDArray[np.float32]:
        """What the graph says for rows of shape (n, 50): shape (n, 3), of rock, paper and scissors.

        Raises GraphError.
        """
        columns = self._columns(rows)
        return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)

    def probabilities(self, row: Rows) -> Probabilities:
        """The probabilities for one row of shape (1, 50), as plain floats that sum to 1. Raises GraphError."""
        # For a single row, putting arrays together would take longer than the graph.
        return normalised([score for column in self._columns(row) for score in column[0].tolist()])

    def _columns(self, rows: Rows) -> list[npt.NDArray[np.float32]]:
        try:
            columns: list[npt.NDArray[np.float32]] = self._run(self._outputs, {INPUT: rows}, self._options)
        except Exception as error:  # its errors have no root but this
            raise GraphError(f"the graph cannot score: {error}") from error
        return columns


def _outputs(found: set[str]) -> tuple[str, ...]:
    """What to ask a graph for. Raises GraphError where it gives neither form."""
    for wanted in (MOVES, (OUTPUT,)):
        if found.issuperset(wanted):
            return wanted
    raise GraphError(f"the graph has the outputs {', '.join(sorted(found))}, and no probabilities of moves")


def _session(onnx: bytes) -> tuple[Any, Any]:
    """A session, and the options of its runs: without, each run would make them, a tenth of what it takes."""
    disable_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A row is microseconds of work: handing it to a pool costs more than doing it.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, and the caller says so
    try:
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no root but this
        raise GraphError(f"no ONNX graph: {error}") from error
    return session, onnxruntime.RunOptions()


def normalised(scores: Sequence[float]) -> Probabilities:
    """Three float32 scores as probabilities in [0, 1] that sum to 1 in double precision.

    Raises GraphError where they are no probabilities at all: a NaN, one below 0, a sum that is not 1.
    """
    rock, paper, scissors = [0.0 if score < 0.0 else score for score in scores]
    total = rock + paper + scissors
    # A NaN fails every comparison: asked whether the sum is right, it says no; asked whether it is wrong, too.
    if not (abs(total - 1.0) <= SUM_TOLERANCE and min(scores) >= -SUM_TOLERANCE):
        raise GraphError(f"the graph's scores are no probabilities: {list(scores)}")
    return rock / total, paper / total, scissors / total
