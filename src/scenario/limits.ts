/**
 * What a run may use up. Each limit has a name, and reaching it is one clear error with the place in the file: never a hang, never a
 * process that the system kills. None depends on how fast this computer is.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { type FilePlace, formatPlace } from "./scenario-error.ts";
import { DURATION_SECONDS_MAX } from "./schema-values.ts";

/** What one run may use up. Reaching one is a LimitError. */
export interface RunLimits {
  /** Events that the loop fires. */
  readonly events: number;
  /** Simulated time, setup included. */
  readonly simulatedNs: number;
  /** Characters that one script prints. */
  readonly outputChars: number;
  /** Frames in all captures together, and their bytes. */
  readonly capturedFrames: number;
  readonly capturedBytes: number;
}

/** The limits of a run that sets none of its own. */
export const DEFAULT_LIMITS: RunLimits = {
  events: 30_000_000,
  simulatedNs: (DURATION_SECONDS_MAX + 3600) * NS_PER_SECOND,
  outputChars: 16_777_216,
  capturedFrames: 3_000_000,
  capturedBytes: 1_073_741_824,
};

/** The run's own; `outputChars` and more are watched by the shell (src/shell/limits.ts). */
export type LimitName = Exclude<keyof RunLimits, "outputChars">;

const WORDS: Readonly<Record<LimitName, (limit: number) => string>> = {
  events: (limit) => `${limit} events`,
  simulatedNs: (limit) => `${limit / NS_PER_SECOND} s of simulated time`,
  capturedFrames: (limit) => `${limit} captured frames`,
  capturedBytes: (limit) => `${limit} bytes of captured frames`,
};

/** `limit` is one of RunLimits or of the shell's own limits (src/shell/limits.ts). */
export class LimitError extends Error {
  override readonly name = "LimitError";
  readonly limit: string;
  readonly place: FilePlace;

  constructor(limit: string, place: FilePlace, message: string) {
    super(`${formatPlace(place)}: limit \`${limit}\` reached: ${message}`);
    this.limit = limit;
    this.place = place;
  }
}

/** `doing`: what was going on, as in `while the setup of rs1 ran`. */
export function runLimitError(limit: LimitName, max: number, place: FilePlace, doing: string): LimitError {
  return new LimitError(limit, place, `${WORDS[limit](max)} ${doing}`);
}
