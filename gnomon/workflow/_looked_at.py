"""What a person has settled already: findings accepted with a reason, suspect labels looked at."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.values import Finding
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow.relabel import corrections


def answered(because: Sequence[str], folder: Folder) -> bool:
    """Whether a person accepted every finding that a step is for; a step that is for none stays."""
    accepted = read_json(folder / "accepted.json", {})
    return bool(because) and all(code in accepted for code in because)


def unanswered(findings: Sequence[Finding], folder: Folder) -> list[Finding]:
    """Findings that nobody accepted, less those of suspect labels that were all looked at (`relabel --take`)."""
    accepted = read_json(folder / "accepted.json", {})
    looked = {(line["column"], int(line["row"])) for line in corrections(folder)}
    return [f for f in findings if f.code not in accepted and not (f.code == "LOOK-LABEL" and _all_looked_at(f, looked))]


def _all_looked_at(f: Finding, looked: set[tuple[str, int]]) -> bool:
    """Every row that is listed, and as many as there are where the list was cut short; where the claim is about the first few
    of them, these."""
    mine, wanted = {row for column, row in looked if column in f.columns}, int(f.values.get("first", f.rows_total))
    return bool(f.rows) and mine.issuperset(f.rows[:wanted]) and len(mine) >= wanted
