/**
 * A learner's way through the page, as one story; then the gallery, filters, links and bad files one by one.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bringUp, openScenario, openTerminal, PageLab, pressAndMove, recordInView, replaceInEditor, runTabs, SCENARIOS, screenText } from "./browser.ts";

const DR = "documents/dr-192.168.247.yaml";

let lab: PageLab;

beforeAll(async () => {
  lab = await PageLab.start();
});

afterAll(async () => {
  await lab.stop();
});

test("a learner opens document 003, watches, types, breaks it, compares, and shares what came of it", async () => {
  const { page, complaints } = await lab.open();

  // The document is found by its number, in the gallery.
  await page.waitForSelector(".card");
  const all = await page.locator(".card").count();
  await page.getByLabel("Search scenarios").fill("003_245f439a86c210cb");
  await expect.poll(() => page.locator(".card").count()).toBeLessThan(all);
  await openScenario(page, DR);
  expect(await page.textContent("h1")).toBe("LVS DR model test build: node01 to node04, rr");

  // To the second of the client's requests, the one for the VIP, and by steps to the reply, and back, and on again.
  await page.getByLabel("Go to time").fill("2");
  await page.keyboard.press("Enter");
  await expect.poll(async () => Number(await page.getAttribute("[role=slider]", "aria-valuenow"))).toBe(2);
  await page.keyboard.press("Escape");
  const request = await pressAndMove(page, "ArrowRight");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node04:ens33.*ARP who-has \.247\.100/);
  const reply = await pressAndMove(page, "ArrowRight");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node01:ens33.*ARP \.247\.100 is-at 00:02/);
  expect(await pressAndMove(page, "ArrowLeft")).toBe(request);
  await expect.poll(() => page.textContent(".frame-card")).toContain("who-has");
  expect(await pressAndMove(page, "ArrowRight")).toBe(reply);

  // The frame is opened: its headers and bytes.
  await expect.poll(() => page.getAttribute(".inspector", "data-record")).toBe(String(reply));
  await expect.poll(() => page.textContent(".inspector .layer.arp")).toMatch(/arp\.opcode2 \(reply\)/);
  expect(await page.textContent(".inspector .layer.arp")).toContain("192.168.247.100");
  expect(await page.textContent(".inspector .bytes")).toContain("0806");

  // The SYN goes to the director, and leaves it with another MAC and the same addresses.
  await pressAndMove(page, "ArrowRight");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node04:ens33.*SYN/);
  for (let i = 0; i < 6 && !/node01:ens33.*SYN/.test((await page.textContent(".frame-card")) ?? ""); i++) await pressAndMove(page, "ArrowRight");
  await expect.poll(() => page.textContent(".frame-card")).toMatch(/node01:ens33.*SYN.*▲ node03\.ens33/);
  const changes = page.locator(".inspector table").first();
  await expect.poll(() => changes.textContent()).toMatch(/eth\.dst02:00:00:00:00:02 \(node01\.ens33\)▲ 02:00:00:00:00:04 \(node03\.ens33\)/);
  expect(await changes.textContent()).not.toMatch(/ip\.(?:src|dst)/);

  // On the director, at this instant.
  await openTerminal(page, "node01");
  await page.keyboard.type("ipvsadm -Ln");
  await page.keyboard.press("Enter");
  await expect.poll(() => screenText(page)).toMatch(/TCP +192\.168\.247\.100:80 rr.*192\.168\.247\.136:80 +Route +1 +0 +1/);
  await expect.poll(() => runTabs(page).count()).toBe(2);
  await page.getByRole("button", { name: "Back to the original" }).click();
  await expect.poll(() => runTabs(page).first().getAttribute("aria-selected")).toBe("true");

  // ARP suppression is broken, and the scenario runs again, at the same time of the timeline.
  await replaceInEditor(page, "echo 1 > /proc/sys/net/ipv4/conf/", "echo 0 > /proc/sys/net/ipv4/conf/");
  await page.locator(".editor").getByRole("button", { name: "Run" }).click();
  await expect.poll(() => runTabs(page).count()).toBe(3);
  await expect.poll(() => runTabs(page).last().getAttribute("aria-selected")).toBe("true");

  // Who answered for the VIP? Three did.
  await page.fill("#filter", "arp.opcode == 2 && kind == frame-sent && arp.src.proto_ipv4 == 192.168.247.100");
  await expect.poll(() => page.textContent("#filter-said")).toBe("3 matches");
  await page.keyboard.press("Escape");
  await pressAndMove(page, "Home");
  const answered: string[] = [];
  for (let i = 0; i < 3; i++) {
    await pressAndMove(page, "n");
    await expect.poll(() => page.textContent(".frame-card")).toContain("is-at");
    answered.push(/(node\d\d):ens33/.exec((await page.textContent(".frame-card")) ?? "")?.[1] ?? "");
  }
  expect(answered.sort()).toEqual(["node01", "node02", "node03"]);

  // Both runs beside each other, and where they part.
  await bringUp(page, "Compare");
  await expect.poll(() => page.textContent(".compare .bar")).toMatch(/They part at -?\d/);
  await page.locator(".compare").getByRole("button", { name: "Go there" }).click();
  await expect.poll(() => page.locator(".compare .rows .first").count()).toBe(2);
  expect(await page.locator(".compare .small-picture").count()).toBe(2);

  // The link opens the broken run at the same record.
  await bringUp(page, "Topology");
  const shared = await pressAndMove(page, "n");
  await page.getByRole("button", { name: "Copy link" }).click();
  await expect.poll(() => page.textContent(".share [role=status]")).toContain("clipboard");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const { page: other, complaints: otherComplaints } = await lab.open(link);
  await other.waitForSelector(".frame-card[data-record]");
  expect(await recordInView(other)).toBe(shared);
  expect(await other.textContent(".frame-card")).toBe(await page.textContent(".frame-card"));
  await other.fill("#filter", "arp.opcode == 2 && kind == frame-sent && arp.src.proto_ipv4 == 192.168.247.100");
  await expect.poll(() => other.textContent("#filter-said")).toBe("3 matches");
  expect([...complaints, ...otherComplaints]).toEqual([]);
});

test("the gallery is found by family, by mode and by words, and fetches what it needs when it needs it", async () => {
  const { page, complaints } = await lab.open();
  await page.waitForSelector(".card");
  const all = await page.locator(".card").count();
  const families = page.getByRole("navigation", { name: "Families" });
  await families.getByRole("button", { name: /^Documents/ }).click();
  const documents = Number(/\d+$/.exec((await families.getByRole("button", { name: /^Documents/ }).textContent()) ?? "")?.[0]);
  expect(documents).toBeGreaterThan(5);
  expect(documents).toBeLessThan(all);
  await expect.poll(() => page.locator(".card").count()).toBe(documents);
  expect(await page.locator(".card").evaluateAll((cards) => cards.every((card) => (card as HTMLElement).dataset.path?.startsWith("documents/")))).toBe(true);
  await families.getByRole("button", { name: /^All/ }).click();
  await expect.poll(() => page.locator(".card").count()).toBe(all);
  await page.getByRole("combobox", { name: "Mode" }).selectOption("TUN");
  await expect.poll(() => page.locator(".card").count()).toBeLessThan(all);
  expect(await page.locator(".card").evaluateAll((cards) => cards.length > 0 && cards.every((card) => card.querySelector(".tag.tun") !== null))).toBe(true);
  await page.getByRole("combobox", { name: "Mode" }).selectOption("");
  await expect.poll(() => page.locator(".card").count()).toBe(all);
  const asked = () => page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name.replace(/.*\//, "")));
  expect((await asked()).join(" ")).not.toMatch(/gallery-words|\.yaml/);
  await page.keyboard.press("/");
  // Only the description has these words.
  await page.keyboard.type("peeping log book");
  await expect.poll(() => page.locator(".card").count()).toBe(1);
  expect(await page.locator(".card").getAttribute("data-path")).toBe(DR);
  expect((await asked()).join(" ")).toMatch(/gallery-words/);
  await page.getByLabel("Search scenarios").fill("nothing-is-called-so");
  await expect.poll(() => page.textContent(".groups")).toContain("No scenario has all of that");
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
