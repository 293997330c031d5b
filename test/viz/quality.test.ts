/**
 * What every view must be: usable with keys alone, named for screen readers, readable in both themes, safe against what files say.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../src/scenario/trace-header.ts";
import { JsonLinesSink } from "../../src/trace/jsonl.ts";
import { openScenario, PageLab, pressAndMove, recordInView, SCENARIOS } from "./browser.ts";
import { faint, nameless } from "./page-checks.ts";

const DR = "documents/dr-192.168.247.yaml";
const CONTRAST_MIN = 4.5;
const CONTRAST_LARGE_MIN = 3;

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

test.each(["light", "dark"] as const)("in the %s theme everything has a name and can be read, on 1280x720 without scrolling the page", async (colorScheme) => {
  const { page, complaints } = await lab.open("", { colorScheme });
  await page.waitForSelector(".card");
  const look = async () => {
    expect(await nameless(page)).toEqual([]);
    expect(await faint(page, { text: CONTRAST_MIN, large: CONTRAST_LARGE_MIN })).toEqual([]);
    expect(await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight])).toEqual([1280, 720]);
  };
  await look();
  await openScenario(page, DR);
  await page.waitForSelector(".records .record");
  await look();
  await page.fill("#filter", "drop &&");
  await expect.poll(() => page.textContent("#filter-said")).not.toBe("");
  await look();
  await page.selectOption("select >> nth=1", "zh");
  await expect.poll(() => page.getAttribute("html", "lang")).toBe("zh-Hans");
  await look();
  expect(complaints).toEqual([]);
});

test("keys alone: from the gallery to a frame and back", async () => {
  const { page } = await lab.open();
  await page.waitForSelector(".card");
  await page.keyboard.press("/");
  await page.keyboard.type("model test build: node01");
  for (let i = 0; i < 40 && (await page.evaluate((path) => document.activeElement?.getAttribute("data-path") !== path, DR)); i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".frame-card[data-record]");
  await page.keyboard.press("Escape");
  const start = await recordInView(page);
  const frame = await pressAndMove(page, "ArrowRight");
  expect(await pressAndMove(page, "Shift+ArrowLeft")).toBeLessThan(frame);
  await pressAndMove(page, "Home");
  const end = await pressAndMove(page, "End");
  expect(end).toBeGreaterThan(start);
  await page.keyboard.press("/");
  await page.keyboard.type("arp.opcode == 2 && kind == frame-sent");
  await page.keyboard.press("Escape");
  await expect.poll(() => page.textContent("#filter-said")).toMatch(/\d+ matches/);
  const previous = await pressAndMove(page, "N");
  expect(previous).toBeLessThan(end);
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog:not([open])", { state: "attached" });
  await page.keyboard.press("g");
  await page.waitForSelector(".gallery");
  await page.keyboard.press("g");
  expect(await recordInView(page)).toBe(previous);
});

test("plays by events and to scale, and pauses", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  const start = await recordInView(page);
  await page.getByLabel("Pace").selectOption("event 120");
  await page.keyboard.press("Escape");
  await page.keyboard.press(" ");
  await expect.poll(() => recordInView(page)).toBeGreaterThan(start + 20);
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  // What was asked for before the pause may still arrive; then nothing moves any more.
  await expect.poll(async () => (await recordInView(page)) === (await recordInView(page))).toBe(true);
  const time = async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"));
  const before = await time();
  await page.getByLabel("Pace").selectOption("scale 0.5");
  await page.keyboard.press("Escape");
  const clock = () => page.evaluate(() => performance.now());
  const started = await clock();
  await page.keyboard.press(" ");
  await expect.poll(time).toBeGreaterThan(before + 0.3);
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play", exact: true }).waitFor();
  const passed = (await time()) - before;
  // Half as fast as the clock; a machine that is busy only falls behind.
  expect(passed).toBeLessThan(((await clock()) - started) / 1000 / 2 + 0.1);
});

test("goes to a time and to a host", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  await page.getByLabel("Go to time").fill("2.5");
  await page.keyboard.press("Enter");
  await expect.poll(async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"))).toBe(2.5);
  await page.getByLabel("Next at host").selectOption("node01");
  await expect.poll(() => page.textContent(".frame-card")).toContain("node01");
  await page.getByLabel("Go to time").fill("soon");
  await page.keyboard.press("Enter");
  expect(await page.getByLabel("Go to time").getAttribute("aria-invalid")).toBe("true");
});

test("who wants no motion sees none", async () => {
  const { page } = await lab.open("", { reducedMotion: "reduce" });
  await page.waitForSelector(".card");
  await page.evaluate(() => {
    const state = globalThis as unknown as { moved: number };
    state.moved = 0;
    new MutationObserver(() => {
      state.moved += document.querySelectorAll(".motions .dot").length;
    }).observe(document.body, { childList: true, subtree: true });
  });
  await openScenario(page, DR);
  for (let i = 0; i < 4; i++) await pressAndMove(page, "ArrowRight");
  expect(await page.evaluate(() => (globalThis as unknown as { moved: number }).moved)).toBe(0);
  expect(await page.locator(".resting .dot, .drop").count()).toBeGreaterThan(0);
});

test("hosts can be dragged and laid out anew", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  const node = page.locator('[data-node="node02"]');
  const before = await node.boundingBox();
  if (before === null) throw new Error("node02 is not in view");
  await page.mouse.move(before.x + before.width / 2, before.y + before.height / 2);
  await page.mouse.down();
  await page.mouse.move(before.x + before.width / 2 - 80, before.y + before.height / 2 + 20, { steps: 4 });
  await page.mouse.up();
  const after = await node.boundingBox();
  expect(after?.x).toBeLessThan(before.x - 60);
  await page.getByRole("button", { name: "Lay out anew" }).click();
  expect((await node.boundingBox())?.x).toBe(before.x);
});

test("theme and language are remembered", async () => {
  const { page } = await lab.open();
  await page.selectOption("select >> nth=0", "dark");
  await page.selectOption("select >> nth=1", "zh");
  await page.reload();
  await page.waitForSelector(".card");
  expect(await page.getAttribute("html", "data-theme")).toBe("dark");
  expect(await page.textContent(".gallery h2")).toBe("场景");
});

test("what a file says is text, never HTML, and nothing inline runs", async () => {
  const attack = '<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>';
  const text = readFileSync(join(SCENARIOS, DR), "utf8")
    .replace(/^title: .*$/m, `title: '${attack}'`)
    .replace("curl -s http://192.168.247.135/", `curl -s http://192.168.247.135/ # ${attack.replaceAll('"', "'")}`)
    .replace(/, expect: \{[^}]*\}/g, "");
  const { page, complaints } = await lab.open();
  await page.setInputFiles("input[type=file]", { name: "<b>x</b>.yaml", mimeType: "text/plain", buffer: Buffer.from(text) });
  await page.waitForSelector(".frame-card[data-record]");
  expect(await page.textContent("h1")).toContain(attack);
  await page.fill("#filter", "kind == command-start");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.textContent(".records")).toContain("onerror=");
  expect(await page.locator("img, .records script, h1 *").count()).toBe(0);
  expect(complaints).toEqual([]);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.hacked = 2";
    document.body.append(script);
  });
  expect(await page.evaluate(() => (globalThis as unknown as { hacked?: number }).hacked)).toBeUndefined();
  expect(complaints.join()).toContain("Content Security Policy");
});

test("a scenario and a trace can be dropped anywhere on the page", async () => {
  const { page, complaints } = await lab.open();
  await page.waitForSelector(".card");
  const drop = (name: string, text: string) =>
    page.evaluate(
      ([fileName, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([content], fileName));
        const target = document.querySelector("main") as HTMLElement;
        for (const type of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
      },
      [name, text] as const,
    );
  const scenario = readFileSync(join(SCENARIOS, DR), "utf8").replace(/^title: .*$/m, "title: dropped by hand");
  await drop("mine.yaml", scenario);
  await expect.poll(() => page.textContent("h1")).toBe("dropped by hand");
  const parts: string[] = [];
  const parsed = parseScenario(scenario.replace("dropped by hand", "a dropped trace"), "mine.yaml");
  const sink = new JsonLinesSink(traceHeader(parsed, "full", "1"), (part) => parts.push(typeof part === "string" ? part : new TextDecoder().decode(part)));
  runScenario(parsed, { parts: LINUX_PARTS, traceLevel: "full", sinks: [sink] });
  sink.flush();
  await drop("mine.jsonl", parts.join(""));
  await expect.poll(() => page.textContent("h1")).toBe("a dropped trace");
  expect(await recordInView(page)).toBeGreaterThan(0);
  expect(complaints).toEqual([]);
});
