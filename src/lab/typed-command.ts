/**
 * A script that somebody typed on a host: what it has printed so far, and whether it is over.
 */

import type { ScriptResult } from "../scenario/run-scenario.ts";

/** A script that was started with `lab.type`. It goes on while simulated time passes. */
export interface TypedCommand {
  readonly host: string;
  readonly text: string;
  /** What it has printed so far. */
  readonly stdout: string;
  readonly stderr: string;
  readonly isRunning: boolean;
  /** Undefined while it runs. 124: its time was over; 127: no such command; minus the number of the signal that ended it. */
  readonly result: ScriptResult | undefined;
  /** Ctrl-C, now. What it ends takes effect while time passes. */
  interrupt(): void;
}
