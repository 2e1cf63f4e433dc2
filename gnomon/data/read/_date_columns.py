"""Date columns: datetime64[ns], whether day or month stands first told by the values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.data.infer import Guess
from gnomon.data.read._built import Built, none_reads
from gnomon.data.read.roles import Facts
from gnomon.data.table import Dense, Spec
from gnomon.values import finding


def date_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """Dates; text that is none counts as missing and is listed."""
    stamps, unread = _stamps(name, values)
    claim = f"'{name}' reads as dates, but {len(unread)} values are none and count as missing"
    listed = finding("LOOK-KIND", "warn", claim, rows=position[unread], columns=(name,), source="reading")
    known = stamps[~np.isnat(stamps)]
    rising = bool((np.diff(known) > np.timedelta64(0)).all())
    facts = Facts("date", "", len(known), len(np.unique(known)), rising=rising)
    return Built(Dense(stamps, Spec("date")), facts, (listed,) if len(unread) else ())


def _stamps(name: str, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n,) datetime64[ns] and the rows that hold something which is no date."""
    import pandas as pd

    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[ns]"), np.empty(0, np.int64)
    typed = isinstance(values, np.ndarray)  # 20240131, or a year
    written = [None if v != v else str(int(v)) for v in values] if typed else values.to_pylist()
    texts = pd.Series(written, dtype=object).str.strip()
    stamps = _dates(texts).to_numpy(dtype="datetime64[ns]")
    told = texts.notna().to_numpy()
    unread = np.flatnonzero(np.isnat(stamps) & told)
    if len(unread) and len(unread) == told.sum():
        raise none_reads(name, "date", values)
    return stamps, unread


def _dates(texts: Any) -> Any:
    """Dates from text; day or month first is settled by the values (a first number above 12 is a day)."""
    import pandas as pd

    eight = texts.dropna().str.match(r"^\d{8}$")
    if len(eight) and eight.all():
        return pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    first = pd.to_numeric(texts.str.extract(r"^(\d{1,2})[-/.]\d{1,2}[-/.]\d{2,4}")[0], errors="coerce")
    second = pd.to_numeric(texts.str.extract(r"^\d{1,2}[-/.](\d{1,2})[-/.]\d{2,4}")[0], errors="coerce")
    dotted = bool(texts.str.match(r"^\d{1,2}\.\d{1,2}\.\d{2,4}").any())
    day_first = bool((first > 12).any()) or (dotted and not bool((second > 12).any()))
    stamps = pd.to_datetime(texts, format="mixed", dayfirst=day_first, errors="coerce", utc=True)
    return stamps.dt.tz_localize(None)
