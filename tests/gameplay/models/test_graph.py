import math
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameplay.models.errors import GraphError
from gameplay.models.graph import Graph, normalised
from tests.gameplay.graphs import NAN, WIDTH, constant_graph, first_feature_graph, named_graph

ROOT = Path(__file__).parents[3]


def test_a_graph_scores_each_row_by_itself() -> None:
    rows = np.zeros((2, WIDTH), np.float32)
    rows[1, 0] = 0.25

    assert Graph(first_feature_graph()).scores(rows).tolist() == [[0, 1, 0], [0.25, 0.75, 0]]


@pytest.mark.parametrize("onnx", [constant_graph((0.2, 0.5, 0.3)), named_graph((0.2, 0.5, 0.3))])
def test_one_output_or_one_for_each_move_say_the_same(onnx: bytes) -> None:
    graph, rows = Graph(onnx), np.zeros((2, WIDTH), np.float32)

    assert graph.scores(rows).tolist() == [pytest.approx((0.2, 0.5, 0.3))] * 2
    assert graph.probabilities(rows[:1]) == pytest.approx((0.2, 0.5, 0.3))


def test_a_graph_with_outputs_of_other_names_is_refused() -> None:
    onnx = named_graph((0.2, 0.5, 0.3)).replace(b"scissors", b"lizards!")

    with pytest.raises(GraphError, match="outputs lizards!, paper, rock"):
        Graph(onnx)


def test_threads_take_turns_at_making_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    make, one_at_a_time, together = onnxruntime.InferenceSession, threading.Lock(), list[bool]()

    def making(*given: Any, **named: Any) -> Any:
        is_alone = one_at_a_time.acquire(blocking=False)
        together.append(not is_alone)
        try:
            return make(*given, **named)
        finally:
            if is_alone:
                one_at_a_time.release()

    monkeypatch.setattr(onnxruntime, "InferenceSession", making)
    onnx = constant_graph((1, 0, 0))
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(Graph, [onnx] * 64))) == 64
    assert not any(together)


@pytest.mark.parametrize("onnx", [b"", b"no graph", constant_graph((1, 0, 0))[:60]])
def test_bytes_that_are_no_graph_are_refused(onnx: bytes) -> None:
    with pytest.raises(GraphError):
        Graph(onnx)


@pytest.mark.parametrize("onnx", [constant_graph((1, 0)), constant_graph((1, 0, 0), width=WIDTH - 1)])
def test_a_graph_of_another_shape_is_refused(onnx: bytes) -> None:
    with pytest.raises(GraphError):
        Graph(onnx)


@pytest.mark.parametrize(
    "scores",
    [(NAN, 0.5, 0.5), (0.5, NAN, 0.5), (0.5, 0.5, NAN), (math.inf, 0, 0), (-math.inf, 0.5, 0.5), (0, 0, 0)],
)
def test_scores_that_are_no_probabilities_are_refused(scores: tuple[float, float, float]) -> None:
    with pytest.raises(GraphError):
        normalised(scores)
    with pytest.raises(GraphError):
        Graph(constant_graph(scores)).probabilities(np.zeros((1, WIDTH), np.float32))


@pytest.mark.parametrize("scores", [(0.5, 0.5, 0.1), (7, 2, 1), (-0.5, 1, 0.5), (0.3, 0.3, 0.3)])
def test_scores_that_do_not_sum_to_one_are_refused(scores: tuple[float, float, float]) -> None:
    with pytest.raises(GraphError):
        normalised(scores)


@given(st.tuples(*[st.floats(0, 1, width=32)] * 3).filter(lambda scores: sum(scores) > 0.01))
def test_rounded_probabilities_become_exact(scores: tuple[float, float, float]) -> None:
    rounded = [float(np.float32(score / sum(scores))) for score in scores]

    probabilities = normalised(rounded)

    assert all(type(probability) is float and 0 <= probability <= 1 for probability in probabilities)
    assert math.isclose(sum(probabilities), 1, abs_tol=1e-12)
    assert probabilities == pytest.approx(rounded, abs=1e-6)


def test_a_graph_starts_no_thread() -> None:
    program = """
import os
from gameplay.models.graph import Graph
from tests.gameplay.graphs import constant_graph

onnx = constant_graph((0.2, 0.5, 0.3))
Graph(onnx)
before = len(os.listdir("/proc/self/task"))
graphs = [Graph(onnx) for _ in range(4)]
print(len(os.listdir("/proc/self/task")) - before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "0\n"
