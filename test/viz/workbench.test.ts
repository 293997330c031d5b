/**
 * What a learner does with a run: types on a host, breaks the scenario in the editor, compares, answers questions, takes files away.
 */

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bringUp, openScenario, openTerminal, PageLab, recordInView, replaceInEditor, runTabs, screenText } from "./browser.ts";

const DR = "documents/dr-192.168.247.yaml";

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

async function terminalAt(page: Page, seconds: string, host: string): Promise<void> {
  await page.getByLabel("Go to time").fill(seconds);
  await page.keyboard.press("Enter");
  await expect.poll(async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"))).toBe(Number(seconds));
  await openTerminal(page, host);
}

test("a typed line runs at the instant in view, on a fork; the original stays", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, DR);
  await terminalAt(page, "3", "node01");
  await page.keyboard.type("ipvsadm -Ln");
  await page.keyboard.press("Enter");
  await expect.poll(() => screenText(page)).toMatch(/192\.168\.247\.136:80 +Route +1 +0 +2/);
  expect(await runTabs(page).count()).toBe(2);
  const time = async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"));
  expect(await time()).toBeGreaterThanOrEqual(3);
  expect(await time()).toBeLessThan(3.1);

  // What is typed shapes what follows: a service that is gone, a connection that fails.
  await page.keyboard.type("ipvsadm -C");
  await page.keyboard.press("Enter");
  await page.keyboard.type("ipvsadm -Ln");
  await page.keyboard.press("Enter");
  await expect.poll(() => screenText(page)).toMatch(/ipvsadm -Ln.*InActConn\[root@node01 ~\]# *$/);
  expect(await runTabs(page).count()).toBe(2);

  await page.getByRole("button", { name: "Back to the original" }).click();
  await expect.poll(() => screenText(page)).not.toContain("ipvsadm -C");
  expect(complaints).toEqual([]);
});

test("the terminal knows commands, addresses and what was typed before, and follows time", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  await terminalAt(page, "1.5", "node04");
  await expect.poll(() => screenText(page)).toContain("from 192.168.247.135");
  expect(await screenText(page)).not.toContain("for i in");
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => screenText(page)).toMatch(/# curl -s http:\/\/192\.168\.247\.135\/ *$/);
  await page.keyboard.press("Control+u");
  await page.keyboard.type("arpi");
  await page.keyboard.press("Tab");
  await expect.poll(() => screenText(page)).toMatch(/# arping *$/);
  await page.keyboard.type("-c 1 192.168.247.10");
  await page.keyboard.press("Tab");
  await expect.poll(() => screenText(page)).toMatch(/arping -c 1 192\.168\.247\.100 *$/);
  await page.keyboard.press("Escape");
  await page.getByLabel("Go to time").fill("3");
  await page.keyboard.press("Enter");
  await expect.poll(() => screenText(page)).toContain("for i in 1 2 3 4");
});

test("ARP suppression broken in the editor: three answer, and the comparison says where the runs part", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, DR);
  await bringUp(page, "Editor");
  await page.locator(".editor .cm-content").waitFor();
  const text = await page.evaluate(() => document.querySelector(".editor .code")?.shadowRoot?.querySelector(".cm-content")?.getAttribute("aria-label"));
  expect(text).toBe("Text of the scenario");
  await replaceInEditor(page, "echo 1 > /proc/sys/net/ipv4/conf/", "echo 0 > /proc/sys/net/ipv4/conf/");
  await expect.poll(() => page.textContent(".editor .bar")).toContain("Differs");
  await page.locator(".editor").getByRole("button", { name: "Run" }).click();
  await expect.poll(() => runTabs(page).count()).toBe(2);

  await page.fill("#filter", "arp.opcode == 2 && kind == frame-sent && arp.src.proto_ipv4 == 192.168.247.100");
  await expect.poll(() => page.textContent("#filter-said")).toBe("3 matches");

  await bringUp(page, "Compare");
  await expect.poll(() => page.textContent(".compare .bar")).toMatch(/They part at -?\d/);
  await page.locator(".compare").getByRole("button", { name: "Go there" }).click();
  await expect.poll(() => page.locator(".compare .rows .first").count()).toBe(2);
  await expect.poll(() => page.locator(".compare section").first().locator(".rows .at.first").count()).toBe(1);
  expect(complaints).toEqual([]);
});

test("the editor marks what is wrong at its line, before and after it runs, and completes", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  await bringUp(page, "Editor");
  await page.locator(".editor .cm-content").click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("dura");
  await page.locator(".editor .cm-tooltip-autocomplete").waitFor();
  expect(await page.textContent(".editor .cm-tooltip-autocomplete")).toContain("duration:");
  await page.keyboard.press("Escape");
  await page.locator(".editor .cm-content").focus();
  await page.keyboard.type("tion: soon\n");
  await expect.poll(() => page.textContent(".editor .problems")).toMatch(/line \d+/);
  await expect.poll(() => page.locator(".editor .cm-lint-marker-error").count()).toBe(1);
  await page.locator(".editor").getByRole("button", { name: "Run" }).click();
  await expect.poll(() => page.textContent("[role=alert]")).toMatch(/dr-192\.168\.247\.yaml is no scenario/);
  await page.getByRole("button", { name: "Undo all" }).click();
  await expect.poll(() => page.textContent(".editor .problems")).toBe("");
});

test("two scenarios beside each other at the same time", async () => {
  const { page } = await lab.open();
  await openScenario(page, DR);
  const before = await recordInView(page);
  await bringUp(page, "Compare");
  await page.locator(".compare select").selectOption("documents/dr-arp-not-suppressed.yaml");
  await expect.poll(() => page.locator(".compare .small-picture").count()).toBe(2);
  expect(await page.textContent("h1")).toContain("LVS DR model test build");
  expect(await recordInView(page)).toBe(before);
  expect(await runTabs(page).allTextContents()).toEqual(["1 original", "2 dr-arp-not-suppressed"]);
  await page.getByText("Frames sent and drops").click();
  expect(await page.locator(".compare tbody tr").count()).toBeGreaterThan(3);
});

test("what a director carries in NAT stands beside what it carries in DR", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, "documents/dr-10.168.yaml");
  await page.keyboard.press("End");
  await bringUp(page, "Compare");
  await page.locator(".compare select").selectOption("documents/nat-10.168.yaml");
  await expect.poll(() => page.locator(".compare .small-picture").count()).toBe(2);
  await bringUp(page, "Charts");
  await page.locator(".traffic select").selectOption({ label: "documents/nat-10.168.yaml" });
  const carried = page.locator(".traffic .bars tr.director:has-text('Directors') strong");
  const times = async () => (await carried.allTextContents()).map(Number);
  await expect.poll(async () => ((await times())[0] ?? 9) < 1.2 && ((await times())[1] ?? 0) > 1.8).toBe(true);
  expect(complaints).toEqual([]);
});

test("a question is asked before the answer shows, checked against the run, and counted once", async () => {
  const { page, complaints } = await lab.open();
  await openScenario(page, DR);
  await bringUp(page, "Learn");
  const question = page.getByRole("button", { name: /node04 asks who has 192\.168\.247\.100/ });
  await question.click();
  await expect.poll(() => page.textContent(".frame-card")).toContain("who-has");
  const asked = await recordInView(page);
  await page.getByRole("checkbox", { name: "node02" }).check();
  await page.getByRole("button", { name: "Check against the run" }).click();
  await expect.poll(() => page.textContent(".learn .said")).toContain("Not so");
  expect(await page.textContent(".learn label.answer")).toContain("node01");
  expect(await recordInView(page)).toBeGreaterThan(asked);
  expect(await page.textContent(".learn .score")).toContain("0 of 1 right");
  await page.getByRole("button", { name: "All questions" }).click();
  await question.click();
  await page.getByRole("checkbox", { name: "node01" }).check();
  await page.getByRole("button", { name: "Check against the run" }).click();
  await expect.poll(() => page.textContent(".learn .said")).toContain("Right");
  expect(await page.textContent(".learn .score")).toContain("0 of 1 right");
  await page.reload();
  await page.waitForSelector(".frame-card[data-record]");
  await bringUp(page, "Learn");
  await expect.poll(() => page.textContent(".learn .score")).toContain("0 of 1 right");
  expect(complaints).toEqual([]);
});

test("pictures, packets and the trace can be taken away, and the trace opens again", async () => {
  const { page, complaints } = await lab.open("", { acceptDownloads: true });
  await openScenario(page, DR);
  await bringUp(page, "Take away");
  const fetched = async (name: string) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const svg = await fetched("Picture (SVG)");
  expect(svg.name).toBe("dr-192.168.247.svg");
  const shown = svg.bytes.toString();
  expect(shown).toContain("node03");
  expect(shown).toContain("192.168.247.134/24");
  expect(shown).not.toMatch(/<script| style=|class=|var\(--/);
  const png = await fetched("Picture (PNG)");
  expect(png.bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(png.bytes.readUInt32BE(16)).toBeGreaterThan(1000);
  const capture = await fetched("Packets (pcapng)");
  expect(capture.bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
  const trace = await fetched("Trace (JSON Lines)");
  const records = Number((await page.textContent(".playback output"))?.match(/of ([\d,]+)/)?.[1]?.replaceAll(",", ""));
  await page.keyboard.press("g");
  await page.setInputFiles("input[type=file]", { name: trace.name, mimeType: "text/plain", buffer: trace.bytes });
  await expect.poll(async () => Number((await page.textContent(".playback output"))?.match(/of ([\d,]+)/)?.[1]?.replaceAll(",", ""))).toBe(records);
  await bringUp(page, "Terminal");
  await expect.poll(() => page.textContent(".terminals .bar")).toContain("A trace can only be watched");
  expect(complaints).toEqual([]);
});
