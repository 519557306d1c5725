"""Pictures for a run's page in the registry. The only module that imports matplotlib."""

import io

import numpy as np
import numpy.typing as npt

from ledger.vocabulary import MOVES


def confusion_matrix(predicted: npt.NDArray[np.int64], actual: npt.NDArray[np.int64], title: str) -> bytes:
    """How often each move was predicted when each was played, as PNG; both arrays hold indices in MOVES.

    A cell is the share of its row, of the rounds in which that move was played, with the count below it.
    """
    # Without pyplot, which keeps every figure in a global list and is not for threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.zeros((len(MOVES), len(MOVES)), dtype=np.int64)
    np.add.at(counts, (actual, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.2), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="predicted", ylabel="played")
    axes.set_title(title, fontsize=9)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(MOVES)), MOVES)
    axes.set_yticks(range(len(MOVES)), MOVES)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.0%}\n{counts[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=90)
    return png.getvalue()
