"""Which garment is it?

Command: python gallery/05_images.py (about two minutes, two cores)
Look at: a residual network against edges and pixels, and its mistakes in the errors gallery.
"""

from _kit import study_of

study_of("fashion.npz", target="label", name="images", budget="120s")
