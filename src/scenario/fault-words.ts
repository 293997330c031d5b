/**
 * Faults as they are typed at a prompt: `.impair lan loss 10%`, `.reboot node01`.
 */

import { FAULT_VERBS, type Fault, type FaultVerb, type RawFault, resolveFault, type Topology } from "./fault.ts";

/** How each is written, and what it does. */
export const FAULT_HELP: Readonly<Record<FaultVerb, { readonly usage: string; readonly help: string }>> = {
  break: { usage: ".break LINK|HOST[.IF]", help: "cut a cable, or take the power of a link's switch" },
  mend: { usage: ".mend LINK|HOST[.IF]", help: "and whole again" },
  impair: { usage: ".impair LINK|HOST[.IF] [in|out] [NETEM]", help: "lose, delay, duplicate, reorder: loss 10% delay 50ms; nothing: heal" },
  partition: { usage: ".partition LINK [A,B C,D]", help: "only hosts of one group hear each other; no groups: heal" },
  reboot: { usage: ".reboot HOST [TIME]", help: "press reset, or power on; it comes up after 20s or TIME" },
  poweroff: { usage: ".poweroff HOST", help: "pull the plug" },
  kill: { usage: ".kill HOST PROCESS [SIGNAL]", help: "send KILL, or STOP, CONT, TERM, ..." },
  slow: { usage: ".slow HOST TIME", help: "each request to its web server takes so much longer; 0: no longer" },
  backlog: { usage: ".backlog HOST PORT [full|normal]", help: "the listener's accept queue is full" },
  clock: { usage: ".clock HOST TIME", help: "the wall clock jumps: 1h, -30s" },
};

export function isFaultVerb(word: string): word is FaultVerb {
  return (FAULT_VERBS as readonly string[]).includes(word);
}

/** Reads the words behind a verb; an error in one line when they make no fault. */
export function parseFaultWords(verb: FaultVerb, words: readonly string[], topology: Topology): { readonly fault: Fault } | { readonly error: string } {
  const raw = rawOf(verb, words);
  if (raw === undefined) return { error: `usage: ${FAULT_HELP[verb].usage}` };
  const resolved = resolveFault(raw, topology);
  return "fault" in resolved ? resolved : { error: `${resolved.problem.message}; ${resolved.problem.remedy}` };
}

/** undefined: too few or too many words. */
function rawOf(verb: FaultVerb, words: readonly string[]): RawFault | undefined {
  const [object, ...rest] = words;
  if (object === undefined) return undefined;
  const [first, second] = rest;
  switch (verb) {
    case "break":
    case "mend":
    case "poweroff":
      return rest.length === 0 ? { verb, object } : undefined;
    case "impair": {
      const hasDirection = first === "in" || first === "out" || first === "both";
      return { verb, object, direction: hasDirection ? first : undefined, netem: rest.slice(hasDirection ? 1 : 0).join(" ") };
    }
    case "partition":
      return { verb, object, groups: rest.map((group) => group.split(",").filter((member) => member !== "")) };
    case "reboot":
      return rest.length <= 1 ? { verb, object, takes: first } : undefined;
    case "kill":
      return rest.length >= 1 && rest.length <= 2 ? { verb, object, process: first, signal: second?.replace(/^-/, "") } : undefined;
    case "slow":
    case "clock":
      return rest.length === 1 ? { verb, object, by: first } : undefined;
    case "backlog": {
      const isKnown = second === undefined || second === "full" || second === "normal";
      return rest.length >= 1 && rest.length <= 2 && isKnown ? { verb, object, port: Number(first), full: second !== "normal" } : undefined;
    }
  }
}
