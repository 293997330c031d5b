/**
 * Signals by name and number (Linux x86-64, signal(7)).
 */

import type { SignalName } from "./command.ts";

export const SIGNAL_NUMBERS: Readonly<Record<SignalName, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
};

/** What a shell prints about a child that died by the signal. */
export const SIGNAL_TEXTS: Readonly<Record<SignalName, string>> = {
  HUP: "Hangup",
  INT: "Interrupt",
  QUIT: "Quit",
  KILL: "Killed",
  USR1: "User defined signal 1",
  USR2: "User defined signal 2",
  PIPE: "Broken pipe",
  ALRM: "Alarm clock",
  TERM: "Terminated",
  CHLD: "",
  CONT: "",
  STOP: "Stopped",
};

/** All names in order of number, as `kill -l` lists them; those without an entry above cannot be sent here. */
export const ALL_SIGNAL_NAMES: readonly string[] =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

/** `TERM`, `SIGTERM`, `term`, `15`; undefined when it is not a signal that can be sent here. */
export function parseSignal(text: string): SignalName | undefined {
  if (/^\d+$/.test(text)) {
    const name = ALL_SIGNAL_NAMES[Number(text) - 1];
    return name !== undefined && name in SIGNAL_NUMBERS ? (name as SignalName) : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  return name in SIGNAL_NUMBERS ? (name as SignalName) : undefined;
}
