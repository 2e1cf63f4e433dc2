"""Is a peptide antimicrobial?

Command: python gallery/03_sequences.py (about two minutes, two cores)
Look at: hundreds of peptides stand in the file twice; near-identical ones never straddle the split.
"""

from _kit import study_of

study_of("peptides.csv", target="antimicrobial", name="sequences", budget="100s")
