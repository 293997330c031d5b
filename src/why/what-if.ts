/**
 * What if a line were missing? Runs a scenario once as it is and once without each line of its set-up, and tells which lines carry weight.
 *
 * A generator: results come one by one, so that a page can show them as they come and stop when it likes. A line that can go is tried once more
 * without all the earlier ones that can: where that breaks something, they stand in for each other and one of them is needed.
 */

import type { Scenario } from "../scenario/scenario-file.ts";
import { type RecordOptions, recordRun } from "./record-run.ts";
import { type ChangedConversation, compareRuns, isSeen, type RunChange, type RunSummary, summarise } from "./run-summary.ts";
import { type RemovableLine, removableLines, scenarioWithout, type SetupLine } from "./setup-lines.ts";
import type { ConversationResult } from "./who-answers.ts";

/** What the absence of one line does. */
export interface WhatIfResult extends RunChange {
  readonly line: SetupLine;
  /** Something that the run shows is different without it. */
  readonly isLoadBearing: boolean;
  /** The line can go, and each of these, but not all of them: one must stay. Only earlier lines. */
  readonly oneOf: readonly SetupLine[];
  /** The run without the line could not be made: a limit, an error. */
  readonly error: string | undefined;
}

const NO_CHANGE: RunChange = { brokenExpects: [], conversations: [], answerers: [], outputs: [], setup: [], findings: [], packets: [] };
/** Lines that stand in for each other; more of them are not told apart. */
const STAND_INS_MAX = 4;

/** One result for each line of the set-up, in the order of the file. Throws a LimitError when the scenario itself wants more than it may. */
export function* whatIf(scenario: Scenario, options: RecordOptions = {}): Generator<WhatIfResult> {
  const before = summarise(scenario, recordRun(scenario, options));
  const trial = new Trial(scenario, before, options);
  const spare: RemovableLine[] = [];
  for (const removable of removableLines(scenario)) {
    const { change, error } = trial.without([removable]);
    const isLoadBearing = error !== undefined || isSeen(change);
    const oneOf = isLoadBearing ? [] : standIns(trial, spare, removable);
    if (!isLoadBearing && oneOf.length === 0) spare.push(removable);
    yield { line: removable.line, isLoadBearing, ...change, oneOf: oneOf.map(({ line }) => line), error };
  }
}

class Trial {
  readonly #scenario: Scenario;
  readonly #before: RunSummary;
  readonly #options: RecordOptions;

  constructor(scenario: Scenario, before: RunSummary, options: RecordOptions) {
    this.#scenario = scenario;
    this.#before = before;
    this.#options = options;
  }

  without(lines: readonly RemovableLine[]): { readonly change: RunChange; readonly error: string | undefined } {
    const changed = scenarioWithout(this.#scenario, lines);
    try {
      return { change: compareRuns(this.#before, summarise(changed, recordRun(changed, this.#options))), error: undefined };
    } catch (thrown) {
      // The file was right as it was: what cannot be built without a line is what the line is there for.
      if (!(thrown instanceof Error) || (thrown.name !== "LimitError" && thrown.name !== "ScenarioError")) throw thrown;
      return { change: NO_CHANGE, error: thrown.message };
    }
  }

  breaks(lines: readonly RemovableLine[]): boolean {
    const { change, error } = this.without(lines);
    return error !== undefined || isSeen(change);
  }
}

/** The lines among `spare`, which can all go together, that may not go when `line` does; empty: all may. */
function standIns(trial: Trial, spare: readonly RemovableLine[], line: RemovableLine): RemovableLine[] {
  if (spare.length === 0 || !trial.breaks([...spare, line])) return [];
  const found: RemovableLine[] = [];
  let [low, high] = [0, spare.length];
  do {
    // The fewest of the first lines that break it: the last of those is one that is needed.
    low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (trial.breaks([...spare.slice(0, middle), ...found, line])) high = middle;
      else low = middle + 1;
    }
    const needed = spare[low - 1];
    if (needed === undefined) break;
    found.unshift(needed);
    high = low - 1;
  } while (high > 0 && found.length < STAND_INS_MAX && !trial.breaks([...found, line]));
  return found;
}

/* ---------------------------------------------------------------------------------------------------------------- sentences */

const SHOWN_MAX = 4;

/** A result in sentences, the first of them about the whole. */
export function describeWhatIf(result: WhatIfResult): string[] {
  const { isLoadBearing, brokenExpects, conversations, answerers, outputs, setup, findings, packets, oneOf, error } = result;
  const head = quoted(result.line);
  if (!isLoadBearing) {
    const said = packets.length === 0 ? [`${head} can go: nothing that this run prints or sends changes`] : [`${head} can go: nothing that this run prints changes, only packets`, ...shown(packets.map(packetText), ["kind of packets changes", "kinds of packets change"])];
    if (oneOf.length > 0) said.push(`one of these ${NUMBERS[oneOf.length + 1] ?? oneOf.length + 1} must stay: this and ${oneOf.map(quoted).join(" and ")}`);
    return said;
  }
  const isPrintOnly = error === undefined && [brokenExpects, conversations, answerers, findings].every((changes) => changes.length === 0);
  const said = [isPrintOnly ? `${head} carries weight: only what it prints changes` : `${head} carries weight`];
  if (error !== undefined) said.push(`without it the run cannot be made: ${error}`);
  said.push(...shown(brokenExpects.map((one) => `the step on line ${one.line} breaks: ${one.field} is ${short(one.actual)}, not ${short(one.expected)}`), ["expectation breaks", "expectations break"]));
  said.push(...answerers.map(({ address, before, after }) => `ARP for ${address} is answered by ${names(after)} instead of ${names(before)}`));
  said.push(...shown(conversationTexts(conversations), ["kind of conversations changes", "kinds of conversations change"]));
  const isBroken = (one: { readonly step: number; readonly field: string }) => brokenExpects.some(({ step, field }) => step === one.step && field === one.field);
  const told = outputs.filter((one) => !isBroken(one));
  said.push(...shown((isPrintOnly ? told : onePerStep(told)).map(outputText), ["output changes", "outputs change"]));
  said.push(...shown([...new Set(setup.map(({ host, text }) => `the set-up of ${host} says ${short(text)}`))], ["line of the set-up is new", "lines of the set-up are new"]));
  said.push(...findings.map(({ id, title }) => `the doctor finds ${id}: ${title}`));
  return said;
}

const NUMBERS = ["none", "one", "two", "three", "four", "five"];

function quoted({ host, path, text }: SetupLine): string {
  return `${path === undefined ? host : `${host}, ${path}`}: \`${text.replace(/\s*\n\s*/g, "; ")}\``;
}

/** The first of them; `rest`: what the others are, one and many. */
function shown(texts: readonly string[], [one, many]: readonly [string, string]): string[] {
  const more = texts.length - SHOWN_MAX;
  return more > 0 ? [...texts.slice(0, SHOWN_MAX), `${more} more ${more === 1 ? one : many}`] : [...texts];
}

/** What changes alike is told once. */
function conversationTexts(changed: readonly ChangedConversation[]): string[] {
  const counts = new Map<string, number>();
  for (const one of changed) {
    const text = conversationText(one);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`));
}

function conversationText({ before, after }: ChangedConversation): string {
  const one = (before ?? after) as ConversationResult;
  const way = (result: ConversationResult | null) => (result === null ? "not at all" : result.outcome === "ok" ? `ok, by ${result.servedBy ?? "nobody known"}` : result.outcome);
  return `${one.client} > ${one.to}: ${way(after)} instead of ${way(before)}`;
}

/** Beside other changes, what a step printed stands for its messages and its exit status. */
function onePerStep(outputs: RunChange["outputs"]): RunChange["outputs"] {
  const rank = ["stdout", "stderr", "exit"];
  return outputs.filter(({ step, field }) => !outputs.some((other) => other.step === step && rank.indexOf(other.field) < rank.indexOf(field)));
}

function outputText({ line, field, before, after }: RunChange["outputs"][number]): string {
  if (typeof before !== "string" || typeof after !== "string") return `${field} of the step on line ${line} is ${short(after)} instead of ${short(before)}`;
  // Of long outputs the first line that differs says more than their beginnings.
  const [olds, news] = [before.split("\n"), after.split("\n")];
  const at = olds.findIndex((text, i) => text !== news[i]);
  const place = at === -1 ? olds.length - 1 : at;
  return `${field} of the step on line ${line} has ${short(news[place] ?? "")} instead of ${short(olds[place] ?? "")}`;
}

function packetText({ kind, before, after }: RunChange["packets"][number]): string {
  return `${kind}: ${after} instead of ${before}`;
}

function names(hosts: readonly string[]): string {
  return hosts.length === 0 ? "nobody" : hosts.join(" and ");
}

function short(value: string | number | null): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}
