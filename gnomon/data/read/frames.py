"""pandas DataFrames, and the Excel sheets and feather files that are read as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read._raw import Raw, strings
from gnomon.data.read._sniff import check_duplicates
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.values import finding


def from_frame(frame: Any, path: Path | str = "the table", *, seed: int = 0, max_rows: int | None = None) -> Raw:
    """A pandas DataFrame; an index that is no plain count becomes the column 'row name' (or its own name)."""
    import pandas as pd

    if not isinstance(frame.index, pd.RangeIndex) and (frame.index.name or frame.index.dtype == object):
        frame = (
            frame.reset_index(names=frame.index.name or "row name") if frame.index.nlevels == 1 else frame.reset_index()
        )
    frame = frame.reset_index(drop=True)
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis([" ".join(str(p) for p in c if str(p)) for c in frame.columns], axis=1)
    names = [str(c).strip() if str(c).strip() else f"Unnamed: {i}" for i, c in enumerate(frame.columns)]
    check_duplicates(names, path)
    if not len(frame) or not names:
        raise InputError(
            "E-FILE-EMPTY", f"{path} has {len(frame)} rows and {len(names)} columns", do="give a table with rows"
        )
    position, sampled = np.arange(len(frame)), ""
    if max_rows is not None and len(frame) > max_rows:
        position = np.sort(stream(seed, "sample rows").choice(len(frame), max_rows, replace=False))
        sampled = f"a uniform random sample of {max_rows:,} of the {len(frame):,} rows of {path} (seed {seed})"
        frame = frame.iloc[position].reset_index(drop=True)
    columns = {name: _series(frame.iloc[:, i]) for i, name in enumerate(names)}
    return Raw(columns, position, () if isinstance(path, str) else (str(path),), sampled=sampled)


def _series(series: Any) -> Any:
    """One pandas Series as a raw column: numbers, bools and dates as numpy, anything else as strings."""
    import pandas as pd

    kind = series.dtype
    if pd.api.types.is_bool_dtype(kind):
        return series.to_numpy(dtype=bool) if not series.isna().any() else strings(series.astype(object).tolist())
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(kind):
        plain = series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series
        return plain.to_numpy(dtype="datetime64[ns]")
    values = series.astype(object)
    known = values.dropna()
    if len(known) and all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in known):
        return pd.to_numeric(values).to_numpy(dtype=np.float64)
    if len(known) and all(hasattr(v, "year") and hasattr(v, "month") for v in known):
        return pd.to_datetime(values).to_numpy(dtype="datetime64[ns]")
    return strings([None if v is None or v != v or v is pd.NA else v for v in values])


def read_excel(path: Path) -> Raw:
    """The first sheet that holds anything of an Excel file; further sheets are named, not read."""
    import pandas as pd

    try:
        sheets = pd.read_excel(path, sheet_name=None, dtype=object, keep_default_na=False, na_values=[""])
    except Exception as error:  # openpyxl raises many kinds for broken files
        raise InputError(
            "E-UNREADABLE",
            f"{path} cannot be read as an Excel file: {error}",
            do="open it in a spreadsheet and save it as .xlsx or as CSV UTF-8",
        ) from None
    full = {name: sheet for name, sheet in sheets.items() if len(sheet) and len(sheet.columns)}
    if not full:
        raise InputError("E-FILE-EMPTY", f"{path} has no sheet with a header and rows", do="check the file")
    _check_excel_header(path, next(iter(full)))
    raw = from_frame(next(iter(full.values())), path)
    if len(full) == 1:
        return raw
    from dataclasses import replace

    name, *others = full
    return replace(
        raw,
        findings=(
            finding(
                "LOOK-KIND",
                "note",
                f"{path.name} has {len(full)} sheets with data; '{name}' is read, not {', '.join(others)}",
                source="reading",
            ),
        ),
    )


def _check_excel_header(path: Path, sheet: str) -> None:
    import pandas as pd

    line = pd.read_excel(path, sheet_name=sheet, header=None, nrows=1, dtype=object)
    check_duplicates([str(v).strip() for v in line.iloc[0] if v == v and v is not None], path)
