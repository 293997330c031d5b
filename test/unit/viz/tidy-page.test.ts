/**
 * The rules of the page that no compiler checks.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const FILE_LINES_MAX = 600;

const files = readdirSync(join(ROOT, "viz/src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(?:tsx?|css)$/.test(entry.name))
  .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
const code = files.filter(({ path }) => !path.endsWith(".css"));

function linesWith(pattern: RegExp, among = code): string[] {
  return among.flatMap(({ path, text }) => text.split("\n").flatMap((line, i) => (pattern.test(line.replace(/^\s*(?:\*|\/\/|\{?\/\*).*$/, "")) ? [`${path}:${i + 1}: ${line.trim()}`] : [])));
}

test("there are files to look at", () => {
  expect(code.length).toBeGreaterThan(30);
});

test("every file opens with what it holds and is not long", () => {
  expect(code.filter(({ text }) => !text.startsWith("/**\n")).map(({ path }) => path)).toEqual([]);
  expect(files.filter(({ text }) => text.trimEnd().split("\n").length > FILE_LINES_MAX).map(({ path }) => path)).toEqual([]);
});

test("nothing that a file says can become HTML, code or a style of the page", () => {
  expect(linesWith(/innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|DOMParser|srcdoc|\beval\(|new Function|javascript:/)).toEqual([]);
  expect(linesWith(/\.setAttribute\("style"|\.attr\("style"|style="/)).toEqual([]);
});

test("nothing is fetched from elsewhere", () => {
  expect(linesWith(/https?:\/\/(?!www\.w3\.org\/2000\/svg|")/, files)).toEqual([]);
});

test("no enums, no default exports, no any, no work left for later", () => {
  expect(linesWith(/^\s*(?:export )?(?:const )?enum |export default|: any\b|as any\b|<any>|\b(?:TODO|FIXME|XXX)\b/)).toEqual([]);
});

test("the page does not load the simulator: only the worker does", () => {
  const heavy = code
    .filter(({ path }) => !path.startsWith("viz/src/engine/") && !path.startsWith("viz/src/filter/"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/^(import|export)(?! type)([^;]*?)from "([^"]*\/src\/(?!base\/|trace\/rows|report\/(?:words|numbers|columns|topology-layout|line-signs|service-series)\.ts)[^"]*|[^"]*engine\/(?!client|protocol)[^"]*|(?:\.\.\/)+filter\/(?!field-names)[^"]*)"/gms)]
        .filter(([, , names]) => !/^\s*\{\s*(?:type \w+,?\s*)+\}\s*$/.test(names ?? ""))
        .map((match) => `${path}: ${match[3]}`),
    );
  expect(heavy).toEqual([]);
});

test("words that people read are in the language files", () => {
  const inTags = linesWith(/>[^<>{}=()]*[A-Za-z]{3,}[^<>{}=()]*<\//, code.filter(({ path }) => path.endsWith(".tsx")));
  expect(inTags.filter((line) => !line.includes(">English</option>"))).toEqual([]);
  expect(linesWith(/(?:aria-label|title|placeholder)="[^"]/)).toEqual([]);
});
