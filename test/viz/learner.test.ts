/**
 * A learner's way through the page: gallery, steps forth and back, a link, bad files.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openScenario, PageLab, pressAndMove, recordInView, SCENARIOS } from "./browser.ts";

const DR = "documents/dr-192.168.247.yaml";

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

test("the gallery is found by mode and by words", async () => {
  const { page, complaints } = await lab.open();
  await page.waitForSelector(".card");
  const all = await page.locator(".card").count();
  await page.getByLabel("Mode").selectOption("TUN");
  const tunnels = await page.locator(".card").count();
  expect(tunnels).toBeGreaterThan(0);
  expect(tunnels).toBeLessThan(all);
  await page.getByLabel("Mode").selectOption("");
  await page.getByLabel("Search scenarios").fill("192.168.247 firewall");
  await expect.poll(() => page.locator(".card").count()).toBe(1);
  expect(complaints).toEqual([]);
});

test("steps to the ARP reply and back again, and sees the director change the MAC", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, DR);
  const first = await recordInView(page);
  const reply = await pressAndMove(page, "ArrowRight");
  expect(await page.textContent(".frame-card")).toMatch(/ARP .*is-at/);
  expect(await pressAndMove(page, "ArrowLeft")).toBe(first);
  expect(await pressAndMove(page, "ArrowRight")).toBe(reply);

  await page.keyboard.press("/");
  await page.keyboard.type("host == node01 && kind == frame-sent && tcp.flags.syn");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node01:ens33.*SYN/);
  await expect.poll(() => page.textContent(".frame-card")).toContain("▲ node03.ens33");
  expect(complaints).toEqual([]);
});

test("a filter that is wrong says where, and changes nothing", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  const before = await recordInView(page);
  await page.fill("#filter", "tcp.prot == 80");
  await expect.poll(() => page.textContent("#filter-said")).toContain("did you mean tcp.port?");
  expect(await recordInView(page)).toBe(before);
});

test("a link holds scenario and position", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  for (let i = 0; i < 5; i++) await pressAndMove(page, "ArrowRight");
  const record = await recordInView(page);
  await page.getByRole("button", { name: "Copy link" }).click();
  await expect.poll(() => page.textContent(".share [role=status]")).toContain("clipboard");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const { page: other, complaints } = await lab.open(link);
  await other.waitForSelector(".frame-card[data-record]");
  expect(await recordInView(other)).toBe(record);
  expect(await other.textContent("h1")).toContain("LVS DR model test build");
  expect(complaints).toEqual([]);
});

test.each([
  { name: "bad.yaml", text: "title: x\nhosts:\n  a: { interfaces: { eth0: { lnk: lan } } }\n", says: /line 3.*unknown key `lnk`; did you mean `link`\?/s },
  { name: "no.jsonl", text: "garbage\n", says: /no trace/ },
  { name: "old.jsonl", text: '{"format":"lvsim-trace","version":0}\n', says: /version 0, this program reads version 1/ },
  { name: "cut.jsonl", text: `{"format":"lvsim-trace","version":1,"level":"full","title":"t","seed":"1","hosts":[],"links":[],"scenario":null}\n{"id":1,"tim`, says: /line 2/ },
])("$name is refused in words, and the page stays usable", async ({ name, text, says }) => {
  const { page } = await lab.open();
  await page.setInputFiles("input[type=file]", { name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await expect.poll(() => page.textContent("[role=alert]")).toMatch(says);
  await openScenario(page, DR);
  expect(await page.locator("[role=alert]").count()).toBe(0);
});

test("a runaway scenario is stopped and what it did can be watched", async () => {
  const { page } = await lab.open();
  const text = readFileSync(join(SCENARIOS, DR), "utf8").replace(/timeline:[\s\S]*/, 'timeline:\n  - { at: 0s, host: node04, run: "while true; do :; done" }\n');
  await page.setInputFiles("input[type=file]", { name: "runaway.yaml", mimeType: "text/plain", buffer: Buffer.from(text) });
  await expect.poll(() => page.textContent("[role=alert]"), { timeout: 60_000 }).toMatch(/runaway\.yaml wanted more than a run may use.*limit/s);
  expect(await recordInView(page)).toBeGreaterThan(0);
});

test("a worker that breaks is replaced, and the page says so", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      throw new Error("out of order");
    });
  });
  await expect.poll(() => page.textContent("[role=alert]")).toMatch(/error of its own.*out of order/s);
  await openScenario(page, DR);
  await pressAndMove(page, "ArrowRight");
  expect(await page.locator("[role=alert]").count()).toBe(0);
});
