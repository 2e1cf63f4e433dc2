"""Logos, curves and removals on the page: right heights, right words, and nothing a stranger's report could slip in."""

import re

import pytest

from gnomon.reporting import effects, understand


def test_a_letters_height_is_its_share_of_the_information():
    drawing = effects.logo([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4], [2.0, 1.0, 0.0], "ACGT")
    tall = [float(t) * 7.2 for t in re.findall(r"scale\(1 ([\d.]+)\)", drawing)]
    assert tall == pytest.approx([effects.TALL, effects.TALL / 4, effects.TALL / 4], rel=1e-3)
    assert 'aria-label="sequence logo AA' in drawing and '<text class="c2"' in drawing


def test_residues_are_coloured_by_chemistry():
    protein = "ACDEFGHIKLMNPQRSTVWY"
    assert [effects.colour_of(a, protein) for a in "KDSL"] == ["c0", "c5", "c2", "lw"]


def report(**more):
    return {"explanations": [{"technique": "occlusion", "withheld": False, "gates": [], "importances": [], **more}]}


def effect(value, low, high):
    return {"value": value, "low": low, "high": high}


REMOVAL = {"cue": "GGATCC", "raises": True, "holds": True, "rows": 40, "metric": "rmse", "output": effect(1.5, 1.0, 2.0),
           "random": effect(0.1, 0.0, 0.2), "score": effect(0.3, 0.1, 0.5), "score_random": effect(0.0, -0.1, 0.1)}


def test_removals_say_what_happened_in_the_direction_claimed():
    told = understand.explanations(report(removal={"found": [REMOVAL], "about": "y"}), {})[0]["removals"]["found"][0]
    assert (told["what"], told["output"], told["metric"]) == ("change", "−1.50 [−2.00, −1.00]", "RMSE")
    lowered = {**REMOVAL, "raises": False, "output": effect(-1.5, -2.0, -1.0), "random": effect(-0.1, -0.2, 0.0)}
    told = understand.explanations(report(removal={"found": [lowered]}), {})[0]["removals"]["found"][0]
    assert (told["what"], told["output"]) == ("change", "1.50 [1.00, 2.00]")
    moved = {**REMOVAL, "raises": None}
    told = understand.explanations(report(removal={"found": [moved]}), {})[0]["removals"]["found"][0]
    assert (told["what"], told["output"]) == ("size of change", "1.50 [1.00, 2.00]")


def test_a_withheld_explanation_shows_no_motif_and_a_malformed_one_is_left_out():
    motif = {"consensus": "ACG", "letters": "ACGT", "shares": [[1, 0, 0, 0]], "information": [2.0], "rows": 9, "value": 1.0}
    shown = understand.explanations(report(motifs={"rows": 20, "found": [motif, {"shares": "<b>"}]}), {})[0]["logos"]
    assert len(shown["found"]) == 1 and shown["of"] == "20"
    withheld = {"explanations": [{**report()["explanations"][0], "withheld": True, "motifs": {"found": [motif]}}]}
    assert understand.explanations(withheld, {})[0]["logos"] is None


def test_curves_share_one_scale_and_text_is_escaped():
    curve = {"column": "<i>a", "kind": "accumulated local effects", "at": [0, 1, 2], "curve": [-1, 0, 1],
             "low": [-1.5, -0.5, 0.5], "high": [-0.5, 0.5, 1.5], "partial": [0, 0, 0]}
    site = {"column": "site", "kind": "partial dependence", "at": ["x", "y"], "curve": [-1.0, 1.0], "low": None, "high": None}
    told = understand.explanations(report(dependence={"about": "y", "rows": 30, "curves": [curve, site], "interactions": [
        {"columns": ["a", "b"], **effect(0.4, 0.2, 0.6), "size": 1.2}]}), {})[0]["curves"]
    assert "<i>" not in told["drawn"][0]["plot"] and 'class="band"' in told["drawn"][0]["plot"]
    assert [line["name"] for line in told["drawn"][1]["bars"]["lines"]] == ["y", "x"]
    assert told["pairs"][0] == {"names": "a and b", "adds_up": False, "share": "20% to 60%", "size": "1.2"}


def test_groups_are_drawn_or_say_there_is_no_picture():
    told = understand.explanations(report(substructures={"rows": 9, "found": [
        {"smiles": "CO", "count": 7, "value": -1.0, "low": -1.2, "high": -0.8, "picture": {"k": "m", "d": "<script>"}}]}), {})
    group = told[0]["groups"]["found"][0]
    assert "script" not in group["drawn"] and not group["up"] and group["adds"].startswith("−1.0")


def test_bars_of_a_cluster_are_as_long_as_its_weights_with_the_others_beside():
    drawing = str(effects.term_bars([{"what": "[NH2]", "value": 2.0, "low": 1.5, "high": 2.5, "others": 0.5},
                                     {"what": "<b>", "value": -1.0, "low": None, "high": None, "others": 0.0}]))
    found = re.findall(r'<rect class="(\w+)" x="([\d.]+)%".*? width="([\d.]+)%"', drawing)
    rects = {name: (float(x), float(wide)) for name, x, wide in found}
    assert rects["up"][1] == pytest.approx(2 * rects["down"][1], rel=0.01)
    assert sum(rects["down"]) == pytest.approx(rects["up"][0], abs=0.02)  # both stand on the same zero
    assert "&lt;b&gt;" in drawing and "[NH2]" in drawing
    assert drawing.count('class="span"') == 1 and drawing.count('class="others"') == 2


def test_clusters_of_words_and_of_atoms_are_told_with_their_bars():
    term = {"what": "tumour", "value": 2.0, "low": 1.5, "high": 2.5, "others": 0.1}
    told = {"rows": 90, "groups": 2, "measured": "accuracy", "found": [
        {"group": "yes", "size": 30, "share": 0.4, "chance": 0.01, "typical": 7, "leans_on": ["tumour"], "terms": [term],
         "score": {"value": 0.9, "low": 0.8, "high": 1.0}, "others": {"value": 1.0, "low": None, "high": None}}]}
    found, = understand.explanations(report(clusters=told), {})
    cluster, = found["clusters"]["found"]
    assert "tumour" in cluster["bars"] and found["clusters"]["bars"] and found["clusters"]["classes"]
    assert cluster["share"] == "40%" and cluster["leans_on"] == "tumour"
