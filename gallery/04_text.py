"""Why does a paper cite another?

Command: python gallery/04_text.py (about two minutes, two cores)
Look at: six uneven classes, so macro-F1 is the headline; word counts are hard to beat.
"""

from _kit import study_of

study_of("citations.jsonl", target="label", name="text", budget="100s")
