"""How strong is a concrete mixture?

Command: python gallery/02_table.py (about two minutes, two cores)
Look at: trees beat the straight line by far; mixtures measured more than once are kept together.
"""

import gnomon
from gnomon.data.bundle import bundled

result = gnomon.study(bundled("concrete.csv"), target="strength_MPa", out="gallery/table.study", budget="90s")

print(result.claim)
best = result.report["verdict"]["headline"]
print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
for candidate in result.report["candidates"]:
    if candidate["valid"]:
        print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
print(f"figures: {result.page}")
