"""The former address of `steiner.training.pipeline.ablation`: what imports it or runs it here goes on to work."""

from steiner.training.pipeline.ablation import (
    Ablation,
    main,
    markdown,
    run_all,
    run_folder,
    summarise,
    variant_stage,
    with_stage,
    write_summary,
)

__all__ = [
    "Ablation",
    "main",
    "markdown",
    "run_all",
    "run_folder",
    "summarise",
    "variant_stage",
    "with_stage",
    "write_summary",
]

if __name__ == "__main__":
    main()
