"""The command line of `steiner eval`. The code behind it is imported once it is clear what to do."""

from pathlib import Path
from typing import Annotated, Literal

import typer

DEFAULT_OUTPUT = Path("runs/eval")

Model = Annotated[Path | None, typer.Argument(help="Checkpoint folder; default: the shipped weights.")]
Address = Annotated[str | None, typer.Option(help="A running server, instead of one on MODEL.")]
Key = Annotated[
    str | None, typer.Option(help="Key of the server.", envvar="STEINER_API_KEY", show_default=False)
]
ModelName = Annotated[
    str | None, typer.Option("--model", help="Model name at --url; default: the one served.")
]
Chat = Annotated[bool, typer.Option("--chat", help="Ask by chat completions: any OpenAI-compatible server.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="With --chat: tell the rules, for models not trained on them.")
]
Output = Annotated[Path, typer.Option(help="Folder of report.json and outcomes.jsonl.")]
PerFamily = Annotated[int, typer.Option(help="Solvable problems of each family; 0: none.")]
Families = Annotated[
    str, typer.Option(help="Only these: countdown,routes,knights; default: all.", show_default=False)
]
Seed = Annotated[int, typer.Option(help="Which held-out problems.")]
Concurrency = Annotated[int, typer.Option(help="Problems asked at a time.")]
Style = Annotated[
    Literal["search", "forward", "direct"], typer.Option(help="What the model was taught to write.")
]
Temperature = Annotated[float, typer.Option(help="Of sampling; 0 is greedy.")]
SamplingSeeds = Annotated[
    str, typer.Option(help="Ask every problem once with each: 1,2,3 or 1-32.", show_default=False)
]
PerBudget = Annotated[int, typer.Option(help="Problems of each family for accuracy over max_steps; 0: none.")]
Dialogues = Annotated[int, typer.Option(help="Two-turn dialogues of each family; 0: none.")]
PerLanguage = Annotated[int, typer.Option(help="Problems of each family in each other language.")]
FourNumbers = Annotated[int, typer.Option(help="Problems of Countdown with four numbers, with memory.")]
MaxTokens = Annotated[
    int | None,
    typer.Option(help="Most tokens of reasoning and answer; default: 1400, or a benchmark's own."),
]
OnlyHeldOut = Annotated[
    bool, typer.Option("--only-held-out", help="Nothing beside the solvable problems under the grammar.")
]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        help=(
            "Ask this instead: gpqa-diamond=FILE, mmlu-pro=FILE or math-500=FILE; with --arms gsm8k=FILE or bbh=FILE. "
            "May be repeated."
        ),
        show_default=False,
    ),
]
Arms = Annotated[
    str | None,
    typer.Option(
        help="Ask each question of --benchmark in these ways: free,prompted,constrained.", show_default=False
    ),
]
Prompt = Annotated[
    Path | None,
    typer.Option(
        help="With --arms: what `prompted` tells the model; default: the prompt of protocol outline.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        min=1, help="Questions of each benchmark; default: all. Traces of --teacher-forced; default: 200."
    ),
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(help="Ask nothing: paired tests between two output folders.", show_default=False),
]
Report = Annotated[
    Path | None,
    typer.Option(help="Ask nothing: write the card of this model folder from its eval/.", show_default=False),
]
Runs = Annotated[
    Path | None,
    typer.Option(help="With --report: gather eval/ from the runs in this folder first.", show_default=False),
]
TeacherForced = Annotated[
    Path | None,
    typer.Option(
        help="Start no server: accuracy by kind of token on the traces of this `steiner data` folder.",
        show_default=False,
    ),
]


def evaluate(
    model: Model = None,
    url: Address = None,
    api_key: Key = None,
    model_name: ModelName = None,
    chat: Chat = False,
    explain: Explain = False,
    output: Output = DEFAULT_OUTPUT,
    per_family: PerFamily = 300,
    families: Families = "",
    seed: Seed = 1,
    concurrency: Concurrency = 32,
    style: Style = "search",
    temperature: Temperature = 0.0,
    sampling_seeds: SamplingSeeds = "",
    per_budget: PerBudget = 0,
    dialogues: Dialogues = 0,
    per_language: PerLanguage = 0,
    four_numbers: FourNumbers = 0,
    max_tokens: MaxTokens = None,
    only_held_out: OnlyHeldOut = False,
    benchmarks: Benchmarks = None,
    arms: Arms = None,
    prompt: Prompt = None,
    limit: Limit = None,
    compare: Compare = None,
    report: Report = None,
    runs: Runs = None,
    teacher_forced: TeacherForced = None,
) -> None:
    """Ask held-out problems or published benchmarks, and let exact checkers judge the answers."""
    from steiner.cli import evaluate as evaluation
    from steiner.cli.evaluate_arms import evaluate_arms, read_run
    from steiner.cli.shipped import find_model
    from steiner.training.evals.benchmarks import read_benchmark
    from steiner.training.evals.harness import HarnessOptions
    from steiner.training.evals.journal import identity_of
    from steiner.training.evals.suite_options import MAX_TOKENS, SuiteOptions, read_seeds

    if compare is not None:
        evaluation.compare_runs(*compare)
    elif report is not None:
        evaluation.write_card(report, runs)
    elif teacher_forced is not None:
        evaluation.evaluate_teacher_forced(find_model(model), teacher_forced, style, limit)
    if compare or report or teacher_forced:
        return
    asked = None if model is None else model.as_posix()
    seeds = read_seeds(sampling_seeds)
    weights = None if url else find_model(model)
    identity = "" if weights is None else identity_of(weights)
    how = HarnessOptions(temperature, seeds or (seed,), concurrency, max_tokens, limit)
    # What cannot be asked shows before a model is loaded.
    run = None if arms is None else read_run(arms, benchmarks or (), prompt, how, seed)
    files = [read_benchmark(text) for text in benchmarks or ()] if run is None else []
    options = SuiteOptions(
        per_family=per_family,
        families=tuple(filter(None, families.split(","))),
        seed=seed,
        concurrency=concurrency,
        style=style,
        per_budget=per_budget,
        temperature=temperature,
        dialogues=dialogues,
        per_language=per_language,
        sampling_seeds=seeds,
        four_numbers=four_numbers,
        chat=chat,
        explain=explain,
        max_tokens=max_tokens or MAX_TOKENS,
        only_held_out=only_held_out,
    )
    with evaluation.server_of(weights, url) as address:
        told = (address, api_key, model_name)
        if run is not None:
            evaluate_arms(run, *told, output, url or identity)
        elif files:
            evaluation.evaluate_benchmarks(files, *told, how, output, url or identity)
        else:
            evaluation.evaluate(*told, options, output, asked, url or identity)
