// Text that fits a card in a picture, whose reader may have other fonts than this machine.

import { shortened } from "./visible_text.js";

export const FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";
// Other fonts may be wider.
const RESERVE = 1.08;
const ELLIPSIS = "\u2026";
const ruler = document.createElement("canvas").getContext("2d");

function widthOf(text, size) {
  ruler.font = `${size}px ${FONTS}`;
  return ruler.measureText(text).width * RESERVE;
}

// One line of at most this width.
export function fitted(text, width, size = 12) {
  let line = shortened(text, 60);
  while (line.length > 1 && widthOf(line, size) > width) line = [...line].slice(0, -2).join("") + ELLIPSIS;
  return line;
}

// Lines broken between words; what is too much is cut off.
export function wrapped(text, width, mostLines, size = 12) {
  const lines = [];
  let rest = [...shortened(text, 300)];
  while (rest.length && lines.length < mostLines) {
    let end = rest.length;
    while (end > 1 && widthOf(rest.slice(0, end).join(""), size) > width) end -= 1;
    const isLast = lines.length === mostLines - 1 && end < rest.length;
    const space = end < rest.length ? rest.lastIndexOf(" ", end) : -1;
    if (space > 0) end = space;
    lines.push(isLast ? fitted(rest.join(""), width, size) : rest.slice(0, end).join(""));
    rest = rest.slice(end);
    while (rest[0] === " ") rest.shift();
  }
  return lines;
}
