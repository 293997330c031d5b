/**
 * How two acting-outs of one scenario differ: conversation by conversation, output by output, table by table.
 */

import type { Scenario } from "../src/scenario/scenario-file.ts";
import { linesOf, normalOutput } from "./outputs.ts";
import type { Recording, ScriptOutput } from "./recording.ts";
import { type Conversation, SLOW_PORTS, type Story, withoutRepetition } from "./story.ts";
import { TABLE_COMMANDS, type TableName } from "./tables.ts";

export interface ComparisonOptions {
  /** What the two are called in the texts. */
  readonly theirs?: string;
  readonly ours?: string;
  /** What one of the two was still told so long before the end is not missed in the other. */
  readonly edgeSeconds?: number;
  /** Of counters only those of connections: how many bare ACKs there are depends on how busy a machine is. */
  readonly countsOnlyConnections?: boolean;
}

/**
 * keepalived's checks and advertisements begin at random times and go on for ever: where it is part of a scenario, how often something was
 * said does not count.
 */
export function isLoose(scenario: Scenario): boolean {
  const scripts = [...scenario.hosts.map(({ run }) => run ?? ""), ...scenario.timeline.map((step) => (step.verb === "run" ? step.script : ""))];
  return scripts.some((script) => /\bkeepalived\b/.test(script)) || scenario.hosts.some(({ files }) => files.some(({ path }) => path.includes("keepalived")));
}

/** One text for each thing that differs, empty when the two agree. */
export function recordingDifferences(scenario: Scenario, kernel: Recording, ours: Recording, options: ComparisonOptions = {}): string[] {
  const comparison = new Comparison(scenario, options);
  return [...comparison.frames(kernel, ours), ...comparison.outputs(kernel, ours), ...comparison.tables(kernel, ours)];
}

class Comparison {
  readonly #scenario: Scenario;
  readonly #isLoose: boolean;
  readonly #edgeSeconds: number | undefined;
  readonly #countsOnlyConnections: boolean;
  readonly #theirs: string;
  readonly #ours: string;

  constructor(scenario: Scenario, { theirs = "kernel", ours = "ours", edgeSeconds, countsOnlyConnections = false }: ComparisonOptions) {
    this.#countsOnlyConnections = countsOnlyConnections;
    this.#edgeSeconds = edgeSeconds;
    this.#scenario = scenario;
    this.#isLoose = isLoose(scenario);
    const width = Math.max(theirs.length, ours.length);
    this.#theirs = theirs.padEnd(width);
    this.#ours = ours.padEnd(width);
  }

  frames(kernel: Recording, ours: Recording): string[] {
    return this.#scenario.hosts.flatMap((host) =>
      host.interfaces.flatMap((one) => {
        const point = `${host.name}.${one.name}`;
        const told = [kernel, ours].map(({ stories }) => stories.get(point) ?? (new Map() as Story));
        const [expected, actual] = this.#isLoose ? told.map(withoutRepetition) : told;
        return this.#storyDifferences(expected as Story, actual as Story, kernel.untilSeconds).map((difference) => `${point}: ${difference}`);
      }),
    );
  }

  #storyDifferences(kernel: Story, ours: Story, untilSeconds: number): string[] {
    const differences: string[] = [];
    for (const conversation of new Set([...kernel.keys(), ...ours.keys()])) {
      const expected = unhurried(kernel.get(conversation)?.rows ?? []);
      const actual = unhurried(ours.get(conversation)?.rows ?? []);
      if (expected.length === actual.length && expected.every((row, i) => row === actual[i])) continue;
      if (this.#isEdge(kernel.get(conversation), ours.get(conversation), untilSeconds)) continue;
      const lines = [conversation];
      for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
        if (expected[i] === actual[i]) continue;
        if (expected[i] !== undefined) lines.push(`  ${this.#theirs} ${expected[i]}`);
        if (actual[i] !== undefined) lines.push(`  ${this.#ours} ${actual[i]}`);
      }
      differences.push(lines.join("\n"));
    }
    return differences;
  }

  /** Whether one tells what the other does and then, near the end, more. */
  #isEdge(kernel: Conversation | undefined, ours: Conversation | undefined, untilSeconds: number): boolean {
    if (this.#edgeSeconds === undefined) return false;
    const [short, long] = (kernel?.rows.length ?? 0) < (ours?.rows.length ?? 0) ? [kernel, ours] : [ours, kernel];
    const rows = short?.rows ?? [];
    return rows.every((row, i) => row === long?.rows[i]) && (long?.times[rows.length] ?? 0) >= untilSeconds - this.#edgeSeconds;
  }

  outputs(kernel: Recording, ours: Recording): string[] {
    const wrong: string[] = [];
    for (const [where, theirs] of kernel.outputs) {
      const [place, command] = this.#commandAt(where);
      const own = ours.outputs.get(where);
      if (own === undefined) wrong.push(`${place}: no result`);
      else wrong.push(...this.#outputDifferences(place, command, theirs, own));
    }
    for (const where of ours.outputs.keys()) if (!kernel.outputs.has(where)) wrong.push(`${this.#commandAt(where)[0]}: not recorded`);
    return wrong;
  }

  #outputDifferences(place: string, command: string, theirs: ScriptOutput, ours: ScriptOutput): string[] {
    const wrong: string[] = [];
    if (theirs.exit !== ours.exit) wrong.push(`${place}: ${command.trim().slice(0, 100)}: exit ${ours.exit}, the kernel's ${theirs.exit}`);
    for (const field of ["stdout", "stderr"] as const) {
      const normal = (text: string): string => (this.#isLoose ? linesOf(normalOutput(text, command)) : normalOutput(text, command));
      const expected = normal(theirs[field]);
      const actual = normal(ours[field]);
      if (expected !== actual) wrong.push(`${place}: ${command.trim().slice(0, 100)}: ${field}\n${this.#lineDifferences(expected.split("\n"), actual.split("\n"))}`);
    }
    return wrong;
  }

  #commandAt(where: string): readonly [string, string] {
    const [kind, name] = where.split(" ");
    if (kind === "setup") return [where, this.#scenario.hosts.find((host) => host.name === name)?.run ?? ""];
    const step = this.#scenario.timeline[Number(name)];
    return step?.verb === "run" ? [`at ${step.atNs / 1e9} s on ${step.host}`, step.script] : [where, ""];
  }

  tables(kernel: Recording, ours: Recording): string[] {
    const wrong: string[] = [];
    for (const { name } of this.#scenario.hosts) {
      for (const table of Object.keys(TABLE_COMMANDS) as TableName[]) {
        const expected = this.#tableRows(kernel, ours, name, table);
        const actual = this.#tableRows(ours, kernel, name, table);
        if (table === "stats" && expected.length === actual.length && expected.every((row, i) => areAlikeButForAcks(row, actual[i] ?? ""))) continue;
        if (expected.join("\n") !== actual.join("\n")) wrong.push(`${table} of ${name} at the end\n${this.#lineDifferences(expected, actual)}`);
      }
    }
    return wrong;
  }

  /** Rows of a table that must be in the other's too. Whom a host knows beside those it asked for is chance: others probe it when a random time is over. */
  #tableRows(recording: Recording, other: Recording, host: string, table: TableName): readonly string[] {
    const rows = recording.tables.get(host)?.get(table) ?? [];
    if (table === "stats") return rows.map((row) => (this.#countsOnlyConnections || isOfSlowServer(row) ? row.replace(/^(.*:\d+|FWM \d+) (\d+) .*$/, "$1 $2") : row));
    if (table !== "neigh") return rows;
    if (this.#isLoose) return [];
    const known = new Set(other.tables.get(host)?.get(table)?.map(neighbourOf));
    return rows.filter((row) => !row.endsWith(" KNOWN") || known.has(neighbourOf(row)));
  }

  /** Lines that only one of the two has. */
  #lineDifferences(kernel: readonly string[], ours: readonly string[]): string {
    const rest = [...ours];
    const missing = kernel.filter((line) => {
      const index = rest.indexOf(line);
      if (index >= 0) rest.splice(index, 1);
      return index < 0;
    });
    return [...missing.map((line) => `  ${this.#theirs} ${line}`), ...rest.map((line) => `  ${this.#ours} ${line}`)].join("\n");
  }
}

/** Sizes of a bare acknowledgment: with timestamps, and with one or two SACK blocks. */
const ACK_BYTES = [52, 64, 72];

/**
 * Whether two rows of counters (NAME connections, packets in, packets out, bytes in, bytes out) differ only by bare acknowledgments, whose number
 * depends on how busy a machine is; nor are they compared as frames.
 */
function areAlikeButForAcks(theirs: string, ours: string): boolean {
  const [head, ...their] = countersOf(theirs);
  const [ownHead, ...own] = countersOf(ours);
  const more = (i: number) => Number(their[i]) - Number(own[i]);
  return head === ownHead && [0, 1].every((way) => more(way) === 0 ? more(way + 2) === 0 : ACK_BYTES.some((size) => more(way + 2) === size * more(way)));
}

/** A row of counters of a server whose last words and resets are chance. */
function isOfSlowServer(row: string): boolean {
  return SLOW_PORTS.some((port) => row.includes(`:${port} `));
}

/** Name with connections, then the four counters. */
function countersOf(row: string): readonly string[] {
  const words = row.split(" ");
  return [words.slice(0, -4).join(" "), ...words.slice(-4)];
}

/** "ADDRESS dev NAME" of a row of the neighbour table. */
function neighbourOf(row: string): string {
  return row.split(" ").slice(0, 3).join(" ");
}

/** Without the bare ACK that comes before one's own FIN when a program takes more than 40 ms to close: how busy a machine is decides that. */
function unhurried(rows: readonly string[]): readonly string[] {
  return rows.filter((row, i) => !(row.endsWith("[-.]") && rows[i + 1] === `${row.slice(0, -"[-.]".length)}[F.]`));
}
