"""Why does a paper cite another?

Command: python gallery/04_text.py (about two minutes, two cores)
Look at: six uneven classes, so macro-F1 is the headline; word counts are hard to beat.
"""

import gnomon
from gnomon.data.bundle import bundled

result = gnomon.study(bundled("citations.jsonl"), target="label", out="gallery/text.study", budget="100s")

print(result.claim)
best = result.report["verdict"]["headline"]
print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
for candidate in result.report["candidates"]:
    if candidate["valid"]:
        print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
print(f"figures: {result.page}")
