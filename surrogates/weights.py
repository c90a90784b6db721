"""How much a label counts, and which labels stand for all."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.surrogates.label_table import NOMINAL

FloatArray = NDArray[np.float64]

# Spread of what no law of architectures explains, and of what another training changes.
UNEXPLAINED_SD = 0.05
TRAINING_SD = 0.02


def label_weights(targets: pd.DataFrame) -> FloatArray:
    """Weights of rows `(N,)`, their mean 1: precise labels count more.

    The variance of a row is that of what no law explains, and of its error: another training
    (`seeds`), the chips that were drawn (`chips`, `sd`) and the inputs (`clips`).
    """
    mean = targets["mean"].to_numpy(dtype=np.float64)
    drawn = targets["sd"].to_numpy(dtype=np.float64) ** 2 / targets["chips"].to_numpy()
    inputs = mean * (1.0 - mean) / targets["clips"].to_numpy()
    error = (TRAINING_SD**2 + drawn) / targets["seeds"].to_numpy() + inputs
    weight = 1.0 / (UNEXPLAINED_SD**2 + error)
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def thin(targets: pd.DataFrame, limit: int) -> NDArray[np.int64]:
    """Places of `limit` rows at most, in their order: all of them if they are fewer.

    Networks keep all times on fewer kinds of hardware, each as many as the others up to one, the
    nominal one first where there is room for two. If there is no room for one, some networks go.
    """
    if len(targets) <= limit:
        return np.arange(len(targets))
    times = targets.groupby(["key", "variant"], sort=False).size()
    pairs = times.index.to_frame(index=False).assign(rows=times.to_numpy())
    draw = np.random.default_rng(0).random(len(pairs))
    if 2 * len(pairs["key"].unique()) * times.max() <= limit:
        draw[(pairs["variant"] == NOMINAL).to_numpy()] -= 1.0
    pairs = pairs.assign(draw=draw, rank=pd.Series(draw).groupby(pairs["key"]).rank())
    pairs = pairs.sort_values(["rank", "draw"], kind="stable")
    kept = pairs[pairs["rows"].cumsum() <= limit][["key", "variant"]]
    wanted = pd.MultiIndex.from_frame(kept)
    return np.flatnonzero(pd.MultiIndex.from_frame(targets[["key", "variant"]]).isin(wanted))
