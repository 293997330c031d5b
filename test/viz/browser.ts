/**
 * The built page in a real Chromium, served from this machine.
 */

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export const DIST = join(import.meta.dirname, "../../viz/dist");
export const SCENARIOS = join(import.meta.dirname, "../../scenarios");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** A page and what it complained about: errors, messages of the Content-Security-Policy. */
export interface OpenPage {
  readonly page: Page;
  readonly complaints: string[];
}

export class PageLab {
  readonly url: string;
  readonly #server: Server;
  readonly #browser: Browser;

  private constructor(server: Server, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  static async start(): Promise<PageLab> {
    const server = createServer((request, response) => {
      const path = normalize(decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/")).replace(/\/$/, "/index.html");
      readFile(join(DIST, path)).then(
        (bytes) => response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" }).end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PageLab(server, await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }));
  }

  /** A page in a context of its own, 1280x720 unless told. */
  async open(path = "", options: BrowserContextOptions = {}): Promise<OpenPage> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 720 }, permissions: ["clipboard-read", "clipboard-write"], ...options });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    await page.goto(new URL(path, this.url).href);
    return { page, complaints };
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Opens a scenario of the gallery and waits until its first frame is in view. */
export async function openScenario(page: Page, path: string): Promise<void> {
  await page.click(`[data-path="${path}"]`);
  await page.waitForSelector(".frame-card[data-record]");
}

/** Id of the record in view. */
export async function recordInView(page: Page): Promise<number> {
  return Number(await page.getAttribute(".playback output", "data-record"));
}

/** Presses a key and waits until another record is in view. */
export async function pressAndMove(page: Page, key: string): Promise<number> {
  const before = await recordInView(page);
  await page.keyboard.press(key);
  await page.waitForFunction((id) => document.querySelector(".playback output")?.getAttribute("data-record") !== String(id), before);
  return recordInView(page);
}

/** Waits until inspector and tables, where they are seen, show the record in view: they follow when the position rests. */
export async function atRest(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const here = document.querySelector(".playback output")?.getAttribute("data-record");
    return [...document.querySelectorAll(".inspector, .tables [data-record]")].every((shown) => !shown.checkVisibility() || shown.getAttribute("data-record") === here);
  });
}

/** Brings a panel to the front by the name on its tab. */
export function bringUp(page: Page, name: string): Promise<void> {
  return page.getByRole("tab", { name, exact: true }).click();
}

/** What the terminal in view has on its screen. */
export function screenText(page: Page): Promise<string> {
  return page.evaluate(() => document.querySelector(".terminals .xterm-rows")?.textContent?.replaceAll("\u00a0", " ") ?? "");
}

/** Opens the terminal of a host and gives it the keys. */
export async function openTerminal(page: Page, host: string): Promise<void> {
  await bringUp(page, "Terminal");
  await page.getByRole("tab", { name: host, exact: true }).click();
  await page.waitForSelector(`.screen[data-host="${host}"] .xterm-rows`);
  await page.locator(".terminals textarea").focus();
}

/** Replaces a text everywhere in the editor, as a person does with its search. */
export async function replaceInEditor(page: Page, search: string, replacement: string): Promise<void> {
  await bringUp(page, "Editor");
  await page.locator(".editor .cm-content").click();
  await page.keyboard.press("Control+f");
  const panel = page.locator(".editor .cm-search");
  await panel.locator("[name=search]").fill(search);
  await panel.locator("input[name=replace]").fill(replacement);
  await panel.locator("[name=replaceAll]").click();
  await panel.locator("[name=close]").click();
}

/** The runs that are open beside each other; one run has no tabs. */
export function runTabs(page: Page) {
  return page.getByRole("tablist", { name: "Runs" }).getByRole("tab");
}
