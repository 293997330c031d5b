/**
 * Where everything of the ladder is: a column a host, a row an event. Rows are placed by their number, so any part can be drawn alone.
 */

import { scalePoint } from "d3-scale";
import type { LadderRow } from "../../engine/queries/ladder.ts";
import type { NodeRole } from "../../../../src/report/roles.ts";

export const TIME_WIDTH = 84;
const COLUMN_MIN = 90;
const ROW_PIXELS = 26;
const ZOOM_MIN = 0.35;
const ZOOM_MAX = 3;
/** Texts of smaller rows could not be read. */
const TEXT_ROW_MIN = 15;
/** Browsers do not scroll further. */
export const SCROLL_PIXELS_MAX = 12_000_000;
/** Between two rows, a pause that is worth a word. */
const PAUSE_NS = 5_000_000;

const ROLE_ORDER: Readonly<Record<NodeRole, number>> = { client: 0, router: 1, director: 2, host: 3, server: 4 };

/** Clients left, servers right, as requests go. */
export function orderHosts(names: readonly string[], roles: Readonly<Record<string, NodeRole>>): readonly string[] {
  const rank = (name: string) => ROLE_ORDER[roles[name] ?? "host"];
  return names.map((name, at) => ({ name, at })).sort((a, b) => rank(a.name) - rank(b.name) || a.at - b.at).map(({ name }) => name);
}

export interface LadderLayout {
  readonly width: number;
  readonly rowPixels: number;
  readonly hasText: boolean;
  /** Middle of a host's column; of no host, of the whole. */
  x(host: string): number;
  readonly columnWidth: number;
}

export function layOutLadder(hosts: readonly string[], roomPixels: number, zoom: number): LadderLayout {
  const width = Math.max(roomPixels, TIME_WIDTH + hosts.length * COLUMN_MIN * Math.max(1, zoom));
  const scale = scalePoint(hosts, [TIME_WIDTH, width]).padding(0.5);
  const rowPixels = Math.round(ROW_PIXELS * zoom);
  return { width, rowPixels, hasText: rowPixels >= TEXT_ROW_MIN, x: (host) => scale(host) ?? (TIME_WIDTH + width) / 2, columnWidth: scale.step() };
}

export function clampZoom(zoom: number): number {
  return Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, zoom));
}

/** One line from the sender to where a copy ended. */
export interface Arrow {
  readonly node: string;
  readonly fromX: number;
  readonly toX: number;
  readonly isDropped: boolean;
  readonly reason: string;
  /** Record of its end. */
  readonly id: number;
}

export function arrowsOf(row: LadderRow, layout: LadderLayout): readonly Arrow[] {
  const fromX = layout.x(row.host);
  return row.copies.map(({ node, fate, reason, id }) => {
    const isOnLink = node.startsWith("link/");
    // What died on the link ends between the columns.
    const toX = isOnLink ? fromX + layout.columnWidth * (fromX + layout.columnWidth > layout.width ? -0.5 : 0.5) : layout.x(node);
    return { node, fromX, toX, isDropped: fate === "dropped", reason, id };
  });
}

/** Nanoseconds since the row before when it was long ago, else 0. */
export function pauseBefore(row: LadderRow, previous: LadderRow | undefined): number {
  const passed = previous === undefined ? 0 : row.timeNs - previous.timeNs;
  return passed >= PAUSE_NS ? passed : 0;
}

/** A text no longer than fits, with an ellipsis. */
export function fitText(text: string, pixels: number, charPixels: number): string {
  const chars = Math.max(1, Math.floor(pixels / charPixels));
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}
