"""What column and file names say: words that mark predictions, groups, batches, identifiers, times and codes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from gnomon.analyses.explore._kit import words
from gnomon.data.read.roles import COUNTED

PREDICTED = ("predicted", "prediction", "predictions", "pred", "preds", "predict", "forecast", "estimate", "estimated",
             "yhat", "calculated", "calc", "simulated", "fitted", "modelled", "modeled", "logit", "probability",
             "proba")
AFTER = ("outcome", "outcomes", "result", "results", "discharge", "death", "died", "followup", "released", "release",
         "offset", "after", "survival", "resolved", "closed", "cause")
AFTER_PAIRS = {"post": ("op", "operative", "operation", "surgery", "treatment", "therapy", "dose", "mortem"),
               "end": ("date", "time"), "final": ("diagnosis", "status", "grade", "stage")}  # post_code, end_station: no
GROUP = ("patient", "patients", "subject", "subjects", "participant", "person", "donor", "animal", "mouse", "mice",
         "rat", "individual", "specimen", "family", "litter", "household", "case", "pt", "subj", "sub", "pid",
         "session", "video", "recording", "cow", "dog", "tumour", "tumor", "slide", "plate", "document", "article",
         "user", "worker", "field", "plot", "tree", "colony", "cohort", "gene", "clone", "culture", "experiment",
         "dish")
BEING = ("patient", "patients", "subject", "subjects", "participant", "person", "donor", "animal", "mouse", "mice", "rat",
         "individual", "family", "litter", "household", "case", "pt", "subj", "sub", "pid", "cow", "dog", "user")
BATCH = ("batch", "site", "center", "centre", "hospital", "scanner", "device", "machine", "lab", "laboratory", "run",
         "operator", "plate", "lane", "chip", "instrument", "source", "country", "region", "cohort", "modality",
         "projection", "technician", "protocol", "facility", "clinic", "kit", "lot", "camera")
SITE = ("site", "center", "centre", "hospital", "clinic", "institution", "lab", "laboratory", "facility", "country", "region",
        "station")  # places that are still there for the next rows, unlike batches and runs
WITHIN = ("slice", "frame", "z", "t", "s", "f", "c", "w", "img", "image", "im", "view", "tile", "patch", "crop", "rep",
          "replicate", "channel", "ch", "scan", "roi", "cell", "visit", "time", "day", "plane", "fov", "aug")
IDENTIFIER = ("id", "ids", "index", "idx", "uuid", "guid", "key", "no", "nr", "number", "num", "serial", "accession",
              "barcode", "record", "row", "unnamed", "cid", "code", "ref", "md5", "hash", "url", "path", "filename",
              "file", "name")
CERTAIN = ("id", "ids", "uid", "uuid", "guid", "serial", "accession", "barcode", "cid", "md5", "hash", "url")
TIME = ("date", "time", "timestamp", "year", "month", "day", "datetime", "when", "hour", "week")
METADATA = ("ext", "extension", "format", "filetype", "filesize", "bytes", "dpi", "resolution", "bits", "compression", "camera",
            "exif", "filename")
PICTURED = ("mode", "width", "height", "w", "h")  # of the files only beside images: other things have them too
EVENT_TIME = ("survival", "followup", "tte", "os", "dfs", "pfs", "rfs", "lifetime", "duration")
EVENT = ("event", "status", "censored", "censor", "cens", "fustat", "alive", "dead", "died", "death", "deceased",
         "relapse", "progression",
         "vital")
EMPTY = ("the", "of", "in", "per", "a", "an", "and", "or", "by", "to", "for", "at", "on")


def has(name: str, vocabulary: Sequence[str]) -> str:
    """The first word of the name that is in the vocabulary, or ""."""
    return next((w for w in words(name) if w in vocabulary), "")


def unit_rank(name: str) -> int:
    """How surely a new value of this column is a new specimen: 0 a being or a family of them, 2 a circumstance such as a
    batch, a plate or a site, 1 anything else."""
    return 0 if has(name, BEING) else 2 if has(name, BATCH) else 1


def of_a_file(name: str, *, images: bool) -> bool:
    """Whether the column's name says that it describes the files of the rows."""
    return bool(has(name, (*METADATA, *PICTURED) if images else METADATA))


def says_after(name: str) -> set[str]:
    """The words by which the name says that the column is recorded after the event."""
    return set(AFTER) & set(words(name)) | {a for a, b in pairwise(words(name)) if b in AFTER_PAIRS.get(a, ())}


def identifies(name: str) -> str:
    """The word by which the name says identifier, or "". Words that also count things (read number, key rate) do not."""
    return has(name, CERTAIN) or ("" if COUNTED & set(words(name)) else has(name, IDENTIFIER))


def names_one(name: str) -> bool:
    """Whether the column tells single beings or rows apart (patient, dog 2, sample id), by its name: patient_sex does not."""
    named = [w for w in words(name) if not w.isdigit()]
    return bool(named) and (named[-1] in BEING or bool(identifies(name)))


def shared_words(one: str, other: str) -> tuple[str, ...]:
    """Telling words that two names share."""
    mine = set(words(one)) - set(EMPTY)
    return tuple(sorted(w for w in mine & set(words(other)) if len(w) > 2 or len(mine) == 1))


def stems(items: Sequence[str]) -> list[str]:
    """File paths without their extension."""
    return [re.sub(r"(\.[A-Za-z][A-Za-z0-9]{0,5}){1,2}$", "", item) for item in items]


def tokens(stem: str) -> tuple[str, ...]:
    """A path as its parts: folders and pieces between separators; `img12` and `z04` stay whole."""
    return tuple(t for t in re.split(r"[/\\_\-.\s]+", stem) if t)


def prefix(token: str) -> str:
    """The letters a token starts with, in lower case: "P012" -> "p"."""
    match = re.match(r"[A-Za-z]+", token)
    return match.group(0).lower() if match else ""


def token_table(items: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Names of one build as a table: (rows, (m, width) tokens) for the commonest number of tokens, if 80 % have it.

    A varying first folder (class folders) counts as a token like any other.
    """
    parts = [tokens(stem) for stem in stems(items)]
    lengths = np.array([len(p) for p in parts])
    if not len(lengths):
        return None
    width = int(np.bincount(lengths).argmax())
    rows = np.flatnonzero(lengths == width)
    if width == 0 or len(rows) < 0.8 * len(parts):
        return None
    return rows, np.array([parts[i] for i in rows], dtype=object)


def numeric_share(values: Iterable[str]) -> float:
    """The share of texts that are plain numbers."""
    values = list(values)
    return sum(bool(re.fullmatch(r"[-+]?\d*\.?\d+", v.strip())) for v in values) / max(len(values), 1)
