// What the card of a node says, for the page, its pictures and Mermaid.

import { t } from "./language.js";
import { standingOf, textOf } from "./trace_fold.js";
import { destinationOf } from "./trace_tree.js";
import { shortened } from "./visible_text.js";

const MOST = 160;

// {head, standing, forced, text, notes}; `standing` is null for the problem and the answer.
export function stepText(fold, step) {
  const growing = step.sections.findLast((section) => section.text);
  const longest = step.sections.reduce(
    (text, section) => (section.text.length > text.length ? section.text : text),
    "",
  );
  const text = textOf(step, "next_step") || (step.open ? (growing?.text ?? "") : longest);
  const summary = textOf(step, "summary");
  return {
    head: t("step", { number: step.id }),
    standing: standingOf(step),
    forced: step.verdict_forced,
    text: shortened(text, MOST),
    summary: summary && summary !== text ? shortened(summary, MOST) : "",
    notes: notesOf(fold, step),
  };
}

function notesOf(fold, step) {
  const notes = [];
  if (step.repeats !== null) notes.push(t("repeats", { number: step.repeats }));
  else if (step.verdict_forced) notes.push(t("forcedVerdict"));
  if (step.decision?.type === "backtrack") notes.push(t("backTo", { place: placeName(fold, step) }));
  for (const cut of fold.interventions) {
    if (cut.step === step.id && cut.kind !== "loop" && cut.kind !== "verifier")
      notes.push(t(`cut.${cut.kind}`));
  }
  return notes;
}

export function placeName(fold, step) {
  const destination = destinationOf(fold, step);
  if (destination === 0 || step.decision.to_depth === 0) return t("problem");
  return destination === null ? t("unknownPlace") : t("step", { number: destination });
}
