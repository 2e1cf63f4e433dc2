"""Which garment is it?

Command: python gallery/05_images.py (about two minutes, two cores)
Look at: a residual network against edges and pixels, and its mistakes in the errors gallery.
"""

import gnomon
from gnomon.data.bundle import bundled

result = gnomon.study(bundled("fashion.npz"), target="label", out="gallery/images.study", budget="120s")

print(result.claim)
best = result.report["verdict"]["headline"]
print(f"{best['metric']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}] on {best['n_units']} units")
for candidate in result.report["candidates"]:
    if candidate["valid"]:
        print(f"  {candidate['family']:<9}{candidate['label']:<36}{candidate['valid']['value']:.3f} (valid)")
print(f"figures: {result.page}")
