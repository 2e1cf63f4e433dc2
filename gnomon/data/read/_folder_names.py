"""What the folders above files tell: part of the data, class, patient, group."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.data.infer import PART
from gnomon.data.read import names as told
from gnomon.data.read._raw import Raw, strings


def class_level(names: Sequence[str]) -> int | None:
    """Which folder, from the outermost, names the class: the first that differs and holds no parts and no patients."""
    left = [i for i, level in _levels(names) if not all(PART.match(v) for v in level)]
    subject = next((i for i, level in _levels(names) if i in left and all(told.SUBJECT.match(v) for v in level)), None)
    return next((i for i in left if i != subject), None)


def _levels(names: Sequence[str]) -> list[tuple[int, set[str]]]:
    """(place, names) of the folders above all files that differ."""
    above = [name.split("/")[:-1] for name in names]
    levels = [(i, {a[i] for a in above}) for i in range(min((len(a) for a in above), default=0))]
    return [(i, level) for i, level in levels if len(level) > 1]


def told_by_folders(raw: Raw, names: Sequence[str]) -> Raw:
    """Folders above the files: train/test -> split, one level of few names -> class, a further level -> group."""
    above = [name.split("/")[:-1] for name in names]
    depth = min(len(a) for a in above)
    levels = [[a[i] for a in above] for i in range(depth)]
    levels = [level for level in levels if len(set(level)) > 1]
    for level in list(levels):
        if all(PART.match(v) for v in set(level)):
            levels.remove(level)
            why = "folders called train, test and the like"
            parts = strings([told.canonical_part(v) for v in level])
            raw = raw.add("file:split", parts, ("category", why), ("split", why))
    subjects = [level for level in levels if all(told.SUBJECT.match(v) for v in set(level))]
    if subjects:  # a folder a patient is no class
        why = f"a folder for each; {len(set(subjects[0]))} of them"
        raw = raw.add("file:subject", strings(subjects[0]), ("category", why), ("group", why))
        levels = [level for level in levels if level is not subjects[0]]
    if not levels:
        return raw
    classes, *deeper = levels
    why = f"{len(set(classes))} folders"
    raw = raw.add("class", strings(classes), ("category", why), ("target", f"one folder a class: {why}"))
    for level in deeper[:1]:
        why = "folders inside the classes"
        inside = strings(["/".join(p) for p in zip(classes, level, strict=True)])
        raw = raw.add("file:folder", inside, ("category", why), ("group", why))
    return raw
