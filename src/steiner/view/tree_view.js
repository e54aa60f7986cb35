// The growing tree: cards in columns, the lines between them, and the keys of a tree (WAI-ARIA Authoring Practices).
// What changed since the last frame is drawn in the next one, so a fast stream costs one drawing a frame.

import { Blocks } from "./blocks.js";
import { Card } from "./card.js";
import { drawn, element } from "./element.js";
import { arrowPath, corner, edgePath, extent, HEIGHT, returnPath, WIDTH } from "./geometry.js";
import { t } from "./language.js";
import { Placement } from "./placement.js";
import { ANSWER, PROBLEM, answerParent, destinationOf, livePath, parentOf } from "./trace_tree.js";
import { TreeKeys } from "./tree_keys.js";

const PADDING = 40;

export class TreeView {
  // `select` is told the node that the reader chose.
  constructor(name, select) {
    this.idPrefix = `${name}-node-`;
    this.select = select;
    this.across = drawn("g");
    this.lines = drawn("svg", { class: "lines", "aria-hidden": "true" }, this.across);
    this.cards = element("div", { class: "cards", role: "tree", "aria-label": t("treeLabel") });
    this.scaled = element("div", { class: "scaled" }, this.lines, this.cards);
    this.sized = element("div", { class: "sized" }, this.scaled);
    this.root = element("div", { class: "tree", tabindex: "-1" }, this.sized);
    this.blocks = new Blocks(this.cards);
    this.scale = 1;
    this.follows = true;
    this.folded = new Set();
    this.chosen = PROBLEM;
    this.parting = null;
    new TreeKeys(this);
    this.clear();
  }

  clear() {
    this.nodes = new Map();
    this.parents = new Map();
    this.children = new Map();
    this.edgeOf = new Map();
    this.returnOf = new Map();
    this.live = new Set();
    this.placement = new Placement();
    this.numColumns = 0;
    this.across.replaceChildren();
    this.blocks.clear();
  }

  // Show what is new in `fold`; `dirty` are the nodes that changed, null for all of them.
  show(fold, dirty = null) {
    // Read before anything is written: a reading in between would cost a layout.
    const room = this.follows ? this.#room() : null;
    if (dirty === null) this.#dropMissing(fold);
    this.#grow(fold);
    const changed =
      dirty === null ? [...this.nodes.keys()] : [...dirty].filter((node) => this.nodes.has(node));
    for (const node of changed) {
      this.nodes.get(node).show(fold);
      this.#turnBack(fold, node);
    }
    this.#markLive(fold);
    if (room) this.#scrollTo(fold.reply ? ANSWER : (fold.current ?? PROBLEM), room);
  }

  #dropMissing(fold) {
    const isKnown = (node) => node === PROBLEM || (node === ANSWER ? fold.reply : fold.steps.has(node));
    const sameParent = (node) => node <= 0 || this.parents.get(node) === parentOf(fold, fold.steps.get(node));
    if (![...this.nodes.keys()].every((node) => isKnown(node) && sameParent(node))) this.clear();
    this.returnOf.forEach((lines) => lines.remove());
    this.returnOf.clear();
  }

  #grow(fold) {
    const size = this.nodes.size;
    if (!this.nodes.has(PROBLEM)) this.#add(PROBLEM, null);
    // Steps come in order, so those that are new are the last ones.
    const known = this.nodes.size - 1 - (this.nodes.has(ANSWER) ? 1 : 0);
    if (fold.steps.size > known) {
      for (const step of [...fold.steps.values()].slice(known)) this.#add(step.id, parentOf(fold, step));
    }
    if (fold.reply && !this.nodes.has(ANSWER)) this.#add(ANSWER, answerParent(fold));
    if (this.nodes.size > size) this.#resize();
  }

  #add(node, parent) {
    const card = new Card(node, this.idPrefix);
    this.nodes.set(node, card);
    this.parents.set(node, parent);
    const siblings = this.children.get(parent) ?? [];
    siblings.push(node);
    this.children.set(parent, siblings);
    card.root.dataset.parent = parent ?? "unknown";
    card.root.setAttribute("aria-posinset", siblings.length);
    // The number of siblings grows with the search: -1 says that it is not known (WAI-ARIA 1.2).
    card.root.setAttribute("aria-setsize", -1);
    if (parent !== null && siblings.length === 1)
      this.nodes.get(parent).root.setAttribute("aria-expanded", "true");
    this.#put(node, parent);
    card.root.classList.toggle("parting", node === this.parting);
    if (node === this.chosen) this.choose(node, { quiet: true });
  }

  #put(node, parent) {
    const card = this.nodes.get(node);
    const isHidden = parent !== null && (this.folded.has(parent) || this.nodes.get(parent)?.root.hidden);
    card.root.hidden = Boolean(isHidden);
    if (isHidden) return;
    const at = this.placement.place(node, parent);
    this.numColumns = Math.max(this.numColumns, at.column + 1);
    this.blocks.put(card.root, at);
    card.root.setAttribute("aria-level", at.column + 1);
    const above = parent === null ? undefined : this.placement.at(parent);
    if (above) {
      const path = drawn("path", { d: edgePath(above, at), class: "edge" });
      this.edgeOf.set(node, path);
      this.blocks.linesFor(above, at, this.across).append(path);
    } else if (node > 0) {
      card.root.classList.add("card-lost");
    }
  }

  #turnBack(fold, node) {
    const step = fold.steps.get(node);
    if (step?.decision?.type !== "backtrack" || this.returnOf.has(node)) return;
    const destination = destinationOf(fold, step);
    const [from, to] = [this.placement.at(node), this.placement.at(destination)];
    if (!from || !to || this.nodes.get(node).root.hidden) return;
    const lines = drawn(
      "g",
      { class: "return", "data-from": node, "data-to": destination },
      drawn("path", { d: returnPath(from, to) }),
      drawn("path", { d: arrowPath(to), class: "arrow" }),
    );
    this.returnOf.set(node, lines);
    this.blocks.linesFor(from, to, this.across).append(lines);
  }

  #markLive(fold) {
    const live = new Set(livePath(fold));
    if (fold.reply) live.add(ANSWER);
    for (const node of new Set([...live, ...this.live])) {
      const isLive = live.has(node);
      this.nodes.get(node)?.root.classList.toggle("live", isLive);
      const edge = this.edgeOf.get(node);
      const withParent = isLive && live.has(this.parents.get(node));
      if (!edge || edge.classList.contains("live") === withParent) continue;
      edge.classList.toggle("live", withParent);
      // Above the others, whose lines it shares.
      if (withParent) edge.parentNode.append(edge);
    }
    this.live = live;
  }

  #resize() {
    const { width, height } = extent(this.numColumns, this.placement.numRows);
    this.lines.setAttribute("width", width);
    this.lines.setAttribute("height", height);
    this.blocks.widen(width);
    this.size = { width, height };
    this.#fit();
  }

  #fit() {
    const { width, height } = this.size;
    if (this.fits) {
      const room = this.root.getBoundingClientRect();
      const whole = Math.min((room.width - 36) / width, (room.height - 36) / height);
      this.fits = whole >= this.least;
      this.scale = this.fits ? Math.min(1, whole) : 1;
    }
    this.scaled.style.transform = `scale(${this.scale})`;
    this.sized.style.width = `${width * this.scale}px`;
    this.sized.style.height = `${height * this.scale}px`;
  }

  zoom(factor) {
    this.fits = false;
    this.scale = Math.min(2, Math.max(0.05, this.scale * factor));
    this.#fit();
  }

  // The whole tree in sight, or as much as `least` allows.
  zoomToFit(least = 0.05) {
    this.fits = true;
    this.least = least;
    if (this.size) this.#fit();
  }

  // Fold or unfold what is below a node.
  setFolded(fold, node, isFolded) {
    if (!this.children.get(node)?.length) return;
    if (isFolded) this.folded.add(node);
    else this.folded.delete(node);
    this.arrange(fold);
  }

  foldRefuted(fold, isFolded) {
    this.folded.clear();
    const live = new Set(livePath(fold));
    if (isFolded) {
      for (const node of this.nodes.keys()) {
        if (node > 0 && !live.has(node) && this.children.get(node)?.length) this.folded.add(node);
      }
    }
    this.arrange(fold);
  }

  arrange(fold) {
    this.placement = new Placement();
    this.numColumns = 0;
    this.edgeOf.clear();
    this.returnOf.clear();
    this.across.replaceChildren();
    const hadFocus = this.cards.contains(document.activeElement);
    // Anew, so that cards stand in their blocks in the order in which they are read.
    this.blocks.clear();
    for (const [node, parent] of this.parents) {
      this.#put(node, parent);
      if (this.children.get(node)?.length) {
        this.nodes.get(node).root.setAttribute("aria-expanded", String(!this.folded.has(node)));
      }
    }
    this.nodes.forEach((_, node) => this.#turnBack(fold, node));
    this.#markLive(fold);
    this.#resize();
    if (hadFocus) this.choose(this.chosen, { focus: true, quiet: true });
  }

  // The node that keys act on and whose details are shown; `quiet` tells nobody.
  choose(node, { quiet = false, focus = false } = {}) {
    const [before, now] = [this.nodes.get(this.chosen), this.nodes.get(node)];
    if (!now) return;
    before?.root.setAttribute("aria-selected", "false");
    before?.root.setAttribute("tabindex", "-1");
    now.root.setAttribute("aria-selected", "true");
    now.root.setAttribute("tabindex", "0");
    this.chosen = node;
    if (focus) now.root.focus({ preventScroll: true });
    if (focus) now.root.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (!quiet) this.select(node);
  }

  markParting(node) {
    this.nodes.get(this.parting)?.root.classList.remove("parting");
    this.parting = node;
    this.nodes.get(node)?.root.classList.add("parting");
  }

  #room() {
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.root;
    return { scrollLeft, scrollTop, clientWidth, clientHeight };
  }

  #scrollTo(node, { scrollLeft, scrollTop, clientWidth, clientHeight }) {
    const at = this.placement.at(node);
    if (!at || this.nodes.get(node).root.hidden || this.fits) return;
    const { x, y } = corner(at);
    const left = within(scrollLeft, x * this.scale, (x + WIDTH) * this.scale + PADDING, clientWidth);
    const top = within(scrollTop, y * this.scale, (y + HEIGHT) * this.scale + PADDING, clientHeight);
    if (left !== scrollLeft || top !== scrollTop) this.root.scrollTo(left, top);
  }
}

// The scroll position, as near to the present one as it can be, at which a stretch is in sight.
function within(position, start, end, size) {
  return Math.min(Math.max(position, end - size), start);
}
