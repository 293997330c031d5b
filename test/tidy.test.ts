/**
 * The rules of the tree that no compiler checks: layers, purity of the core, file headers, sizes.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const FILE_LINES_MAX = 600;

/** A folder of src may import those listed with it, and itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ["base"],
  kernel: ["base"],
  trace: ["base", "wire"],
  link: ["base", "wire", "kernel", "trace"],
  host: ["base", "wire", "kernel", "trace", "link"],
  ipvs: ["base", "wire", "kernel", "trace", "link", "host"],
  shell: ["base", "wire", "kernel", "trace", "link", "host", "ipvs"],
  workload: ["base", "kernel"],
  scenario: ["base", "wire", "kernel", "trace", "link", "host", "ipvs", "shell", "workload"],
  sched: ["base", "wire", "kernel", "trace", "link", "host", "ipvs", "shell", "workload", "scenario"],
  lab: ["base", "wire", "kernel", "trace", "link", "host", "ipvs", "shell", "scenario"],
  why: ["base", "wire", "trace", "ipvs", "shell", "scenario"],
  report: ["base", "wire", "kernel", "trace", "link", "host"],
  "index.ts": ["base", "wire", "kernel", "trace", "link", "host", "ipvs", "shell", "workload", "scenario", "sched", "lab"],
  vitest: ["index.ts", "trace", "ipvs"],
  cli: ["index.ts", "base", "wire", "kernel", "trace", "link", "host", "ipvs", "shell", "workload", "scenario", "sched", "report", "why"],
};

/** Names that would make a run depend on the machine or on time. */
const IMPURE = /\b(Date\.now|new Date\b|Math\.random|setTimeout\(|setInterval\(|setImmediate\(|queueMicrotask\(|performance\.|\bprocess\.(env|argv|hrtime)|localeCompare|console\.|require\()|from "node:/;

function filesBelow(folder: string, extension: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

const sources = filesBelow("src", ".ts").map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

function layerOf(path: string): string {
  return path.split("/")[1] as string;
}

/** Imported files, as paths from the root, and bare package names. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => {
    const target = match[1] as string;
    return target.startsWith(".") ? relative(ROOT, join(ROOT, path, "..", target)) : target;
  });
}

test("there are sources to look at", () => {
  expect(sources.length).toBeGreaterThan(60);
});

test("a folder imports only folders above it", () => {
  const wrong = sources.flatMap(({ path, text }) => {
    const layer = layerOf(path);
    const allowed = LAYERS[layer];
    if (allowed === undefined) return [`${path}: the layer of ${layer} is not known`];
    return importsOf(path, text)
      .filter((target) => target.startsWith("src/") && layerOf(target) !== layer && !allowed.includes(layerOf(target)))
      .map((target) => `${path} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test("schedulers know nothing of the simulator", () => {
  const wrong = sources
    .filter(({ path }) => path.startsWith("src/ipvs/schedulers/"))
    .flatMap(({ path, text }) => importsOf(path, text).filter((target) => !target.startsWith("src/ipvs/schedulers/")).map((target) => `${path} imports ${target}`));
  expect(wrong).toEqual([]);
});

test("the core is pure: no platform, no clock, no chance", () => {
  const wrong = sources
    .filter(({ path }) => layerOf(path) !== "cli")
    .flatMap(({ path, text }) => text.split("\n").flatMap((line, i) => (IMPURE.test(line.replace(/^\s*(\*|\/\/).*$/, "")) ? [`${path}:${i + 1}: ${line.trim()}`] : [])));
  expect(wrong).toEqual([]);
});

test("every file opens with what it holds", () => {
  expect(sources.filter(({ text }) => !text.startsWith("/**\n") && !text.startsWith("#!/usr/bin/env node\n/**\n")).map(({ path }) => path)).toEqual([]);
});

test(`no file has more than ${FILE_LINES_MAX} lines`, () => {
  expect(sources.filter(({ text }) => text.trimEnd().split("\n").length > FILE_LINES_MAX).map(({ path, text }) => `${path} ${text.trimEnd().split("\n").length}`)).toEqual([]);
});

test("no enums, no default exports, no any, no work left for later in comments", () => {
  const forbidden = /^\s*(export )?(const )?enum |export default|: any(?=[;,)[\]|&>=}]| [=|{]|$)|as any\b|<any>|\b(TODO|FIXME|XXX)\b/;
  const wrong = sources.flatMap(({ path, text }) => text.split("\n").flatMap((line, i) => (forbidden.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])));
  expect(wrong).toEqual([]);
});

test("tests are neither skipped nor alone", () => {
  const wrong = filesBelow("test", ".test.ts").filter((path) => /\b(test|it|describe)\.(skip|only|todo)\b/.test(readFileSync(join(ROOT, path), "utf8").replace(/\/\\b.*\//g, "")));
  expect(wrong).toEqual([]);
});
