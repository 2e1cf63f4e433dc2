"""How the score bears small changes that leave the answer as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate._cues import unit
from gnomon.analyses.validate.compare import compare
from gnomon.analyses.validate.interval import interval
from gnomon.card import Card
from gnomon.data.table import Data, Dense, member_names
from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats
from gnomon.values import Finding, finding

CARD = Card(
    name="Common corruptions",
    gist="Noise, blur, contrast, brightness and pixelation of images; typos, substitutions, other spellings of a molecule.",
    use_when="The model will meet other instruments, other operators or other notations than those it was trained on.",
    avoid_when="To show robustness to changes that were not tried.",
    paper="Hendrycks & Dietterich 2019, arXiv:1903.12261; Bjerrum 2017, arXiv:1703.07076",
    survey=("P7",),
    tasks=("classify", "regress"),
    reads=("image", "molecule", "sequence", "text", "number"),
    cost="seconds",
)
MOST_ROWS = 500
# How strong at three severities: sd of noise, sd of blur as a share of the side, contrast kept, brightness added,
# side kept; shares of letters; shares of a number's spread.
IMAGE = {"noise": (0.04, 0.08, 0.16), "blur": (0.008, 0.016, 0.032), "contrast": (0.75, 0.5, 0.25),
         "brightness": (0.1, 0.2, 0.3), "pixelation": (0.5, 0.35, 0.25)}
LETTERS = (0.01, 0.03, 0.1)
SPREAD = (0.01, 0.05, 0.1)
KEYS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Corrupted:
    """One change at one severity (1 mild to 3 strong; 0 a change that must not matter). drop: how much worse than on
    the rows as they are (positive: worse), paired, with 95 % limits. moved: mean change of the prediction (numbers: in
    the target's unit; classes: of the probabilities, as half the summed absolute change)."""

    kind: str
    change: str
    severity: int
    amount: float
    score: float
    score_low: float | None
    score_high: float | None
    drop: float
    low: float | None
    high: float | None
    moved: float
    n_rows: int


def corruptions(task: Any, predict: Callable[[Data, np.ndarray], Prediction], data: Data, rows: np.ndarray,
                units: np.ndarray, *, seed: int = 0, enough: Callable[[], bool] = lambda: False) -> list[Corrupted]:
    """Score `predict` on at most 500 of `rows` (k,), which it was not trained on, as they are and changed.

    Every change touches all input columns of its kind at once; numbers get the noise of a measurement, 1, 5 and 10 % of
    their spread over `rows`. units: (n,) of all rows of `data`. enough: asked before each change; once it says yes, the
    others are not tried.
    """
    rows = np.sort(stream(seed, "corrupted rows").permutation(rows)[:MOST_ROWS])
    small, every = data.take(rows), np.arange(len(rows))
    truth = task.truth(small, every)
    clean = predict(small, every)
    base = task.measure(clean, truth)
    out = []
    for kind, change, severity, amount, work in changes(data):
        if enough():
            break
        changed = _changed(small, kind, work, stream(seed, "corrupt", change, severity))
        told = predict(changed, every)
        out.append(_scored(task, base, task.measure(told, truth), clean, told, units[rows],
                           (kind, change, severity, amount), seed))
    return out


def _mutations(data: Data, kind: str) -> bool:
    """Lists of mutations such as A108D have no letter to spare."""
    from gnomon.data.features._sequences import is_mutations

    return any(is_mutations(data.columns[n].take(np.arange(min(len(data), 500)))) for n in data.of_kind(kind))


Change = Callable[[Any, np.ndarray, np.random.Generator], np.ndarray]


def changes(data: Data) -> list[tuple[str, str, int, float, Change]]:
    """(kind, change, severity, amount, work) for every kind among the inputs."""
    kinds, out = {data.kind(n) for n in data.inputs}, []
    for change, amounts in IMAGE.items() if "image" in kinds else ():
        work = IMAGE_WORK[change]
        out += [("image", change, k + 1, a, _image(work, a)) for k, a in enumerate(amounts)]
    if "molecule" in kinds:
        out.append(("molecule", "written another way", 0, 1.0, lambda c, v, rng: other_smiles(v, rng)))
    for kind, change in (("sequence", "substitution"), ("text", "typos")):
        if kind in kinds and not _mutations(data, kind):
            out += [(kind, change, k + 1, a, lambda c, v, rng, a=a, own=kind == "sequence": misspelt(v, a, rng, own=own))
                    for k, a in enumerate(LETTERS)]
    if "number" in kinds:
        out += [("number", "measurement noise", k + 1, a, lambda c, v, rng, a=a: jittered(v, a, rng))
                for k, a in enumerate(SPREAD)]
    return out


def _image(work: Callable[[np.ndarray, float, np.random.Generator], np.ndarray], amount: float) -> Change:
    """The work on intensities from 0 to 1: of the integer type, or of these images where they are floats."""
    def change(column: Any, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if np.issubdtype(values.dtype, np.integer):
            most = np.iinfo(values.dtype).max
            return np.rint(np.clip(work(unit(values), amount, rng), 0, 1) * most).astype(values.dtype)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        span = (high - low) or 1.0
        return (work((unit(values) - low) / span, amount, rng) * span + low).astype(values.dtype)

    return change


def _changed(small: Data, kind: str, work: Change, rng: np.random.Generator) -> Data:
    columns = dict(small.columns)
    for name in small.of_kind(kind):
        column = small.columns[name]
        values = work(column, column.take(np.arange(len(small))), rng)
        columns[name] = Dense(values, column.spec, member_names(column))
    return replace(small, columns=columns)


def _scored(task: Any, base: Stats, stats: Stats, clean: Prediction, told: Prediction, units: np.ndarray,
            named: tuple[str, str, int, float], seed: int) -> Corrupted:
    own = interval(task, stats, units, seed=seed, repeats=500)
    d = compare(task, base, stats, units, margin=None, seed=seed)
    if clean.proba is not None:
        moved = float(np.abs(clean.proba - told.proba).sum(axis=1).mean() / 2)
    else:
        moved = float(np.abs(clean.value - told.value).mean())  # type: ignore[operator]
    return Corrupted(*named, own.value, own.low, own.high, d.value, d.low, d.high, moved, len(stats))


# ---- images: (n, C, H, W) float from 0 to 1 ------------------------------------------------------------------------
def noise(images: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of this sd."""
    return images + rng.normal(size=images.shape).astype(np.float32) * amount


def blur(images: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur, sd as a share of the longer side (at least 0.4 of a pixel)."""
    from scipy.ndimage import gaussian_filter

    sd = max(0.4, amount * max(images.shape[2:]))
    return gaussian_filter(images, (0, 0, sd, sd), mode="nearest")


def contrast(images: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Each image drawn towards its own mean."""
    mean = images.mean(axis=(2, 3), keepdims=True)
    return mean + (images - mean) * amount


def brightness(images: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """The same added everywhere."""
    return images + amount


def pixelation(images: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Averaged over areas to this share of the side, and drawn large again."""
    from gnomon.data.features._images import shrink

    h, w = images.shape[2:]
    few = shrink(images, max(2, round(amount * max(h, w))))
    down, across = (np.minimum(np.arange(size) * few.shape[2 + i] // size, few.shape[2 + i] - 1)
                    for i, size in enumerate((h, w)))
    return few[:, :, down][:, :, :, across]


IMAGE_WORK: Mapping[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "noise": noise, "blur": blur, "contrast": contrast, "brightness": brightness, "pixelation": pixelation}


# ---- text-like kinds and numbers -----------------------------------------------------------------------------------
def other_smiles(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same molecules, each read from another atom on; text that is no molecule stays."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    out = values.copy()
    with BlockLogs():
        for i, text in enumerate(values):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is not None and molecule.GetNumAtoms() > 1:
                start = int(rng.integers(molecule.GetNumAtoms()))
                out[i] = Chem.MolToSmiles(molecule, rootedAtAtom=start, canonical=False)
    return out


def misspelt(values: np.ndarray, share: float, rng: np.random.Generator, *, own: bool = False) -> np.ndarray:
    """This share of all letters replaced by others: own, of these sequences' alphabet, capital or not as the letter was
    (small ones mask repeats); else of a to z. Blanks and marks stay."""
    lengths = np.array([len(v) if v else 0 for v in values])
    whole = np.array(list("".join(v for v in values if v)))
    if not len(whole):
        return values.copy()
    letter, small = np.char.isalpha(whole), np.char.islower(whole)
    pool = np.unique(np.char.upper(whole[letter])) if own else np.array(list(KEYS))
    hit = letter & (rng.random(len(whole)) < share) & (len(pool) > 1)
    drawn = rng.integers(max(1, len(pool)), size=int(hit.sum()))
    same = pool[drawn] == (np.char.upper(whole[hit]) if own else whole[hit])
    other = pool[np.where(same, (drawn + 1) % max(1, len(pool)), drawn)]
    whole[hit] = np.where(small[hit], np.char.lower(other), other)
    ends = np.cumsum(lengths)
    joined = "".join(whole.tolist())
    out = values.copy()
    for i in np.flatnonzero(lengths):
        out[i] = joined[ends[i] - lengths[i]:ends[i]]
    return out


def jittered(values: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of this share of each column's sd; whole numbers of few values (codes, counts) stay."""
    table = values if values.ndim == 2 else values[:, None]
    scale = np.array([_noisy(c[np.isfinite(c)]) for c in table.T]) * share
    return (values + rng.normal(size=values.shape) * (scale if values.ndim == 2 else scale[0])).astype(values.dtype)


def _noisy(values: np.ndarray) -> float:
    """The sd of a column's known values; 0 of codes, counts and a column without any."""
    coded = len(np.unique(values)) <= 10 and (np.mod(values, 1) == 0).all()
    return 0.0 if coded else float(values.std())


def corruption_findings(task: Any, found: list[Corrupted], margin: float | None) -> list[Finding]:
    """VALID-CORRUPTION: the mildest change of a kind costs more than `margin` beyond chance (a note), or another way of
    writing the same molecule changes the score beyond chance (a warning: the answer is the same)."""
    out = []
    for c in found:
        grave = c.severity == 0
        if c.low is None or c.severity > 1 or c.low <= (0 if grave else margin or 0.0):
            continue
        name = task.metric.name.replace("_", " ")
        out.append(finding("VALID-CORRUPTION", "warn" if grave else "note",
                           f"{c.change.capitalize()} ({c.kind}s) costs {c.drop:.2g} {name} "
                           f"[{c.low:.2g}, {c.high:.2g}] even when mild.",
                           values={"change": c.change, "amount": c.amount, "score": c.score, "drop": c.drop, "low": c.low,
                                   "high": c.high, "moved": c.moved}, source="Hendrycks & Dietterich 2019"))
    return out
