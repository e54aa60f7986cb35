// The drawn tree in blocks of rows. A block out of sight costs a browser nothing, and one that changes does not
// concern the others, so a search of a thousand steps is drawn like one of twenty.

import { drawn, element } from "./element.js";
import { corner, HEIGHT, ROW_GAP } from "./geometry.js";

const ROWS = 12;
// Around the cards of a block, for outlines and for the lines that run below its last row.
const ABOVE = 8;
const BESIDE = 12;
const TALL = ROWS * (HEIGHT + ROW_GAP);

export class Blocks {
  constructor(root) {
    this.root = root;
    this.parts = new Map();
  }

  clear() {
    this.parts.clear();
    this.root.replaceChildren();
  }

  // Put a card in its place.
  put(card, at) {
    const { x, y } = corner(at);
    const block = Math.floor(at.row / ROWS);
    card.style.left = `${x + BESIDE}px`;
    card.style.top = `${y - block * TALL + ABOVE}px`;
    const { cards } = this.#part(block);
    if (card.parentNode !== cards) cards.append(card);
  }

  // Where lines between two places are drawn: their own block, or `across` where they leave it.
  linesFor(one, other, across) {
    const [a, b] = [one, other].map((at) => Math.floor(at.row / ROWS));
    return a === b ? this.#part(a).lines : across;
  }

  widen(width) {
    for (const { root } of this.parts.values()) root.style.width = `${width + 2 * BESIDE}px`;
    this.width = width;
  }

  #part(block) {
    if (!this.parts.has(block)) {
      const lines = drawn("g", { transform: `translate(${BESIDE} ${ABOVE - block * TALL})` });
      const cards = element("div", { class: "block-cards" });
      const root = element(
        "div",
        { class: "block" },
        drawn("svg", { class: "lines", "aria-hidden": "true" }, lines),
        cards,
      );
      root.style.left = `${-BESIDE}px`;
      root.style.top = `${block * TALL - ABOVE}px`;
      root.style.height = `${TALL}px`;
      root.style.width = `${(this.width ?? 0) + 2 * BESIDE}px`;
      this.parts.set(block, { root, lines, cards });
      this.root.append(root);
    }
    return this.parts.get(block);
  }
}
