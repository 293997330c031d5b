/**
 * What two runs of one timeline have in common and where they differ for those who use them: expectations, conversations, who answers ARP, what is
 * printed, packets, findings.
 *
 * Conversations are matched by who called whom: the n-th call of a client to an address and port with the n-th of the other run. Where one run
 * has more of them, what is alike at the beginning and at the end is matched first, so that a call more or less shifts nothing.
 */

import type { RunResult, StepResult, Unmet } from "../scenario/run-scenario.ts";
import type { Scenario } from "../scenario/scenario-file.ts";
import { EPHEMERAL_PORT_MIN } from "./conversations.ts";
import { diagnose } from "./doctor.ts";
import { Evidence } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import type { ScenarioRecord } from "./record-run.ts";
import { answerersOf, type ConversationResult, packetKindsOf, resultsOf } from "./who-answers.ts";

/** A conversation that goes another way; null: there is none. `number` is its place in the run that has it, from 0, in `before` if both do. */
export interface ChangedConversation {
  readonly number: number;
  readonly before: ConversationResult | null;
  readonly after: ConversationResult | null;
}

/** What differs in the second of two runs. */
export interface RunChange {
  /** Expectations that held and do not any longer: index of the step, what is different. */
  readonly brokenExpects: readonly { readonly step: number; readonly line: number; readonly field: string; readonly expected: string | number; readonly actual: string | number | null }[];
  readonly conversations: readonly ChangedConversation[];
  /** Who answers ARP for a virtual address now, where that changed. */
  readonly answerers: readonly { readonly address: string; readonly before: readonly string[]; readonly after: readonly string[] }[];
  /** What steps of the timeline print and end with, where that changed. */
  readonly outputs: readonly { readonly step: number; readonly line: number; readonly field: "exit" | "stdout" | "stderr"; readonly before: string | number | null; readonly after: string | number | null }[];
  /** Lines that a set-up script printed in the second run only. */
  readonly setup: readonly { readonly host: string; readonly text: string }[];
  /** What the doctor finds that it did not find before. */
  readonly findings: readonly Pick<Finding, "id" | "host" | "title">[];
  /** Kinds of packets that were sent more often or less. */
  readonly packets: readonly { readonly kind: string; readonly before: number; readonly after: number }[];
}

export interface RunSummary {
  readonly scenario: Scenario;
  readonly result: Pick<RunResult, "setup" | "timeline" | "unmet">;
  readonly conversations: readonly ConversationResult[];
  readonly answerers: Readonly<Record<string, readonly string[]>>;
  readonly findings: readonly Finding[];
  readonly packets: ReadonlyMap<string, number>;
}

/** Keeps what runs are compared by, not the records. */
export function summarise(scenario: Scenario, record: ScenarioRecord): RunSummary {
  const evidence = new Evidence(record);
  const { setup, timeline, unmet } = record.result;
  return { scenario, result: { setup, timeline, unmet }, conversations: resultsOf(evidence), answerers: answerersOf(evidence), findings: diagnose(evidence), packets: packetKindsOf(evidence) };
}

export function compareRuns(before: RunSummary, after: RunSummary): RunChange {
  const isKnown = ({ step, field }: Unmet) => before.result.unmet.some((one) => one.step === step && one.field === field);
  return {
    brokenExpects: after.result.unmet.filter((one) => !isKnown(one)).map(({ step, place, field, expected, actual }) => ({ step, line: place.line, field, expected, actual })),
    conversations: matchConversations(before.conversations, after.conversations),
    answerers: changedAnswerers(before.answerers, after.answerers),
    outputs: changedOutputs(before, after),
    setup: newSetupLines(before, after),
    findings: after.findings.filter(({ id, host }) => !before.findings.some((one) => one.id === id && one.host === host)).map(({ id, host, title }) => ({ id, host, title })),
    packets: changedPackets(before.packets, after.packets),
  };
}

/** Something that the second run shows is different: to those who call, to those who read what is printed, to the doctor. Packets alone are not. */
export function isSeen({ brokenExpects, conversations, answerers, outputs, setup, findings }: RunChange): boolean {
  return [brokenExpects, conversations, answerers, outputs, setup, findings].some((changes) => changes.length > 0);
}

/* ------------------------------------------------------------------------------------------------------------- conversations */

interface Numbered {
  readonly number: number;
  readonly result: ConversationResult;
}

/** Pairs that differ, in the order of the first run, those of the second alone where they came. */
export function matchConversations(before: readonly ConversationResult[], after: readonly ConversationResult[]): ChangedConversation[] {
  const [olds, news] = [byCall(before), byCall(after)];
  const changed: ChangedConversation[] = [];
  for (const call of new Set([...olds.keys(), ...news.keys()])) {
    for (const [old, now] of pair(olds.get(call) ?? [], news.get(call) ?? []))
      if (old === undefined || now === undefined || !isSame(old, now)) changed.push({ number: (old ?? now)?.number ?? 0, before: old?.result ?? null, after: now?.result ?? null });
  }
  return changed.sort((a, b) => a.number - b.number);
}

/** Who called whom. */
function byCall(results: readonly ConversationResult[]): Map<string, Numbered[]> {
  const calls = new Map<string, Numbered[]>();
  for (const [number, result] of results.entries()) {
    const call = `${result.client} ${result.protocol} ${result.to}`;
    const same = calls.get(call);
    if (same === undefined) calls.set(call, [{ number, result }]);
    else same.push({ number, result });
  }
  return calls;
}

function pair(before: readonly Numbered[], after: readonly Numbered[]): (readonly [Numbered | undefined, Numbered | undefined])[] {
  const shorter = Math.min(before.length, after.length);
  let tail = 0;
  if (before.length !== after.length) {
    let head = 0;
    while (head < shorter && isSame(before[head] as Numbered, after[head] as Numbered)) head++;
    while (tail < shorter - head && isSame(before.at(-1 - tail) as Numbered, after.at(-1 - tail) as Numbered)) tail++;
  }
  const [ofBefore, ofAfter] = [before.length - tail, after.length - tail];
  const pairs: (readonly [Numbered | undefined, Numbered | undefined])[] = [];
  for (let i = 0; i < Math.max(ofBefore, ofAfter); i++) pairs.push([i < ofBefore ? before[i] : undefined, i < ofAfter ? after[i] : undefined]);
  for (let i = 0; i < tail; i++) pairs.push([before[ofBefore + i], after[ofAfter + i]]);
  return pairs;
}

function isSame({ result: a }: Numbered, { result: b }: Numbered): boolean {
  return a.outcome === b.outcome && a.servedBy === b.servedBy;
}

/* -------------------------------------------------------------------------------------------------------------------- others */

function changedAnswerers(before: RunSummary["answerers"], after: RunSummary["answerers"]): RunChange["answerers"] {
  const addresses = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return addresses.map((address) => ({ address, before: before[address] ?? [], after: after[address] ?? [] })).filter((one) => one.before.join() !== one.after.join());
}

/** Ports that chance chose are no change. */
function changedOutputs(before: RunSummary, after: RunSummary): RunChange["outputs"] {
  return before.scenario.timeline.flatMap(({ place }, step) =>
    (["exit", "stdout", "stderr"] as const).flatMap((field) => {
      const [old, now] = [outputOf(before.result.timeline[step], field), outputOf(after.result.timeline[step], field)];
      return withoutPorts(old) === withoutPorts(now) ? [] : [{ step, line: place.line, field, before: old, after: now }];
    }),
  );
}

/** What a step printed or ended with; null for one that is no script. */
export function outputOf(result: StepResult | undefined, field: "exit" | "stdout" | "stderr"): string | number | null {
  return result !== undefined && "exit" in result ? result[field] : null;
}

/** Ports that the kernel chose are those of chance. */
export function withoutPorts(output: string | number | null): string | number | null {
  return typeof output === "string" ? output.replace(/([:.])(\d{5})\b/g, (whole, sign: string, port: string) => (Number(port) >= EPHEMERAL_PORT_MIN ? `${sign}*` : whole)) : output;
}

function newSetupLines(before: RunSummary, after: RunSummary): RunChange["setup"] {
  return Object.entries(after.result.setup).flatMap(([host, { stdout, stderr }]) => {
    const known = before.result.setup[host];
    const left = new Set([...(known?.stdout ?? "").split("\n"), ...(known?.stderr ?? "").split("\n")]);
    const lines = [...stdout.split("\n"), ...stderr.split("\n")];
    // A message of the shell tells the line of the script, which moves.
    const plain = new Set([...left].map(withoutLineNumber));
    return lines.filter((line) => line !== "" && !plain.has(withoutLineNumber(line))).map((text) => ({ host, text }));
  });
}

function withoutLineNumber(text: string): string {
  return text.replace(/\bline \d+:/, "line:");
}

function changedPackets(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): RunChange["packets"] {
  const kinds = [...new Set([...before.keys(), ...after.keys()])];
  return kinds.map((kind) => ({ kind, before: before.get(kind) ?? 0, after: after.get(kind) ?? 0 })).filter((one) => one.before !== one.after);
}
