/**
 * Keywords of vrrp_track_process blocks, and of those that say who looks at which process.
 *
 * keepalived v2.2.7 vrrp/vrrp_parser.c (vrrp_tprocess_handler and the like), vrrp/vrrp_track.c (alloc_track_process).
 */

import type { Keyword } from "./keyword-stream.ts";
import { type ProcessTracking, TrackedProcess } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import type { Words } from "./words.ts";

const WEIGHT_MAX = 254;
const QUORUM_MAX = 65535;
const DELAY_MAX_US = 3_600_000_000;

export function trackProcessKeyword(list: TrackedProcess[], report: ConfigReport): Keyword {
  const current = (): TrackedProcess => list.at(-1) as TrackedProcess;
  const set = (name: string, handle: (words: Words, one: TrackedProcess) => void): Keyword => ({ name, handle: (words) => handle(words, current()) });
  const delay = (name: string, isFork: boolean, isTerminate: boolean): Keyword =>
    set(name, (words, one) => {
      const value = words.timer(1, 1, DELAY_MAX_US, true);
      if (value === undefined)
        return words.report.general(`${name} (${words.at(1)}) for vrrp_track_process ${one.name} must be between [0.000001..3600] inclusive. Ignoring...`);
      if (isTerminate) one.terminateDelayUs = value;
      if (isFork) one.forkDelayUs = value;
    });
  return {
    name: "vrrp_track_process",
    handle: (words) => {
      list.push(new TrackedProcess(words.at(1)));
    },
    sub: [
      set("process", (words, one) => {
        if (one.path !== undefined) return words.report.general(`Process already set for track process ${one.name} - ignoring ${words.at(1)}`);
        one.path = words.at(1);
        one.parameters.push(...words.list.slice(2));
        if (one.parameters.length === 0) return;
        if (one.match === "none") one.match = "exact";
        one.usesCommandLine = true;
      }),
      set("param_match", (words, one) => {
        const kind = words.list[1];
        if (kind !== undefined && kind !== "initial" && kind !== "partial") return words.report.general(`Invalid param_match type ${kind} - ignoring`);
        one.match = kind ?? "exact";
        one.usesCommandLine = true;
      }),
      set("weight", setWeight),
      set("quorum", (words, one) => {
        const value = words.unsigned(1, 1, QUORUM_MAX, true);
        if (value === undefined) words.report.general(`Quorum (${words.at(1)}) for vrrp_track_process ${one.name} must be between [1..65535] inclusive. Ignoring...`);
        else if (value > one.quorumMax) words.report.general("Quorum is greater than quorum_max - ignoring");
        else one.quorum = value;
      }),
      set("quorum_max", (words, one) => {
        const value = words.unsigned(1, 0, QUORUM_MAX, true);
        if (value === undefined)
          return words.report.general(`quorum_max (${words.at(1)}) for vrrp_track_process ${one.name} must be between [0..65535] inclusive. Ignoring...`);
        if ((value > 0 || one.quorum > 1) && value < one.quorum) return words.report.general("quorum_max is less than quorum - ignoring");
        one.quorumMax = value;
        one.quorum = value === 0 ? 0 : Math.max(1, one.quorum);
      }),
      delay("delay", true, true),
      delay("terminate_delay", false, true),
      delay("fork_delay", true, false),
      set("full_command", (_words, one) => {
        one.usesCommandLine = true;
      }),
    ],
    close: () => {
      if (current().path !== undefined) return;
      report.general(`track process '${current().name}' process name not specified`);
      list.pop();
    },
  };
}

function setWeight(words: Words, one: TrackedProcess): void {
  if (words.length < 2) return words.report.general(`No weight specified for track process ${one.name} - ignoring`);
  if (one.weight !== 0) return words.report.general(`Weight already set for track process ${one.name} - ignoring ${words.at(1)}`);
  const value = words.int(1, -WEIGHT_MAX, WEIGHT_MAX, true);
  if (value === undefined)
    return words.report.general(`Weight (${words.at(1)}) for vrrp_track_process ${one.name} must be between [-254..254] inclusive. Ignoring...`);
  if (words.list[2] === "reverse") one.isReversed = true;
  else if (words.length >= 3) words.report.general(`vrrp_track_process ${one.name} unknown weight option ${words.at(2)}`);
  one.weight = value;
}

/** `NAME [weight N [reverse|noreverse]]`. */
export function trackProcess(words: Words, owner: string, list: ProcessTracking[], known: readonly TrackedProcess[]): void {
  const { report } = words;
  const name = words.at(0);
  const process = known.find((one) => one.name === name);
  if (process === undefined) return report.general(`(${owner}) track process ${name} not found, ignoring...`);
  if (list.some((one) => one.process === process)) return report.general(`(${owner}) duplicate track_process ${name} - ignoring`);
  let { weight, isReversed } = process;
  if (words.length >= 2) {
    if (words.at(1) !== "weight") return report.general(`(${owner}) unknown track process option ${words.at(1)} - ignoring`);
    if (words.length === 2) return report.general(`(${owner}) weight without value specified for track process ${name} - ignoring`);
    const value = words.int(2, -WEIGHT_MAX, WEIGHT_MAX, true);
    if (value === undefined) report.general(`(${owner}) weight for track process ${name} must be in [-254..254] inclusive. Ignoring...`);
    else weight = value;
    const option = words.list[3];
    if (option === "reverse" || option === "noreverse") isReversed = option === "reverse";
    else if (option !== undefined) return report.general(`(${owner}) unknown track_process ${name} weight option ${option} - ignoring`);
  }
  list.push({ process, weight, isReversed });
}
