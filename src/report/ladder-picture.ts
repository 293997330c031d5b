/**
 * The frames of a run as an SVG sequence diagram: a column a host, an arrow a frame, what it was at the right.
 */

import type { LadderRow } from "../trace/ladder.ts";
import { type Markup, markup } from "./markup.ts";
import { seconds } from "./numbers.ts";
import type { NodeRole } from "./roles.ts";
import type { ReportWords } from "./words.ts";

const TIME_WIDTH = 86;
const TEXT_WIDTH = 520;
const LANES_WIDTH = 480;
const LANE_MIN = 64;
const LANE_MAX = 150;
const HEAD = 34;
const ROW = 19;
const TEXT_CHARS_MAX = 78;
/** A name longer than its lane is cut; the title has it whole. */
const CHAR_PIXELS = 7;

const ROLE_ORDER: Readonly<Record<NodeRole, number>> = { client: 0, router: 1, director: 2, host: 3, server: 4 };

export interface LadderPictureInput {
  readonly rows: readonly LadderRow[];
  readonly hosts: readonly string[];
  readonly roles: Readonly<Record<string, NodeRole>>;
  readonly originNs: number;
  readonly words: ReportWords;
}

export function ladderPicture({ rows, hosts, roles, originNs, words }: LadderPictureInput): Markup {
  const ordered = hosts.map((name, at) => ({ name, at, rank: ROLE_ORDER[roles[name] ?? "host"] })).sort((a, b) => a.rank - b.rank || a.at - b.at);
  const lane = Math.max(LANE_MIN, Math.min(LANE_MAX, Math.floor(LANES_WIDTH / Math.max(ordered.length, 1))));
  const columns = new Map(ordered.map(({ name }, at) => [name, TIME_WIDTH + lane * (at + 0.5)]));
  const textX = TIME_WIDTH + lane * ordered.length + 10;
  const height = HEAD + rows.length * ROW + 8;
  const heads = ordered.map(({ name }) => {
    const x = columns.get(name) as number;
    return markup`<g class="head"><title>${name}</title><line x1="${x}" y1="${HEAD - 10}" x2="${x}" y2="${height}"/><text x="${x}" y="${HEAD - 18}">${cut(name, Math.floor(lane / CHAR_PIXELS))}</text></g>`;
  });
  const lines = rows.map((row, at) => ladderLine(row, HEAD + at * ROW + ROW / 2, columns, textX, originNs));
  const width = textX + TEXT_WIDTH;
  return markup`<svg class="ladder" role="img" aria-label="${words.report.ladderLabel}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${heads}${lines}</svg>`;
}

function ladderLine(row: LadderRow, y: number, columns: ReadonlyMap<string, number>, textX: number, originNs: number): Markup {
  const from = columns.get(row.from);
  const isDrop = row.part === "drop" || row.isLost;
  const ends = from === undefined ? [] : [...row.to].flatMap((host) => columns.get(host) ?? []).filter((x) => x !== from);
  const arrows = ends.map((x) => {
    const back = x > (from as number) ? -7 : 7;
    return markup`<path d="M${from as number},${y}H${x}" /><path class="tip" d="M${x},${y}l${back},-4v8z"/>`;
  });
  const sign = from === undefined ? undefined : isDrop && ends.length === 0 ? markup`<path class="dead" d="M${from - 5},${y - 5}l10,10m0,-10l-10,10"/>` : markup`<circle cx="${from}" cy="${y}" r="3"/>`;
  const whole = `${row.text}${row.mark === "" ? "" : `  ${row.mark}`}`;
  const text = cut(row.text, TEXT_CHARS_MAX - row.mark.length);
  const mark = row.mark === "" ? undefined : markup` <tspan class="mark">${row.mark}</tspan>`;
  return markup`<g class="row ${isDrop ? "drop" : row.part}"><title>${seconds(row.timeNs - originNs)} ${row.from}: ${whole}</title><text class="when" x="${TIME_WIDTH - 8}" y="${y + 4}">${seconds(row.timeNs - originNs)}</text>${arrows}${sign}<text class="what" x="${textX}" y="${y + 4}">${text}${mark}</text></g>`;
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, Math.max(charsMax - 1, 1))}…`;
}
