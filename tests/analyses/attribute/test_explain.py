"""Explaining whole learned things: the contract's entries, withheld ones, networks, ensembles, a planted motif."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from attribution_fakes import Formula, Odds, table, values
from torch import nn

from gnomon.analyses.attribute import _attempts, _case
from gnomon.analyses.attribute._case import Case, strongest
from gnomon.analyses.attribute._explain import explain, judged
from gnomon.analyses.attribute._ground import ground_of
from gnomon.analyses.attribute._inside import shaken
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute._tensors import network_attributions
from gnomon.analyses.attribute.integrated_gradients import path_ends
from gnomon.data.features._view import fit_view
from gnomon.data.tensors import fit_tensors
from gnomon.methods._fitted import Fitted, matrix_of
from gnomon.methods._network import Network
from gnomon.models._fuse import fuse
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

MOTIF = "CGACCGAACTCC"


def fitted(data, task, rows, builder, form):
    view = fit_view(data, rows, data.inputs, dense=False, seed=0, form=form)
    estimator = builder({}, task.out).fit(matrix_of(view, data, rows), task.truth(data, rows))
    return Fitted(view, (estimator,), (task.out,))


def six(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    return table({**{f"x{j}": x[:, j] for j in range(6)}, "copy": x[:, 0] + 0.02 * rng.normal(size=n),
                  "category:kind": rng.choice(list("abc"), n), "y": 2 * x[:, 0] - x[:, 1] + 0.3 * rng.normal(size=n)})


def entry(told, technique):
    return next(e for e in told.explanations if e["technique"] == technique)


def test_words_of_few_rows_or_units_stay_unnamed_unless_asked_for():
    from gnomon.models.tables.logistic import logistic

    rng = np.random.default_rng(0)
    n, sick = 300, np.arange(300) % 2
    surname = np.array([f"{a}{b}" for a in ("ok", "fe", "ya", "li", "pe") for b in ("onkwo", "uerbach", "mazaki", "ndqvist")])
    who = [surname[(i // 150) * 8 + 2 * (i % 4) + sick[i]] if i % 20 < 2 else "nobody" for i in range(n)]
    text = [f"patient {w} felt {'tired' if s and rng.random() < 0.8 else 'fine'}" for w, s in zip(who, sick, strict=True)]
    data = table({"text:notes": np.array(text), "category:y": np.array(["well", "ill"])[sick]})
    task = classify("y", ("ill", "well"))
    learned = fitted(data, task, np.arange(200), logistic, "scaled")
    units = np.where([w == "nobody" for w in who], np.arange(n), n)  # those with a name share one unit: a family
    rows = np.arange(200, 300)
    case = Case(learned, task, data, rows, rows, ask(task, learned.predict(data, rows)), 0, None, 1e9, units)
    assert any(s in name for name in learned.view.names for s in surname)
    assert not any(s in name for name in case.feature_names() for s in surname)
    assert "notes: tired" in case.feature_names() and "rare words of 'notes'" in case.feature_names()
    assert replace(case, show_rows=True).feature_names() == learned.view.names
    listed = _attempts.by_features(case, True, technique="linear_attribution").features
    assert "notes: tired" in listed and not any(s in name for name in listed for s in surname)
    assert np.isnan(listed["rare words of 'notes'"][1]).all()  # no direction is claimed of many words


def test_a_linear_model_is_explained_as_the_contract_says():
    from gnomon.models.tables.ridge import ridge

    data, task = six(), regress("y")
    told = explain(fitted(data, task, np.arange(250), ridge, "scaled"), task, data, np.arange(250, 400), np.arange(400),
                   recipe="abc")
    json.dumps(told.explanations, allow_nan=False)
    for e in told.explanations:
        assert {"technique", "recipe", "importances", "over", "gates", "other_checks", "withheld"} <= set(e)
        assert e["over"] == "units" and e["recipe"] == "abc" and not e["withheld"]
        names = [i["what"] for i in e["importances"]]
        assert sorted(names) == sorted(data.inputs) and set(names[:2]) == {"x0", "copy"} and names[2] == "x1"
        assert e["importances"][0]["group"] == "x0 + copy"
    own = entry(told, "linear_attribution")
    assert [g["passed"] for g in own["gates"]] == [True, True]
    (uses,) = [f for f in told.findings if f.code == "WHY-USES"]
    assert "rise with x0 + copy and fall with x1" in uses.claim
    assert not any(word in uses.claim for word in ("drive", "cause"))


def test_a_model_of_nothing_is_withheld_or_says_nothing():
    data, task = six(), regress("y")
    noise = Formula(lambda d, r: np.sin(1e6 * values(d, r, "x2")[0]))
    told = explain(noise, task, data, np.arange(200), np.arange(400), fit_again=None)
    _, own = told.explanations  # after the importances, which need no gate
    assert own["withheld"] and own["importances"] == [] and "clusters" not in own
    assert [f.code for f in told.findings] == ["WHY-WITHHELD"] and told.pictures == ()


def test_random_attributions_of_a_good_model_are_withheld(monkeypatch):
    """Each passes deletion by chance in 2.5 % of draws; of 6 at most one does (P = 0.01 for more)."""
    from gnomon.models.tables.ridge import ridge

    data, task, held = six(), regress("y"), np.arange(250, 330)
    learned, withheld = fitted(data, task, np.arange(250), ridge, "scaled"), 0
    question = ask(task, learned.predict(data, held))
    monkeypatch.setattr(_case, "RANDOMISED_SCALAR", 1)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        monkeypatch.setattr(_attempts, "contributions",
                            lambda e, matrix, neutral, q, rng=rng: ("random", rng.normal(size=matrix.shape)))
        case = Case(learned, task, data, held, held, question, seed, None, float("inf"))
        attempt = replace(_attempts.by_features(case, False, technique="linear_attribution"), units=held)
        withheld += not all(g.passed for g in judged(attempt, seed))
    assert withheld >= 5


def test_time_left_out_is_named():
    data, task = six(), regress("y")
    told = explain(Formula(lambda d, r: values(d, r, "x0")[0]), task, data, np.arange(100), np.arange(400), seconds=0.0)
    assert {c.code for c in told.checks} == {"WHY-USES", "WHY-WITHHELD"} and not any(c.ran for c in told.checks)


def test_an_ensemble_is_explained_by_its_strongest_kind():
    from gnomon.models.tables.lasso import lasso
    from gnomon.models.tables.ridge import ridge

    @dataclass(frozen=True)
    class Both:
        members: tuple
        weights: tuple

    data, task = six(), regress("y")
    a, b = (fitted(data, task, np.arange(200), m, "scaled") for m in (ridge, lasso))
    found, note = strongest(Both((a, b, b), (0.4, 0.3, 0.3)))
    assert found is b and "60%" in note
    assert strongest(a) == (a, "")


class LettersEncoder(nn.Module):
    """Convolution over embedded letters, the largest response of each filter."""

    def __init__(self, spec, filters=24, length=12):
        super().__init__()
        self.width = filters
        self.table = nn.Embedding(len(spec.categories) + 1, 8, padding_idx=0)
        self.filters = nn.Conv1d(8, filters, length, padding=length // 2)

    def forward(self, tokens):
        return self.filters(self.table(tokens.ids).transpose(1, 2)).relu().amax(dim=2)


class PixelsEncoder(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.width = 6
        self.layers = nn.Sequential(nn.Conv2d(spec.shape[0], 6, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        return self.layers(x)


def network(data, task, rows, encoders, hidden=16):
    tensoriser = fit_tensors(data, rows, data.inputs)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = fuse(tensoriser.specs, task.out, encoders, hidden=hidden, dropout=0.0)
    return Network(task, module, tensoriser, {}, inputs=data.inputs)


def mixed(n=12):
    rng = np.random.default_rng(0)
    return table({"a": rng.normal(size=n), "holes": np.where(rng.random(n) < 0.3, np.nan, 1.0 * np.arange(n)),
                  "g": rng.normal(size=(n, 5)), "category:kind": rng.choice(list("abc"), n),
                  "sequence:seq": np.array(["".join(rng.choice(list("ACGT"), rng.integers(8, 14))) for _ in range(n)]),
                  "molecule:mol": np.array(["CCO", "CCN", "c1ccccc1", "CC(=O)O"] * (n // 4)),
                  "image:img": rng.integers(0, 255, (n, 3, 12, 12)).astype(np.uint8), "y": rng.normal(size=n)})


def test_a_networks_attributions_reach_every_kind_of_piece_and_add_up():
    from gnomon.models.graphs._directed import DirectedMessages

    data, task, rows = mixed(), regress("y", mean=1.0, sd=3.0), np.arange(12)
    learned = network(data, task, rows, {"tokens": LettersEncoder, "image": PixelsEncoder, "graph": lambda s:
                      DirectedMessages(*s.shape, hidden=8, depth=2, dropout=0.0, readout="mean")})
    question = ask(task, learned.predict(data, rows))
    ground = ground_of(data, rows, rows, question, learned.predict)
    found = network_attributions(learned, ground, steps=96)
    inputs = learned.tensoriser.batch(ground.data, rows, "cpu")
    low, high = path_ends(learned.module, inputs, question.pick)
    total = np.array([s.sum() for s in found.scores]) + sum(found.over.values())
    assert np.allclose(total, (high - low).numpy(), atol=0.02)
    assert np.allclose(question.answer(learned.predict(data, rows), rows), high.numpy() + 1.0, atol=1e-3)
    touched = {p.column for pieces, s in zip(ground.pieces, found.scores, strict=True)
               for p, v in zip(pieces, s, strict=True) if v != 0}
    assert touched == set(data.inputs)
    assert [len(w) for w in found.fine["seq"]] == [len(s) for s in data.columns["seq"].values]
    assert found.fine["img"][0].shape == (12, 12) and len(found.fine["mol"][0]) == 3


def test_shaken_weights_differ_are_repeatable_and_leave_the_original_alone():
    data, task = mixed(), regress("y")
    data = replace(data, columns={k: data.columns[k] for k in ("a", "seq", "y")},
                   roles={k: data.roles[k] for k in ("a", "seq", "y")})
    learned = network(data, task, np.arange(12), {"tokens": LettersEncoder})
    before = [p.clone() for p in learned.module.parameters()]
    once, again = shaken(learned.module, 1), shaken(learned.module, 1)
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, learned.module.parameters(), strict=True))
    matrices = [(a, b) for a, b in zip(before, once.parameters(), strict=True) if a.ndim > 1]
    assert all(not torch.equal(a, b) and 0.3 < float(b.detach().std() / a.detach().std()) < 3 for a, b in matrices)
    last = shaken(learned.module, 1, most=2)
    assert [torch.equal(a, b) for a, b in zip(before, last.parameters(), strict=True)].count(False) <= 2


def test_deleting_pieces_does_what_it_says():
    data, rows = mixed(), np.arange(12)
    learned = Odds(lambda d, r: values(d, r, "a")[0])
    question = ask(classify("y", ("0", "1")), learned.predict(data, rows))
    ground = ground_of(data, rows, rows, question, learned.predict)
    nothing = [np.zeros(len(p), dtype=bool) for p in ground.pieces]
    same = ground.altered(rows, nothing)
    assert same.hash == ground.data.hash
    one = {name: [np.array([p.column == name and k == next(i for i, q in enumerate(pieces) if q.column == name)
                            for k, p in enumerate(pieces)]) for pieces in ground.pieces]
           for name in ("a", "seq", "mol", "img")}
    assert np.allclose(values(ground.altered(rows, one["a"]), rows, "a")[0], np.median(data.columns["a"].values))
    for before, after in zip(data.columns["seq"].values, values(ground.altered(rows, one["seq"]), rows, "seq")[0],
                             strict=True):
        assert len(before) == len(after) and before[0] != after[0] and before[1:] == after[1:]
    assert values(ground.altered(rows, one["mol"]), rows, "mol")[0][0] == "*CO"
    changed = values(ground.altered(rows, one["img"]), rows, "img")[0] != data.columns["img"].values
    assert changed[:, :, :2, :2].mean() > 0.9 and not changed[:, :, 2:].any() and not changed[:, :, :, 2:].any()


def planted(shared_data):
    import pandas as pd

    frame = pd.read_csv(shared_data / "dna_motif" / "dna_motif.csv")
    labels = frame["label"].astype(str).to_numpy()
    return table({"sequence:sequence": frame["sequence"].to_numpy(), "category:y": labels})


def motif_auroc(told, data, technique):
    """Mean over drawn positives of the AUROC of the letters' weights for lying in the motif."""
    from sklearn.metrics import roc_auc_score

    out = []
    for picture in told.pictures:
        at = data.columns["sequence"].values[picture["row"]].find(MOTIF)
        if picture["technique"] == technique and at >= 0:
            inside = (np.arange(50) >= at) & (np.arange(50) < at + 12)
            out.append(roc_auc_score(inside, picture["weights"]))
    assert len(out) >= 5
    return float(np.mean(out))


def trained_on_motif(data, task, steps=250):
    learned = network(data, task, np.arange(1500), {"tokens": LettersEncoder})
    inputs = learned.tensoriser.batch(data, np.arange(1500), "cpu")
    truth = torch.as_tensor(task.truth(data, np.arange(1500)))
    optimiser, dice = torch.optim.AdamW(learned.module.parameters(), lr=5e-3), torch.Generator().manual_seed(0)
    for _ in range(steps):
        some = torch.randint(0, 1500, (128,), generator=dice)
        raw = learned.module({"sequence": type(inputs["sequence"])(*(t[some] for t in inputs["sequence"]))})
        loss = nn.functional.cross_entropy(raw, truth[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    learned.module.eval()
    return learned


@pytest.mark.slow
def test_a_networks_attributions_find_the_planted_motif(shared_data):
    data, task = planted(shared_data), classify("y", ("0", "1"))
    learned = trained_on_motif(data, task)
    held = np.arange(1500, 2000)
    right = learned.predict(data, held).value == task.truth(data, held)
    assert right.mean() > 0.95
    told = explain(learned, task, data, held, np.arange(2000), seconds=120, most_examples=48)
    drawn = {picture["technique"] for picture in told.pictures}
    assert drawn  # of the techniques trusted most on sequences, those that passed
    for technique in drawn:
        assert not entry(told, technique)["withheld"], entry(told, technique)["gates"]
        assert motif_auroc(told, data, technique) > 0.9


@pytest.mark.slow
def test_a_simple_models_attributions_find_the_planted_motif(shared_data):
    from gnomon.models.tables.logistic import logistic

    data, task = planted(shared_data), classify("y", ("0", "1"))
    learned = fitted(data, task, np.arange(1500), logistic, "scaled")
    told = explain(learned, task, data, np.arange(1500, 2000), np.arange(2000), seconds=120, most_examples=48)
    drawn = {picture["technique"] for picture in told.pictures}
    assert drawn and all(motif_auroc(told, data, technique) > 0.9 for technique in drawn)
    assert "GAACT" in " ".join(f["what"] for f in entry(told, "linear_attribution")["features"])


def test_principal_axes_are_said_as_patterns_without_a_direction():
    from gnomon.analyses.attribute._explain import _patterns

    listed = [{"what": "scan: axis 2"}, {"what": "age"}, {"what": "scan: axis 1"}, {"what": "text: axis 5"}]
    assert _patterns(listed) == ["patterns over the whole of 'scan' (principal axes 2 and 1)",
                                 "patterns over the whole of 'text' (principal axis 5)"]


def test_what_counts_most_is_never_left_out_of_the_sentence():
    """A molecule above its columns: named by what recurs in it and held when taken away, else by its name."""
    from types import SimpleNamespace

    from gnomon.analyses.attribute._explain import _uses
    from gnomon.analyses.attribute._ground import Ground, Piece
    from gnomon.analyses.attribute._inputs import Part

    number = np.linspace(-1, 1, 20)
    pieces = ((Piece("weight", parts=(Part("weight", "weight"),)), Piece("smiles", (0, 1))),) * 20
    ground = Ground(None, pieces, {}, None, None, 0)
    attempt = SimpleNamespace(features={"weight": (-number, number)}, units=np.arange(20), ground=ground, scores=[0] * 20,
                              question=SimpleNamespace(what="solubility"), technique="deeplift", columns={"smiles": 0})
    held = {"importances": [{"what": "smiles", "value": 3.0}], "other_checks": ()}
    assert "solubility depend most on smiles and fall with weight; this" in _uses(attempt, held).claim
    groups = [("[OH]", 0.5, 1.5), ("Cl", -2.0, -1.0), ("C=O", -0.1, 0.4), ("N", 0.2, 0.9)]
    found = [{"smiles": s, "value": (low + high) / 2, "low": low, "high": high} for s, low, high in groups]
    told = {**held, "substructures": {"column": "smiles", "found": found},
            "removal": {"found": [{"cue": "N", "holds": False}, {"cue": "[OH]", "holds": True}]}}
    assert "rise with [OH] in smiles and fall with Cl in smiles and with weight; this" in _uses(attempt, told).claim
    alone = SimpleNamespace(**{**vars(attempt), "features": {}})
    assert _uses(alone, held) is None and "rise with [OH] in smiles" in _uses(alone, told).claim
