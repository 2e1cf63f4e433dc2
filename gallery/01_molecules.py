"""How soluble is a molecule?

Command: python gallery/01_molecules.py (about two minutes, two cores)
Look at: the column 'ESOL predicted ...', which is an answer in disguise, is set aside; the split is by scaffold.
"""

import gnomon
from gnomon.data.bundle import bundled

TARGET = "measured log solubility in mols per litre"

result = gnomon.study(bundled("esol.csv"), target=TARGET, out="gallery/molecules.study", budget="100s")

print(result.claim)
best = result.report["verdict"]["headline"]
print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
for candidate in result.report["candidates"]:
    if candidate["valid"]:
        print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
print(f"figures: {result.page}")
