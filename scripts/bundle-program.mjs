/**
 * Bundles the `lvsim` command into few files, for the cold start: hundreds of modules, most of them tiny, cost more to find and to link than
 * to compile. Each subcommand stays a file of its own that is loaded when it is used. The library in dist/ is as tsc left it.
 *
 * Packages are bundled too; their licences go beside them. `node scripts/bundle-program.mjs [FOLDER]`
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const FOLDER = process.argv[2] ?? "dist/bin";

rmSync(FOLDER, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: { lvsim: "src/cli/main.ts" },
  outdir: FOLDER,
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  charset: "utf8",
  // Names stay: an error of ours should tell where it was.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  metafile: true,
  logLevel: "warning",
  // Packages in the old module format ask for Node's own modules by `require`.
  banner: { js: 'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);' },
});
mkdirSync(FOLDER, { recursive: true });
writeFileSync(join(FOLDER, "LICENSES.txt"), licences(Object.keys(metafile.inputs)));

function licences(inputs) {
  const packages = new Set(inputs.flatMap((path) => /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[0] ?? []));
  return [...packages]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
      // One has it in the first comment of its code.
      const text = file === undefined ? firstComment(readFileSync(join(folder, `${name}.js`), "utf8")) : readFileSync(join(folder, file), "utf8");
      if (!/copyright/i.test(text)) throw new Error(`no licence found in ${folder}`);
      return `${name} ${version} (${license})\n\n${text.trim()}\n`;
    })
    .join(`\n${"-".repeat(100)}\n\n`);
}

function firstComment(code) {
  return /\/\*([\s\S]*?)\*\//.exec(code)?.[1] ?? "";
}
