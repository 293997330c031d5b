/**
 * Records what the real `keepalived -t` says about the files of test/golden/keepalived and, where it is installed, about the samples of
 * Debian's package: exit status and standard error, into test/golden/keepalived-2.2.7.json. Run it on a machine with keepalived 2.2.7, an
 * interface eth0 and no user keepalived_script.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const folders = { own: join(root, "test/golden/keepalived"), debian: "/usr/share/doc/keepalived/samples" };
const out = {};
for (const [kind, folder] of Object.entries(folders)) {
  for (const name of readdirSync(folder).sort()) {
    if (kind === "own" ? !name.endsWith(".conf") : !name.startsWith("keepalived.conf")) continue;
    const result = spawnSync("keepalived", ["-t", "-i", "node", "-f", name], { cwd: folder, encoding: "utf8" });
    out[`${kind}/${name}`] = { exit: result.status, stderr: result.stderr };
  }
}
writeFileSync(join(root, "test/golden/keepalived-2.2.7.json"), `${JSON.stringify(out, undefined, 1)}\n`);
