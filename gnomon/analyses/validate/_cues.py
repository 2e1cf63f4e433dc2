"""What a model should not need, as features of their own: file facts, borders, brightness, length, composition, atom
counts, batch, row order. Single quantities, one number a row, are those that looking tries (explore/_cues)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gnomon.analyses.explore._cues import cues as quantities
from gnomon.analyses.explore._names import BATCH, has, of_a_file, token_table
from gnomon.data.table import Data, strings

CHUNK = 256  # images read at once
SIDE, RING, CORNER = 36, 12, 8  # images are shrunk to 36 a side; borders are a twelfth of it wide, corners an eighth
LEVELS = 8  # bins of an intensity histogram
MOST_VALUES = 20  # values of a category that get a column of their own
SORTED = 0.95  # rank correlation with the target from which rows count as sorted by it
SHOWN = ("length", "size", "number of parts", "brightness", "contrast")  # quantities a reader can picture
SHORT = 12  # letters up to which the composition of a sequence says nearly all


@dataclass(frozen=True)
class Cue:
    """Features (n, d) of the rows asked for that should not carry the answer. legitimate: in this field they may."""

    key: str
    what: str
    legitimate: bool
    matrix: np.ndarray
    columns: tuple[str, ...] = ()


def cues(data: Data, rows: np.ndarray) -> list[Cue]:
    """Every cue these data have, over `rows`; a cue that does not vary is left out."""
    made = [_metadata(data, rows), _batch(data, rows), _order(data, rows)]
    for name in data.inputs:
        work = OF_KIND.get(data.kind(name))
        made += work(data, name, rows) if work else []
    return [c for c in made if c is not None and c.matrix.size and (c.matrix.std(axis=0) > 0).any()]


# ---- columns as numbers --------------------------------------------------------------------------------------------
def coded(data: Data, name: str, rows: np.ndarray) -> np.ndarray:
    """A scalar column as (n, d) float32: numbers with a flag for gaps; the commonest 20 categories, and how common."""
    column = data.columns[name]
    if column.spec.kind == "number":
        values = column.take(rows).astype(np.float32).reshape(len(rows), -1)
        gone = np.isnan(values)
        return np.concatenate([np.where(gone, -1e6, values), gone.any(axis=1, keepdims=True)], axis=1).astype(np.float32)
    return one_hot(strings(column, rows))


def one_hot(words: np.ndarray) -> np.ndarray:
    """(n, <= 21): one a common value, and the log count of each row's value."""
    _, codes, counts = np.unique(np.array(["" if w is None else str(w) for w in words]), return_inverse=True,
                                      return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return np.concatenate([codes[:, None] == kept[None], np.log1p(counts)[codes][:, None]], axis=1).astype(np.float32)


def _joined(key: str, what: str, parts: list[np.ndarray], columns: list[str], legitimate: bool = False) -> Cue | None:
    return Cue(key, what, legitimate, np.concatenate(parts, axis=1), tuple(columns)) if parts else None


def _scalar(data: Data, name: str) -> bool:
    column = data.columns[name]
    return column.spec.kind in ("number", "category") and not column.spec.shape and data.roles[name].role != "target"


# ---- metadata, batch, order ----------------------------------------------------------------------------------------
def _metadata(data: Data, rows: np.ndarray) -> Cue | None:
    """Size, type and mode of the files, parts of their names, and columns that record such things."""
    rich = any(data.kind(n) in OF_KIND for n in data.inputs)
    told = [n for n in data.columns if _scalar(data, n) and data.roles[n].role in ("input", "ignore")
            and (n.startswith("file:") or (rich and of_a_file(n, images=bool(data.of_kind("image")))))]
    parts = [coded(data, n, rows) for n in told]
    named = _name_parts(data, rows)
    own = [n for n in told if not n.startswith("file:")]
    what = ["the file's name, size and format"] if named or len(own) < len(told) else []
    what += [f"the column{'s' if len(own) > 1 else ''} {', '.join(own)}"] if own else []
    return _joined("metadata", " and ".join(what), parts + named, told)


def _name_parts(data: Data, rows: np.ndarray) -> list[np.ndarray]:
    """Pieces of the file names, but for those that spell the class itself, or only count rows sorted by the target."""
    table = token_table(data.items) if data.items else None
    if table is None:
        return []
    have, tokens = table
    place = np.full(len(data), -1)
    place[have] = np.arange(len(have))
    target = data.targets[0] if data.targets else ""
    labels = strings(data.columns[target]) if target else np.full(len(data), None)
    classes = {_plain(str(v)) for v in set(labels) if v is not None} if target and data.kind(target) == "category" else set()
    out = []
    for words in tokens.T:
        if any(_plain(w) in classes for w in set(words)):
            continue
        full = np.array([words[p] if p >= 0 else "" for p in place], dtype=object)
        digits = np.array(["".join(filter(str.isdigit, w)) for w in full])
        if np.mean(digits != "") > 0.95:
            values = np.array([float(d[:15] or -1) for d in digits])
            known = np.intersect1d(have, rows)
            if target and _sorted_by(values[known], data, target, known):
                continue
            out.append(values[rows][:, None].astype(np.float32))
        if len(set(words)) <= max(MOST_VALUES, len(words) // 10):
            out.append(one_hot(full[rows]))
    return out


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def _sorted_by(values: np.ndarray, data: Data, target: str, rows: np.ndarray) -> bool:
    """Whether rows in this order are simply sorted by the target: a folder a class, a ranking. That tells nothing."""
    column = data.columns[target]
    order = np.argsort(values, kind="stable")
    if column.spec.kind == "number":
        from scipy.stats import spearmanr

        y = column.take(rows)
        known = np.isfinite(y)
        if len(np.unique(y[known])) > 20:
            rho = spearmanr(values[known], y[known]).statistic
            return bool(np.isnan(rho) or abs(rho) > SORTED)
        words = y.astype(str)
    else:
        words = strings(column, rows).astype(str)
    runs = 1 + int((words[order][1:] != words[order][:-1]).sum())
    return runs <= 3 * len(set(words))


def _batch(data: Data, rows: np.ndarray) -> Cue | None:
    """Columns that name a batch, site or group, set aside as leaks or not read at all included."""
    told = [n for n in data.columns if _scalar(data, n) and not n.startswith("file:") and (
        data.roles[n].role == "group" or (data.roles[n].role in ("input", "ignore") and has(n, BATCH)))]
    told = [n for n in told if data.kind(n) == "category" or data.roles[n].role == "group"]
    if set(data.inputs) <= set(told):
        return None
    return _joined("batch", f"batch, site or group ({', '.join(told)})", [coded(data, n, rows) for n in told], told)


def _order(data: Data, rows: np.ndarray) -> Cue | None:
    """The place in the file, unless the file is sorted by the target or ordered by a known time."""
    if data.named("time") or len(data.targets) != 1 or data.kind(data.targets[0]) not in ("number", "category"):
        return None
    if _sorted_by(data.position[rows].astype(float), data, data.targets[0], rows):
        return None
    return Cue("order", "the place in the file", True, data.position[rows][:, None].astype(np.float32))


# ---- inside the rich kinds -----------------------------------------------------------------------------------------
def _images(data: Data, name: str, rows: np.ndarray) -> list[Cue]:
    edge, border, bright = [], [], []
    for start in range(0, len(rows), CHUNK):
        pixels = unit(data.columns[name].take(rows[start:start + CHUNK]))
        edge.append(corners(pixels))
        border.append(frame(pixels))
        bright.append(intensity(pixels))
    return [Cue("corners", "the four corners", False, np.concatenate(edge), (name,)),
            Cue("border", "the outermost pixels", True, np.concatenate(border), (name,)),  # an object may fill the frame
            Cue("intensity", "brightness and contrast", True, np.concatenate(bright), (name,))]


def corners(images: np.ndarray) -> np.ndarray:
    """(n, C k): four squares of an eighth of the side each, after shrinking to at most 36 a side."""
    from gnomon.data.features._images import shrink

    small = shrink(images, SIDE)
    h, w = (max(1, round(s / CORNER)) for s in small.shape[2:])
    far = np.concatenate([small[..., :w], small[..., -w:]], axis=3)
    return np.concatenate([far[:, :, :h], far[:, :, -h:]], axis=2).reshape(len(small), -1)


def unit(images: np.ndarray) -> np.ndarray:
    """(n, C, H, W) float32, the whole range of an integer type as 0 to 1."""
    if np.issubdtype(images.dtype, np.integer):
        return images.astype(np.float32) / np.iinfo(images.dtype).max
    return np.nan_to_num(images.astype(np.float32))


def frame(images: np.ndarray) -> np.ndarray:
    """(n, C k): the pixels of a frame a twelfth of the image wide, after shrinking to at most 36 a side."""
    from gnomon.data.features._images import shrink

    small = shrink(images, SIDE)
    h, w = small.shape[2:]
    ring = np.ones((h, w), dtype=bool)
    ring[max(1, round(h / RING)):h - max(1, round(h / RING)), max(1, round(w / RING)):w - max(1, round(w / RING))] = False
    return small[:, :, ring].reshape(len(small), -1)


def intensity(images: np.ndarray) -> np.ndarray:
    """(n, C 15): per channel mean, sd, five quantiles and eight bins of the histogram; nothing of where."""
    flat = images.reshape(len(images), images.shape[1], -1)
    bins = np.minimum((flat * LEVELS).astype(int), LEVELS - 1)
    shares = np.stack([(bins == b).mean(axis=2) for b in range(LEVELS)], axis=2)
    spots = np.quantile(flat, [0.01, 0.25, 0.5, 0.75, 0.99], axis=2).transpose(1, 2, 0)
    parts = [flat.mean(axis=2)[..., None], flat.std(axis=2)[..., None], spots, shares]
    return np.concatenate(parts, axis=2).reshape(len(images), -1).astype(np.float32)


def _sequences(data: Data, name: str, rows: np.ndarray) -> list[Cue]:
    from gnomon.data.features import _sequences as kit

    values = data.columns[name].take(rows)
    if kit.is_mutations(values):
        many = np.array([len(kit.SPLIT.split(v.strip())) if v else 0 for v in values], dtype=np.float32)
        return [Cue("length", "the number of mutations", True, many[:, None], (name,))]
    letters = kit.letters_of(values) or "A"
    protein = data.columns[name].spec.detail == "protein" or len(letters) > 6
    table = np.nan_to_num(kit.composition(values, letters, protein))
    out = [Cue("length", "the length", False, table[:, :2], (name,))]
    if np.median(table[:, 0]) > SHORT:
        out.append(Cue("composition", "the share of each letter" if protein else "the share of each base", True,
                       table[:, 2:], (name,)))
    if len({len(v) for v in values if v}) > 1:  # of equal lengths the ends are positions like the others
        ends = [one_hot(np.array([(v or "")[end] for v in values])) for end in (slice(0, 1), slice(-1, None))]
        out.append(Cue("ends", "the first and the last letter", True, np.concatenate(ends, axis=1), (name,)))
    return out


def _texts(data: Data, name: str, rows: np.ndarray) -> list[Cue]:
    values = ["" if v is None else str(v) for v in data.columns[name].take(rows)]
    size = np.array([(len(v), len(v.split())) for v in values], dtype=np.float32)
    kinds = np.array([(sum(map(str.isdigit, v)), sum(map(str.isupper, v)), sum(not c.isalnum() and c != " " for c in v))
                      for v in values], dtype=np.float32)
    return [Cue("length", "the length", False, size, (name,)),
            Cue("composition", "the share of digits, capitals and marks", True, kinds / np.maximum(size[:, :1], 1), (name,))]


def _molecules(data: Data, name: str, rows: np.ndarray) -> list[Cue]:
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    elements = (6, 7, 8, 9, 15, 16, 17, 35, 53)
    values = data.columns[name].take(rows)
    counts = np.zeros((len(values), len(elements) + 1), dtype=np.float32)
    with BlockLogs():
        for i, text in enumerate(values):
            molecule = Chem.MolFromSmiles(text) if text else None
            numbers = np.array([a.GetAtomicNum() for a in molecule.GetAtoms()] if molecule else [], dtype=int)
            counts[i, :-1] = (numbers[:, None] == np.array(elements)).sum(axis=0)
            counts[i, -1] = len(numbers) - counts[i, :-1].sum()
    parts = np.array([(v or "").count(".") for v in values], dtype=np.float32)
    size = np.stack([counts.sum(axis=1), parts], axis=1)
    return [Cue("size", "the number of heavy atoms and of parts (salts)", True, size, (name,)),
            Cue("composition", "the number of atoms of each element", True, np.column_stack([counts, parts]), (name,))]


OF_KIND: dict[str, Callable[[Data, str, np.ndarray], list[Cue]]] = {
    "image": _images, "sequence": _sequences, "text": _texts, "molecule": _molecules}


def shown_features(data: Data, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Plain quantities of rows of rich kinds, by name, for naming slices: the cues that looking tries, less places."""
    return {f"{cue} of {name}": values for name in data.inputs if data.kind(name) in OF_KIND
            for cue, values in quantities(data, name, rows).items() if cue in SHOWN}
