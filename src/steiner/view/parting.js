// Where two runs on one problem part: the first step, in the order of generation, that is not the same in both.

import { textOf } from "./trace_fold.js";

const ROLES = ["understanding", "next_step", "verification", "thought"];

// {kind: "step", number, what, a, b} | {kind: "longer", number, name} | {kind: "answer"} | null where they do not part.
// A step that is still open in one run may yet become the same: it does not count.
export function partingOf(a, b) {
  const [ofA, ofB] = [[...a.steps.values()], [...b.steps.values()]];
  for (let index = 0; index < Math.min(ofA.length, ofB.length); index += 1) {
    const [one, other] = [ofA[index], ofB[index]];
    if (one.open || other.open) return null;
    const what = differenceOf(one, other);
    if (what) return { kind: "step", number: index + 1, what, a: one.verdict, b: other.verdict };
  }
  if (ofA.length !== ofB.length) {
    const [shorter, longer] = ofA.length < ofB.length ? [a, "B"] : [b, "A"];
    const isOver = shorter.isOver || shorter.endedBy !== null;
    return isOver ? { kind: "longer", number: Math.min(ofA.length, ofB.length), name: longer } : null;
  }
  return a.isOver && b.isOver && a.reply !== b.reply ? { kind: "answer" } : null;
}

function differenceOf(one, other) {
  if (one.parent !== other.parent) return "parent";
  for (const role of ROLES) if (textOf(one, role) !== textOf(other, role)) return role;
  if (one.verdict !== other.verdict || one.verdict_forced !== other.verdict_forced) return "verdict";
  if (textOf(one, "summary") !== textOf(other, "summary")) return "summary";
  return JSON.stringify(one.decision) === JSON.stringify(other.decision) ? null : "decision";
}
