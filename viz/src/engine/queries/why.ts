/**
 * Why: what the doctor finds in a run, a record in sentences, what the absence of each line of the set-up would do.
 */

import { parseScenario } from "../../../../src/scenario/scenario-file.ts";
import { diagnose } from "../../../../src/why/doctor.ts";
import { Evidence } from "../../../../src/why/evidence.ts";
import { explainRecord } from "../../../../src/why/explain.ts";
import type { Finding } from "../../../../src/why/finding.ts";
import { describeWhatIf, whatIf, type WhatIfResult } from "../../../../src/why/what-if.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import type { Session } from "../session.ts";

const EVENTS_SHOWN_MAX = 6;

export interface ShownFinding extends Omit<Finding, "events"> {
  /** The first of the records that show it. */
  readonly events: readonly RecordSummary[];
  /** Id of the first; 0: none shows it. */
  readonly firstId: number;
}

export interface Findings {
  readonly list: readonly ShownFinding[];
  readonly conversations: number;
  /** False: the trace has no tables, so nothing can be said. */
  readonly hasTables: boolean;
}

/** Root causes first. */
export function findings(session: Session, _all: Record<string, never>): Findings {
  if (!session.store.tables.hasTables) return { list: [], conversations: 0, hasTables: false };
  let known = session.cache.get("findings") as Findings | undefined;
  if (known === undefined) {
    const evidence = evidenceOf(session);
    const list = diagnose(evidence).map(({ events, ...rest }): ShownFinding => {
      const shown = events.filter((id) => session.store.isShown(id)).slice(0, EVENTS_SHOWN_MAX);
      return { ...rest, events: shown.map((id) => summarize(session.store, id)), firstId: shown[0] ?? 0 };
    });
    known = { list, conversations: evidence.conversations.length, hasTables: true };
    session.cache.set("findings", known);
  }
  return known;
}

function evidenceOf({ cache, header, store }: Session): Evidence {
  let evidence = cache.get("evidence") as Evidence | undefined;
  if (evidence === undefined) {
    evidence = new Evidence({ header, events: store.records });
    cache.set("evidence", evidence);
  }
  return evidence;
}

export interface ToldSentence {
  readonly text: string;
  readonly event: number;
  readonly timeNs: number;
}

/** The record in sentences: where it came from, what was decided on its way, where the answer went. */
export function explain(session: Session, { id }: { readonly id: number }): { readonly id: number; readonly sentences: readonly ToldSentence[] } {
  return { id, sentences: explainRecord(evidenceOf(session), id)?.sentences ?? [] };
}

export interface WhatIfLine {
  readonly host: string;
  readonly text: string;
  /** Of the scenario file, 0: not known. */
  readonly line: number;
  readonly path: string;
  readonly isLoadBearing: boolean;
  /** What its absence breaks. */
  readonly effects: readonly string[];
}

interface WhatIfState {
  readonly results: Generator<WhatIfResult>;
  readonly lines: WhatIfLine[];
  isDone: boolean;
}

/** The line of the set-up with that number, from 0; undefined behind the last. Each costs a run of the scenario, made once. */
export function whatIfLine(session: Session, { index }: { readonly index: number }): WhatIfLine | undefined {
  const text = session.info.scenarioText;
  if (text === null) return undefined;
  let state = session.cache.get("what if") as WhatIfState | undefined;
  if (state === undefined) {
    const { seed } = session.header;
    state = { results: whatIf(parseScenario(text, session.source.file), { seed }), lines: [], isDone: false };
    session.cache.set("what if", state);
  }
  while (!state.isDone && state.lines.length <= index) {
    const next = state.results.next();
    if (next.done === true) state.isDone = true;
    else state.lines.push(lineOf(next.value));
  }
  return state.lines[index];
}

function lineOf(result: WhatIfResult): WhatIfLine {
  const { host, text, line, path } = result.line;
  // The first sentence names the line, which stands above already.
  return { host, text, line, path: path ?? "", isLoadBearing: result.isLoadBearing, effects: describeWhatIf(result).slice(1) };
}
