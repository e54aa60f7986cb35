"""The records of one question, in the kinds of the training data: its DAG, and traces sampled from it."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field

from steiner.training.data.kinds import DagNode, DagRecord, TraceRecord
from steiner.training.teacher.completions import StepTree
from steiner.training.teacher.config import TeachConfig
from steiner.training.teacher.dag import TaughtDag, build_taught_dag
from steiner.training.teacher.embed import Embed, cluster_steps
from steiner.training.teacher.paths import sample_paths
from steiner.training.teacher.question import Question
from steiner.training.traces.render import trace_to_json

SHOWN_REASONS = 10


@dataclass(slots=True)
class Summary:
    """What came of a run.

    Attributes:
        unsolved: questions to which no right answer was reached, which give no traces.
        forward_only: questions with traces of which none backtracks, since their DAG has no dead node.
        cut_off: texts that the token limit ended.
        dropped_edges: edges that would have closed a cycle.
        spent: in `currency`, by this run and earlier ones over the same journal.
        dropped: completions that were not taken, by the reason.
    """

    questions: int = 0
    unsolved: int = 0
    forward_only: int = 0
    cut_off: int = 0
    steps: int = 0
    nodes: int = 0
    dropped_edges: int = 0
    traces: int = 0
    with_backtracks: int = 0
    spent: float = 0.0
    currency: str = ""
    dropped: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For a person; of the reasons for dropping the most frequent ones."""
        return [
            f"{self.questions:,} questions: {self.unsolved:,} without a right answer, "
            f"{self.forward_only:,} without a wrong turn",
            f"{self.steps:,} steps in {self.nodes:,} nodes; {self.dropped_edges:,} edges would have closed a cycle",
            f"{self.cut_off:,} texts were cut off by the limit of tokens",
            f"{self.traces:,} traces, {self.with_backtracks:,} with backtracks",
            f"spent in all: {self.spent:.4f} {self.currency}",
            *(
                f"dropped {number:,} times: {reason}"
                for reason, number in Counter(self.dropped).most_common(SHOWN_REASONS)
            ),
        ]


def records_of(
    config: TeachConfig, question: Question, tree: StepTree, embed: Embed, summary: Summary
) -> tuple[DagRecord, list[TraceRecord]]:
    """Cluster, build and sample; counts what it makes in the summary."""
    texts = [getattr(step.sections, config.embeddings.section) for step in tree.steps]
    taught = build_taught_dag(tree, cluster_steps(texts, embed, config.clusters), texts)
    rng = random.Random(f"{config.seed}/paths/{question.id}")
    language = config.questions.language
    traces = sample_paths(taught.dag, tree, question.answer, config.paths, language, rng)
    num_backtracking = sum(trace.num_backtracks > 0 for trace in traces)
    summary.questions += 1
    summary.unsolved += not traces
    summary.forward_only += bool(traces) and not num_backtracking
    summary.cut_off += len(tree.unfinished)
    summary.steps += len(tree.steps)
    summary.nodes += len(taught.dag.nodes)
    summary.dropped_edges += len(taught.dropped)
    summary.traces += len(traces)
    summary.with_backtracks += num_backtracking
    for reason in tree.dropped:
        summary.dropped[reason] = summary.dropped.get(reason, 0) + 1
    dag = _dag_record(config, question, taught)
    return dag, [
        {
            "id": f"{question.id}-{number}",
            "family": config.name,
            "language": language,
            "size": dag["size"],
            "prompt": question.text,
            "guess": question.answer,
            "folded": False,
            **trace_to_json(trace),
        }
        for number, trace in enumerate(traces)
    ]


def _dag_record(config: TeachConfig, question: Question, taught: TaughtDag) -> DagRecord:
    """Size is the fewest steps to a right answer, 0 where none is reached."""
    nodes: list[DagNode] = [
        {
            "state": json.dumps(node.state, ensure_ascii=False, separators=(",", ":")),
            "to": [end for _, end in node.successors],
            "in": node.num_incoming,
            "depth": node.depth,
            "distance": node.distance,
        }
        for node in taught.dag.nodes
    ]
    return {
        "id": question.id,
        "family": config.name,
        "size": nodes[0]["distance"] or 0,
        "num_nodes": len(nodes),
        "nodes": nodes,
    }
