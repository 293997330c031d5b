/**
 * What the doctor finds in the run in view: asked once the page has come to rest, so that the first frames come first.
 */

import { computed, effect, signal } from "@preact/signals";
import type { Findings, ShownFinding } from "../../engine/queries/why.ts";
import { settled } from "../../state/settled.ts";
import { engine } from "../../state/engine.ts";
import { current, moment } from "../../state/store.ts";

/** The doctor reads every record; of longer runs only when somebody asks. */
export const RECORDS_UNASKED_MAX = 60_000;

/** Of the session with that number. */
const answers = signal<ReadonlyMap<number, Findings>>(new Map());
const asked = new Set<number>();

/** undefined: not known yet, or nobody has asked. */
export const found = computed<Findings | undefined>(() => answers.value.get(current.value?.info.id ?? 0));

/** Findings that the run has shown by now, by host. */
export const foundByNow = computed<ReadonlyMap<string, readonly ShownFinding[]>>(() => {
  const id = moment.value?.position.id ?? 0;
  const byHost = new Map<string, ShownFinding[]>();
  for (const one of found.value?.list ?? []) if (one.firstId > 0 && one.firstId <= id) byHost.set(one.host, [...(byHost.get(one.host) ?? []), one]);
  return byHost;
});

export async function askDoctor(): Promise<void> {
  const id = current.value?.info.id;
  if (id === undefined || asked.has(id)) return;
  asked.add(id);
  try {
    const findings = await engine.ask("findings", id, {});
    answers.value = new Map(answers.value).set(id, findings);
  } catch {
    // The session is gone, or its worker; another question may be asked again.
    asked.delete(id);
  }
}

effect(() => {
  const info = current.value?.info;
  if (settled.value !== undefined && info !== undefined && info.recordCount <= RECORDS_UNASKED_MAX) void askDoctor();
});
