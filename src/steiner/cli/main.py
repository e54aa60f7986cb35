"""The command `steiner`. Heavy packages are imported only when a command needs them, so `--help` is instant."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from steiner.cli.eval_command import evaluate

app = typer.Typer(
    name="steiner",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Url = Annotated[
    str | None,
    typer.Option(
        help="Address of a running server; default: that of `serve`, else one is started.",
        envvar="STEINER_URL",
    ),
]
ApiKey = Annotated[
    str | None, typer.Option(help="Key of the server.", envvar="STEINER_API_KEY", show_default=False)
]


class MissingExtraError(Exception):
    """A command needs packages that are not installed."""

    def __init__(self, package: str, extras: str) -> None:
        super().__init__(f"{package} is not installed. Install Steiner with {extras}, or run `make install`.")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"steiner {version('steiner')}")
        raise typer.Exit


@app.callback()
def steiner(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Serve and train reasoning models whose reasoning is a tree of typed, verified steps."""


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    options_metavar="[MODEL] [OPTIONS]",
)
def serve(context: typer.Context) -> None:
    """Serve a model: HTTP API, typed step streams, metrics. `steiner serve --help` lists every setting."""
    _require("vllm", "the extra `cpu` or `gpu`")
    from steiner.cli.serve_flags import run

    raise typer.Exit(run(context.args))


@app.command()
def ask(
    prompt: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    url: Url = None,
    api_key: ApiKey = None,
    model: Annotated[str | None, typer.Option(help="Model name; default: the one served.")] = None,
    effort: Annotated[str | None, typer.Option(help="none, minimal, low, medium or high.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most steps, refuted ones included.")] = None,
    max_reasoning_tokens: Annotated[int | None, typer.Option(help="Most tokens of reasoning.")] = None,
    verifier: Annotated[str | None, typer.Option(help="Checker that outranks the model: auto, ...")] = None,
    memory: Annotated[
        bool | None, typer.Option("--memory/--no-memory", help="Fold abandoned branches into a summary.")
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="File with the JSON Schema of the answer.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2; 0 is greedy.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One event a line, as JSON.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Save the whole tree, as a terminal shows it.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the trace, as JSON, for `steiner trace`.")] = None,
) -> None:
    """Ask a running server and watch the reasoning grow as a tree."""
    from steiner.cli.ask import ask_and_show, response_format

    asked = {
        "max_steps": max_steps,
        "max_reasoning_tokens": max_reasoning_tokens,
        "verifier": verifier,
        "memory": memory,
    }
    reasoning = {name: value for name, value in asked.items() if value is not None}
    options: dict[str, Any] = {
        "model": model,
        "reasoning_effort": effort,
        "reasoning": reasoning or None,
        "response_format": None if schema is None else response_format(schema),
        "temperature": temperature,
    }
    text = sys.stdin.read() if prompt == "-" else prompt
    raise typer.Exit(ask_and_show(url, api_key, text, options, as_json=as_json, svg=svg, save=save))


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="Whose key it is; requests are logged under this name.")],
) -> None:
    """Make an API key: the key for its owner, and the line with its hash for the server's settings."""
    from pydantic import ValidationError

    from steiner.server.access.keys import ApiKey, hash_key, new_key

    made = new_key()
    try:
        entry = ApiKey(name=name, sha256=hash_key(made)).model_dump(exclude_none=True)
    except ValidationError as error:
        typer.secho(
            "steiner: a name has letters, digits, dots, dashes and underscores, 64 at most",
            fg="red",
            err=True,
        )
        raise typer.Exit(2) from error
    typer.echo(f"key, for {name} alone; it is not shown again:\n  {made}")
    typer.echo(
        f"for the server's settings (STEINER_API_KEYS, --api-keys, or api_keys in the file):\n  [{json.dumps(entry)}]"
    )


@app.command("plan")
def plan_command(
    model: Annotated[Path, typer.Argument(help="Checkpoint folder, or its config.json.", show_default=False)],
    gpu_memory_gib: Annotated[float, typer.Option(min=1.0, help="Of one GPU, as nvidia-smi tells it.")],
    gpus: Annotated[int, typer.Option(min=1, help="Of one machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that share one model.")] = 1,
    trace_tokens: Annotated[
        int, typer.Option(min=1, help="Prompt, reasoning and answer of a generation.")
    ] = 8192,
    quantization: Annotated[
        Literal["awq", "gptq", "fp8"] | None, typer.Option(help="Of the weights; default: the checkpoint's.")
    ] = None,
    kv_cache_dtype: Annotated[Literal["auto", "fp8"], typer.Option(help="Of the KV cache.")] = "auto",
    gpu_memory_utilization: Annotated[
        float, typer.Option(min=0.1, max=1.0, help="Share of GPU memory to use.")
    ] = 0.9,
    tensor_parallel_size: Annotated[
        int | None, typer.Option(min=1, help="GPUs that share each layer; default: all of a machine.")
    ] = None,
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(min=1, help="Of one step; default: vLLM's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Say what a model takes on GPUs, and how many reasoning traces fit at once. Needs no GPU."""
    from steiner.plan.placement import Choices, Machines
    from steiner.plan.show import show_plan

    choices = Choices(
        trace_tokens,
        gpu_memory_utilization,
        1 if kv_cache_dtype == "fp8" else 2,
        max_num_batched_tokens,
        tensor_parallel_size,
    )
    show_plan(model, quantization, Machines(gpu_memory_gib, gpus, nodes), choices, as_json=as_json)


@app.command()
def trace(
    file: Annotated[str, typer.Argument(help="What `ask --save` or `--json` wrote; - is standard input.")],
    image: Annotated[Path | None, typer.Option(help="Draw the tree, too: OUT.svg or OUT.png.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the tree as SVG.")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw the tree as PNG.")] = None,
    mermaid: Annotated[
        Path | None, typer.Option(help="Write a Mermaid flowchart, as GitHub shows it.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the live view of it as one page.")] = None,
    problem: Annotated[str, typer.Option(help="What was asked, where the trace does not say.")] = "",
) -> None:
    """Show a saved trace as a tree, in the terminal, as a picture and as a page."""
    from steiner.cli.show_trace import Drawings, UnknownImageFormatError, show_trace
    from steiner.saved_trace import SavedTraceError

    try:
        show_trace(file, problem, Drawings.of(image, svg=svg, png=png, mermaid=mermaid, html=html))
    except (SavedTraceError, UnknownImageFormatError) as error:
        typer.secho(f"steiner: {error}", fg="red", err=True)
        raise typer.Exit(2) from error


@app.command()
def demo(
    family: Annotated[str, typer.Option(help="Kind of problem: countdown, routes, knights.")] = "countdown",
    seed: Annotated[int, typer.Option(help="Which held-out problem.")] = 6,
    size: Annotated[int, typer.Option(help="Size of the problem (numbers, arms, people).")] = 3,
    language: Annotated[Literal["en", "ja", "zh"], typer.Option(help="English, Japanese or Chinese.")] = "en",
    model: Annotated[
        Path | None, typer.Option(help="Checkpoint folder; default: the shipped weights.")
    ] = None,
) -> None:
    """Start a server on the shipped weights, and watch it solve a problem that it never saw in training."""
    _require("vllm", "the extra `cpu` or `gpu`")
    from steiner.cli.demo import run

    raise typer.Exit(run(family, seed, size, model, language))


Recipe = Annotated[Path, typer.Argument(help="YAML of the run, as in training/recipes/.", show_default=False)]


Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes that make the data; default: one for each core.")
]


@app.command()
def data(
    recipe: Recipe,
    workers: Workers = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also statistics, histograms and the dataset card.")
    ] = False,
) -> None:
    """Write a recipe's problems, DAGs and traces as Parquet files, without training on them."""
    _require("pyarrow", "the extra `train`")
    from steiner.training import main as training

    training.data(recipe, workers, report=report)


@app.command()
def train(
    recipe: Recipe,
    from_stage: Annotated[str | None, typer.Option("--from", help="Stage to start over from.")] = None,
    workers: Workers = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only tell what each stage takes of a GPU's memory.")
    ] = False,
) -> None:
    """Run every stage of a recipe that is not done yet, down to a checkpoint that `serve` takes.

    On several GPUs: `torchrun --nproc-per-node 8 -m steiner.cli train RECIPE`.
    """
    _require("torch", "the extra `train`")
    from steiner.training import main as training

    if plan:
        raise typer.Exit(0 if training.plan(recipe) else 1)
    training.train(recipe, from_stage, workers)


@app.command()
def teach(
    config: Annotated[
        Path, typer.Argument(help="YAML of the run, as in docs/teacher.md.", show_default=False)
    ],
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would cost at most.")] = False,
) -> None:
    """Have a model behind an OpenAI-compatible API write solutions; make DAGs and traces of them."""
    for package in ("openai", "sentence_transformers"):
        _require(package, "the extra `train`")
    from steiner.training import main as training

    training.teach(config, plan=plan)


app.command("eval")(evaluate)


def main() -> None:
    """Run the command line; known errors are one line on stderr, without a stack trace."""
    from steiner.reasoning.errors import SteinerError

    try:
        app()
    except (SteinerError, MissingExtraError) as error:
        typer.secho(f"steiner: {error}", fg="red", err=True)
        sys.exit(1)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        typer.secho(f"steiner: cannot use{where}: {error.strerror or error}", fg="red", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _require(package: str, extras: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtraError(package, extras)


if __name__ == "__main__":
    main()
