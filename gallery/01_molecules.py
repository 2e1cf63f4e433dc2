"""How soluble is a molecule?

Command: python gallery/01_molecules.py (about two minutes, two cores)
Look at: the column 'ESOL predicted ...', which is an answer in disguise, is set aside; the split is by scaffold.
"""

from _kit import study_of

study_of("esol.csv", target="measured log solubility in mols per litre", name="molecules", budget="100s")
