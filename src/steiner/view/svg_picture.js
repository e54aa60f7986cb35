// The tree as an SVG document of its own: no script, nothing fetched, text as text.

import { stepText } from "./card_text.js";
import { arrowPath, corner, edgePath, extent, HEIGHT, returnPath, WIDTH } from "./geometry.js";
import { t } from "./language.js";
import { Placement } from "./placement.js";
import { escaped, tag } from "./svg_markup.js";
import { fitted, FONTS, wrapped } from "./svg_text.js";
import { ANSWER, PROBLEM, answerParent, destinationOf, livePath, parentOf } from "./trace_tree.js";

const MARGIN = 24;
const PADDING = 10;
const ROOM = WIDTH - 2 * PADDING;
const MOST_HINT = 1500;
const INK = "#1f2933";
const MUTED = "#5b6672";
const BLUE = "#00639c";
const VIOLET = "#8a4a9e";
const STROKES = { verified: BLUE, refuted: "#b8430b" };
const FILLS = { verified: "#e8f3fa", refuted: "#fdf0e7" };
const GLYPHS = {
  verified: "\u2713",
  refuted: "\u2717",
  interrupted: "\u2016",
  open: "\u2026",
  "no-verdict": "\u2013",
};

export function svgOf(fold) {
  const steps = [...fold.steps.values()];
  const parents = new Map([[PROBLEM, null], ...steps.map((step) => [step.id, parentOf(fold, step)])]);
  if (fold.reply) parents.set(ANSWER, answerParent(fold));
  const placement = new Placement();
  const columns = [...parents].map(([node, parent]) => placement.place(node, parent).column);
  const { width, height } = extent(Math.max(...columns) + 1, placement.numRows);
  const live = new Set([...livePath(fold), ...(fold.reply ? [ANSWER] : [])]);
  const frame = { x: -MARGIN, y: -MARGIN, width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  return `${tag(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: frame.width,
      height: frame.height,
      viewBox: Object.values(frame).join(" "),
      role: "img",
      "font-family": FONTS,
    },
    tag("title", {}, escaped(`${t("treeLabel")} ${fold.id}`)),
    tag("rect", { ...frame, fill: "#ffffff" }),
    ...steps.map((step) => wayBack(placement, step.id, destinationOf(fold, step))),
    ...edges(placement, parents, live),
    ...[...parents].map(([node, parent]) => card(fold, node, parent, placement.at(node), live.has(node))),
  )}\n`;
}

function wayBack(placement, node, destination) {
  if (destination === null) return "";
  const [from, to] = [placement.at(node), placement.at(destination)];
  const dashed = { fill: "none", stroke: VIOLET, "stroke-width": 1.4, "stroke-dasharray": "5 3.5" };
  const line = tag("path", { d: returnPath(from, to), ...dashed });
  return tag(
    "g",
    { "data-from": node, "data-to": destination },
    line,
    tag("path", { d: arrowPath(to), fill: VIOLET }),
  );
}

// The live path above the others, whose lines it shares.
function edges(placement, parents, live) {
  const all = [...parents].filter(([, parent]) => parent !== null);
  const isLive = ([node, parent]) => live.has(node) && live.has(parent);
  return [...all.filter((edge) => !isLive(edge)), ...all.filter(isLive)].map((edge) => {
    const [node, parent] = edge.map((end) => placement.at(end));
    const [stroke, width] = isLive(edge) ? [BLUE, 3.5] : ["#a7b1bc", 1.5];
    return tag("path", { d: edgePath(parent, node), fill: "none", stroke, "stroke-width": width });
  });
}

function card(fold, node, parent, at, isLive) {
  const named = { "data-node": node, "data-parent": parent ?? "unknown" };
  const shows = { "data-live": isLive };
  if (node === PROBLEM) return bookend({ ...named, ...shows }, at, INK, t("problem"), fold.problem);
  if (node === ANSWER) return bookend({ ...named, ...shows }, at, BLUE, t("answer"), fold.reply);
  const step = fold.steps.get(node);
  const { head, standing, forced, text, summary, notes } = stepText(fold, step);
  const told = {
    "data-standing": standing,
    "data-forced": forced,
    "data-back-to": destinationOf(fold, step),
  };
  const title = [`${GLYPHS[standing]} ${head}`, t(`standing.${standing}`), ...(forced ? [t("byForce")] : [])];
  const colour = STROKES[standing] ?? MUTED;
  const fill = standing === "verified" && !isLive ? "#ffffff" : (FILLS[standing] ?? "#f3f5f7");
  const foot = { text: notes.at(-1) ?? summary, colour: notes.length ? VIOLET : MUTED };
  const { x, y } = corner(at);
  return tag(
    "g",
    { ...named, ...told, ...shows },
    tag("title", {}, escaped(hintOf(title.join(" \u00b7 "), step))),
    box(x, y, colour, fill, isLive ? 2.8 : 1.3),
    label(x, y + 20, fitted(title.join(" \u00b7 "), ROOM), { fill: colour, "font-weight": "bold" }),
    ...wrapped(text, ROOM, 2).map((line, index) => label(x, y + 40 + 15 * index, line)),
    label(x, y + HEIGHT - 10, fitted(foot.text, ROOM, 10), { fill: foot.colour, "font-size": 10 }),
  );
}

function bookend(named, at, colour, head, text) {
  const { x, y } = corner(at);
  const white = { fill: "#ffffff" };
  return tag(
    "g",
    named,
    tag("title", {}, escaped(text.slice(0, MOST_HINT))),
    box(x, y, colour, colour, 2),
    label(x, y + 20, head, { ...white, "font-weight": "bold" }),
    ...wrapped(text, ROOM, 4).map((line, index) => label(x, y + 38 + 15 * index, line, white)),
  );
}

function hintOf(title, step) {
  const sections = step.sections.map((section) => `${section.name}: ${section.text}`);
  return [title, ...sections].join("\n").slice(0, MOST_HINT);
}

function box(x, y, stroke, fill, width) {
  return tag("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 8, fill, stroke, "stroke-width": width });
}

function label(x, y, text, style = {}) {
  return text ? tag("text", { x: x + PADDING, y, fill: INK, "font-size": 12, ...style }, escaped(text)) : "";
}
