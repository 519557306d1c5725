"""Pictures for a run's page in the registry. The only module that imports matplotlib."""

import io

import numpy as np
import numpy.typing as npt

from ledger.vocabulary import MOVES


def confusion_matrix(predicted: npt.NDArray[np.int64], actual: npt.NDArray[np.int64]) -> bytes:
    """How often each move was predicted when each was played, as PNG; both arrays hold indices in MOVES."""
    # Without pyplot, which keeps every figure in a global list and is not for threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.zeros((len(MOVES), len(MOVES)), dtype=np.int64)
    np.add.at(counts, (actual, predicted), 1)
    figure = Figure(figsize=(4, 3.6), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="predicted", ylabel="played", title="Hold-out rounds")
    axes.imshow(counts, cmap="Blues")
    axes.set_xticks(range(len(MOVES)), MOVES)
    axes.set_yticks(range(len(MOVES)), MOVES)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > counts.max() / 2
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=90)
    return png.getvalue()
