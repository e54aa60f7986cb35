// A trace as a Mermaid flowchart, as GitHub renders it. The same text as `picture.mermaid` in Python.

import { textOf, standingOf } from "./trace_fold.js";
import { answerParent, destinationOf, livePath, parentOf } from "./trace_tree.js";
import { shortened } from "./visible_text.js";

const MOST = 60;
const SIGNS = {
  verified: "\u2713 verified",
  refuted: "\u2717 refuted",
  interrupted: "interrupted",
  open: "no verdict",
  "no-verdict": "no verdict",
};
const CLASSES = [
  "classDef verified fill:#e8f3fa,stroke:#00639c,color:#1f2933",
  "classDef refuted fill:#fdf0e7,stroke:#b8430b,color:#1f2933,stroke-dasharray:4 3",
  "classDef open fill:#f3f5f7,stroke:#5b6672,color:#1f2933",
  "classDef answer fill:#00639c,stroke:#00639c,color:#ffffff",
];

export function mermaidOf(fold) {
  const steps = [...fold.steps.values()];
  const lines = ["flowchart LR", `  s0["${label("problem", fold.problem)}"]`];
  for (const step of steps) {
    const force = step.verdict_forced ? " by force" : "";
    const head = `${step.id} ${SIGNS[standingOf(step)]}${force}`;
    lines.push(
      `  s${step.id}["${label(head, textOf(step, "next_step") || longest(step))}"]:::${step.verdict ?? "open"}`,
    );
  }
  if (fold.reply) lines.push(`  answer["${label("answer", fold.reply)}"]:::answer`);
  const live = new Set(livePath(fold));
  for (const step of steps) {
    const parent = parentOf(fold, step);
    if (parent !== null)
      lines.push(`  s${parent} ${live.has(step.id) && live.has(parent) ? "==>" : "-->"} s${step.id}`);
  }
  const from = fold.reply ? answerParent(fold) : null;
  if (from !== null) lines.push(`  s${from} ==> answer`);
  for (const step of steps) {
    const destination = destinationOf(fold, step);
    if (destination !== null) lines.push(`  s${step.id} -. back .-> s${destination}`);
  }
  return `${[...lines, ...CLASSES.map((line) => `  ${line}`)].join("\n")}\n`;
}

function longest(step) {
  return step.sections.reduce(
    (text, section) => (section.text.length > text.length ? section.text : text),
    "",
  );
}

function label(head, text) {
  const said = escaped(shortened(text, MOST));
  return said ? `${head}<br/>${said}` : head;
}

// Mermaid's own entities: nothing of a text is syntax or markup.
function escaped(text) {
  return text.replace(/[^\p{L}\p{N}\p{M} .,]/gu, (character) => `#${character.codePointAt(0)};`);
}
