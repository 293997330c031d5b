/**
 * Every snippet of the README and the documents runs: TypeScript against the built package under its own name, shell lines as far as they are
 * lvsim commands, YAML as scenarios whose expectations hold. What `console.log(...); // says` is compared.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { LINUX_PARTS, parseScenario, parseWorkload, runScenario } from "../../src/index.ts";
import { fileNameOf, lvsimCommands, promisedOutput, type Snippet, snippetsOf } from "./snippets.ts";

const ROOT = join(import.meta.dirname, "../..");
const WORK = join(ROOT, ".tmp/snippets");
const DOCUMENTS = ["README.md", ...readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
const SCENARIO = "scenarios/documents/dr-192.168.247.yaml";

/** What a document may leave to the reader, and what stands for it here. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  FILE: SCENARIO,
  "FILE...": SCENARIO,
  DIR: "captures",
  "FILE.sched": join(ROOT, "test/sched/fo-all.sched"),
  "MINE.mjs": join(WORK, "SCHEDULERS/mine.mjs"),
  "wrr,wlc,MINE.mjs": `wrr,wlc,${join(WORK, "SCHEDULERS/mine.mjs")}`,
};

/** The environment of a shell, not of a test runner's worker. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/.test(name)));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function spawn(program: string, args: readonly string[], cwd: string): Outcome {
  return spawnSync(process.execPath, [join(ROOT, program), ...args], { cwd, env: ENVIRONMENT, input: "", encoding: "utf8", timeout: 55_000 });
}

function mustSucceed({ status, stdout, stderr }: Outcome, what: string): void {
  expect(status, `${what}\n${stdout}\n${stderr}`).toBe(0);
}

function folderOf(document: string): string {
  return join(WORK, basename(document, ".md"));
}

/** `a.ts` with the name that the snippet gives itself, or one that tells its line. Those for vitest are tests. */
function pathOf(document: string, snippet: Snippet): string {
  const isTest = snippet.text.includes('from "vitest"');
  return join(folderOf(document), fileNameOf(snippet) ?? `line-${snippet.line}${isTest ? ".test" : ""}.${snippet.language}`);
}

const found = DOCUMENTS.map((document) => ({ document, snippets: snippetsOf(readFileSync(join(ROOT, document), "utf8")) }));

beforeAll(() => {
  mustSucceed(spawn("node_modules/typescript/bin/tsc", ["-b"], ROOT), "tsc -b");
  rmSync(WORK, { recursive: true, force: true });
  for (const { document, snippets } of found) {
    const folder = folderOf(document);
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    symlinkSync(ROOT, join(folder, "node_modules/lvsim"));
    for (const name of ["scenarios", "workloads"]) symlinkSync(join(ROOT, name), join(folder, name));
    writeFileSync(join(folder, "vitest.config.js"), "export default {};\n");
    for (const snippet of snippets) if (["ts", "js", "yaml"].includes(snippet.language)) writeFileSync(pathOf(document, snippet), snippet.text);
  }
  const options = { strict: true, noEmit: true, target: "ES2023", lib: ["ES2023", "DOM"], module: "NodeNext", moduleResolution: "NodeNext", skipLibCheck: true, types: [] };
  writeFileSync(join(WORK, "package.json"), '{ "type": "module" }');
  writeFileSync(join(WORK, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*/*.ts"] }));
});

afterAll(() => {
  rmSync(WORK, { recursive: true, force: true });
});

test("the documents have snippets of every kind", () => {
  const languages = new Set(found.flatMap(({ snippets }) => snippets.map(({ language }) => language)));
  expect([...languages]).toEqual(expect.arrayContaining(["ts", "sh", "yaml"]));
  expect(found.flatMap(({ snippets }) => snippets).length).toBeGreaterThan(8);
});

test("the types of all TypeScript snippets are right", () => {
  mustSucceed(spawn("node_modules/typescript/bin/tsc", ["-p", WORK], ROOT), "tsc");
});

describe.each(found.filter(({ snippets }) => snippets.length > 0))("$document", ({ document, snippets }) => {
  // In one test, in order: a snippet may use the file of one before it.
  test("its snippets run", () => {
    for (const snippet of snippets) runSnippet(document, snippet);
  }, 300_000);
});

function runSnippet(document: string, snippet: Snippet): void {
  const where = `${document}:${snippet.line}`;
  const folder = folderOf(document);
  switch (snippet.language) {
    case "ts":
    case "js": {
      const path = pathOf(document, snippet);
      if (snippet.text.includes('from "vitest"')) {
        mustSucceed(spawn("node_modules/vitest/vitest.mjs", ["run", "--root", folder, basename(path)], folder), where);
        return;
      }
      const outcome = spawn("node_modules/tsx/dist/cli.mjs", [path], folder);
      mustSucceed(outcome, where);
      const promised = promisedOutput(snippet);
      if (promised.length > 0) expect(outcome.stdout.split("\n").map((line) => line.trimEnd()).filter((line) => line !== ""), where).toEqual(promised);
      return;
    }
    case "sh":
      for (const { args, line } of lvsimCommands(snippet)) {
        const words = args.map((word) => {
          const meant = PLACEHOLDERS[word];
          if (meant === undefined && /^[A-Z]{2,}\b/.test(word)) throw new Error(`${document}:${line}: what stands for ${word}? Put it into PLACEHOLDERS`);
          return meant ?? word;
        });
        // It serves until somebody ends it; test/viz uses it.
        if (words[0] === "view") words.push("--help");
        mustSucceed(spawn("dist/cli/main.js", words, folder), `${document}:${line}: lvsim ${words.join(" ")}`);
      }
      return;
    case "yaml":
      if (!/^title:/m.test(snippet.text)) {
        parse(snippet.text);
        return;
      }
      // A workload file has servers, a scenario has hosts.
      if (/^servers:/m.test(snippet.text)) {
        expect(parseWorkload(snippet.text, where).title).not.toBe("");
        return;
      }
      expect(runScenario(parseScenario(snippet.text, where), { parts: LINUX_PARTS }).unmet).toEqual([]);
      return;
    default:
  }
}

/* ------------------------------------------------------------------------------------------------- the reader of documents */

test("snippets are found, named and understood", () => {
  const text = "a\n```sh\nnpm ci && npx lvsim run 'a b' --x  # why\nls\n```\n````ts\n// mine.ts\n```\nconsole.log(1); // 1\n````\n";
  const [shell, code] = snippetsOf(text) as [Snippet, Snippet];
  expect(shell).toEqual({ line: 3, language: "sh", text: "npm ci && npx lvsim run 'a b' --x  # why\nls\n" });
  expect(lvsimCommands(shell)).toEqual([{ line: 3, args: ["run", "a b", "--x"] }]);
  expect(code.line).toBe(7);
  expect(fileNameOf(code)).toBe("mine.ts");
  expect(promisedOutput(code)).toEqual(["1"]);
  expect(() => snippetsOf("```\n")).toThrow("line 1: the fence is never closed");
  expect(() => lvsimCommands({ line: 1, language: "sh", text: "lvsim run x | head\n" })).toThrow("only plain lvsim commands can be run");
});

test("a snippet that breaks fails", () => {
  const broken = (language: string, text: string): Snippet => ({ line: 1, language, text });
  const write = (snippet: Snippet) => writeFileSync(pathOf("docs/LIBRARY.md", snippet), snippet.text);
  const wrong = [
    { snippet: broken("ts", 'import { Lob } from "lvsim";\nnew Lob();\n'), message: "does not provide an export named 'Lob'" },
    { snippet: broken("ts", 'import { Lab } from "lvsim";\nconsole.log(typeof Lab); // object\n'), message: "[ 'function' ] to deeply equal [ 'object' ]" },
    { snippet: broken("ts", 'import { expect, test } from "vitest";\ntest("no", () => { expect(1).toBe(2); });\n'), message: "expected 1 to be 2" },
  ];
  for (const { snippet, message } of wrong) {
    write(snippet);
    expect(() => runSnippet("docs/LIBRARY.md", snippet), snippet.text).toThrow(message);
    rmSync(pathOf("docs/LIBRARY.md", snippet));
  }
  expect(() => runSnippet("docs/LIBRARY.md", broken("sh", "lvsim run nothing.yaml\n"))).toThrow();
  expect(() => runSnippet("docs/LIBRARY.md", broken("sh", "lvsim run NOTHING\n"))).toThrow("Put it into PLACEHOLDERS");
  expect(() => runSnippet("docs/LIBRARY.md", broken("yaml", "title: x\n"))).toThrow();
});
