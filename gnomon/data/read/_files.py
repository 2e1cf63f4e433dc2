"""Files by name: each by the reader of its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.data.read._raw import Raw
from gnomon.errors import InputError

TOGETHER = ("fasta", "idx")  # forms of which several files are one input by themselves


@dataclass(frozen=True)
class Options:
    """What all files of one source share. kinds: column -> kind, as the user stated. cache: folder for decoded pictures.

    max_rows: at most so many rows, drawn with `seed`. shape: (C, H, W) that pictures must be brought to.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None
    seed: int = 0
    max_rows: int | None = None
    shape: tuple[int, int, int] | None = None


def refuse_empty(paths: Sequence[Path]) -> None:
    """Raises E-FILE-EMPTY for a file of no bytes."""
    for path in paths:
        if path.stat().st_size == 0:
            raise InputError("E-FILE-EMPTY", f"{path} is empty (0 bytes)", do="give a file that holds something")


def read_one(path: Path, form: str, options: Options) -> Raw:
    """One file that is no picture."""
    from gnomon.data.read import arrays, frames, molecules, records, tables

    if form in TOGETHER:
        return read_together([path], form)
    sampling = {"delimited": tables.read_delimited, "arrow": tables.read_arrow, "smi": molecules.read_smi}
    if form in sampling:
        return sampling[form](path, seed=options.seed, max_rows=options.max_rows)
    whole = {
        "excel": frames.read_excel,
        "json": records.read_json,
        "sdf": molecules.read_sdf,
        "arrays": arrays.read_arrays,
    }
    if form in whole:
        return whole[form](path)
    raise InputError(
        "E-FORMAT",
        f"{path} is in no format gnomon reads (its first bytes and its extension '{path.suffix}' are unknown)",
        do="give csv, tsv, xlsx, parquet, feather, json lines, FASTA, SMILES, SDF, idx, npz or picture files",
    )


def read_together(paths: Sequence[Path], form: str) -> Raw:
    """FASTA files, one a class or a part; or idx files, pictures and their labels."""
    from gnomon.data.read.arrays import read_idx_pairs
    from gnomon.data.read.sequences import read_fasta

    return read_fasta(paths) if form == "fasta" else read_idx_pairs(paths)


def read_pictures(files: Sequence[Path], root: Path, options: Options) -> Raw:
    """Picture files, named from `root`."""
    from gnomon.data.read.images import read_images

    return read_images(
        files, root, cache=options.cache, seed=options.seed, max_rows=options.max_rows, shape=options.shape
    )
