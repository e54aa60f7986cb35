// Where the nodes of a growing tree stand: a column for each level, rows filled from the top.
// A node's first child stands beside it and each further one in the next free row, so a depth-first search only ever
// adds below, and what stands never moves: a reader does not lose the place, and a new step costs the same at any size.

export class Placement {
  #rows = new Map();
  #hasChild = new Set();
  #free = 0;

  // The node's {column, row}; a node without a known parent begins a tree of its own.
  place(node, parent) {
    const above = parent === null ? null : this.#rows.get(parent);
    let at;
    if (above === null || above === undefined) {
      at = { column: 0, row: this.#free };
    } else if (this.#hasChild.has(parent)) {
      at = { column: above.column + 1, row: this.#free };
    } else {
      at = { column: above.column + 1, row: above.row };
    }
    if (parent !== null) this.#hasChild.add(parent);
    this.#rows.set(node, at);
    this.#free = Math.max(this.#free, at.row + 1);
    return at;
  }

  at(node) {
    return this.#rows.get(node);
  }

  get numRows() {
    return this.#free;
  }
}
