/**
 * Before all tests: the command as it is delivered, made anew from the sources, for the tests that type it.
 */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { PROGRAM_FOLDER, ROOT } from "./lvsim-process.ts";

export default function bundle(): void {
  execFileSync(process.execPath, [join(ROOT, "scripts/bundle-program.mjs"), PROGRAM_FOLDER], { cwd: ROOT, stdio: "inherit" });
}
