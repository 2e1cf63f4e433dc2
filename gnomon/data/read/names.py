"""What file names tell: patient and slice, plate, well, site, channel and depth, part of the data, class, numbering.

`P012_slice3.png` is slice 3 of subject P012; `B03_s2_w1_z4.tif` is well B03, site 2, channel 1, depth 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from gnomon.data.infer import PART

SUBJECT = re.compile(
    r"^(?P<word>p|pt|pat|patient|sub|subj|subject|donor|animal|mouse|rat|case|participant|person|id|pid|"
    r"case|specimen|fish|fly|dog|monkey|volunteer)[-_ ]?(?P<id>\d[\w]*)$",
    re.I,
)
SUBJECT_WORD = re.compile(r"^(patient|sub|subj|subject|donor|animal|mouse|rat|case|participant|person|pat|pid)$", re.I)
WELL = re.compile(r"^[A-P](0[1-9]|1\d|2[0-4])$")
FINE = {
    "site": re.compile(r"^(?:s|f|fov|field|site|pos|xy)(\d+)$", re.I),
    "channel": re.compile(r"^(?:w|c|ch|channel)(\d+)$", re.I),
    "slice": re.compile(r"^(?:z|slice|sl|zslice|plane)(\d+)$", re.I),
    "time": re.compile(r"^(?:t|time|frame|fr)(\d+)$", re.I),
}
PLATE = re.compile(r"^(plate|pl)[-_]?(\w*\d\w*)$", re.I)
INDEX = re.compile(
    r"^(?:\d+|(?:img|image|im|tile|patch|crop|frame|slice|view|part|no|nr|scan|shot|roi|cell|rep|r|v|x|y|n)"
    r"[-_]?\d+|[a-z]|left|right|[lr]|ap|pa|lat)$",
    re.I,
)


def stem(name: str) -> str:
    """A file's name without folder and without any of its usual extensions."""
    base = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(
        r"(\.(gz|png|jpe?g|tiff?|ome|bmp|gif|webp|csv|tsv|txt|fa|fasta|fna|faa|fas|jsonl?|ndjson|parquet|feather|"
        r"xlsx?|smi|smiles|sdf|mol|npz|npy))+$",
        "",
        base,
        flags=re.I,
    )


def tokens(name: str) -> list[str]:
    """A stem's parts, split at _, blanks and dots; a hyphen splits only where it does not belong to an id."""
    return [t for t in re.split(r"[_ .]+|-(?=\D)", stem(name)) if t]


def fields(names: Sequence[str]) -> dict[str, list[str]]:
    """Per file: subject, plate, well, site, channel, slice, time, where nearly all names have them ("" where not)."""
    rows = [_fields(name) for name in names]
    found = {}
    for key in ("subject", "plate", "well", "site", "channel", "slice", "time"):
        values = [row.get(key, "") for row in rows]
        if sum(1 for v in values if v) >= 0.9 * len(values) and len(set(values)) > 1:
            found[key] = values
    return found


def _fields(name: str) -> dict[str, str]:
    parts = tokens(name)
    out: dict[str, str] = {}
    for i, part in enumerate(parts):
        match = SUBJECT.match(part)
        if match and "subject" not in out and not (match["word"].lower() == "p" and "well" in out):
            out["subject"] = part
        elif (
            SUBJECT_WORD.match(part)
            and i + 1 < len(parts)
            and "subject" not in out
            and any(map(str.isdigit, parts[i + 1]))
        ):
            out["subject"] = f"{part}_{parts[i + 1]}"
        elif PLATE.match(part):
            out["plate"] = part
        elif WELL.match(part) and "well" not in out:
            out["well"] = part
            if i > 0 and "plate" not in out and "subject" not in out:
                out["plate"] = "_".join(parts[:i])
        else:
            for key, form in FINE.items():
                fine = form.match(part)
                if fine and key not in out:
                    out[key] = fine[1]
                    break
    return out


def prefixes(names: Sequence[str]) -> list[str]:
    """Per file: its stem without trailing numbering (`scan7_tile_03` -> `scan7`), "" when nothing is left."""
    out = []
    for name in names:
        parts = [t for t in re.split(r"[_ .\-]+", stem(name)) if t]
        whole = len(parts)
        while len(parts) > 1 and (
            INDEX.match(parts[-1]) or re.fullmatch(r"(slice|tile|patch|crop|frame|view)", parts[-1], re.I)
        ):
            parts.pop()
        out.append("_".join(parts) if len(parts) < whole else "")
    return out


def parts_and_classes(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Per file: the part of the data its name tells ("train", "test" ... or "") and what else distinguishes it.

    `train_enhancer.fasta, train_other.fasta` -> ["train", "train"], ["enhancer", "other"].
    """
    lists = [[t for t in re.split(r"[\W_]+", stem(name)) if t] for name in names]
    common = set.intersection(*({t.lower() for t in parts} for parts in lists)) if lists else set()
    found, rest = [], []
    for parts in lists:
        part = next((t for t in parts if PART.match(t) or t.lower() == "t10k"), "")
        found.append(canonical_part(part) if part else "")
        rest.append("_".join(t for t in parts if t != part and t.lower() not in common))
    return found, rest


def canonical_part(word: str) -> str:
    """train, valid or test, from the many ways these are written."""
    word = re.sub(r"\W|_|\d", "", word).lower() if word.lower() != "t10k" else "test"
    if word.startswith("train"):
        return "train"
    return "valid" if word in ("val", "valid", "validation", "dev") else "test"
