/**
 * Every symbol that an entry point offers says what it is, where it is declared.
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../../../src");
const ENTRY_POINTS = ["index.ts", "ipvs/schedulers/index.ts", "trace/index.ts", "vitest/index.ts"];

/** Names with the files that declare them: re-exports of the entry point, and what it declares itself. */
function exportsOf(entry: string): { readonly name: string; readonly file: string }[] {
  const text = readFileSync(join(SRC, entry), "utf8");
  const passedOn = [...text.matchAll(/export (?:type )?\{([^}]*)\} from "([^"]+)"/g)].flatMap(([, names = "", from = ""]) =>
    names
      .split(",")
      .map((name) => name.trim().replace(/^type /, "").replace(/ as .*$/, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, file: join(dirname(entry), from) })),
  );
  const own = [...text.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].map((match) => ({ name: match[1] as string, file: entry }));
  return [...passedOn, ...own];
}

/** A comment block ends on the line before the declaration. */
function isDocumented(file: string, name: string): boolean {
  const lines = readFileSync(join(SRC, file), "utf8").split("\n");
  const at = lines.findIndex((line) => new RegExp(`^export (?:declare )?(?:abstract )?(?:const|function\\*?|class|interface|type) ${name}\\b`).test(line));
  if (at < 0) throw new Error(`${file} does not declare ${name}`);
  return lines[at - 1]?.trimEnd().endsWith("*/") === true && at > 1;
}

test.each(ENTRY_POINTS)("%s", (entry) => {
  const symbols = exportsOf(entry);
  expect(symbols.length).toBeGreaterThan(0);
  expect(symbols.filter(({ name, file }) => !isDocumented(file, name)).map(({ name, file }) => `${file}: ${name}`)).toEqual([]);
});
