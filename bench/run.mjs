/**
 * `npm run bench`: compiles the benchmarks as they are now, below .tmp/bench, and runs them.
 */

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const output = join(here, "..", ".tmp", "bench");

await build({
  entryPoints: [join(here, "main.ts"), ...readdirSync(join(here, "workloads")).filter((name) => name.endsWith(".ts")).map((name) => join(here, "workloads", name))],
  outdir: output,
  outbase: here,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  outExtension: { ".js": ".mjs" },
  logLevel: "warning",
});
const { main } = await import(pathToFileURL(join(output, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2), { here, output });
