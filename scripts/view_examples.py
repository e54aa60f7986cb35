"""Held-out problems for the form of the live view.

python scripts/view_examples.py > src/steiner/view/examples.json
"""

import json
import sys

from steiner.reasoning.tasks.languages import Language
from steiner.training.problems.held_out import held_out_problems

SIZES = {"countdown": [3], "routes": [3, 4, 5], "knights": [3, 4, 5]}
LANGUAGES: tuple[Language, ...] = ("en", "ja", "zh")
NUM_EACH = 6
SEED = 8


def examples() -> list[dict[str, object]]:
    """Family, size, language and prompt of each."""
    return [
        {"family": family, "size": drawn.size, "language": language, "prompt": drawn.prompt}
        for language in LANGUAGES
        for family, sizes in SIZES.items()
        for drawn in held_out_problems(family, sizes, NUM_EACH, SEED, language=language)
    ]


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(example, ensure_ascii=False) for example in examples())
    sys.stdout.write(f"[\n{lines}\n]\n")
