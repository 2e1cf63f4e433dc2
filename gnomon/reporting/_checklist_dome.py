"""What only the DOME checklist asks of a study."""

from __future__ import annotations

from gnomon.reporting import words
from gnomon.reporting._checklist_facts import Facts, Reply, _upper
from gnomon.reporting._report import label_of, split_words, targets

HOLD_BACK = ("dropout", "weight_decay", "leaf", "augment", "smoothing")  # options that hold overfitting back


class Told(Facts):
    """All that both checklists ask."""

    def provenance(self) -> Reply:
        said, evidence, _ = self.samples()
        return (said, evidence, "source, and earlier uses of these data") if evidence else \
            self.yours("source, number of data points, earlier uses of these data")

    def parts(self) -> Reply:
        sizes = self.split().get("sizes") or {}
        if not sizes:
            return self.yours("how many rows each part has, and how they are spread")
        told = ", ".join(f"{k} {words.number(v)}" for k, v in sizes.items() if v)
        more = f" in the first fold of {split_words(self.report)}" if (self.split().get("folds") or 1) > 1 else ""
        return f"{told} rows{more}.", f"report.json split.sizes: {dict(sizes)}", "the spread of the outcome in each part"

    def algorithm(self) -> Reply:
        best = self.judged()
        if not best:
            return self.yours("the algorithm, and whether it is new")
        r = best["recipe"]
        own = ".py:" in r["model"]
        known = "It is the user's own" if own else "It is a published technique, cited in the methods paragraph"
        return (f"{label_of(best)}: model {r['model']}, method {r['method']}, options {r.get('options') or {}}, "
                f"{r.get('steps') or 'no'} steps. {known}.", f"report.json candidates: recipe {r['hash']}",
                "why no known one would do" if own else "")

    def parameters(self) -> Reply:
        said, evidence, _ = self.tuning()
        return (said, evidence, "the number of parameters, and how it was chosen") if evidence else \
            self.yours("the number of parameters, and how it was chosen")

    def confidence(self) -> Reply:
        said, evidence, yours = self.uncertainty()
        test, source, _ = self.tests()
        return (f"{said} {test}".strip(), evidence or source, "" if evidence and source else yours or "the test of superiority")

    def meta(self) -> Reply:
        best = self.judged()
        if not best:
            return self.yours("whether other predictors' outputs are inputs")
        joined = best.get("family") == "ensemble"
        own = "an ensemble of this study's own candidates, its weights cross-fitted" if joined else "a single model"
        return (f"Delivered: {own}.", f"report.json candidates {best['recipe']['hash']}: family {best['family']}",
                "whether a column holds another predictor's output, and what that was trained on")

    def features(self) -> Reply:
        used = [c["name"] for c in self.data().get("columns") or () if c.get("role") == "input"]
        if not used:
            return self.yours("how many features, and whether they were selected")
        return (f"{len(used)} input columns.", f"report.json data.columns: {len(used)} with role input",
                "whether features were selected, on which rows, and before the file was made")

    def fitting(self) -> Reply:
        found = self.findings("DEBUG-OVERFIT", "DEBUG-UNDERFIT")
        best = self.judged()
        if found:
            return found[0]["claim"], f"findings.jsonl {found[0]['code']}: {found[0]['claim']}", ""
        if best and (best.get("valid") or {}).get("value") is not None:
            return (f"Scored on rows it was not fitted on: {best['valid']['value']:.4g} (valid).",
                    f"report.json candidates {best['recipe']['hash']}: valid {best['valid']['value']:.4g}", "")
        return self.yours("how over- and underfitting were ruled out")

    def regularisation(self) -> Reply:
        best = self.judged()
        if not best:
            return self.yours("how overfitting was held back")
        recipe = best["recipe"]
        how = {k: v for k, v in (recipe.get("options") or {}).items() if k in HOLD_BACK}
        stops = recipe["method"] == "supervised" and recipe.get("steps")
        if not (how or stops):
            return self.yours("how overfitting was held back")
        early = f"training stops early, by training rows held back for it (at most {recipe['steps']} steps)"
        said = [*([early] if stops else []), *(f"{words.words(k)} {v}" for k, v in how.items())]
        quoted = {"method": recipe["method"], "steps": recipe.get("steps"), "options": how}
        return f"{_upper(', '.join(said))}.", f"report.json candidates {recipe['hash']}: {quoted}", ""

    def explained(self) -> Reply:
        shown = [e for e in self.report.get("explanations") or () if not e.get("withheld")]
        every = list(self.report.get("explanations") or ())
        if not every:
            return self.yours("whether the model can be understood")
        names = ", ".join(words.words(e["technique"]) for e in shown) or "none that passed its gates"
        return (f"Explanations: {names}.", f"report.json explanations: {len(shown)} of {len(every)} shown", "")

    def output(self) -> Reply:
        named = targets(self.report)
        if not named:
            return self.yours("what the model puts out")
        kind = {"classify": "a class with a probability for each", "regress": "a number with a range"}
        return "; ".join(f"{t['column']}: {kind.get(t['task'], t['task'])}" for t in named) + ".", \
            f"report.json task.targets: {named[0]['task']}", ""

    def duration(self) -> Reply:
        best = self.judged()
        if not best or best.get("seconds") is None:
            return self.yours("how long a prediction takes")
        return (f"All trainings of the delivered model took {words.duration(best['seconds'])}.",
                f"report.json candidates {best['recipe']['hash']}: seconds {best['seconds']}", "how long one prediction takes")
