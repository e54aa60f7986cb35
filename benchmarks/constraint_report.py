"""The cost of the constraint as markdown tables and as a figure."""

from pathlib import Path
from typing import Any

GOAL_US = 10
LANES = {
    "grammar_and_parser": ("grammar + parser", "#222222", "-"),
    "grammar": ("grammar", "#0b6e99", "-"),
    "parser_1": ("parser, updates of 1 token", "#c2541b", "-"),
    "parser_8": ("parser, updates of 8", "#c2541b", "--"),
    "parser_64": ("parser, updates of 64", "#c2541b", ":"),
    "conductor": ("conductor, parser included", "#5b8c3e", "-"),
}

NAMES = ("alone", "with_grammar")

Record = dict[str, Any]


def compile_table(results: list[Record]) -> str:
    """Markdown: what a policy costs once, and what each request with it."""
    rows = []
    for record in results:
        spent = {name: at["median"] for name, at in record["seconds"].items()}
        rows.append(
            [
                record["protocol"], record["policy"], f"{record['num_rules']}",
                f"{record['num_bytes'] / 1e3:,.0f}",
                f"{spent['write_s'] * 1e3:.1f}",
                *(f"{spent[name] * 1e3:.2f}" for name in ("write_again_s", "check_s", "compile_s")),
            ]
        )  # fmt: skip
    return _table(
        [
            "protocol", "steps", "rules", "kB", "write, ms", "write again, ms",
            "vLLM's check, each request, ms", "its compilation, each request, ms",
        ],
        rows,
    )  # fmt: skip


def token_table(results: list[Record]) -> str:
    """Markdown: microseconds a token."""
    lanes = ("grammar", "parser_1", "parser_8", "parser_64", "grammar_and_parser", "conductor")
    rows = [
        [
            record["protocol"], record["policy"], f"{record['walk']['num_steps']}",
            f"{record['walk']['num_tokens']:,}",
            *(f"{record['us_per_token'][lane]['median']:.2f}" for lane in lanes),
            f"{record['share_of_phases'].get('text', 0):.0%}",
        ]
        for record in results
    ]  # fmt: skip
    return _table(
        [
            "protocol", "steps", "walked", "tokens", "grammar, us/token", "parser by 1", "by 8", "by 64",
            "grammar + parser", "conductor, parser included", "text's share of grammar",
        ],
        rows,
    )  # fmt: skip


def engine_table(engine: dict[str, Any], results: list[Record]) -> str:
    """Markdown: vLLM's time per token, and the constraint's highest as a share of it."""
    ours = max(record["us_per_token"]["grammar_and_parser"]["median"] for record in results)
    rows = []
    for concurrency, lanes in engine["us_per_token"].items():
        spent = {lane: at["median"] for lane, at in lanes.items()}
        rows.append(
            [
                concurrency,
                *(f"{spent[f'{name}_{clock}']:,.0f}" for clock in ("wall", "cpu") for name in NAMES),
                *(f"{ours / spent[f'alone_{clock}']:.1%}" for clock in ("wall", "cpu")),
            ]
        )
    return _table(
        [
            f"streams ({engine['model']}, {engine['vocab_size']:,} tokens)", "vLLM alone, us/token",
            "with a grammar", "CPU alone, us/token", "with a grammar", "grammar + parser of wall", "of CPU",
        ],
        rows,
    )  # fmt: skip


def draw(results: list[Record], path: Path) -> None:
    """Microseconds a token over the limit on steps, one panel a protocol, efforts left out; SVG or PNG."""
    from matplotlib import pyplot as plt
    from matplotlib import rcParams

    # Element ids are drawn at random otherwise, and the same figures would not give the same file.
    rcParams["svg.hashsalt"] = "steiner"
    counted = [record for record in results if record["policy"].isdigit()]
    protocols = list(dict.fromkeys(record["protocol"] for record in counted))
    figure, row = plt.subplots(
        1, len(protocols), figsize=(4.2 * len(protocols), 4), squeeze=False, sharey=True, layout="constrained"
    )
    for axes, protocol in zip(row[0], protocols, strict=True):
        records = [record for record in counted if record["protocol"] == protocol]
        steps = [record["max_steps"] for record in records]
        for lane, (label, colour, style) in LANES.items():
            costs = [record["us_per_token"][lane]["median"] for record in records]
            axes.plot(steps, costs, marker="o", markersize=3, color=colour, linestyle=style, label=label)
        axes.axhline(GOAL_US, color="#999999", linestyle=":")
        axes.set(title=protocol, xscale="log", xlabel="limit on steps", ylim=(0, GOAL_US * 1.15))
        axes.set_xticks(steps, labels=map(str, steps))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    row[0][0].set_ylabel("microseconds a token")
    figure.legend(*row[0][0].get_legend_handles_labels(), fontsize=8, ncol=3, loc="outside lower center")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
