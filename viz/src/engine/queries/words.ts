/**
 * What can be typed: words that complete a command line, keys that complete a scenario.
 *
 * Nothing here is a list of its own: commands are those installed on machines, addresses and settings those of the run at this instant,
 * options those that the scenario itself uses, keys those of the schema.
 */

import { ScenarioError } from "../../../../src/scenario/scenario-error.ts";
import { parseScenario } from "../../../../src/scenario/scenario-file.ts";
import { scenarioSchema } from "../../../../src/scenario/scenario-schema.ts";
import { INSTALLED_COMMANDS } from "../../../../src/shell/installed-commands.ts";
import { needsMoreLines } from "../../../../src/shell/interactive-session.ts";
import type { TableRows } from "../../../../src/trace/rows.ts";
import type { CommandOutput, FailurePlace } from "../protocol.ts";
import type { Session } from "../session.ts";

export interface TypingWords {
  readonly commands: readonly string[];
  /** Words that followed each command somewhere in the scenario: its options and arguments. */
  readonly after: Readonly<Record<string, readonly string[]>>;
  /** Addresses of the run at this instant, with whose they are. */
  readonly addresses: readonly { readonly text: string; readonly of: string }[];
  readonly devices: readonly string[];
  /** Keys that sysctl takes on this host. */
  readonly sysctls: readonly string[];
  readonly hosts: readonly string[];
}

const WORDS_AFTER_MAX = 200;
const SHELL_WORDS = ["cd", "echo", "exit", "export", "for", "if", "jobs", "kill", "while"];

/** Words for a terminal of `host` after record `id`. */
export function typingWords(session: Session, { id, host }: { readonly id: number; readonly host: string }): TypingWords {
  const { store, header } = session;
  const world = store.tables.hasTables ? store.tables.afterRecord(store.lastRowsAfter(Math.max(id, 1))) : {};
  return {
    commands: commandNames(),
    after: wordsAfter(session),
    addresses: addressesOf(world),
    devices: Object.values(world[host]?.links ?? {}).map(({ name }) => name),
    sysctls: Object.keys(world[host]?.sysctls ?? {}),
    hosts: header.hosts.map(({ name }) => name),
  };
}

function commandNames(): string[] {
  const names = INSTALLED_COMMANDS.map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  return [...new Set([...names, ...SHELL_WORDS])].sort();
}

function wordsAfter(session: Session): Readonly<Record<string, readonly string[]>> {
  const known = session.cache.get("wordsAfter") as Readonly<Record<string, readonly string[]>> | undefined;
  if (known !== undefined) return known;
  const after = new Map<string, Set<string>>();
  for (const { text } of session.outputs) {
    for (const command of text.split(/[\n;|&]+/)) {
      const [name, ...words] = command.trim().split(/\s+/);
      if (name === undefined || !/^[a-z][\w.-]*$/.test(name)) continue;
      const set = after.get(name) ?? new Set();
      after.set(name, set);
      for (const word of words) if (set.size < WORDS_AFTER_MAX && /^[\w./:=+-]+$/.test(word)) set.add(word);
    }
  }
  const words = Object.fromEntries([...after].map(([name, set]) => [name, [...set].sort()]));
  session.cache.set("wordsAfter", words);
  return words;
}

function addressesOf(world: Readonly<Record<string, TableRows>>): TypingWords["addresses"] {
  const found = new Map<string, Set<string>>();
  const add = (text: string, of: string) => found.set(text, (found.get(text) ?? new Set()).add(of));
  for (const [owner, of] of Object.entries(world)) {
    for (const { address, device } of Object.values(of.addresses ?? {})) if (!address.startsWith("127.")) add(address, `${owner}.${device}`);
    for (const { service } of Object.values(of.ipvsServices ?? {})) {
      const end = /^(?:TCP|UDP|SCTP) (\S+)$/.exec(service)?.[1];
      if (end !== undefined) add(end, owner);
    }
    for (const { address, port } of Object.values(of.ipvsDestinations ?? {})) add(`${address}:${port}`, owner);
  }
  return [...found].map(([text, of]) => ({ text, of: [...of].join(", ") }));
}

/** What ran on a host: its setup, its steps, what was typed on it. */
export function hostOutputs({ outputs }: Session, { host }: { readonly host: string }): readonly CommandOutput[] {
  return outputs.filter((one) => one.host === host);
}

/** True when a shell would ask for more lines. */
export function isLineOpen(_session: Session, { text }: { readonly text: string }): boolean {
  return needsMoreLines(text);
}

/** What is wrong with a scenario before it runs; empty: nothing. */
export function checkScenario(_session: Session, { text, file }: { readonly text: string; readonly file: string }): readonly FailurePlace[] {
  try {
    parseScenario(text, file);
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems.map(({ line, column, message, remedy }) => ({ line, column, message, remedy }));
  }
}

/** Keys of a scenario as a tree; `*` stands for names that people choose. */
export interface KeyTree {
  readonly [key: string]: KeyTree;
}

/** Every key that a scenario file may have. */
export function scenarioKeys(_session: Session, _all: Record<string, never>): KeyTree {
  return keysOf(scenarioSchema);
}

/** What valibot's schemas are made of, as far as keys need it. */
interface SchemaPart {
  readonly type?: string;
  readonly entries?: Readonly<Record<string, SchemaPart>>;
  readonly value?: SchemaPart;
  readonly wrapped?: SchemaPart;
  readonly item?: SchemaPart;
  readonly options?: readonly unknown[];
  readonly pipe?: readonly SchemaPart[];
}

function keysOf(schema: unknown): KeyTree {
  const { entries, type, value, wrapped, item, options, pipe } = schema as SchemaPart;
  if (entries !== undefined) return Object.fromEntries(Object.entries(entries).map(([key, part]) => [key, keysOf(part)]));
  if (type === "record" && value !== undefined) return { "*": keysOf(value) };
  const parts = [wrapped, item, ...(options ?? []), ...(pipe?.slice(0, 1) ?? [])].filter((part) => typeof part === "object" && part !== null && part !== schema);
  return Object.assign({}, ...parts.map(keysOf)) as KeyTree;
}
