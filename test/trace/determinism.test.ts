/**
 * The same scenario and seed give the same bytes: twice here, in another process with other surroundings, with and without a ladder; and
 * nothing of this machine is in them.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { TraceLevel } from "../../src/trace/tracer.ts";
import { lvsimProcess } from "../helpers/lvsim-process.ts";
import { ROOT, SCENARIO_FILES, tracedRun } from "../helpers/traced-run.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-trace-"));

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

/** The place of the first difference, with what is around it. */
function firstDifference(a: string, b: string): string {
  if (a === b) return "";
  const [x, y] = [a.split("\n"), b.split("\n")];
  const index = x.findIndex((line, i) => line !== y[i]);
  return `line ${index + 1}: ${x[index]?.slice(0, 300)} | ${y[index]?.slice(0, 300)}`;
}

describe("twice the same", () => {
  test.each(SCENARIO_FILES)("%s", (file) => {
    expect(firstDifference(tracedRun(file).text, tracedRun(file).text)).toBe("");
  });
});

test("another seed, another trace, which says so", () => {
  const run = tracedRun("scenarios/selftest/ipvs-dr.yaml", "full", { seed: "other" });
  expect(run.text).not.toBe(tracedRun("scenarios/selftest/ipvs-dr.yaml").text);
  expect(JSON.parse(run.text.split("\n")[0] as string).seed).toBe("other");
});

function traceOfProcess(file: string, name: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly args: readonly string[] }): string {
  const path = join(DIRECTORY, name);
  const { status, stderr } = lvsimProcess(["run", file, "--trace", path, ...options.args], { cwd: options.cwd, env: { PATH: process.env.PATH, ...options.env } });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return readFileSync(path, "utf8");
}

describe("another process", () => {
  test.each(["test/conformance/nat-port-mapping.yaml", "scenarios/selftest/ipvs-tun.yaml", "test/conformance/ipvs-sync.yaml"])("%s", (file) => {
    const here = tracedRun(file).text;
    const name = file.replaceAll("/", "_");
    const home = { TZ: "Pacific/Kiritimati", LANG: "de_DE.UTF-8", HOSTNAME: "elsewhere", COLUMNS: "70" };
    const folder = join(DIRECTORY, `folder of ${name}`);
    mkdirSync(folder);
    symlinkSync(join(ROOT, file), join(folder, "other name.yaml"));
    expect(firstDifference(traceOfProcess(join(ROOT, file), `${name}.1`, { cwd: ROOT, env: {}, args: ["--quiet"] }), here)).toBe("");
    expect(firstDifference(traceOfProcess("other name.yaml", `${name}.2`, { cwd: folder, env: home, args: ["--ascii", "--pcapng", join(folder, "x.pcapng")] }), here)).toBe("");
  });

  test("what is drawn beside it makes no difference, even where the ladder has seen enough", () => {
    const file = join(DIRECTORY, "many.yaml");
    const host = (name: string, address: string) => `  ${name}:\n    interfaces: { eth0: { link: lan, address: ${address}/24 } }\n`;
    writeFileSync(file, `title: many frames\nhosts:\n${host("a", "10.0.0.1")}${host("b", "10.0.0.2")}timeline:\n  - { at: 0s, host: a, run: "ping -q -i 0.01 -c 700 10.0.0.2" }\n`);
    const [quiet, drawn] = [["--quiet"], []].map((args, i) => traceOfProcess(file, `ladder.${i}`, { cwd: ROOT, env: {}, args }));
    expect(quiet?.match(/"kind":"frame-sent"/g)?.length).toBeGreaterThan(1400);
    expect(firstDifference(quiet as string, drawn as string)).toBe("");
  });
});

describe("nothing of this machine", () => {
  // `root` is a user of simulated machines, too.
  const secrets = [ROOT, hostname(), homedir(), userInfo().username, new Date().toISOString().slice(0, 10)].filter((word) => word.length > 3 && !/^\/?root$/.test(word));

  test.each<[string, TraceLevel]>(SCENARIO_FILES.filter((_, i) => i % 10 === 0).flatMap((file): [string, TraceLevel][] => [[file, "full"], [file, "frames"]]))("%s %s", (file, level) => {
    const { text, header } = tracedRun(file, level);
    const rest = header.scenario === null ? text : text.replace(JSON.stringify(header.scenario), "");
    expect(secrets.length).toBeGreaterThan(0);
    for (const word of secrets) expect({ word, isThere: rest.includes(word) }).toEqual({ word, isThere: false });
    expect(rest).not.toMatch(/node_modules|\.yaml"/);
  });
});

describe("the level changes what is written, not what happens", () => {
  test.each(["test/conformance/ipvs-sync.yaml", "test/conformance/nat-masquerade-conntrack.yaml", "scenarios/selftest/ipvs-dr.yaml"])("%s", (file) => {
    const results = (["off", "frames", "packets", "full"] as const).map((level) => {
      const { result, events } = tracedRun(file, level);
      const frames = level === "off" ? undefined : events.filter((event) => event.kind === "frame-sent").map((event) => [event.timeNs, event.host]);
      return { outputs: result.timeline, endNs: result.endNs, events: result.eventCount, frames };
    });
    const [, , , full] = results;
    for (const one of results) expect({ ...one, frames: one.frames ?? full?.frames }).toEqual(full);
  });

  test("frames has only frames, links and the origin", () => {
    const kinds = new Set(tracedRun("test/conformance/tun-two-sites.yaml", "frames").events.map((event) => event.kind));
    expect([...kinds].sort()).toEqual(["frame-dropped", "frame-received", "frame-sent", "origin"].filter((kind) => kinds.has(kind as never)).sort());
    expect(kinds.has("frame-received")).toBe(true);
  });

  test("packets has all but rows and keyframes, record for record", () => {
    const file = "test/conformance/nat-port-mapping.yaml";
    const plain = (level: TraceLevel) =>
      tracedRun(file, level)
        .events.filter((event) => event.kind !== "rows" && event.kind !== "keyframe")
        .map(({ kind, timeNs, host }) => ({ kind, timeNs, host }));
    expect(plain("packets")).toEqual(plain("full"));
  });
});
