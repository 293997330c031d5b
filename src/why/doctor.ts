/**
 * The doctor: names what is wrong in a run and how to mend it. General checks over records and tables, one file for each family in `doctor/`.
 *
 * A check speaks only when the run shows harm: something failed, or traffic went past the director, by the mechanism that the check is about.
 */

import { arpAnnouncesVip, outboundFromVip } from "./doctor/arp-requests.ts";
import { arpFlux, arpIgnoreBlocks, arpSettingWithoutEffect, settingReverted, staleNeighbour, vipAnsweredByOthers } from "./doctor/arp-replies.ts";
import { Evidence, type RecordedRun } from "./evidence.ts";
import type { Check, Finding } from "./finding.ts";

/** In the order in which findings are told: what explains others first. */
const CHECKS: readonly Check[] = [settingReverted, arpSettingWithoutEffect, arpIgnoreBlocks, vipAnsweredByOthers, arpAnnouncesVip, arpFlux, staleNeighbour, outboundFromVip];

/** What is wrong in a run, root causes first; nothing when all is well. Wants a trace of level `full`. */
export function diagnose(run: RecordedRun | Evidence): Finding[] {
  const evidence = run instanceof Evidence ? run : new Evidence(run);
  return CHECKS.flatMap((check) => check(evidence));
}
