"""What encoders of columns have in common: how one is written as JSON and arrays, and made again from them.

An encoder is fitted on training rows and frozen. It offers `kind`, `spec`, `sources`, `names`, `load(data, device) ->
store` (see `_resident`) and `state()`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gnomon.data._scales import Scale

State = tuple[dict[str, Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class OneColumn:
    """An encoder of one column, whose tensor is named like it."""

    column: str

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,)

    names = sources


def plain_state(encoder: Any) -> dict[str, Any]:
    """The JSON part: every field that is text, a number or a tuple of such."""
    plain = {f.name: getattr(encoder, f.name) for f in fields(encoder)}
    return {"kind": encoder.kind, **{k: v for k, v in plain.items() if isinstance(v, (str, int, tuple))}}


def remade(made: type, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """An encoder of class `made` from its `plain_state` and arrays; arrays that are no field of it are its scale's."""
    own = {f.name for f in fields(made)}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items() if k != "kind"}
    values |= {k: v for k, v in arrays.items() if k in own}
    if "scale" in own:
        values["scale"] = Scale({k: v for k, v in arrays.items() if k not in own})
    return made(**values)
