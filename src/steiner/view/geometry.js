// Sizes of a drawn tree in pixels, and the lines between its nodes, for the page and for its pictures.

export const WIDTH = 208;
export const HEIGHT = 92;
export const LEVEL_GAP = 56;
export const ROW_GAP = 26;
const EDGE_AT = 30;
const RETURN_AT = 13;
const TURN = 7;
const EDGE_Y = HEIGHT / 2;
const RETURN_Y = HEIGHT - 16;

export function corner({ column, row }) {
  return { x: column * (WIDTH + LEVEL_GAP), y: row * (HEIGHT + ROW_GAP) };
}

// From a node to its child: out of its middle, down the gap between the levels, into the child's middle.
export function edgePath(parent, child) {
  const [from, to] = [corner(parent), corner(child)];
  const [start, y, x, end] = [from.x + WIDTH, from.y + EDGE_Y, from.x + WIDTH + EDGE_AT, to.y + EDGE_Y];
  if (from.y === to.y) return `M${start} ${y}H${to.x}`;
  const turn = to.y > from.y ? TURN : -TURN;
  return `M${start} ${y}H${x - TURN}Q${x} ${y} ${x} ${y + turn}V${end - turn}Q${x} ${end} ${x + TURN} ${end}H${to.x}`;
}

// The way back: from under the step that turned round, along its row, up the gap behind the place it returned to.
export function returnPath(step, destination) {
  const [from, to] = [corner(step), corner(destination)];
  const [x, y] = [from.x + 24, from.y + HEIGHT];
  const below = y + ROW_GAP / 2;
  const [up, end] = [to.x + WIDTH + RETURN_AT, to.y + RETURN_Y];
  return [
    `M${x} ${y}V${below - TURN}Q${x} ${below} ${x - TURN} ${below}`,
    `H${up + TURN}Q${up} ${below} ${up} ${below - TURN}`,
    `V${end + TURN}Q${up} ${end} ${up - TURN} ${end}H${to.x + WIDTH + 5}`,
  ].join("");
}

// The head of the arrow where a way back ends.
export function arrowPath(destination) {
  const to = corner(destination);
  const [x, y] = [to.x + WIDTH + 1, to.y + RETURN_Y];
  return `M${x} ${y}l7 -4v8z`;
}

export function extent(numColumns, numRows) {
  return {
    width: numColumns * (WIDTH + LEVEL_GAP) - LEVEL_GAP + RETURN_AT,
    height: numRows * (HEIGHT + ROW_GAP),
  };
}
