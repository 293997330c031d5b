/**
 * Why it went so: what the doctor finds stands where it holds, records are told in sentences, lines of the set-up are left out in turn.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { bringUp, openScenario, PageLab, recordInView } from "./browser.ts";

const WRONG = "documents/dr-arp-not-suppressed.yaml";
const RIGHT = "documents/dr-192.168.247.yaml";

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

test("a finding is marked at its host from the record on that shows it, with reason, cure and a way to the record", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, WRONG);
  await bringUp(page, "Doctor");
  const finding = page.locator('[data-finding="vip-answered-by-others"]').first();
  await finding.waitFor();
  expect(await finding.textContent()).toMatch(/Why.*arp_ignore.*What mends it/s);
  const host = await finding.locator("h3 .tag").textContent();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await expect.poll(() => page.locator(".finding-mark").count()).toBe(0);
  await expect.poll(() => finding.locator("h3").textContent()).toContain("not yet");
  await finding.locator(".record-link").first().click();
  await expect.poll(() => page.locator(`[data-node="${host}"] .finding-mark`).count()).toBe(1);
  expect(await page.getAttribute(`[data-node="${host}"]`, "aria-label")).toContain("the doctor:");
  expect(await finding.locator("h3").textContent()).not.toContain("not yet");
  expect(Number(await finding.locator(".record-link").first().locator(".muted").first().textContent())).toBe(await recordInView(page));
  expect(complaints).toEqual([]);
});

test("where all is well the doctor says so, and nothing is marked", async () => {
  const { page } = await lab.open();
  await openScenario(page, RIGHT);
  await page.keyboard.press("End");
  await bringUp(page, "Doctor");
  await expect.poll(() => page.textContent(".doctor")).toMatch(/Nothing wrong was found in \d+ conversations/);
  expect(await page.locator(".finding-mark").count()).toBe(0);
});

test("the inspector tells the record in sentences, each a way to its record", async () => {
  const { page } = await lab.open();
  await openScenario(page, RIGHT);
  await page.fill("#filter", "host == node01 && kind == frame-sent && tcp.flags.syn");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node01:ens33.*SYN/);
  await expect.poll(() => page.textContent(".inspector .sentences")).toMatch(/192\.168\.247\.136/);
  const before = await recordInView(page);
  await page.locator(".inspector .sentences button").first().click();
  await expect.poll(() => recordInView(page)).not.toBe(before);
});

test("each line of the set-up is left out in turn, and what its absence breaks is told", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, RIGHT);
  await bringUp(page, "What if");
  await page.getByRole("button", { name: "Leave out each line in turn" }).click();
  await expect.poll(() => page.textContent(".whatif [role=status]"), { timeout: 100_000 }).toMatch(/\d+ lines tried, \d+ carry weight/);
  const service = page.locator(".whatif .bearing", { hasText: "ipvsadm -A -t 192.168.247.100:80 -s rr" });
  expect(await service.count()).toBe(1);
  expect(await service.locator("ul li").count()).toBeGreaterThan(0);
  const idle = await page.locator(".whatif .idle").count();
  expect(idle).toBeGreaterThan(0);
  await page.getByLabel("only lines that carry weight").check();
  expect(await page.locator(".whatif .idle").count()).toBe(0);
  expect(complaints).toEqual([]);
});
