"""The card's tables of scores: each with the command that its figures come from."""

from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = ("mean_steps", "mean_reasoning_tokens", "mean_completion_tokens")
SIZE_NAMES = {"routes": "arms", "knights": "people"}
BASELINES: tuple[str, ...] = ("direct", "forward")
LANGUAGE_NAMES = {"ja": "Japanese", "zh": "Chinese"}
Report = Mapping[str, Any]
Rows = Mapping[str, Mapping[str, float]]


def held_out(evidence: Report) -> str:
    """Families and sizes, greedily."""
    report = evidence["greedy"]
    rows = {**report["families"], "all": report["all"]}
    for family, by_size in report["sizes"].items():
        rows |= {f"{family}, {size} {SIZE_NAMES[family]}": score for size, score in by_size.items()}
    if "no_solution" in report:
        rows["without a solution"] = report["no_solution"]
    return _section(
        "Held-out problems",
        "Greedy. The canonical form of each problem is in no training file, and exact checkers judge the answers. "
        "Countdown has three numbers, routes three to five arms, knights and knaves three to five people.",
        [report],
        scores(rows),
    )


def samples(evidence: Report) -> str:
    """The same at temperature 1, and how far seeds spread."""
    report = evidence["sampled"]
    seeds = report["seeds"]
    spread = ", ".join(f"seed {seed}: {shares['all']:.1%}" for seed, shares in seeds.items())
    return _section(
        "Sampled",
        f"Temperature {report['options']['temperature']:g}, {len(seeds)} samples of every problem. The intervals count "
        f"problems, not samples. All families: {spread}.",
        [report],
        scores({**report["families"], "all": report["all"]}),
    )


def baselines(evidence: Report) -> str:
    """The rivals that do not search, and the paired difference."""
    styles = [style for style in BASELINES if style in evidence]
    rows = {
        f"{style}: {family}": score
        for style in styles
        for family, score in {**evidence[style]["families"], "all": evidence[style]["all"]}.items()
    }
    tests = _comparisons(
        evidence,
        {
            "direct": "greedy, direct",
            "forward": "greedy, forward",
            "direct, sampled": "sampled, direct-samples",
            "forward, sampled": "sampled, forward-samples",
        },
    )
    sources = [evidence[name] for name in (*styles, "direct-samples", "forward-samples") if name in evidence]
    return _section(
        "Against models that do not search",
        "Both have the same size, saw the same problems, and as many tokens of them. One answers directly, and one "
        "writes the steps of a straight way to the goal. Neither was given a search.",
        sources,
        scores(rows),
        comparisons("steiner-tiny less", tests),
    )


def constraint(evidence: Report) -> str:
    """The grammar on and off, on the same problems."""
    names = {"greedy": "greedy", "sampled": "temperature 1", "constraint-sampled": "temperature 1"}
    lines = [
        "| | traces that break the protocol, grammar on | off | accuracy on | off | difference | 95 % | p |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sources = []
    for name, what in names.items():
        report = evidence.get(name, {})
        if "constraint" not in report:
            continue
        sources.append(report)
        for family, test in report["constraint"].items():
            violated = ("", "")
            if family == "all":
                violated = (f"{report['all']['violated']:.2%}", f"{report['unconstrained']['violated']:.2%}")
            cells = (*violated, f"{test['first']:.1%}", f"{test['second']:.1%}", *_difference(test))
            lines.append(f"| {what}: {family} | {' | '.join(cells)} |")
    return _section(
        "Enforced verification and backtracking",
        "The same weights on the same problems, decoded with the grammar and without it. Without it, a trace that "
        "breaks the protocol goes on as plain text.",
        sources,
        "\n".join(lines),
    )


def four_numbers(evidence: Report) -> str:
    """Countdown with four numbers, where one search can take more tokens than the context has."""
    names = {
        "steiner-tiny": "four-numbers",
        "direct": "four-numbers-direct",
        "forward": "four-numbers-forward",
    }
    there = {title: evidence[name] for title, name in names.items() if name in evidence}
    tests = {
        title: tested["countdown"]
        for title, tested in (
            (title, evidence.get("comparisons", {}).get(f"four-numbers, four-numbers-{title}"))
            for title in BASELINES
        )
        if tested is not None
    }
    return _section(
        "Countdown with four numbers",
        "Taught and searched with abandoned branches folded away (`reasoning.memory`), without a limit on tokens.",
        there.values(),
        scores({title: report["four_numbers"] for title, report in there.items()}),
        comparisons("steiner-tiny less", tests),
    )


def languages(evidence: Report) -> str:
    """The families in Japanese and Chinese."""
    report = evidence["languages"]
    rows = {
        f"{family} in {LANGUAGE_NAMES[language]}": score
        for language, by_family in report["languages"].items()
        for family, score in by_family.items()
    }
    return _section(
        "Other languages", "Both the problem and the answer are in the language.", [report], scores(rows)
    )


def dialogues(evidence: Report) -> str:
    """How often news in a second turn revised the conclusion of the first."""
    report = evidence["dialogues"]
    held = report["dialogues"]
    rows = {
        "first turn": held["first"],
        "second turn, conclusions sent back": held["second"],
        **{f"- of these {kind}": score for kind, score in held["kinds"].items()},
        "second turn, first answer alone sent back": held["answer_alone"],
        "both turns as one question": held["fresh"],
    }
    lines = ["| question | number | accuracy | steps | prompt tokens |", "|---|---|---|---|---|"]
    for name, score in rows.items():
        means = f"{score['mean_steps']:.1f} | {score['mean_prompt_tokens']:.0f}"
        lines.append(f"| {name} | {score['num_problems']} | {_accuracy(score)} | {means} |")
    return _section(
        "Dialogues of two turns",
        "The second message changes a given: a target or number (`now make`, `now`), the goal or a road (`now to`, "
        f"`also`), a claim (`now`). In {held['answer_changes']:.0%} of them the first answer no longer holds. The "
        f"first search took {held['mean_trace_tokens']:.0f} tokens, and none of them is in the second prompt.",
        [report],
        "\n".join(lines),
    )


def scores(rows: Rows) -> str:
    """Markdown: a score a row, the accuracy with its 95 % interval."""
    lines = [
        "| problems | number | accuracy | backtracked | steps | reasoning tokens | completion tokens |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, score in rows.items():
        means = [f"{score[column]:.1f}" for column in COLUMNS]
        cells = [str(score["num_problems"]), _accuracy(score), f"{score['backtracked']:.0%}", *means]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def comparisons(title: str, tests: Rows) -> str:
    """Markdown: a paired test a row; nothing where there are none."""
    if not tests:
        return ""
    lines = [f"| {title} | number | difference | 95 % | p |", "|---|---|---|---|---|"]
    for name, test in tests.items():
        lines.append(f"| {name} | {test['num_problems']} | {' | '.join(_difference(test))} |")
    return "\n".join(lines)


def commands(sources: Iterable[Report]) -> str:
    """The commands of reports, each once."""
    return "\n".join(f"    {command}" for command in dict.fromkeys(source["command"] for source in sources))


def _comparisons(evidence: Report, names: Mapping[str, str]) -> dict[str, Mapping[str, float]]:
    compared = evidence.get("comparisons", {})
    return {
        f"{title}: {family}": test
        for title, name in names.items()
        for family, test in compared.get(name, {}).items()
    }


def _section(title: str, said: str, sources: Iterable[Report], *tables: str) -> str:
    parts = [f"## {title}", said, commands(sources), *filter(None, tables)]
    return "\n\n".join(parts) + "\n"


def _accuracy(score: Mapping[str, float]) -> str:
    return (
        f"{score['accuracy']:.1%} ({100 * score['accuracy_low']:.1f} to {100 * score['accuracy_high']:.1f})"
    )


def _difference(test: Mapping[str, float]) -> tuple[str, str, str]:
    points = [100 * test[name] for name in ("difference", "difference_low", "difference_high")]
    p_value = "< 0.0001" if test["p_value"] < 1e-4 else f"{test['p_value']:.2g}"
    return f"{points[0]:+.1f}", f"{points[1]:+.1f} to {points[2]:+.1f}", p_value
