// Keys and pointer on a tree view, as WAI-ARIA Authoring Practices have them for trees.

export class TreeKeys {
  constructor(view) {
    this.view = view;
    view.cards.addEventListener("keydown", (event) => this.#press(event));
    view.cards.addEventListener("click", (event) => {
      const card = event.target.closest("[data-node]");
      if (card) view.choose(Number(card.dataset.node), { focus: true });
    });
    // A reader who scrolls wants to stay there.
    for (const kind of ["wheel", "touchmove", "pointerdown"]) {
      view.root.addEventListener(kind, () => view.onLeave?.(), { passive: true });
    }
  }

  #press(event) {
    const { view } = this;
    const target = this.#target(event.key);
    if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    view.onLeave?.();
    if (target !== null) view.choose(target, { focus: true });
  }

  // The node to go to; null where the key did its work or there is none, undefined for other keys.
  #target(key) {
    const { view } = this;
    const shown = [...view.nodes.keys()].filter((node) => !view.nodes.get(node).root.hidden);
    const order = inTreeOrder(view.children, shown);
    const [at, children] = [order.indexOf(view.chosen), view.children.get(view.chosen) ?? []];
    switch (key) {
      case "ArrowDown":
        return order[at + 1] ?? null;
      case "ArrowUp":
        return order[at - 1] ?? null;
      case "Home":
        return order[0];
      case "End":
        return order.at(-1);
      case "ArrowRight":
        if (!view.folded.has(view.chosen)) return children[0] ?? null;
        view.onFold?.(view.chosen, false);
        return null;
      case "ArrowLeft":
        if (!children.length || view.folded.has(view.chosen)) return view.parents.get(view.chosen);
        view.onFold?.(view.chosen, true);
        return null;
      case "Enter":
      case " ":
        view.onOpen?.(view.chosen);
        return null;
      default:
        return undefined;
    }
  }
}

// Depth first, by a stack: a free model may go deeper than a browser's calls can.
function inTreeOrder(children, shown) {
  const visible = new Set(shown);
  const order = [];
  const waiting = [...(children.get(null) ?? [])].reverse();
  while (waiting.length) {
    const node = waiting.pop();
    if (!visible.has(node)) continue;
    order.push(node);
    waiting.push(...[...(children.get(node) ?? [])].reverse());
  }
  return order;
}
