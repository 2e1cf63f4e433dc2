"""Is a peptide antimicrobial?

Command: python gallery/03_sequences.py (about two minutes, two cores)
Look at: hundreds of peptides stand in the file twice; near-identical ones never straddle the split.
"""

import gnomon
from gnomon.data.bundle import bundled

result = gnomon.study(bundled("peptides.csv"), target="antimicrobial", out="gallery/sequences.study", budget="100s")

print(result.claim)
best = result.report["verdict"]["headline"]
print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
for candidate in result.report["candidates"]:
    if candidate["valid"]:
        print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
print(f"figures: {result.page}")
