/**
 * What if a line were missing? Runs a scenario once as it is and once without each line of its set-up, and tells which lines carry weight.
 *
 * A generator: results come one by one, so that a page can show them as they come and stop when it likes.
 */

import type { Scenario } from "../scenario/scenario-file.ts";
import { diagnose } from "./doctor.ts";
import { Evidence } from "./evidence.ts";
import { type RecordOptions, recordRun, type ScenarioRecord } from "./record-run.ts";
import { scenariosWithout, type SetupLine } from "./setup-lines.ts";
import { answerersOf, type ConversationResult, resultsOf } from "./who-answers.ts";

/** What the absence of one line does. */
export interface WhatIfResult {
  readonly line: SetupLine;
  /** Something that the run shows is different without it. */
  readonly isLoadBearing: boolean;
  /** Expectations that held and do not any longer: index of the step, what is different. */
  readonly brokenExpects: readonly { readonly step: number; readonly line: number; readonly field: string; readonly expected: string | number; readonly actual: string | number | null }[];
  /** Conversations that go another way; null: there is none at this place. */
  readonly conversations: readonly { readonly number: number; readonly before: ConversationResult | null; readonly after: ConversationResult | null }[];
  /** Who answers ARP for a virtual address now, where that changed. */
  readonly answerers: readonly { readonly address: string; readonly before: readonly string[]; readonly after: readonly string[] }[];
  /** What the doctor finds that it did not find before. */
  readonly findings: readonly { readonly id: string; readonly host: string; readonly title: string }[];
  /** The run without the line could not be made: a limit, an error. */
  readonly error: string | undefined;
}

interface Summary {
  readonly unmet: ScenarioRecord["result"]["unmet"];
  readonly conversations: readonly ConversationResult[];
  readonly answerers: Readonly<Record<string, readonly string[]>>;
  readonly findings: ReturnType<typeof diagnose>;
}

/** One result for each line of the set-up, in the order of the file. Throws a LimitError when the scenario itself wants more than it may. */
export function* whatIf(scenario: Scenario, options: RecordOptions = {}): Generator<WhatIfResult> {
  const before = summarise(recordRun(scenario, options));
  for (const { line, scenario: changed } of scenariosWithout(scenario)) {
    let after: Summary | undefined;
    let error: string | undefined;
    try {
      after = summarise(recordRun(changed, options));
    } catch (thrown) {
      if (!(thrown instanceof Error) || thrown.name !== "LimitError") throw thrown;
      error = thrown.message;
    }
    yield compare(line, before, after, error);
  }
}

function summarise(record: ScenarioRecord): Summary {
  const evidence = new Evidence(record);
  return { unmet: record.result.unmet, conversations: resultsOf(evidence), answerers: answerersOf(evidence), findings: diagnose(evidence) };
}

function compare(line: SetupLine, before: Summary, after: Summary | undefined, error: string | undefined): WhatIfResult {
  if (after === undefined) return { line, isLoadBearing: true, brokenExpects: [], conversations: [], answerers: [], findings: [], error };
  const brokenExpects = after.unmet
    .filter(({ step, field }) => !before.unmet.some((one) => one.step === step && one.field === field))
    .map(({ step, place, field, expected, actual }) => ({ step, line: place.line, field, expected, actual }));
  const count = Math.max(before.conversations.length, after.conversations.length);
  const conversations: WhatIfResult["conversations"][number][] = [];
  for (let number = 0; number < count; number++) {
    const [old, now] = [before.conversations[number] ?? null, after.conversations[number] ?? null];
    if (JSON.stringify(old) !== JSON.stringify(now)) conversations.push({ number, before: old, after: now });
  }
  const addresses = [...new Set([...Object.keys(before.answerers), ...Object.keys(after.answerers)])].sort();
  const answerers = addresses
    .map((address) => ({ address, before: before.answerers[address] ?? [], after: after.answerers[address] ?? [] }))
    .filter((one) => one.before.join() !== one.after.join());
  const findings = after.findings.filter(({ id, host }) => !before.findings.some((one) => one.id === id && one.host === host)).map(({ id, host, title }) => ({ id, host, title }));
  const isLoadBearing = brokenExpects.length > 0 || conversations.length > 0 || answerers.length > 0 || findings.length > 0;
  return { line, isLoadBearing, brokenExpects, conversations, answerers, findings, error };
}

/** A result in sentences, the first of them about the whole. */
export function describeWhatIf(result: WhatIfResult): string[] {
  const { line, isLoadBearing, brokenExpects, conversations, answerers, findings, error } = result;
  const where = line.path === undefined ? line.host : `${line.host}, ${line.path}`;
  const head = `${where}: \`${line.text.replace(/\s*\n\s*/g, "; ")}\``;
  if (!isLoadBearing) return [`${head} can go: nothing in this run changes`];
  const said = [`${head} carries weight`];
  if (error !== undefined) said.push(`without it the run does not end: ${error}`);
  for (const one of brokenExpects.slice(0, 4)) said.push(`the step on line ${one.line} breaks: ${one.field} is ${short(one.actual)}, not ${short(one.expected)}`);
  if (brokenExpects.length > 4) said.push(`${brokenExpects.length - 4} more expectations break`);
  for (const { address, before, after } of answerers) said.push(`ARP for ${address} is answered by ${names(after)} instead of ${names(before)}`);
  for (const one of conversations.slice(0, 4)) said.push(conversationText(one));
  if (conversations.length > 4) said.push(`${conversations.length - 4} more conversations change`);
  for (const { id, title } of findings) said.push(`the doctor finds ${id}: ${title}`);
  return said;
}

function conversationText({ before, after }: WhatIfResult["conversations"][number]): string {
  const one = (before ?? after) as ConversationResult;
  const way = (result: ConversationResult | null) => (result === null ? "not at all" : result.outcome === "ok" ? `ok, by ${result.servedBy ?? "nobody known"}` : result.outcome);
  if (before !== null && after !== null && (before.client !== after.client || before.to !== after.to)) return `${before.client} > ${before.to} (${way(before)}) becomes ${after.client} > ${after.to} (${way(after)})`;
  return `${one.client} > ${one.to}: ${way(after)} instead of ${way(before)}`;
}

function names(hosts: readonly string[]): string {
  return hosts.length === 0 ? "nobody" : hosts.join(" and ");
}

function short(value: string | number | null): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}
