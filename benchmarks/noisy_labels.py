"""Training on wrong labels: plain, co-teaching and confident learning, on real noise and on planted noise.

    python benchmarks/noisy_labels.py         # about half an hour on two cores; resumable; writes results/noisy_labels.json
    python benchmarks/noisy_labels.py table   # one family: table, youtube, abstracts, covid, fashion

Real noise: `text_qa_covid` (which three sentences of an article answer a question, by the place that the annotators' file
gives; where they do not hold the answer's text the label is wrong, about 5 % of those labelled 1), told by five measures
of likeness; `weak_labels_youtube` (training labels are the majority of the labelling functions' votes, test labels are
true) and `text_csabstruct` (each training sentence keeps the label its annotators settled on; their confidence is only
used to ask whether low confidence is found). Planted: 20 and 40 % uniform flips and flips to the next class, on the
bundled fashion images and on breast cancer (scikit-learn's table). Only training rows are touched; the score is the
accuracy on rows with the right labels, over three seeds of noise, rows and training.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from _kit import DATA, load, measured

from gnomon.card import load as technique
from gnomon.data.bundle import bundled
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.methods._desk import Desk
from gnomon.methods._noise import mislabelled, out_of_fold
from gnomon.tasks.classify import classify

SEEDS = (0, 1, 2)
NAME = "noisy_labels"


@dataclass(frozen=True)
class Case:
    """Rows with the labels to train on, the right ones, and which rows train."""

    data: Data
    truth: np.ndarray
    train: np.ndarray
    test: np.ndarray

    @property
    def task(self) -> Any:
        return classify("label", self.data.columns["label"].spec.categories, metric="accuracy")


def case_of(columns: dict[str, Dense], given: np.ndarray, truth: np.ndarray, train: np.ndarray, test: np.ndarray) -> Case:
    names = tuple(str(k) for k in range(int(truth.max()) + 1))
    label = Dense(given.astype(np.int32), Spec("category", categories=names))
    roles = {n: Role("input", "benchmark") for n in columns} | {"label": Role("target", "benchmark")}
    return Case(Data({**columns, "label": label}, roles, np.arange(len(given))), truth, train, test)


def planted(truth: np.ndarray, rows: np.ndarray, share: float, kind: str, seed: int) -> np.ndarray:
    """Labels of which `share` among `rows` went to any other class ("uniform") or to the next one ("pair")."""
    dice, count = np.random.default_rng(seed), int(truth.max()) + 1
    bad = dice.choice(rows, round(share * len(rows)), replace=False)
    given = truth.copy()
    step = 1 if kind == "pair" else dice.integers(1, count, len(bad))
    given[bad] = (given[bad] + step) % count
    return given


def fashion(share: float, kind: str, seed: int) -> Case:
    from_file = np.load(bundled("fashion.npz"))
    pixels, truth = from_file["images"], from_file["labels"].astype(int)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    order = np.random.default_rng(seed).permutation(len(truth))
    train, test = np.sort(order[:1000]), np.sort(order[1000:])
    column = Dense(pixels, Spec("image", shape=pixels.shape[1:], detail="uint8"))
    return case_of({"picture": column}, planted(truth, train, share, kind, seed), truth, train, test)


def table(share: float, kind: str, seed: int) -> Case:
    from sklearn.datasets import load_breast_cancer

    x, truth = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(truth))
    train, test = np.sort(order[:380]), np.sort(order[380:])
    columns = {f"x{k}": Dense(x[:, k].astype(float), Spec("number")) for k in range(x.shape[1])}
    return case_of(columns, planted(truth, train, share, kind, seed), truth, train, test)


def texts(words: list[str]) -> dict[str, Dense]:
    column = np.empty(len(words), dtype=object)
    column[:] = words
    return {"text": Dense(column, Spec("text"))}


def youtube() -> Case:
    parts = [list(json.loads((DATA / "weak_labels_youtube" / f"{p}.json").read_text()).values()) for p in ("train", "test")]
    kept = [r for r in parts[0] if any(v >= 0 for v in r["weak_labels"])]
    votes = [[v for v in r["weak_labels"] if v >= 0] for r in kept]
    given = np.array([int(2 * sum(v) >= len(v)) for v in votes] + [r["label"] for r in parts[1]])
    every = [*kept, *parts[1]]
    n = len(kept)
    return case_of(texts([r["data"]["text"] for r in every]), given, np.array([r["label"] for r in every]), np.arange(n),
                   np.arange(n, len(every)))


def abstracts(seed: int) -> tuple[Case, np.ndarray]:
    """4,000 training sentences, 1,000 test sentences of confidence 1; and each sentence's confidence."""
    words, labels, sure, part = [], [], [], []
    for p in ("train", "test"):
        with gzip.open(DATA / "text_csabstruct" / f"{p}.jsonl.gz", "rt") as file:
            for line in file:
                record = json.loads(line)
                words += record["sentences"]
                labels += record["labels"]
                sure += record["confs"]
                part += [p] * len(record["sentences"])
    _, codes = np.unique(labels, return_inverse=True)
    sure, part, dice = np.array(sure, dtype=float), np.array(part), np.random.default_rng(seed)
    rows = np.concatenate([dice.permutation(np.flatnonzero(part == "train"))[:4000],
                           dice.permutation(np.flatnonzero((part == "test") & (sure == 1)))[:1000]])
    n = int((part[rows] == "train").sum())
    return case_of(texts([words[i] for i in rows]), codes[rows], codes[rows], np.arange(n), np.arange(n, len(rows))), sure[rows]


def covid(seed: int) -> Case:
    """For each question three sentences about the answer's stated place (labelled 1) and two other threes of the article (0);
    the truth is whether they hold the answer's text. A third of the articles tests."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    with gzip.open(next((DATA / "text_qa_covid").glob("*.json.gz")), "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    dice, asked, said, given, truth, article = np.random.default_rng(seed), [], [], [], [], []
    for number, one in enumerate(articles):
        for paragraph in one["paragraphs"]:
            text = paragraph["context"]
            ends = np.array([m.end() for m in re.finditer(r"[.?!]\s|\n+|$", text)])
            sentences = [text[a:b] for a, b in zip((0, *ends[:-1]), ends, strict=True)]
            for question in paragraph["qas"]:
                for answer in question["answers"][:1]:
                    place = int(min(np.searchsorted(ends, answer["answer_start"], side="right"), len(ends) - 1))
                    others = dice.choice(len(ends), 2) if len(ends) > 3 else []
                    near = "".join(sentences[max(0, place - 1):place + 2])  # an answer may run over a sentence's end
                    for k in (place, *(int(k) for k in others if abs(int(k) - place) > 1)):
                        asked.append(question["question"])
                        said.append(near if k == place else "".join(sentences[max(0, k - 1):k + 2]))
                        given.append(int(k == place))
                        truth.append(int(answer["text"].strip() in said[-1]))
                        article.append(number)
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit([*asked, *said])
    a, b = words.transform(asked), words.transform(said)
    both = a.multiply(b)
    shared = np.asarray((both > 0).sum(axis=1)).ravel()
    table = {"likeness": np.asarray(both.sum(axis=1)).ravel(), "shared": shared,
             "share": shared / np.maximum(1, np.asarray((a > 0).sum(axis=1)).ravel()),
             "best": both.max(axis=1).toarray().ravel(), "length": np.array([len(x) for x in said])}
    columns = {name: Dense(v.astype(float), Spec("number")) for name, v in table.items()}
    tests = np.isin(article, np.random.default_rng(seed).permutation(len(articles))[:len(articles) // 3])
    return case_of(columns, np.array(given), np.array(truth), np.flatnonzero(~tests), np.flatnonzero(tests))


def score(case: Case, method: str, build: Callable[..., Any], steps: int, seed: int, **options: Any) -> dict[str, Any]:
    """Accuracy on the right labels of the test rows after training on the given ones."""
    dice = np.random.default_rng(seed + 100)
    order = dice.permutation(case.train)
    cut = len(order) // 10 if steps else 0
    rows = Rows(np.sort(order[cut:]), np.sort(order[:cut]))
    learned = technique(method)(case.task, build, case.data, rows, seed, Desk(steps=steps, threads=1), **options)
    right = learned.predict(case.data, case.test).value == case.truth[case.test]
    return {"accuracy": round(float(right.mean()), 4)}


def found(case: Case, model: str, seed: int, worth: np.ndarray | None = None) -> dict[str, Any]:
    """How well the rows named as mislabelled match those that are: precision and recall (or the confidences' AUC)."""
    given = case.task.truth(case.data, case.train)
    train = lambda part, k: technique("own_fit")(case.task, technique(model), case.data, part, k, Desk(threads=1))  # noqa: E731
    proba = out_of_fold(case.task, train, case.data, case.train, 5, seed)
    bad = mislabelled(proba, given)
    if worth is not None:
        from sklearn.metrics import roc_auc_score

        doubt = proba.max(axis=1) - proba[np.arange(len(given)), given]
        area = float(roc_auc_score(worth[case.train] < 0.75, doubt))
        return {"named": int(bad.sum()), "auc_of_low_confidence": round(area, 3)}
    wrong = given != case.truth[case.train]
    return {"named": int(bad.sum()), "wrong": int(wrong.sum()), "precision": round(float(wrong[bad].mean()), 3),
            "recall": round(float(bad[wrong].mean()), 3)}


def runs(family: str, case: Callable[[int], Case], about: dict[str, Any], ways: list[tuple],
         seeds: tuple[int, ...] = SEEDS) -> None:
    for seed in seeds:
        for label, method, build, steps, options in ways:
            key = {"family": family, **about, "way": label, "seed": seed}
            row = measured(NAME, key, lambda: score(case(seed), method, build, steps, seed, **options))  # noqa: B023
            print(*key.values(), row["accuracy"], flush=True)


def simple_ways(model: str, view: str = "standard") -> list[tuple]:
    build = technique(model)
    return [(f"{model}, plain", "own_fit", build, 0, {"view": view}),
            (f"{model}, confident learning, dropped", "confident_learning", build, 0, {"view": view}),
            (f"{model}, confident learning, weighed", "confident_learning", build, 0, {"view": view, "action": "weigh"})]


def deep_ways(name: str, build: Any, steps: int, quick: str, options: dict[str, Any]) -> list[tuple]:
    return [(f"{name}, plain", "supervised", build, steps, options),
            (f"{name}, co-teaching", "co_teaching", build, steps, options),
            (f"{name}, confident learning by {quick}", "confident_learning", build, steps, {**options, "by": quick})]


def main(wanted: list[str]) -> None:
    planned = [(s, k) for s in (0.0, 0.2, 0.4) for k in ("uniform", "pair") if s or k == "uniform"]
    if "table" in wanted:
        for share in (0.0, 0.2, 0.4):  # of two classes there is but one other: uniform and pair are the same
            ways = simple_ways("logistic") + simple_ways("boosting")
            runs("table", partial(table, share, "uniform"), {"share": share, "kind": "uniform"}, ways)
    if "youtube" in wanted:
        from gnomon.models.sequences.convolution_attention import convolution_attention

        small = partial(convolution_attention, hidden=48, depth=1, dropout=0.3)
        ways = simple_ways("logistic", "tfidf") + deep_ways("convolutions", small, 400, "logistic", {"batch": 32})
        runs("youtube", lambda seed: youtube(), {"share": None, "kind": "majority vote"}, ways)
        measured(NAME, {"family": "youtube", "way": "rows named by logistic", "seed": 0},
                 lambda: found(youtube(), "logistic", 0))
    if "abstracts" in wanted:
        ways = simple_ways("logistic", "tfidf")
        runs("abstracts", lambda seed: abstracts(seed)[0], {"share": None, "kind": "annotators"}, ways)
        for seed in SEEDS:
            measured(NAME, {"family": "abstracts", "way": "low confidence found by logistic", "seed": seed},
                     lambda: found(abstracts(seed)[0], "logistic", seed, abstracts(seed)[1]))  # noqa: B023
    if "covid" in wanted:
        runs("covid", covid, {"share": None, "kind": "wrong places"}, simple_ways("logistic") + simple_ways("boosting"))
        for seed in SEEDS:
            row = measured(NAME, {"family": "covid", "way": "rows named by logistic", "seed": seed},
                           lambda: found(covid(seed), "logistic", seed))  # noqa: B023
            print("covid", row)
    if "fashion" in wanted:
        from gnomon.models.images.resnet import resnet

        net = partial(resnet, width=8)
        ways = simple_ways("forest", "pixels")[:2] + deep_ways("resnet", net, 300, "forest", {"augment": "none", "batch": 64})
        for seed in SEEDS:
            for share, kind in reversed(planned):
                runs("fashion", partial(fashion, share, kind), {"share": share, "kind": kind}, ways, seeds=(seed,))
    summary()


def summary() -> None:
    """Mean accuracy over seeds, a line a way."""
    cells: dict[tuple, list[float]] = {}
    for row in load(NAME)["rows"]:
        if "accuracy" in row:
            cells.setdefault((row["family"], row["share"], row["kind"], row["way"]), []).append(row["accuracy"])
    for key, values in cells.items():
        print(*key, f"{np.mean(values):.3f} (sd {np.std(values):.3f}, {len(values)} seeds)")


if __name__ == "__main__":
    main(sys.argv[1:] or ["table", "youtube", "abstracts", "covid", "fashion"])
