"""Which atoms stand in the same place in other molecules: the law of an atom given its bonds and neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from gnomon.analyses.attribute._runs import ENOUGH

Kind = tuple[int, int, int, bool]  # atomic number, charge, explicit hydrogens, whether no others are implied
Place = tuple[Any, ...]


class AtomKinds:
    """How often each kind of atom stands in each place of these molecules (SMILES).

    A place is the atom's bonds with what stands at their other ends and whether it lies in a ring; where that was met too
    seldom, its bonds alone. Kinds in one place make as many bonds, so one may stand for another.
    """

    def __init__(self, smiles: Iterable[str | None]):
        from rdkit import Chem
        from rdkit.rdBase import BlockLogs

        self.counts: dict[Place, Counter[Kind]] = {}
        with BlockLogs():
            for text in smiles:
                molecule = Chem.MolFromSmiles(text) if text else None
                for atom in molecule.GetAtoms() if molecule is not None else ():
                    for place in places_of(atom):
                        self.counts.setdefault(place, Counter())[kind_of_atom(atom)] += 1

    def law(self, atom: Any, most: int) -> dict[Kind, float]:
        """Kind -> probability in this atom's place, of the commonest `most`; {} where the place was never met."""
        near, bonds = places_of(atom)
        met = self.counts.get(near, Counter())
        met = met if met.total() >= ENOUGH else self.counts.get(bonds, met)
        common = met.most_common(most)
        total = sum(n for _, n in common)
        return {kind: n / total for kind, n in common}


def kind_of_atom(atom: Any) -> Kind:
    return atom.GetAtomicNum(), atom.GetFormalCharge(), atom.GetNumExplicitHs(), bool(atom.GetNoImplicit())


def places_of(atom: Any) -> tuple[Place, Place]:
    """The narrow place and the wide one."""
    ends = sorted((bond.GetBondTypeAsDouble(), other.GetAtomicNum(), other.GetFormalCharge(), other.GetIsAromatic())
                  for bond in atom.GetBonds() for other in (bond.GetOtherAtom(atom),))
    ring = atom.IsInRing()
    return (ring, *ends), (ring, *(end[0] for end in ends))


def swapped(molecule: Any, place: int, kind: Kind) -> str | None:
    """The molecule as SMILES with an atom of this kind there; None where that is no molecule."""
    from rdkit import Chem

    changed = Chem.RWMol(molecule)
    atom = changed.GetAtomWithIdx(place)
    number, charge, hydrogens, bare = kind
    atom.SetAtomicNum(number)
    atom.SetFormalCharge(charge)
    atom.SetNumExplicitHs(hydrogens)
    atom.SetNoImplicit(bare)
    atom.SetNumRadicalElectrons(0)
    atom.SetIsotope(0)
    atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    if Chem.SanitizeMol(changed, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    return Chem.MolToSmiles(changed, canonical=False)
