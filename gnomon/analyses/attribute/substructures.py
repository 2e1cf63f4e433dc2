"""Recurrent substructures of molecules from atom attributions: which atom environments add how much, over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._features import environment_atoms
from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.card import Card

CARD = Card(
    name="Substructures from attributions",
    gist="Atom environments found in many molecules, with the attribution they carry and its interval.",
    use_when="A model of molecules was explained atom by atom and the question is which groups it reads.",
    avoid_when="The attribution failed its gates, or all molecules share one scaffold: then compare substituents.",
    paper="Rogers & Hahn 2010, J. Chem. Inf. Model. 50 (environments); Benjamini & Yekutieli 2005, JASA 100",
    survey=("T2", "I6"),
    reads=("molecule",),
    cost="seconds",
)


@dataclass(frozen=True)
class Substructure:
    """smiles: of the environment alone, hydrogens written. radius: bonds around its centre. count: molecules that hold
    it. value, low, high: summed attribution of its atoms, a molecule's occurrences averaged (95 % over units, widened
    for having been selected). rows: the molecules; atoms: per molecule, the atoms of each occurrence."""

    smiles: str
    radius: int
    count: int
    value: float
    low: float | None
    high: float | None
    rows: tuple[int, ...]
    atoms: tuple[tuple[tuple[int, ...], ...], ...]
    key: int


@dataclass(frozen=True)
class _Environment:
    """Every occurrence over all molecules. atoms: end to end, as places among the atoms of all molecules; begins: where
    each occurrence begins in `atoms`; row: the molecule of each."""

    key: int
    radius: int
    atoms: np.ndarray
    begins: np.ndarray
    row: np.ndarray

    def by_row(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, mean over a row's occurrences of the summed weight)."""
        rows, place = np.unique(self.row, return_inverse=True)
        sums = np.add.reduceat(weight[self.atoms], self.begins)
        return rows, np.bincount(place, sums) / np.bincount(place)


def substructures(smiles: Sequence[str | None], weights: Sequence[np.ndarray], *, units: np.ndarray | None = None,
                  radius: int = 2, fewest: int = 5, level: float = 0.05, most: int = 12) -> tuple[Substructure, ...]:
    """At most `most` environments whose mean attribution differs from 0, largest first.

    weights: one number an atom of each SMILES. units: the independent unit of each row (None: rows).
    radius: largest environment, in bonds. fewest: molecules (and units) that must hold it. level: share of false
    discoveries over all environments tested (Benjamini-Hochberg on cluster-t tests); intervals of the chosen ones are at
    1 - level * chosen / tested, so that they hold on average over what is shown. The environment with the most signal
    (|mean| sqrt(molecules / atoms), what stands out of noise that is alike on all atoms) is taken first; the others are
    then tested again without the atoms it covers, so that each atom is told of once. Molecules RDKit cannot read are
    skipped.
    """
    from scipy.stats import false_discovery_control

    units = np.arange(len(smiles)) if units is None else np.asarray(units)
    held = [e for e in _held(smiles, weights, radius) if len(np.unique(units[e.row])) >= fewest <= len(np.unique(e.row))]
    if not held:
        return ()
    weight = np.concatenate([np.asarray(w, dtype=float) for w in weights])
    tested = [_tested(e, weight, units) for e in held]
    chances = np.array([t[3] for t in tested])
    accepted = false_discovery_control(chances) <= level
    least = chances[accepted].max() if accepted.any() else -1.0
    wide = 1 - level * max(accepted.sum(), 1) / len(held)
    left, out = weight.copy(), []
    waiting = sorted(np.flatnonzero(accepted), key=lambda i: -tested[i][4])
    while waiting and len(out) < most:
        best = waiting.pop(0)
        out.append(_described(smiles, weights, held[best], tested[best], wide))
        left[held[best].atoms] = 0.0
        again = {i: _tested(held[i], left, units) for i in waiting}
        waiting = sorted((i for i in waiting if again[i][3] <= least and _untold(held[i], left) >= fewest),
                         key=lambda i: -again[i][4])
    return tuple(sorted(out, key=lambda s: -abs(s.value)))


def _untold(environment: _Environment, left: np.ndarray) -> int:
    """In how many molecules it still has an atom that was not told of."""
    open_ = np.add.reduceat((left[environment.atoms] != 0).astype(int), environment.begins) > 0
    return len(np.unique(environment.row[open_]))


def _held(smiles: Sequence[str | None], weights: Sequence[np.ndarray], radius: int) -> list[_Environment]:
    """All environments, by unfolded Morgan identifiers."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.rdBase import BlockLogs

    maker = rdFingerprintGenerator.GetMorganGenerator(radius=radius)
    found: dict[int, tuple[int, list[list[int]], list[int]]] = {}
    first = np.cumsum([0, *map(len, weights)])
    with BlockLogs():
        for row, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is None or molecule.GetNumAtoms() != len(weights[row]):
                continue
            extra = rdFingerprintGenerator.AdditionalOutput()
            extra.AllocateBitInfoMap()
            maker.GetSparseCountFingerprint(molecule, additionalOutput=extra)
            for key, places in extra.GetBitInfoMap().items():
                for centre, reach in places:
                    _, atoms, rows = found.setdefault(int(key), (reach, [], []))
                    atoms.append([int(first[row]) + a for a in environment_atoms(molecule, centre, reach)])
                    rows.append(row)
    return [_Environment(key, reach, np.concatenate(atoms), np.cumsum([0, *map(len, atoms)])[:-1], np.array(rows))
            for key, (reach, atoms, rows) in found.items()]


def _tested(environment: _Environment, weight: np.ndarray,
            units: np.ndarray) -> tuple[float, float, int, float, float]:
    """(mean, standard error, units, p, signal) of the attribution an occurrence carries."""
    from scipy.stats import t

    rows, values = environment.by_row(weight)
    mean, _, high = mean_over_units(values, units[rows])
    count = len(np.unique(units[rows]))
    error = (high - mean) / float(t.ppf(0.975, count - 1)) if high is not None else np.inf
    size = abs(mean) / max(error, 1e-12 * abs(mean), 1e-300)
    atoms = len(environment.atoms) / len(environment.row)
    return mean, error, count, float(2 * t.sf(size, count - 1)), abs(mean) * float(np.sqrt(len(rows) / atoms))


def _described(smiles: Sequence[str | None], weights: Sequence[np.ndarray], environment: _Environment,
               tested: tuple[float, float, int, float, float], level: float) -> Substructure:
    from rdkit import Chem
    from scipy.stats import t

    mean, error, count, _, _ = tested
    reach = float(t.ppf(0.5 + level / 2, count - 1)) * error
    first = np.cumsum([0, *map(len, weights)])
    atoms: dict[int, list[tuple[int, ...]]] = {}
    for env, row in zip(np.split(environment.atoms, environment.begins[1:]), environment.row, strict=True):
        atoms.setdefault(int(row), []).append(tuple(int(a - first[row]) for a in env))
    smallest = min(atoms, key=lambda r: len(smiles[r] or ""))
    text = Chem.MolFragmentToSmiles(Chem.MolFromSmiles(smiles[smallest]), atomsToUse=list(atoms[smallest][0]),
                                    allHsExplicit=True)
    return Substructure(text, environment.radius, len(atoms), mean, mean - reach, mean + reach, tuple(atoms),
                        tuple(map(tuple, atoms.values())), environment.key)


def holders(smiles: Sequence[str | None], keys: Sequence[int], *, radius: int = 2) -> dict[int, dict[int, list[int]]]:
    """key -> row -> the atoms that its environment covers, in other molecules."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecules = [Chem.MolFromSmiles(s) if s else None for s in smiles]
    sizes = [np.zeros(m.GetNumAtoms() if m is not None else 0) for m in molecules]
    first, wanted = np.cumsum([0, *map(len, sizes)]), set(keys)
    out: dict[int, dict[int, list[int]]] = {k: {} for k in keys}
    for environment in (e for e in _held(smiles, sizes, radius) if e.key in wanted):
        for atoms, row in zip(np.split(environment.atoms, environment.begins[1:]), environment.row, strict=True):
            out[environment.key].setdefault(int(row), []).extend((atoms - first[row]).tolist())
    return out


def drawing(smiles: str, atoms: Sequence[int], *, up: bool = True) -> dict[str, Any] | None:
    """A picture (gnomon/data/draw.py) of these atoms of a molecule and the bonds that leave them, all else left out.
    up: coloured as raising the output, else as lowering it."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    from gnomon.data.draw import BOND, bonds, label

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    molecule = rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=True, addChiralHs=False)
    rdDepictor.NormalizeDepiction(molecule)
    points = molecule.GetConformer().GetPositions()[:, :2] * (BOND / 1.5) * np.array([1, -1])
    inside = set(atoms)
    near = {n.GetIdx() for a in inside for n in molecule.GetAtomWithIdx(a).GetNeighbors()} - inside
    shown = sorted(inside | near)
    points = points - points[shown].min(axis=0) + 14
    written = {a: label(molecule.GetAtomWithIdx(a), points) for a in inside}
    kept = Chem.RWMol(molecule)
    for bond in list(kept.GetBonds())[::-1]:  # bonds among neighbours, and what lies beyond, are left out
        if not {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} & inside:
            kept.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    Chem.FastFindRings(kept)
    lines, wedges = bonds(kept, points, [written.get(a) is not None for a in range(molecule.GetNumAtoms())])
    box = points[shown].max(axis=0) + 14
    glow = [[round(float(x)), round(float(y)), 0.35 if up else -0.35] for x, y in points[sorted(inside)]]
    return {"k": "m", "x": 0, "box": [round(float(box[0])), round(float(box[1]))], "d": lines, "f": wedges,
            "t": [w for w in written.values() if w is not None], "g": glow}
