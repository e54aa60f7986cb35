// The tree as an SVG document of its own: no script, nothing fetched, text as text.

import { stepText } from "./card_text.js";
import { arrowPath, corner, edgePath, extent, HEIGHT, returnPath, WIDTH } from "./geometry.js";
import { t } from "./language.js";
import { Placement } from "./placement.js";
import { ANSWER, PROBLEM, answerParent, destinationOf, livePath, parentOf } from "./trace_tree.js";
import { shortened, visible } from "./visible_text.js";

const MARGIN = 24;
const FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";
const STROKES = { verified: "#00639c", refuted: "#b8430b" };
const FILLS = { verified: "#e8f3fa", refuted: "#fdf0e7" };
const GLYPHS = { verified: "\u2713", refuted: "\u2717", interrupted: "\u2016", open: "\u2026", "no-verdict": "\u2013" };
const ROOM = WIDTH - 20;

export function svgOf(fold) {
  const placement = new Placement();
  const parents = new Map([[PROBLEM, null], ...[...fold.steps.values()].map((step) => [step.id, parentOf(fold, step)])]);
  if (fold.reply) parents.set(ANSWER, answerParent(fold));
  let numColumns = 0;
  for (const [node, parent] of parents) numColumns = Math.max(numColumns, placement.place(node, parent).column + 1);
  const live = new Set([...livePath(fold), ...(fold.reply ? [ANSWER] : [])]);
  const { width, height } = extent(numColumns, placement.numRows);
  const isLive = (node, parent) => live.has(node) && live.has(parent);
  const edges = [...parents].filter(([, parent]) => parent !== null).sort(([a, p], [b, q]) => isLive(a, p) - isLive(b, q));
  const returns = [...fold.steps.values()].map((step) => [step.id, destinationOf(fold, step)]).filter(([, to]) => to !== null);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 2 * MARGIN}" height="${height + 2 * MARGIN}" viewBox="${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}" role="img" font-family="${FONTS}" font-size="12">`,
    `<title>${text(`${t("treeLabel")} ${fold.id}`)}</title>`,
    `<rect x="${-MARGIN}" y="${-MARGIN}" width="100%" height="100%" fill="#ffffff"/>`,
    ...returns.map(([from, to]) => `<g data-from="${from}" data-to="${to}"><path d="${returnPath(placement.at(from), placement.at(to))}" fill="none" stroke="#8a4a9e" stroke-width="1.4" stroke-dasharray="5 3.5"/><path d="${arrowPath(placement.at(to))}" fill="#8a4a9e"/></g>`),
    ...edges.map(([node, parent]) => `<path d="${edgePath(placement.at(parent), placement.at(node))}" fill="none" stroke="${isLive(node, parent) ? "#00639c" : "#a7b1bc"}" stroke-width="${isLive(node, parent) ? 3.5 : 1.5}"/>`),
    ...[...parents].map(([node, parent]) => card(fold, node, parent, placement.at(node), live.has(node))),
    "</svg>\n",
  ].join("\n");
}

function card(fold, node, parent, at, isLive) {
  const { x, y } = corner(at);
  const [step, shows] = [fold.steps.get(node), `data-live="${isLive}"`];
  const named = `data-node="${node}" data-parent="${parent ?? "unknown"}"`;
  if (node === PROBLEM || node === ANSWER) {
    const said = node === PROBLEM ? fold.problem : fold.reply;
    const lines = [label(x + 10, y + 20, t(node === PROBLEM ? "problem" : "answer"), "#ffffff", true), ...wrapped(said, 4).map((line, index) => label(x + 10, y + 38 + 15 * index, line, "#ffffff"))];
    return group(`${named} ${shows}`, visible(said.slice(0, 1500)), box(x, y, node === PROBLEM ? "#1f2933" : "#00639c", node === PROBLEM ? "#1f2933" : "#00639c", 2), lines);
  }
  const destination = destinationOf(fold, step);
  const back = destination === null ? "" : ` data-back-to="${destination}"`;
  const { head, standing, forced, text: says, summary, notes } = stepText(fold, step);
  const stroke = STROKES[standing] ?? "#5b6672";
  const title = `${GLYPHS[standing]} ${head} \u00b7 ${t(`standing.${standing}`)}${forced ? ` \u00b7 ${t("byForce")}` : ""}`;
  const foot = notes.at(-1) ?? summary;
  const lines = [
    label(x + 10, y + 20, fitted(title), stroke, true),
    ...wrapped(says, 2).map((line, index) => label(x + 10, y + 40 + 15 * index, line, "#1f2933")),
    ...(foot ? [label(x + 10, y + HEIGHT - 10, fitted(foot, 10), notes.length ? "#8a4a9e" : "#5b6672", false, 10)] : []),
  ];
  const hint = [title, ...step.sections.map((section) => `${section.name}: ${section.text}`)].join("\n").slice(0, 1500);
  return group(`${named} data-standing="${standing}" data-forced="${forced}"${back} ${shows}`, visible(hint), box(x, y, stroke, standing === "verified" && !isLive ? "#ffffff" : FILLS[standing] ?? "#f3f5f7", isLive ? 2.8 : 1.3), lines);
}

function group(named, hint, frame, lines) {
  return `<g ${named}><title>${text(hint)}</title>${frame}${lines.join("")}</g>`;
}

function box(x, y, stroke, fill, width) {
  return `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="8" fill="${fill}" stroke="${stroke}" stroke-width="${width}"/>`;
}

function label(x, y, said, colour, isBold = false, size = 12) {
  return `<text x="${x}" y="${y}" fill="${colour}" font-size="${size}"${isBold ? ' font-weight="bold"' : ""}>${text(said)}</text>`;
}

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(said, size = 12) {
  ruler.font = `${size}px ${FONTS}`;
  // Other fonts than this machine's may be wider.
  return ruler.measureText(said).width * 1.08;
}

function fitted(said, size = 12) {
  let line = shortened(said, 60);
  while (line.length > 1 && widthOf(line, size) > ROOM) line = `${[...line].slice(0, -2).join("")}\u2026`;
  return line;
}

function wrapped(said, most) {
  const lines = [];
  let rest = [...shortened(said, 300)];
  while (rest.length && lines.length < most) {
    let end = rest.length;
    while (end > 1 && widthOf(rest.slice(0, end).join("")) > ROOM) end -= 1;
    if (end < rest.length) {
      const space = rest.lastIndexOf(" ", end);
      end = space > 0 ? space : end;
    }
    const isLast = lines.length === most - 1 && end < rest.length;
    lines.push(isLast ? fitted(`${rest.join("")}`) : rest.slice(0, end).join(""));
    rest = rest.slice(end);
    while (rest[0] === " ") rest.shift();
  }
  return lines;
}

function text(said) {
  return visible(said).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
