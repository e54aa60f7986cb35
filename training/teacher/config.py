"""One YAML describes a run with a teacher; unknown keys are refused and every number has a unit."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from steiner.reasoning.errors import SteinerError
from steiner.reasoning.tasks.languages import Language
from steiner.training.config.files import Strict, read_yaml
from steiner.training.teacher.prompt_texts import Prompts

DEEPEST_TAUGHT = 60
"""A little below what a backtrack can name, as in the encoding of traces."""
Section = Literal["understanding", "next_step", "verification", "summary"]


class TeachError(SteinerError):
    """The run cannot begin or go on; the message says why and what to do."""


class Questions(Strict):
    """Where the questions are.

    Attributes:
        file: JSON Lines (`.jsonl`) or Parquet (`.parquet`), relative to the working directory.
        id_field: name of the field with the identity, which no two questions share; `question_field` and
            `answer_field` alike. Every further field may stand in a prompt by its name.
        limit: ask the first ones only; all if not given.
    """

    file: Path
    id_field: str = "id"
    question_field: str = "question"
    answer_field: str = "answer"
    limit: PositiveInt | None = None
    language: Language = "en"

    @field_validator("file")
    @classmethod
    def _format_is_known(cls, file: Path) -> Path:
        if file.suffix not in (".jsonl", ".parquet"):
            raise ValueError(f"{file.name} is neither .jsonl nor .parquet")
        return file


class TeacherSettings(Strict):
    """The endpoint, how it is asked and how fast.

    Attributes:
        base_url: of an OpenAI-compatible API, `/v1` included.
        api_key_env: environment variable that holds the key; none is sent if not given.
        max_completion_tokens: of one answer, reasoning tokens included where the teacher is billed for them.
        token_limit_field: what the endpoint calls that limit.
        steps_from: `content`, where the teacher writes the form of the prompts; `reasoning_steps`, where it is a
            Steiner server, whose steps come typed.
        send_seed: number the samples of one prompt by `seed`; off for an endpoint that does not know the field.
        extra_body: further fields of every request, as the endpoint takes them.
        concurrency: calls under way at a time.
        requests_per_minute: of the account; not limited here if not given. `tokens_per_minute` alike, prompt and
            completion together.
        max_retries: of a call that failed for a reason that may pass.
        max_wait_s: longest pause that the teacher may ask for, in seconds; one that asks for more ends the run.
        timeout_s: of one try, in seconds.
        tokenizer: folder of the teacher's tokenizer, for estimates; without it a token is taken for four ASCII
            characters or one other.
    """

    base_url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    api_key_env: str | None = None
    temperature: float | None = Field(default=1.0, ge=0, le=2)
    max_completion_tokens: PositiveInt = 2048
    token_limit_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    steps_from: Literal["content", "reasoning_steps"] = "content"
    send_seed: bool = True
    extra_body: dict[str, Any] = Field(default_factory=dict)
    concurrency: PositiveInt = 8
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    max_retries: int = Field(default=6, ge=0, le=20)
    max_wait_s: PositiveFloat = 600.0
    timeout_s: PositiveFloat = 300.0
    tokenizer: Path | None = None

    @field_validator("extra_body")
    @classmethod
    def _is_not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        ours = {
            "model",
            "messages",
            "temperature",
            "seed",
            "n",
            "stream",
            "max_tokens",
            "max_completion_tokens",
        }
        if taken := sorted(ours & set(extra)):
            raise ValueError(f"{taken} are set by the run itself")
        return extra


class Price(Strict):
    """What the teacher costs.

    Attributes:
        per_million_prompt_tokens: in `currency`, as `per_million_completion_tokens`.
        cap: most that the run may spend in all, what earlier runs over the same journal spent included.
    """

    per_million_prompt_tokens: float = Field(ge=0)
    per_million_completion_tokens: float = Field(ge=0)
    cap: float = Field(ge=0)
    currency: str = "USD"


class Completions(Strict):
    """How many solutions are asked for.

    Attributes:
        attempts: solutions from nothing, of each question.
        truncations: of each attempt, how often it is cut at a random step and completed anew.
        judge: how an answer is compared with the right one: as `text` (case, width, white space, a closing full stop
            and dollar signs do not count) or as `number`.
        answer_pattern: regular expression whose first group is the answer within what the teacher calls its answer.
    """

    attempts: PositiveInt = 2
    truncations: int = Field(default=2, ge=0)
    judge: Literal["text", "number"] = "text"
    answer_pattern: str | None = None

    @field_validator("answer_pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if groups != 1:
                raise ValueError(f"it must have one group, the answer; it has {groups}")
        return pattern


class Embeddings(Strict):
    """The model that says which steps are alike.

    Attributes:
        model: folder or hub name of a sentence-transformers model.
        section: what of a step is compared.
    """

    model: str
    section: Section = "next_step"
    device: str = "cpu"
    batch_size: PositiveInt = 64


class Clusters(Strict):
    """When two steps are the same node.

    Attributes:
        distance: cosine distance, 0 to 2, from which two clusters are not joined.
        linkage: what the distance of two clusters is: of their members' means, extremes or nearest.
    """

    distance: float = Field(default=0.2, gt=0, le=2)
    linkage: Literal["average", "complete", "single"] = "average"


class Paths(Strict):
    """The traces that are sampled.

    Attributes:
        per_question: at most; fewer where the DAG has fewer.
        forward: share of traces that take no detour though there are some.
        max_detours: of one trace.
        max_detour_steps: steps of a detour before it turns back.
        max_depth: steps on the live path of a trace; the default is what training takes at most.
    """

    per_question: PositiveInt = 5
    forward: float = Field(default=0.1, ge=0, le=1)
    max_detours: PositiveInt = 3
    max_detour_steps: PositiveInt = 4
    max_depth: int = Field(default=DEEPEST_TAUGHT, ge=1, le=DEEPEST_TAUGHT)


class TeachConfig(Strict):
    """A whole run; `output` is the folder of everything it writes."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    seed: int = Field(ge=0)
    output: Path
    questions: Questions
    teacher: TeacherSettings
    price: Price
    completions: Completions = Completions()
    prompts: Prompts = Prompts()
    embeddings: Embeddings
    clusters: Clusters = Clusters()
    paths: Paths = Paths()


def load_teach_config(path: Path) -> TeachConfig:
    """Read and validate the YAML of a run.

    Raises:
        TeachError: the file is missing, is no YAML, or a field is unknown, missing or out of range.
    """
    return read_yaml(path, TeachConfig, TeachError, "run")
