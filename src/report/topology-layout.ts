/**
 * Where hosts and links go: from the clients at the left, link by link, to the servers at the right. The same world, the same picture.
 *
 *   client ── lan ──┬── rs1          client ── outside ── director ── inside ──┬── rs1
 *          director ┘└── rs2                                                    └── rs2
 *
 * A director with one link stands above its switch: what comes to it goes back over the same switch.
 */

export interface LayoutHost {
  readonly name: string;
  readonly role: "client" | "director" | "server" | "router" | "host";
  /** Names of links, an interface each. */
  readonly links: readonly string[];
}

export interface LayoutInput {
  readonly hosts: readonly LayoutHost[];
  readonly links: readonly string[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  /** Centres, by host name and `link/NAME`. */
  readonly places: ReadonlyMap<string, Point>;
  readonly width: number;
  readonly height: number;
}

export const HOST_WIDTH = 160;
export const HOST_HEIGHT = 62;
const LINK_WIDTH = 80;
const FOLD_GAP = 24;
const COLUMN_GAP = 96;
const ROW_GAP = 36;
const MARGIN = 18;
/** Of a director from the switch that it stands at. */
const DIRECTOR_STEP = 104;
/** A column of more hosts is folded. */
const COLUMN_ROWS_MAX = 6;
const SWEEPS = 4;

interface Node {
  readonly id: string;
  readonly order: number;
  level: number;
  neighbours: Node[];
  /** A director that stands at its switch, above (-1) or below (1). */
  side: -1 | 0 | 1;
}

export function layOut(input: LayoutInput): Layout {
  const nodes = buildNodes(input);
  assignLevels(input, nodes);
  placeDirectors(input, nodes);
  const columns = orderColumns([...nodes.values()]);
  return position(columns);
}

function buildNodes({ hosts, links }: LayoutInput): Map<string, Node> {
  const nodes = new Map<string, Node>();
  const add = (id: string) => nodes.set(id, { id, order: nodes.size, level: -1, neighbours: [], side: 0 });
  for (const name of links) add(`link/${name}`);
  for (const { name } of hosts) add(name);
  for (const { name, links: on } of hosts) {
    const node = nodes.get(name) as Node;
    for (const link of new Set(on)) {
      const other = nodes.get(`link/${link}`);
      if (other === undefined) continue;
      node.neighbours.push(other);
      other.neighbours.push(node);
    }
  }
  return nodes;
}

/** Distance from the nearest client; what no client reaches is counted from its own first host. */
function assignLevels({ hosts }: LayoutInput, nodes: ReadonlyMap<string, Node>): void {
  const clients = hosts.filter(({ role }) => role === "client");
  const starts = clients.length > 0 && clients.length < hosts.length ? clients : hosts.slice(0, 1);
  spread(starts.map(({ name }) => nodes.get(name) as Node));
  for (const node of nodes.values()) if (node.level < 0) spread([node]);
}

function spread(starts: readonly Node[]): void {
  const queue = [...starts];
  for (const node of queue) node.level = 0;
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const next of node.neighbours) {
      if (next.level >= 0) continue;
      next.level = node.level + 1;
      queue.push(next);
    }
  }
}

function placeDirectors({ hosts }: LayoutInput, nodes: ReadonlyMap<string, Node>): void {
  const perLevel = new Map<number, number>();
  for (const { name, role } of hosts) {
    const node = nodes.get(name) as Node;
    const levels = new Set(node.neighbours.map(({ level }) => level));
    if (role !== "director" || levels.size !== 1) continue;
    const level = [...levels][0] as number;
    if (node.neighbours.length !== 1) continue;
    const count = perLevel.get(level) ?? 0;
    perLevel.set(level, count + 1);
    node.level = level;
    node.side = count % 2 === 0 ? -1 : 1;
  }
}

/** Columns from left to right, their nodes from top to bottom: each near the middle of its neighbours. */
function orderColumns(nodes: readonly Node[]): Node[][] {
  const columns: Node[][] = [];
  for (const node of nodes) {
    if (node.side === 0) (columns[node.level] ??= []).push(node);
  }
  for (let level = 0; level < columns.length; level++) columns[level] ??= [];
  const rank = new Map<Node, number>();
  const note = () => {
    for (const column of columns) for (const [at, node] of column.entries()) rank.set(node, at - (column.length - 1) / 2);
  };
  note();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const column of sweep % 2 === 0 ? columns : [...columns].reverse()) {
      const middle = new Map(column.map((node) => [node, mean(node.neighbours.filter(({ side }) => side === 0).map((next) => rank.get(next) ?? 0))]));
      column.sort((a, b) => (middle.get(a) as number) - (middle.get(b) as number) || a.order - b.order);
    }
    note();
  }
  const directors = nodes.filter(({ side }) => side !== 0);
  for (const node of directors) {
    const column = columns[node.level] as Node[];
    if (node.side < 0) column.unshift(node);
    else column.push(node);
  }
  return columns;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function position(columns: readonly (readonly Node[])[]): Layout {
  const places = new Map<string, Point>();
  const folded = columns.map((column) => Math.max(1, Math.ceil(column.length / COLUMN_ROWS_MAX)));
  const rowStep = HOST_HEIGHT + ROW_GAP;
  let left = MARGIN;
  for (const [index, column] of columns.entries()) {
    const folds = folded[index] as number;
    const rows = Math.ceil(column.length / folds);
    const hasDirector = column.some(({ side }) => side !== 0);
    const step = hasDirector ? DIRECTOR_STEP : rowStep;
    const main = column.filter(({ side }) => side === 0).length;
    const middle = hasDirector ? column.findIndex(({ side }) => side === 0) + (main - 1) / 2 : (rows - 1) / 2;
    // A column of switches alone is narrow.
    const width = column.every(({ id }) => id.startsWith("link/")) ? LINK_WIDTH : HOST_WIDTH;
    for (const [at, { id }] of column.entries()) {
      const row = Math.floor(at / folds);
      places.set(id, { x: left + width / 2 + (at % folds) * (width + FOLD_GAP), y: (row - middle) * step });
    }
    left += folds * (width + FOLD_GAP) - FOLD_GAP + COLUMN_GAP;
  }
  return fit(places);
}

/** Shifts everything so that nothing is outside. */
function fit(places: ReadonlyMap<string, Point>): Layout {
  const xs = [...places.values()].map(({ x }) => x);
  const ys = [...places.values()].map(({ y }) => y);
  if (places.size === 0) return { places, width: 2 * MARGIN, height: 2 * MARGIN };
  const left = Math.min(...xs) - HOST_WIDTH / 2 - MARGIN;
  const top = Math.min(...ys) - HOST_HEIGHT / 2 - MARGIN;
  const moved = new Map([...places].map(([id, { x, y }]) => [id, { x: Math.round(x - left), y: Math.round(y - top) }]));
  return {
    places: moved,
    width: Math.round(Math.max(...xs) + HOST_WIDTH / 2 + MARGIN - left),
    height: Math.round(Math.max(...ys) + HOST_HEIGHT / 2 + MARGIN - top),
  };
}
