"""Findings and checks as they come in, where one that fails must not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gnomon.values import Check, Finding


@dataclass
class Notes:
    """Findings and checks as they come in; one check that fails to run never stops the others."""

    findings: list[Finding] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def run(self, code: str, smallest: str | None, do: Callable[[], Any], nothing: str = "nothing could be examined") -> Any:
        """What `do` returns; where that is None the check did not run, `nothing` says why. smallest None: a mere step of the
        check, told only if it fails."""
        try:
            out = do()
        except Exception as error:
            self.checks.append(Check(code, False, f"could not be run: {type(error).__name__}: {error}"))
            return None
        if smallest is not None:
            self.checks.append(Check(code, False, nothing) if out is None else Check(code, True, "", smallest))
        return out

    def skip(self, code: str, why: str) -> None:
        self.checks.append(Check(code, False, why))

    def add(self, *found: Finding | None) -> None:
        self.findings += [f for f in found if f is not None]

    def join(self, others: Notes) -> None:
        """What others noted as well."""
        self.findings += others.findings
        self.checks += others.checks
