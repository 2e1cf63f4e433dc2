"""How strong is a concrete mixture?

Command: python gallery/02_table.py (about two minutes, two cores)
Look at: trees beat the straight line by far; mixtures measured more than once are kept together.
"""

from _kit import study_of

study_of("concrete.csv", target="strength_MPa", name="table", budget="90s")
