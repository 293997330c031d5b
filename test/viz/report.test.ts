/**
 * The report of a run in Chromium: readable in both themes, with pictures, without scripts, asking for nothing.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportCommand } from "../../src/cli/report-command.ts";
import { PageLab, SCENARIOS } from "./browser.ts";
import { faint } from "./page-checks.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "lvsim-report-"));
const FILE = join(FOLDER, "report.html");

let lab: PageLab;

beforeAll(async () => {
  await reportCommand(join(SCENARIOS, "workload-dr.yaml"), { output: FILE, language: "en" });
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
  rmSync(FOLDER, { recursive: true });
});

test.each(["light", "dark"] as const)("in the %s theme", async (colorScheme) => {
  const { page, complaints } = await lab.open(pathToFileURL(FILE).href, { colorScheme, javaScriptEnabled: true });
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.reload();
  expect(asked).toEqual([pathToFileURL(FILE).href]);
  expect(await page.locator("script").count()).toBe(0);
  await page.locator("details").evaluateAll((all) => {
    for (const one of all) (one as HTMLDetailsElement).open = true;
  });
  expect(await faint(page, { text: 4.5, large: 3 })).toEqual([]);
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(dark === "rgb(24, 32, 42)").toBe(colorScheme === "dark");
  // Pictures are there and have a size; nothing but wide pictures and tables is wider than the window.
  for (const name of [".topology", ".ladder", ".chart"]) {
    const box = await page.locator(name).first().boundingBox();
    expect(box?.width).toBeGreaterThan(300);
    expect(box?.height).toBeGreaterThan(100);
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(1280);
  expect(complaints).toEqual([]);
});

test("hosts, devices and arrows are inside the pictures", async () => {
  const { page } = await lab.open(pathToFileURL(FILE).href);
  const outside = await page.evaluate(() =>
    [".topology", ".ladder"].flatMap((name) => {
      const svg = document.querySelector(name) as SVGSVGElement;
      const all = svg.getBoundingClientRect();
      return [...svg.querySelectorAll("text, rect, path")]
        .filter((one) => {
          const box = one.getBoundingClientRect();
          return box.left < all.left - 1 || box.right > all.right + 1 || box.top < all.top - 1 || box.bottom > all.bottom + 1;
        })
        .map((one) => `${name} ${one.textContent}`);
    }),
  );
  expect(outside).toEqual([]);
});
