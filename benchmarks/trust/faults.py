"""The faults that are planted: where, how strongly, and which checks may find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import plant_after as after
import plant_copies as copies
import plant_corrupt as corrupt
import plant_groups as grouping
import plant_labels as labels
import plant_leaks as leaking
import plant_shortcuts as shortcuts
import plant_values as values
from pools import KINDS

from gnomon.data.table import Data

CLASSES = {"table": ("magic", "breast", "vintages"), "image": KINDS["image"], "molecule": ("bace",),
           "sequence": ("enhancers", "motif", "peptides"), "text": KINDS["text"]}
NUMBERS = {"table": ("concrete", "diabetes", "energy", "weather"),
           "molecule": ("esol", "malaria", "lipophilicity", "solar"), "sequence": ("gb1", "guides")}
FINE = {"table": ("concrete", "magic", "diabetes", "wine", "breast", "vintages", "weather")}
LIBRARY_FREE = {**{k: v for k, v in KINDS.items() if k != "sequence"}, "sequence": ("enhancers", "motif", "peptides", "guides")}
# concrete's own rows are near copies (one mix at several ages), energy is a grid without fine columns, weather a series
APART = {**LIBRARY_FREE, "table": ("magic", "diabetes", "wine", "breast", "vintages")}
# the inputs of all other sets tell the class nearly as surely as a leak with a few wrong entries does
DOUBTFUL = {**CLASSES, "table": ("magic",), "image": ("fashion", "mnist", "usps", "satellite"), "sequence": ("enhancers",),
            "text": ("citation", "csabstruct", "chemicals")}
LEARNT = {"table": ("concrete", "energy", "breast", "vintages"), "image": ("fashion", "pneumonia", "mnist", "usps"),
          "molecule": ("esol", "solar"), "sequence": ("motif", "peptides"), "text": ("youtube",)}
HALF = "half of the repeats a spread apart are as likely the replicate spread itself; two of ten (conflict_few) are found"
WAY = ("two classes that overlap: who knows that one goes by the other's name, but not which, names the right one and is surer "
       "of it than in 95 % of clean draws in .21 (bace), .31 (enhancers), .01 (peptides) of the draws (one_way.py)")


@dataclass(frozen=True)
class Fault:
    """plant: the planter; strengths; checks: the checks that may find it; sets: kind -> sets it is planted in. look: what
    is run instead of checks, (data, seed) -> findings."""

    plant: Callable[[Data, np.random.Generator, float], tuple]
    strengths: tuple[float, ...]
    checks: tuple[str, ...]
    sets: dict[str, tuple[str, ...]]
    slow: bool = False
    times: int = 1  # as many times the plantings, where one who knows the fault can name only part of them
    look: Callable[[Data, int], tuple] | None = None
    known: Callable[[Data, int], bool] | None = None  # whether one who knows the fault could name it
    hopeless: Mapping[float, str] = field(default_factory=dict)  # strength -> why no check can tell it (EVIDENCE 17)

    @property
    def name(self) -> str:
        return f"{self.plant.__module__.removeprefix('plant_')}.{self.plant.__name__}"


def only(sets: dict[str, tuple[str, ...]], *kinds: str) -> dict[str, tuple[str, ...]]:
    return {k: sets[k] for k in kinds if k in sets}


DNA = {"sequence": ("enhancers", "motif")}
FAULTS = (
    Fault(copies.exact, (1, 10), ("duplicates",), KINDS),
    Fault(copies.rewritten, (0,), ("duplicates",), only(KINDS, "molecule")),
    Fault(copies.near, (0.01, 0.05), ("near_duplicates",), only(APART, "image", "molecule", "sequence", "text")),
    Fault(copies.near, (0.01, 0.02, 0.05), ("near_duplicates",), only(APART, "table")),
    Fault(copies.again, (0.1,), ("duplicates", "replicates"), LIBRARY_FREE),
    Fault(copies.conflict, (2.0,), ("duplicates", "replicates"), {**CLASSES}),
    Fault(copies.conflict, (1.0, 2.0), ("duplicates", "replicates"), NUMBERS, hopeless={1.0: HALF}),
    Fault(copies.conflict_few, (0.5, 1.0), ("duplicates", "replicates"), NUMBERS),
    Fault(leaking.direct, (0,), ("leaks",), KINDS),
    Fault(leaking.text, (0.0,), ("leaks",), CLASSES),
    Fault(leaking.text, (0.02,), ("leaks",), DOUBTFUL),
    Fault(leaking.noisy, (0.01, 0.05), ("leaks",), DOUBTFUL),
    Fault(leaking.noisy, (0.01, 0.1), ("leaks",), NUMBERS),
    Fault(leaking.named, (0,), ("leaks",), KINDS),
    Fault(leaking.gaps, (0,), ("leaks", "missing_informative"), LIBRARY_FREE),
    Fault(leaking.file_name, (0.0, 0.05), ("leaks",), only(KINDS, "image")),
    Fault(leaking.file_type, (0.0, 0.2), ("leaks",), only(KINDS, "image")),
    Fault(leaking.file_size, (0.0, 0.2), ("leaks",), only(KINDS, "image")),
    Fault(leaking.bit_depth, (0.0, 0.2), ("leaks",), only(KINDS, "image")),
    Fault(leaking.row_order, (0,), ("leaks",), KINDS),
    Fault(labels.wrong_uniform, (0.02, 0.05, 0.10), ("suspect_labels",), CLASSES, slow=True),
    Fault(labels.wrong_one_class, (0.05, 0.10), ("suspect_labels",), {**only(CLASSES, "table", "image", "text"),
                                                                      "sequence": ("motif",)}, slow=True),
    Fault(labels.wrong_one_class, (0.05, 0.10), ("suspect_labels",), {"molecule": ("bace",),
                                                                      "sequence": ("enhancers", "peptides")},
          slow=True, hopeless={0.05: WAY, 0.10: WAY}),
    Fault(labels.wrong_uniform, (0.02, 0.05), ("suspect_labels",), only(NUMBERS, "table"), slow=True, times=2),
    Fault(labels.wrong_uniform, (0.02, 0.05), ("suspect_labels",), only(NUMBERS, "molecule", "sequence"), slow=True),
    Fault(grouping.unit_column, (3, 10), ("groups",), KINDS),
    Fault(grouping.finer_rows, (3, 10), ("unit_of_analysis",), KINDS),
    Fault(grouping.unit_files, (4, 10), ("groups",), only(KINDS, "image", "table")),
    Fault(grouping.families, (0.02, 0.05), ("duplicates", "near_duplicates"),
          only(APART, "image", "molecule", "sequence", "text")),
    Fault(grouping.families, (0.01, 0.02, 0.05), ("duplicates", "near_duplicates"), only(APART, "table")),
    Fault(grouping.confounded, (0.5, 0.8), ("confounding",), KINDS),
    Fault(values.units, (1000.0, 10.0, 2.54), ("mixed_units",), FINE),
    Fault(values.sentinel, (0, 1, 2), ("missing_values",), FINE),
    Fault(values.clipped, (0.1, 0.3), ("censored",), FINE),
    Fault(labels.limited, (0.05, 0.15), ("target_shape",), NUMBERS),
    Fault(values.gaps_tell, (0.2, 0.3, 0.4), ("missing_informative",), KINDS),
    Fault(grouping.time_order, (0,), ("time_order",), KINDS),
    Fault(grouping.dated_drift, (1.0, 2.0), ("drift",), KINDS),
    Fault(grouping.batch_drift, (1.0, 2.0), ("drift",), KINDS),
    Fault(labels.uneven, (10.0, 30.0), ("target_shape",), CLASSES),
    Fault(corrupt.broken, (1, 3), (), only(KINDS, "image", "molecule")),
    Fault(values.slipped, (5.0, 20.0, 100.0), ("outliers",), FINE),
    Fault(shortcuts.patch, (0.9, 1.0), ("shortcuts",), only(CLASSES, "image")),
    Fault(shortcuts.scanner, (0.9, 1.0), ("shortcuts",), only(CLASSES, "image")),
    Fault(shortcuts.background, (0.9, 1.0), ("shortcuts",), only(CLASSES, "image")),
    Fault(shortcuts.length, (0.9, 1.0), ("shortcuts",), only(CLASSES, "sequence", "text")),
    Fault(shortcuts.gc, (0.9, 1.0), ("shortcuts",), DNA),
    Fault(shortcuts.salt, (0.9, 1.0), ("shortcuts",), only(KINDS, "molecule")),
    Fault(shortcuts.atoms, (0.9, 1.0), ("shortcuts",), only(KINDS, "molecule")),
    Fault(after.covariate, (1.0, 2.0), (), KINDS, slow=True, look=after.see_inputs),
    Fault(after.label, (1.0, 2.0), (), KINDS, slow=True, look=after.see_targets),
    Fault(after.unlike, (3.0,), (), KINDS, slow=True, look=after.see_unlike),
    Fault(after.weak_group, (1.0,), (), LEARNT, slow=True, look=after.see_groups, known=after.knows_group),
    Fault(after.hidden_stratum, (1.0,), (), LEARNT, slow=True, look=after.see_strata, known=after.knows_stratum),
)
