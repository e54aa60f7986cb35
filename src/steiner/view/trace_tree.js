// Which nodes a drawn trace has, and what hangs under what. The same as `trace_tree.tree_of` in Python.

export const PROBLEM = 0;
export const ANSWER = -1;

// A parent that does not come before its step counts as unknown.
export function parentOf(fold, step) {
  const known = step.parent === PROBLEM || (fold.steps.has(step.parent) && step.parent < step.id);
  return known ? step.parent : null;
}

// From the problem to the step, both included; empty where the way is unknown.
export function pathTo(fold, step) {
  const path = [];
  for (let at = step; ;) {
    path.unshift(at.id);
    const parent = parentOf(fold, at);
    if (parent === null) return [];
    if (parent === PROBLEM) return [PROBLEM, ...path];
    at = fold.steps.get(parent);
  }
}

// Nodes from the problem to where the search stands.
export function livePath(fold) {
  if (!fold.steps.size) return [PROBLEM];
  const last = lastStep(fold);
  const path = pathTo(fold, last);
  if (!path.length) return [PROBLEM];
  if (last.decision?.type === "backtrack") {
    return last.decision.to_depth === null ? [PROBLEM] : path.slice(0, last.decision.to_depth + 1);
  }
  return last.verdict === "refuted" ? path.slice(0, -1) : path;
}

// The node that the answer follows from; null if unknown.
export function answerParent(fold) {
  if (!fold.steps.size) return PROBLEM;
  const path = livePath(fold);
  if (path.length > 1) return path.at(-1);
  const last = lastStep(fold);
  if (last.decision?.type === "backtrack") return last.decision.to_depth === 0 ? PROBLEM : null;
  return last.verdict === "refuted" ? parentOf(fold, last) : last.id;
}

// The ancestor that a backtrack returned to; null where it is unknown.
export function destinationOf(fold, step) {
  const depth = step.decision?.type === "backtrack" ? step.decision.to_depth : null;
  if (depth === null) return null;
  const path = pathTo(fold, step);
  return depth >= 0 && depth < path.length - 1 ? path[depth] : null;
}

export function lastStep(fold) {
  return fold.steps.get(fold.current);
}
