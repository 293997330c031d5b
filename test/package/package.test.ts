/**
 * The package as others get it: packed, installed into an empty project, used by its entry points in Node, compiled against, bundled for a
 * browser. The bundle runs in a bare context with nothing of a platform but UTF-8 and, where Chromium is installed, there in a page and in a worker; what comes
 * out is equal to the byte.
 */

import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const FOLDER = mkdtempSync(join(tmpdir(), "lvsim-package-"));
const APP = join(FOLDER, "app");
const SCENARIO = readFileSync(join(ROOT, "scenarios/documents/dr-192.168.247.yaml"), "utf8");
const CHROMIUM = "/usr/bin/chromium";
const CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const PACKAGE = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const VITEST = PACKAGE.devDependencies.vitest;

const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$|TEST$|DEV$|PROD$|MODE$|SSR$|BASE_URL$|npm_)/.test(name)));

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env: ENVIRONMENT, encoding: "utf8", timeout: 280_000, maxBuffer: 1 << 28 });
  expect(status, `${command} ${args.join(" ")}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

/** What Node says, once. */
let told = "";
let bundle = "";

beforeAll(async () => {
  run("npm", ["run", "--silent", "build"], ROOT);
  run("npm", ["run", "--silent", "viz:build"], ROOT);
  run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", FOLDER], ROOT);
  const [archive = ""] = readdirSync(FOLDER).filter((name) => name.endsWith(".tgz"));
  cpSync(join(ROOT, "test/package/story.js"), join(APP, "story.js"));
  writeFileSync(join(APP, "package.json"), '{ "name": "app", "private": true, "type": "module" }');
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--silent", join("..", archive), `vitest@${VITEST}`], APP);
  writeFileSync(join(APP, "scenario.yaml"), SCENARIO);
  writeFileSync(join(APP, "main.js"), 'import { readFileSync } from "node:fs";\nimport { tell } from "./story.js";\nprocess.stdout.write(tell(readFileSync("scenario.yaml", "utf8")));\n');
  told = run(process.execPath, ["main.js"], APP);
  writeFileSync(join(APP, "page.js"), 'import { tell } from "./story.js";\nglobalThis.tell = tell;\n');
  const result = await build({ entryPoints: [join(APP, "page.js")], bundle: true, platform: "browser", format: "iife", target: "es2022", write: false, logLevel: "error", absWorkingDir: APP });
  bundle = result.outputFiles[0]?.text ?? "";
});

afterAll(() => {
  rmSync(FOLDER, { recursive: true, force: true });
});

test("the archive holds the program, its types and the scenarios, and nothing else", () => {
  const files = readdirSync(join(APP, "node_modules/lvsim"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name).slice(join(APP, "node_modules/lvsim/").length));
  expect(paths).toEqual(expect.arrayContaining(["package.json", "README.md", "dist/index.js", "dist/index.d.ts", "dist/bin/lvsim.js", "viz/dist/index.html", "scenarios/documents/dr-192.168.247.yaml"]));
  expect(paths.filter((path) => path.includes("tsbuildinfo"))).toEqual([]);
  expect(paths.filter((path) => !/^(dist|viz\/dist|scenarios|workloads|docs)\/|^(package\.json|README\.md|LICENSE)$/.test(path))).toEqual([]);
});

test("Node runs it by all entry points", () => {
  const story = JSON.parse(told);
  expect(story.unmet).toEqual([]);
  expect(story.timeline[0].stdout).toBe("from 192.168.247.135\n");
  expect(story.events.length).toBeGreaterThan(200);
  expect(story.picks).toEqual([2, 1, 2]);
  expect(story.errors[0]).toMatch(/^true false x\.yaml:1:\d+: a scenario needs hosts/);
  expect(story.errors[2]).toMatch(/^false true hosts\.a\.run: limit `events` reached: 500 events while the setup of a ran$/);
});

test("the command writes a report and serves the page that is in the package", async () => {
  const program = join(APP, "node_modules/lvsim/dist/bin/lvsim.js");
  run(process.execPath, [program, "report", "scenario.yaml", "-o", "report.html"], APP);
  expect(readFileSync(join(APP, "report.html"), "utf8")).toContain("192.168.247.100");
  const server = spawn(process.execPath, [program, "view", "scenario.yaml", "--no-open"], { cwd: APP, env: ENVIRONMENT, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const address = await new Promise<string>((resolve, reject) => {
      server.stdout.once("data", (text: Buffer) => resolve(text.toString().split("\n")[0] ?? ""));
      server.once("exit", (status) => reject(new Error(`lvsim view ended with ${status}`)));
    });
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#file=scenario\.yaml$/);
    const page = await (await fetch(address)).text();
    const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
    expect((await fetch(new URL(script, address))).headers.get("content-type")).toBe("text/javascript");
    expect(await (await fetch(new URL("opened/scenario.yaml", address))).text()).toBe(SCENARIO);
  } finally {
    server.kill();
  }
});

test("vitest runs its matchers", () => {
  writeFileSync(
    join(APP, "story.test.js"),
    `import { Lab } from "lvsim";
import { roundRobin } from "lvsim/ipvs";
import "lvsim/vitest";
import { expect, test } from "vitest";
test("reach", () => {
  const lab = new Lab();
  for (const n of [1, 2]) lab.host("h" + n, { interfaces: { eth0: { link: "lan", address: "10.0.0." + n + "/24" } } });
  expect(lab).toReach("h1", "10.0.0.2");
  expect(lab).toFollow("h1", "h2");
  expect(() => expect(lab).toFollow("h1", "h2", "h1")).toThrow("the packets went");
  expect(roundRobin).toPickLike("service tcp 10.9.0.1:80 rr\\nadd 10.2.0.1:80\\nopen c1 from 10.1.0.1:4001\\n");
});
`,
  );
  expect(run("npx", ["vitest", "run", "story.test.js"], APP)).toContain("1 passed");
});

test("the program runs", () => {
  expect(run("npx", ["lvsim", "--version"], APP)).toBe(`${PACKAGE.version}\n`);
  expect(run("npx", ["lvsim", "run", "node_modules/lvsim/scenarios/documents/dr-192.168.247.yaml"], APP)).toContain("from 192.168.247.135");
});

test.each([
  { resolution: "NodeNext", module: "NodeNext" },
  { resolution: "bundler", module: "ESNext" },
])("a strict project compiles against its types ($resolution)", ({ resolution, module }) => {
  writeFileSync(
    join(APP, "types.ts"),
    `import { Lab, type LabHost, type RunResult, type TraceEvent } from "lvsim";
import type { Scheduler } from "lvsim/ipvs";
import type { DropReason } from "lvsim/trace";
const mine: Scheduler = { name: "mine", flags: [], init: (service) => ({ schedule: () => service.dests[0] }) };
const lab: Lab = new Lab({ schedulers: [mine] });
const host: LabHost = lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" } } });
lab.on("frame-dropped", (event) => { const reason: DropReason = event.reason; void reason; });
lab.on("*", (event: TraceEvent) => void event.timeNs);
const result: RunResult = lab.runToEnd();
export const exit: number | null = host.run("true").exit ?? result.endNs;
// @ts-expect-error an interface needs its link
lab.host("b", { interfaces: { eth0: { address: "10.0.0.1/24" } } });
// @ts-expect-error there is no such record
lab.on("frame-lost", () => {});
`,
  );
  writeFileSync(
    join(APP, "matchers.ts"),
    `import { Lab } from "lvsim";
import "lvsim/vitest";
import { expect } from "vitest";
const lab = new Lab();
expect(lab).toFollow("client", "director");
expect(lab).not.toDrop("IP_RPFILTER", { host: "a" });
// @ts-expect-error the kernel has no such reason
expect(lab).toDrop("BAD_LUCK");
`,
  );
  const options = ["--noEmit", "--strict", "--target", "ES2023", "--lib", "ES2023,DOM", "--types", "", "--module", module, "--moduleResolution", resolution];
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  run(process.execPath, [tsc, ...options, "types.ts"], APP);
  run(process.execPath, [tsc, ...options, "--skipLibCheck", "matchers.ts"], APP);
});

describe("bundled for a browser", () => {
  test("no import of the platform is left", () => {
    expect(bundle.length).toBeGreaterThan(100_000);
    expect(bundle).not.toMatch(/(?:from|import|require)\s*\(?\s*["'](?:node:|fs|path|crypto|buffer|process)/);
    // What esbuild leaves in place of a require that it could not resolve.
    expect(bundle).not.toContain("Dynamic require of");
  });

  test.each([
    { entry: "lvsim/ipvs", folders: /^dist\/ipvs\/schedulers\// },
    { entry: "lvsim/trace", folders: /^dist\/(base|wire|trace)\// },
  ])("$entry brings only its own part along", async ({ entry, folders }) => {
    const stdin = { contents: `export * from "${entry}";`, resolveDir: APP };
    const { metafile } = await build({ stdin, bundle: true, platform: "browser", format: "esm", write: false, metafile: true, absWorkingDir: APP });
    const modules = Object.keys(metafile.inputs).filter((path) => path !== "<stdin>");
    expect(modules.length).toBeGreaterThan(5);
    expect(modules.filter((path) => !folders.test(path.replace(/^node_modules\/lvsim\//, "")))).toEqual([]);
  });

  test("it runs where there is little but the language, and says the same as Node", () => {
    const context: { tell?: (scenario: string) => string; TextEncoder: unknown; TextDecoder: unknown } = { TextEncoder, TextDecoder };
    runInNewContext(bundle, context);
    expect(context.tell?.(SCENARIO) === told).toBe(true);
  });

  test.runIf(existsSync(CHROMIUM))("in Chromium, page and worker, it says the same as Node", async () => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGS });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      await page.setContent("<!doctype html><title>lvsim</title>");
      await page.addScriptTag({ content: bundle });
      const inPage = await page.evaluate((text) => (globalThis as unknown as { tell(scenario: string): string }).tell(text), SCENARIO);
      expect(errors).toEqual([]);
      expect(inPage === told, inPage.slice(0, 300)).toBe(true);
      const worker = `${bundle}\nself.onmessage = (event) => self.postMessage(self.tell(event.data));`;
      const inWorker = await page.evaluate(IN_WORKER, { worker, text: SCENARIO });
      expect(inWorker === told, inWorker.slice(0, 300)).toBe(true);
    } finally {
      await browser.close();
    }
  });
});

/** Runs in the page: its globals are the browser's. */
function IN_WORKER({ worker, text }: { readonly worker: string; readonly text: string }): Promise<string> {
  interface PageWorker {
    onmessage: (event: { readonly data: string }) => void;
    onerror: (event: { readonly message: string }) => void;
    postMessage(message: string): void;
  }
  const { Worker } = globalThis as unknown as { readonly Worker: new (url: string) => PageWorker };
  return new Promise((resolve) => {
    const one = new Worker(URL.createObjectURL(new Blob([worker], { type: "text/javascript" })));
    one.onmessage = (event) => resolve(event.data);
    one.onerror = (event) => resolve(event.message);
    one.postMessage(text);
  });
}
