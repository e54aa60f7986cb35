"""The card's sections that say what follows from the figures: budgets, best-of-n, stages."""

from collections.abc import Iterable, Mapping
from typing import Any

from steiner.training.evals.card_tables import commands, comparisons, scores

AHEAD = {"search": "the search", "sampling": "the samples", "neither": "neither beyond chance"}
REACHED = 0.95
Report = Mapping[str, Any]


def budgets(evidence: Report) -> str:
    """Accuracy over the reasoning that is allowed."""
    report = evidence["budgets"]
    own, exact = report["budgets"], report["verified_budgets"]
    families = [name for name, score in own[0].items() if isinstance(score, dict)]
    lines = [
        f"| at most | {' | '.join(f'{family} | with the verifier' for family in families)} |",
        "|---|" + "---|" * 2 * len(families),
    ]
    for row, verified in zip(own, exact, strict=True):
        cells = [_share(of[family]) for family in families for of in (row, verified)]
        steps = row["max_steps"]
        lines.append(f"| {steps} step{'s' if steps > 1 else ''} | {' | '.join(cells)} |")
    reached = [
        f"{family} {_first(own, family)} by its own verdicts, {_first(exact, family)} with the verifier"
        for family in families
    ]
    number = own[0][families[0]]["num_problems"]
    said = [
        "The limit is the server's `max_steps`. A search that meets it is closed and has to answer. Own verdicts are "
        "the model's. The exact verifier (`reasoning.verifier`) outranks them. Points of the picture are named by the "
        f"limit, and tokens are those really used. {number} problems of each family, the same at every limit.",
        "![Accuracy over the reasoning budget](eval/budgets.svg)",
        _monotone({"its own verdicts": own, "the exact verifier": exact}),
        f"95 % is reached: {'; '.join(reached)}.",
    ]
    return _join("Accuracy over the budget", said, [report], "\n".join(lines))


def _monotone(curves: Mapping[str, list[Report]]) -> str:
    fell = [
        f"{family} at {row['max_steps']} steps with {name}"
        for name, rows in curves.items()
        for row in rows
        for family in row.get("fell", ())
    ]
    if not fell:
        return "No step up of the limit lowers an accuracy beyond chance (paired tests on neighbouring limits, 5 %)."
    return f"The accuracy falls beyond chance (paired test, 5 %) from the limit before to: {', '.join(fell)}."


def _first(rows: Iterable[Report], family: str) -> str:
    limits = (row["max_steps"] for row in rows if row[family]["accuracy"] >= REACHED)
    first = next(limits, None)
    return "at no limit" if first is None else f"from {first} steps on"


def best_of(evidence: Report) -> str:
    """Search against parallel samples at equal tokens."""
    report = evidence["best-of"]
    lines = [
        "| | one greedy search | tokens | samples | tokens | majority | ahead | any right (oracle) | ahead |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ahead: dict[tuple[str, str], list[str]] = {}
    for family, told in report.items():
        for style, equal in told["equal_tokens"].items():
            cells = [f"{told['search']['accuracy']:.1%}", f"{equal['tokens_of_search']:.0f}"]
            cells += [f"{equal['n']} of {style}", f"{equal['tokens_of_samples']:.0f}"]
            for chosen in ("majority", "any"):
                cells += [f"{equal[chosen]['second']:.1%}", AHEAD[equal[chosen]["ahead"]]]
                ahead.setdefault((chosen, equal[chosen]["ahead"]), []).append(f"{family} ({style})")
            lines.append(f"| {family} | {' | '.join(cells)} |")
    number = min(
        equal["majority"]["num_problems"]
        for told in report.values()
        for equal in told["equal_tokens"].values()
    )
    own = [
        f"{family} {points[0]['majority']:.1%} with one sample, {points[-1]['majority']:.1%} by the majority of "
        f"{points[-1]['n']}, {points[-1]['any']:.1%} with any of them right"
        for family, points in ((family, told["search, sampled"]) for family, told in report.items())
    ]
    said = [
        f"On {number} problems of each family, at temperature 1. The samples together take about as many completion "
        "tokens as one search. If that would need more samples than were drawn, all of them count. A majority votes "
        "over the text of the answers. `any right` lets the exact checker choose, which is an oracle that no model "
        "has. `Ahead` is by a paired test at 5 %.",
        "![Accuracy over completion tokens](eval/best-of.svg)",
        _where("Against a majority", "majority", ahead),
        _where("Against the oracle", "any", ahead),
        f"The search's own samples: {'; '.join(own)}.",
    ]
    sources = [
        evidence[name]
        for name in ("greedy", "sampled", "direct-samples", "forward-samples")
        if name in evidence
    ]
    return _join("Parallel samples at equal tokens", said, sources, "\n".join(lines))


def _where(title: str, chosen: str, ahead: Mapping[tuple[str, str], list[str]]) -> str:
    told = {
        "backtracking wins on": ahead.get((chosen, "search"), []),
        "it loses on": ahead.get((chosen, "sampling"), []),
        "neither is ahead on": ahead.get((chosen, "neither"), []),
    }
    listed = [f"{where} {', '.join(names)}" for where, names in told.items() if names]
    return f"{title} {'; '.join(listed)}."


def stages(evidence: Report) -> str:
    """What each stage of training adds."""
    names = {
        "continual pre-training alone": "cpt",
        "then fine-tuning": "sft",
        "then reinforcement learning": "greedy",
        "fine-tuning, temperature 1": "sft-sampled",
        "reinforcement learning, temperature 1": "sampled",
        "Countdown alone, 1.5M tokens, a tenth pre-training": "countdown-cpt",
        "Countdown alone, 1.5M tokens, all fine-tuning": "countdown-no-cpt",
    }
    there = {title: evidence[name] for title, name in names.items() if name in evidence}
    compared = evidence.get("comparisons", {})
    tests = {
        title: compared[name]
        for title, name in {
            "fine-tuning adds": "sft, cpt",
            "reinforcement learning adds": "greedy, sft",
            "the same at temperature 1": "sampled, sft-sampled",
            "pre-training adds, Countdown alone": "countdown-cpt, countdown-no-cpt",
        }.items()
        if name in compared
    }
    said = ["The checkpoints that the stages left, on the same problems."]
    if "cpt" in evidence:
        said.append(
            "A pre-trained model has seen traces and drills, and never a question. It is asked as it is, with a "
            "shorter limit on tokens, since it does not stop."
        )
    if {"countdown-cpt", "countdown-no-cpt"} <= evidence.keys():
        said.append(
            "To see what pre-training is worth, leave it out. These two models of one family saw a fiftieth of the "
            "tokens, as many each, from `training/recipes/countdown-cpt.yaml` and `countdown-no-cpt.yaml`."
        )
    rows = {
        f"{title}: {family}": score
        for title, report in there.items()
        for family, score in {**report["families"], "all": report["all"]}.items()
    }
    flat = {
        f"{title}: {family}": test for title, by_family in tests.items() for family, test in by_family.items()
    }
    return _join(
        "What each stage adds", said, there.values(), scores(rows), comparisons("on the same problems", flat)
    )


def _join(title: str, said: Iterable[str], sources: Iterable[Report], *tables: str) -> str:
    return "\n\n".join([f"## {title}", *said, commands(sources), *filter(None, tables)]) + "\n"


def _share(score: Mapping[str, float]) -> str:
    return (
        f"{score['accuracy']:.1%} ({100 * score['accuracy_low']:.0f} to {100 * score['accuracy_high']:.0f})"
    )
