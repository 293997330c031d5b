/**
 * What ipvsadm refuses before the kernel sees it: values out of range and flags that do not fit.
 *
 * ipvsadm 1.31 ipvsadm.c: parse_options, parse_sched_flags, parse_fwmark, string_to_number.
 */
import type { SchedCommand, SchedVirtual } from "./sched-script-parser.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";

const INT_MAX = 2147483647;
const UINT_MAX = 4294967295;
/** 31 days. */
const PERSIST_SECONDS_MAX = 2678400;
const NUMBERED_FLAGS: readonly string[] = ["flag-1", "flag-2", "flag-3"];
/** Named flags and the only scheduler that may have them. */
const FLAG_OWNERS: Readonly<Record<string, string>> = {
  "sh-fallback": "sh",
  "sh-port": "sh",
  "mh-fallback": "mh",
  "mh-port": "mh",
};

/** The message about the service address, or undefined when there is nothing to say. */
export function refusalOfVirtual(virtual: SchedVirtual): string | undefined {
  if (virtual.kind === "tcp" || isNumber(virtual.mark, 1, UINT_MAX)) return undefined;
  return `invalid fwmark value \`${virtual.mark}' specified`;
}

/** The message about the options of `-A`. `scheduler` is undefined when its name is unknown; the kernel says so later. */
export function refusalOfService(
  { virtual, scheduler: name, flags, persist }: Extract<SchedCommand, { kind: "service" }>,
  scheduler: Scheduler | undefined,
): string | undefined {
  for (const flag of flags) {
    if (NUMBERED_FLAGS.includes(flag) || scheduler?.flags.includes(flag)) continue;
    if (FLAG_OWNERS[flag] === undefined) return `invalid scheduler flag \`${flag}'`;
    if (FLAG_OWNERS[flag] !== name) return `incompatible scheduler flag \`${flag}'`;
  }
  if (persist !== undefined && !isNumber(persist, 1, PERSIST_SECONDS_MAX)) return `invalid timeout value \`${persist}' specified`;
  if (virtual.kind === "tcp" && virtual.endpoint.port === 0 && persist === undefined) {
    return "Zero port specified for non-persistent service";
  }
  return undefined;
}

/** The message about the options of `-a` and `-e`. */
export function refusalOfServer({ weight, upper, lower }: Extract<SchedCommand, { kind: "add" | "edit" }>): string | undefined {
  if (!isNumber(weight, 0, INT_MAX)) return "illegal weight specified";
  if (upper !== undefined && !isNumber(upper, 0, INT_MAX)) return "illegal u_threshold specified";
  if (lower !== undefined && !isNumber(lower, 0, INT_MAX)) return "illegal l_threshold specified";
  return undefined;
}

function isNumber(text: string, minimum: number, maximum: number): boolean {
  return /^[+-]?\d+$/.test(text) && Number(text) >= minimum && Number(text) <= maximum;
}
