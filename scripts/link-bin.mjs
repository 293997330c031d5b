/**
 * Makes `npx lvsim` work in the checkout: npm links the programs of dependencies, not those of the package itself.
 */

import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";

const program = "dist/bin/lvsim.js";
const link = "node_modules/.bin/lvsim";

chmodSync(program, 0o755);
if (process.platform !== "win32") {
  mkdirSync("node_modules/.bin", { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(`../../${program}`, link);
}
