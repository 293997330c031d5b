/**
 * `lvsim` as a process of its own, as a user types it.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";

export const ROOT = new URL("../../", import.meta.url).pathname;
export const PROGRAM_FOLDER = join(ROOT, ".tmp/lvsim");

export interface LvsimResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LvsimOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export function lvsimProcess(args: readonly string[], { input = "", cwd = ROOT, env = process.env }: LvsimOptions = {}): LvsimResult {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [join(PROGRAM_FOLDER, "lvsim.js"), ...args], {
    cwd,
    input,
    env,
    encoding: "utf8",
    timeout: 50_000,
    maxBuffer: 256 << 20,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}
