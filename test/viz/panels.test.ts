/**
 * Inspector, tables, ladder and charts, as a learner uses them.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { atRest, openScenario, PageLab, pressAndMove, recordInView, SCENARIOS } from "./browser.ts";
import { faint, nameless } from "./page-checks.ts";

const DR = "documents/dr-192.168.247.yaml";
const NAT = "documents/nat-10.168.yaml";
const TUN = "documents/tun-10.168.yaml";
const FORWARDED = "host == node01 && kind == frame-sent && tcp.flags.syn";

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

/** Opens a scenario and goes to the first record that matches. */
async function openAt(path: string, filter: string, options: Parameters<PageLab["open"]>[1] = {}): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const opened = await lab.open("", options);
  await openScenario(opened.page, path);
  await goTo(opened.page, filter);
  return opened;
}

async function goTo(page: Page, filter: string): Promise<void> {
  await page.fill("#filter", filter);
  await expect.poll(() => page.textContent("#filter-said")).toMatch(/\d|条/);
  const before = await recordInView(page);
  await page.locator("#filter").press("Enter");
  await expect.poll(() => recordInView(page)).not.toBe(before);
  await page.fill("#filter", "");
  await page.keyboard.press("Escape");
  await atRest(page);
}

/** Brings a panel to the front; inspector and tables show the record in view when it returns. */
async function showPanel(page: Page, id: string): Promise<void> {
  await page.click(`#tab-${id}`);
  await page.keyboard.press("Escape");
  if (id === "inspector") await page.waitForSelector(".inspector");
  if (id === "tables") await page.waitForSelector(".tables [data-record]");
  await atRest(page);
}

describe("inspector", () => {
  test("shows the MAC rewrite of a DR director, before and after, and what decided", async () => {
    const { page, complaints } = await openAt(DR, FORWARDED);
    await showPanel(page, "inspector");
    const changes = page.locator(".inspector table.changes");
    await expect.poll(() => changes.textContent()).toMatch(/eth\.dst02:00:00:00:00:02 \(node01\.ens33\)▲ 02:00:00:00:00:04 \(node03\.ens33\)/);
    expect(await changes.textContent()).not.toContain("ip.dst");
    const decided = page.locator(".inspector .part", { hasText: "What decided on this host" });
    expect(await decided.textContent()).toContain("rr → 192.168.247.136:80");
    expect(complaints).toEqual([]);
  });

  test("a field shows its bytes, a byte its field, with keys and with the pointer", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "inspector");
    await expect.poll(() => page.locator(".inspector table.changes").textContent()).toContain("eth.dst");
    await page.locator(".inspector .layers").focus();
    const marked = () => page.locator(".byte.active").allTextContents();
    await page.keyboard.press("ArrowDown");
    await expect.poll(async () => (await marked()).join(":")).toBe("02:00:00:00:00:04");
    expect(await page.locator('.field[aria-selected="true"]').textContent()).toContain("eth.dst");
    await page.keyboard.press("ArrowDown");
    await expect.poll(async () => (await marked()).join(":")).toBe("02:00:00:00:00:02");
    await page.locator('.byte[data-at="22"]').hover();
    await expect.poll(() => page.locator(".field.active").textContent()).toContain("ip.ttl");
    await page.locator(".field", { hasText: "ip.dst" }).hover();
    await expect.poll(async () => (await marked()).join(" ")).toBe("c0 a8 f7 64");
  });

  test("a tunnel's outer header is marked as added; before the hop it is not there", async () => {
    const { page } = await openAt(TUN, "host == dr && kind == frame-sent && ipip");
    await showPanel(page, "inspector");
    await expect.poll(() => page.locator(".layer.new").textContent()).toContain("added here");
    expect(await page.locator(".layer.ip").count()).toBe(2);
    await page.getByRole("button", { name: "before it" }).click();
    await expect.poll(() => page.locator(".layer.ip").count()).toBe(1);
    expect(await page.locator(".layer.new").count()).toBe(0);
  });

  test("causes, effects and the packet's life are ways through the run", async () => {
    const { page } = await openAt(NAT, "host == dr && kind == frame-sent && tcp.flags.syn");
    await showPanel(page, "inspector");
    const here = await recordInView(page);
    const effects = page.locator(".inspector .part", { hasText: "What followed" });
    await effects.locator(".record-link").first().click();
    await expect.poll(() => recordInView(page)).toBeGreaterThan(here);
    const causes = page.locator(".inspector .part", { hasText: "What led here" });
    await expect.poll(() => causes.locator(`.record-link:has-text("${here}")`).count()).toBeGreaterThan(0);
    await causes.locator(".record-link").first().click();
    await expect.poll(() => page.locator(".inspector").textContent()).toContain("command-start");
    await goTo(page, "host == dr && kind == frame-sent && tcp.flags.ack");
    const life = page.locator(".inspector details", { hasText: "whole life" });
    await life.locator("summary").click();
    await expect.poll(() => life.locator(".record-link").count()).toBeGreaterThan(4);
    expect(await life.textContent()).toContain("packet-rewritten");
  });

  test("following a connection leaves only it, and ends with the same button", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "inspector");
    const follow = page.getByRole("button", { name: "Follow this connection" });
    await follow.click();
    expect(await page.inputValue("#filter")).toMatch(/^conn == \d+$/);
    await expect.poll(() => follow.getAttribute("aria-pressed")).toBe("true");
    await expect.poll(() => page.textContent("#filter-said")).toMatch(/^\d+ matches$/);
    await showPanel(page, "ladder");
    await expect.poll(() => page.locator(".ladder .row").count()).toBeGreaterThan(5);
    expect(await page.locator(".ladder .row.arp").count()).toBe(0);
    await follow.click();
    await expect.poll(() => page.inputValue("#filter")).toBe("");
  });
});

describe("tables", () => {
  test("a row that decided is shown in its table", async () => {
    const { page, complaints } = await openAt(DR, FORWARDED);
    await showPanel(page, "inspector");
    await page.locator(".row-link", { hasText: "192.168.247.136 dev ens33" }).first().click();
    await expect.poll(() => page.locator("tr.pointed").textContent()).toMatch(/192\.168\.247\.136.*decided/);
    expect(await page.locator("[data-table=neighbours]").textContent()).toContain("is-at 02:00:00:00:00:04");
    expect(complaints).toEqual([]);
  });

  test("what the step changed glows, is said in words, and no longer after the next", async () => {
    const { page } = await openAt(DR, 'kind == neighbour && host == node01 && text contains "192.168.247.136" && text contains REACHABLE');
    await showPanel(page, "tables");
    await page.getByLabel("Tables of").selectOption("node01");
    await page.keyboard.press("Escape");
    const neighbours = page.locator("[data-table=neighbours]");
    await expect.poll(() => neighbours.textContent()).toContain("192.168.247.136");
    await pressAndMove(page, "Shift+ArrowLeft");
    await pressAndMove(page, "Shift+ArrowLeft");
    await pressAndMove(page, "Shift+ArrowRight");
    await pressAndMove(page, "Shift+ArrowRight");
    await pressAndMove(page, "Shift+ArrowLeft");
    const glowing = () => page.locator("[data-table=neighbours] tr.glow");
    const steps: string[] = [];
    for (let i = 0; i < 4; i++) {
      await pressAndMove(page, "Shift+ArrowRight");
      // Tables follow when the position rests.
      await atRest(page);
      steps.push((await glowing().allTextContents()).join());
    }
    const at = steps.findIndex((text) => /▲ REACHABLE.*← INCOMPLETE/.test(text));
    expect(at, steps.join(" / ")).toBeGreaterThanOrEqual(0);
    expect(steps[at + 1], steps.join(" / ")).toBe("");
  });

  test("settings in force: max of all and the device", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "tables");
    await page.getByLabel("Tables of").selectOption("node02");
    await expect.poll(() => page.locator("[data-table=sysctls]").textContent()).toContain("1 max(all 1, ens33 1)");
    const few = await page.locator("[data-table=sysctls] tr").count();
    await page.getByLabel("All settings").check();
    await expect.poll(() => page.locator("[data-table=sysctls] tr").count()).toBeGreaterThan(few + 100);
    await page.getByLabel("Tables of").selectOption("link/lan");
    await expect.poll(() => page.locator("[data-table=macs] tbody tr").count()).toBeGreaterThan(1);
  });

  test("connections have a state and a timer that runs", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "tables");
    await page.getByLabel("Tables of").selectOption("node01");
    const connections = page.locator("[data-table=ipvsConnections]");
    await expect.poll(() => connections.textContent()).toMatch(/192\.168\.247\.136:80.*01:00.*SYN_RECV/);
    await page.getByLabel("Go to time").fill("4.9");
    await page.keyboard.press("Enter");
    await expect.poll(() => connections.textContent()).toMatch(/01:58.*FIN_WAIT/);
  });
});

describe("ladder", () => {
  test("is linked with the position both ways, with pointer and keys", async () => {
    const { page, complaints } = await openAt(DR, FORWARDED);
    await showPanel(page, "ladder");
    const currentRow = () => page.locator(".ladder .row.current");
    await expect.poll(() => currentRow().getAttribute("aria-label")).toMatch(/from node01, to node03, SYN.*changed: .*eth\.dst/);
    const here = await recordInView(page);
    await pressAndMove(page, "ArrowRight");
    await expect.poll(() => currentRow().getAttribute("id")).toBe(`ladder-${await recordInView(page)}`);
    await page.locator(`#ladder-${here}`).click();
    await expect.poll(() => recordInView(page)).toBe(here);
    await page.locator(".ladder [role=listbox]").focus();
    const next = await pressAndMove(page, "ArrowDown");
    expect(next).toBeGreaterThan(here);
    expect(await pressAndMove(page, "ArrowUp")).toBe(here);
    expect(complaints).toEqual([]);
  });

  test("follows the display filter and zooms", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "ladder");
    await page.fill("#filter", "arp.opcode == 2 && kind == frame-sent");
    await expect.poll(() => page.textContent("#filter-said")).toMatch(/^\d+ matches$/);
    const labels = () => page.locator(".ladder .row").evaluateAll((rows) => rows.map((row) => row.getAttribute("aria-label") ?? ""));
    await expect.poll(async () => new Set((await labels()).map((label) => label.includes("is-at")))).toEqual(new Set([true]));
    const total = Number(await page.locator(".ladder .row").first().getAttribute("aria-setsize"));
    expect(await page.textContent("#filter-said")).toBe(`${total} matches`);
    await page.fill("#filter", "");
    await page.keyboard.press("Escape");
    const height = async () => (await page.locator(".ladder .row .back").first().boundingBox())?.height ?? 0;
    const before = await height();
    await page.locator(".ladder").getByRole("button", { name: "Zoom in" }).click();
    expect(await height()).toBeGreaterThan(before);
    for (let i = 0; i < 5; i++) await page.locator(".ladder").getByRole("button", { name: "Zoom out" }).click();
    expect(await height()).toBeLessThan(before);
    expect(await page.locator(".ladder .row .label").count()).toBe(0);
  });

  test("draws only what can be seen of a long run", async () => {
    const { page } = await lab.open();
    const text = readFileSync(join(SCENARIOS, DR), "utf8").replace(/timeline:[\s\S]*/, 'timeline:\n  - { at: 1s, host: node04, run: "ab -n 300 -c 10 http://192.168.247.100/", timeout: 600s }\n');
    await page.setInputFiles("input[type=file]", { name: "busy.yaml", mimeType: "text/plain", buffer: Buffer.from(text) });
    await page.waitForSelector(".frame-card[data-record]", { timeout: 60_000 });
    await showPanel(page, "ladder");
    const rows = page.locator(".ladder .row");
    await expect.poll(() => rows.count()).toBeGreaterThan(10);
    expect(Number(await rows.first().getAttribute("aria-setsize"))).toBeGreaterThan(4000);
    await page.keyboard.press("End");
    await expect.poll(() => page.locator(".ladder .row.current").count()).toBe(1);
    expect(await rows.count()).toBeLessThan(120);
    const isInView = async (): Promise<boolean> => {
      const y = (await page.locator(".ladder .row.current").boundingBox())?.y ?? -1;
      return y > 100 && y < 720;
    };
    await expect.poll(isInView).toBe(true);
  });
});

describe("charts", () => {
  test("shares of the servers, decisions, and what the director carried", async () => {
    const { page, complaints } = await openAt(NAT, "kind == scheduled");
    await page.keyboard.press("End");
    await showPanel(page, "charts");
    const figures = page.locator(".charts .figures tbody tr");
    await expect.poll(() => figures.allTextContents()).toEqual([" 10.168.0.94:80150 %133 %01", " 10.168.0.95:80150 %267 %02"]);
    expect(await page.getByRole("img", { name: /Share of connections.*10\.168\.0\.95:80 67 % \(By weight 50 %\)/ }).count()).toBe(1);
    const decisions = page.locator(".decisions tbody tr");
    expect(await decisions.count()).toBe(3);
    expect(await decisions.first().textContent()).toMatch(/✓ 10\.168\.0\.95:80/);
    await decisions.first().getByRole("button").click();
    await expect.poll(() => page.locator(".decisions tr.current").count()).toBe(1);
    const carried = page.locator(".traffic tr.director").first();
    expect(await carried.textContent()).toMatch(/dr:eth.*frames/);
    expect(complaints).toEqual([]);
  });

  test("a click in a chart goes to its time", async () => {
    const { page } = await openAt(DR, FORWARDED);
    await showPanel(page, "charts");
    const chart = page.locator(".line-chart").first();
    const box = await chart.boundingBox();
    await chart.click({ position: { x: (box?.width ?? 0) * 0.85, y: 60 } });
    await expect.poll(async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"))).toBeGreaterThan(3.5);
  });
});

test.each([
  { colorScheme: "light", language: "en" },
  { colorScheme: "dark", language: "zh" },
] as const)("every panel has names and can be read: $colorScheme, $language", async ({ colorScheme, language }) => {
  const { page, complaints } = await openAt(TUN, "host == dr && kind == frame-sent && ipip", { colorScheme });
  await page.selectOption("select >> nth=1", language);
  await expect.poll(() => page.getAttribute("html", "lang")).toMatch(language);
  for (const id of ["topology", "ladder", "charts", "compare", "whatif", "inspector", "tables", "learn", "editor", "takeaway", "records", "doctor", "terminal"]) {
    await showPanel(page, id);
    await page.locator(`[aria-labelledby="tab-${id}"] > :not([role=status])`).first().waitFor();
    if (id === "inspector" || id === "tables") {
      await page.keyboard.press("Escape");
      await pressAndMove(page, "ArrowRight");
      await pressAndMove(page, "ArrowRight");
      await atRest(page);
    }
    expect(await nameless(page), id).toEqual([]);
    expect(await faint(page, { text: 4.5, large: 3 }), id).toEqual([]);
    expect(await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]), id).toEqual([1280, 720]);
  }
  expect(complaints).toEqual([]);
});
