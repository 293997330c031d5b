/**
 * `lvsim view FILE`: the page on a file of this computer, for this computer only.
 */

import { request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addressOf, serveView } from "../../src/cli/view-command.ts";
import { PageLab, SCENARIOS } from "./browser.ts";

const FILE = join(SCENARIOS, "documents/tun-10.168.yaml");

let lab: PageLab;
let server: Server;

beforeAll(async () => {
  lab = await PageLab.start();
  server = await serveView(FILE, 0);
});

afterAll(async () => {
  await lab.stop();
  await new Promise((resolve) => server.close(resolve));
});

/** Status of a request to the server. */
function status(path: string, options: { readonly host?: string; readonly method?: string } = {}): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, method: options.method ?? "GET", headers: { host: options.host ?? `127.0.0.1:${port}` } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

test("opens the file", async () => {
  const { page, complaints } = await lab.open(addressOf(server, FILE));
  await page.waitForSelector(".frame-card[data-record]");
  expect(await page.locator('[data-node^="link/"]').count()).toBeGreaterThan(0);
  expect(await page.title()).toMatch(/TUN|tun/);
  expect(complaints).toEqual([]);
});

test("listens on loopback, gives the page and the file only", async () => {
  expect((server.address() as AddressInfo).address).toBe("127.0.0.1");
  expect(await status("/")).toBe(200);
  expect(await status("/opened/tun-10.168.yaml")).toBe(200);
  expect(await status("/opened/nat-10.168.yaml")).toBe(404);
  expect(await status("/../../package.json")).toBe(404);
  expect(await status("/..%2f..%2fpackage.json")).toBe(404);
  expect(await status("/", { method: "POST" })).toBe(405);
  expect(await status("/", { host: "elsewhere.example" })).toBe(403);
});

test.each([
  { file: join(SCENARIOS, "no-such-file.yaml"), says: /no-such-file\.yaml: / },
  { file: SCENARIOS, says: /not a file/ },
])("$says", async ({ file, says }) => {
  await expect(serveView(file, 0)).rejects.toThrow(says);
});
