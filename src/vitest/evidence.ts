/**
 * What a failed assertion shows: ladders, ways and drops of a lab in lines of text.
 */

import type { Lab, PacketPath } from "../index.ts";
import { formatLadder, type FrameDropped, type PacketDropped, type TraceEvent } from "../trace/index.ts";

const FRAMES_SHOWN = 24;
const LINES_SHOWN = 12;
const WIDTH = 120;

/** The answer of a matcher. `message` is asked for when the assertion fails. */
export interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

/** Throws when the lab does not keep every record, which `matcher` looks at. */
export function mustKeepAll(lab: Lab, matcher: string): void {
  if (lab.traceLevel !== "full") throw new TypeError(`${matcher} looks at the lab's records, but it keeps "${lab.traceLevel}"; make it with trace: "full"`);
}

/** The last frames of a lab as a ladder, a blank line before it. */
export function ladderOf(lab: Lab, sinceNs = 0): string {
  if (lab.traceLevel === "off") return '\n\n(no ladder: the lab was made with trace: "off")';
  const { events } = lab;
  let first = events.length;
  let frames = 0;
  for (let i = events.length - 1; i >= 0 && frames < FRAMES_SHOWN; i--) {
    const event = events[i] as TraceEvent;
    if (event.timeNs < sinceNs) break;
    first = i;
    if (event.kind === "frame-sent") frames++;
  }
  const lines = formatLadder(events.slice(first), { hosts: lab.hostNames, width: WIDTH, originNs: lab.originNs });
  if (lines.length === 0) return "\n\n(no frame was sent)";
  return `\n\n${frames === FRAMES_SHOWN ? `the last ${FRAMES_SHOWN} frames:\n` : ""}${lines.join("\n")}`;
}

/** `4 x client > director > rs2   10.0.0.50.40000 > 10.0.0.100.80 [S]`, one line for each way, the most used first. */
export function listWays(paths: readonly PacketPath[]): string {
  const ways = new Map<string, { count: number; readonly text: string }>();
  for (const path of paths) {
    const way = describeWay(path);
    const known = ways.get(way);
    if (known === undefined) ways.set(way, { count: 1, text: path.text });
    else known.count++;
  }
  const sorted = [...ways].sort(([, a], [, b]) => b.count - a.count);
  return listed(sorted.map(([way, { count, text }]) => `${count} x ${way}   (${text})`));
}

function describeWay({ hosts, end, detail }: PacketPath): string {
  const way = hosts.join(" > ");
  if (end === "received") return way;
  return end === "unheard" ? `${way} > nobody` : `${way}, dropped: ${end}${detail === "" ? "" : `, ${detail}`}`;
}

/** Frames and packets that died, without those that a switch merely flooded to others. */
export function dropsOf(lab: Lab): (FrameDropped | PacketDropped)[] {
  return lab.events.filter((event): event is FrameDropped | PacketDropped => event.kind === "frame-dropped" || event.kind === "packet-dropped");
}

export function listDrops(drops: readonly (FrameDropped | PacketDropped)[]): string {
  const counts = new Map<string, number>();
  for (const drop of drops) {
    const detail = drop.kind === "packet-dropped" && drop.detail !== "" ? `, ${drop.detail}` : "";
    const line = `${drop.reason} on ${drop.host}${detail}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return listed([...counts].map(([line, count]) => `${count} x ${line}`));
}

/** Lines, indented; the first dozen. */
export function listed(lines: readonly string[]): string {
  const shown = lines.slice(0, LINES_SHOWN).map((line) => `\n  ${line}`);
  if (lines.length > LINES_SHOWN) shown.push(`\n  ... ${lines.length - LINES_SHOWN} more`);
  return shown.join("");
}

/** Output of a command for a message: indented, nothing for nothing. */
export function quoted(name: string, text: string): string {
  return text === "" ? "" : `\n${name}:\n${text.replace(/\n$/, "").replace(/^/gm, "  ")}`;
}
