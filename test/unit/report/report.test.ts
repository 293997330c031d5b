/**
 * `lvsim report`: what stands in the file, from a scenario and from its trace; what a file says is text.
 */

import { gzipSync } from "node:zlib";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportCommand } from "../../../src/cli/report-command.ts";
import { ticksUpTo } from "../../../src/report/line-picture.ts";
import { escapeText, markup } from "../../../src/report/markup.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../../src/scenario/trace-header.ts";
import { JsonLinesSink } from "../../../src/trace/jsonl.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "lvsim-report-"));
const ATTACK = `</pre><script>alert("1")</script><img src=x onerror='alert(2)'>`;

const SCENARIO = `
title: 'Martians & more ${ATTACK.replaceAll("'", "''")}'
source: nowhere.txt
description: '**Bold** ${ATTACK.replaceAll("'", "''")}'
lesson: { id: Z09, mode: DR, teaches: 'an answer that is dropped ${ATTACK.replaceAll("'", "''")}' }
hosts:
  client: { interfaces: { eth0: { link: lan, address: 10.0.0.9/24 } } }
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    run: |
      ip addr add 10.0.0.100/32 dev eth0
      ipvsadm -A -t 10.0.0.100:80 -s rr
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.2 -g
  rs1:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    run: |
      sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
      ip addr add 10.0.0.100/32 dev lo
      iptables -A INPUT -s 10.0.0.77 -j DROP
      service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s http://10.0.0.100/", expect: { stdout: "from rs1\\n" } }
  - { at: 2s, host: client, run: 'echo "${ATTACK.replaceAll('"', '\\"').replaceAll("'", "''")}"', expect: { exit: 3 } }
  - { at: 3s, host: client, run: "ip addr add 10.0.0.77/32 dev eth0; ping -c 1 -W 1 -I 10.0.0.77 10.0.0.2" }
`;

const PATHS = { scenario: join(FOLDER, "martians.yaml"), html: join(FOLDER, "out/martians.html"), trace: join(FOLDER, "martians.jsonl"), fromTrace: join(FOLDER, "trace.html") };

/** The trace of the scenario as a file has it. */
function traceBytes(level: "packets" | "full"): Buffer {
  const scenario = parseScenario(SCENARIO, "martians.yaml");
  const parts: Buffer[] = [];
  const sink = new JsonLinesSink(traceHeader(scenario, level, "1"), (part) => parts.push(Buffer.from(part)));
  runScenario(scenario, { parts: LINUX_PARTS, traceLevel: level, sinks: [sink] });
  sink.flush();
  return Buffer.concat(parts);
}

/** The text of a section, tags left out. */
function section(html: string, id: string): string {
  const found = new RegExp(`<section id="${id}">([\\s\\S]*?)</section>`).exec(html);
  return (found?.[1] ?? "").replaceAll(/<title>[^<]*<\/title>/g, "").replaceAll(/<[^>]+>/g, " ").replaceAll(/\s+/g, " ");
}

let html = "";
let fromTrace = "";

beforeAll(async () => {
  writeFileSync(PATHS.scenario, SCENARIO);
  await reportCommand(PATHS.scenario, { output: PATHS.html, language: "en" });
  writeFileSync(PATHS.trace, traceBytes("full"));
  await reportCommand(PATHS.trace, { output: PATHS.fromTrace, language: "zh" });
  html = readFileSync(PATHS.html, "utf8");
  fromTrace = readFileSync(PATHS.fromTrace, "utf8");
}, 60_000);

afterAll(() => {
  rmSync(FOLDER, { recursive: true });
});

describe("the report of a scenario", () => {
  test("says what it shows, what was expected, what came back", () => {
    expect(html).toContain("an answer that is dropped");
    expect(html).toContain("nowhere.txt");
    expect(section(html, "result")).toMatch(/1 expectation is not met: martians\.yaml:\d+: exit is 0, not 3/);
    expect(section(html, "typed")).toMatch(/1\.000000 s client curl -s http:\/\/10\.0\.0\.100\/ from rs1/);
    expect(section(html, "typed")).toContain("1 packets transmitted, 0 received");
  });

  test("names what is wrong and what mends it, or that nothing is", async () => {
    expect(section(html, "findings")).toMatch(/input-dropped|✓ Nothing wrong was found/);
    const [wrong, out] = [join(FOLDER, "wrong.yaml"), join(FOLDER, "wrong.html")];
    writeFileSync(wrong, SCENARIO.replace("sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2", "true"));
    await reportCommand(wrong, { output: out, language: "en" });
    expect(section(readFileSync(out, "utf8"), "findings")).toMatch(/⚠ .* rs1 vip-answered-by-others first seen at 1\.\d{6} s .* What mends it: .*arp_ignore/);
  });

  test("draws hosts and frames, with the MAC that the director changed", () => {
    const picture = section(html, "topology");
    for (const word of ["client", "director", "real server", "rs1", "10.0.0.1/24", "(10.0.0.100 lo)", "eth0", "lan"]) expect(picture).toContain(word);
    expect(section(html, "frames")).toMatch(/ARP who-has 10\.0\.0\.100 tell 10\.0\.0\.9 .*\[S\] MAC :02 =&gt; :03/);
  });

  test("lists drops with the rule that decided, the load, and the tables at the end", () => {
    expect(section(html, "drops")).toMatch(/rs1 ✕ NETFILTER_DROP filter: -A INPUT -s 10\.0\.0\.77\/32 -j DROP 1 3\.\d{6} 10\.0\.0\.77 &gt; 10\.0\.0\.2 ICMP echo request/);
    expect(section(html, "load")).toMatch(/director: TCP 10\.0\.0\.100:80 rr/);
    expect(section(html, "load")).toMatch(/10\.0\.0\.2:80 1 100 % 1 100 %/);
    expect(section(html, "load")).toMatch(/director\.eth0 lan \d+ [\d.]+ k?B/);
    const tables = section(html, "tables");
    expect(tables).toMatch(/10\.0\.0\.9:\d+ 10\.0\.0\.2:80 \d\d:\d\d (?:ESTABLISHED|FIN_WAIT) inactive/);
    expect(tables).toMatch(/arp_ignore eth0 1 0 1 = max\(1, 0\)/);
    expect(tables).toMatch(/filter -A INPUT -s 10\.0\.0\.77\/32 -j DROP 1 84/);
    expect(section(html, "scenario")).toContain("service httpd start");
  });

  test("has no tag, script or address that the scenario wrote, and forbids all that would be fetched", () => {
    for (const text of [html, fromTrace]) {
      expect(text).not.toMatch(/<script|<img|<iframe|<link|<object|\son\w+=["']?alert/i);
      expect(text).not.toMatch(/(?:src|href)="(?!#)/);
      expect(text).toContain("&lt;script&gt;");
      expect(text).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
      // Every tag that is opened is closed.
      for (const tag of ["svg", "table", "details", "section", "pre", "g", "ul"]) expect(text.match(new RegExp(`<${tag}[ >]`, "g"))?.length).toBe(text.match(new RegExp(`</${tag}>`, "g"))?.length);
    }
  });

  test("is the same every time", async () => {
    const again = join(FOLDER, "again.html");
    await reportCommand(PATHS.scenario, { output: again, language: "en" });
    expect(readFileSync(again, "utf8")).toBe(html);
  });
});

test("the report of a trace has the same pictures and tables, commands without outputs, and words in Chinese", () => {
  expect(fromTrace).toContain('<html lang="zh-Hans">');
  expect(section(fromTrace, "typed")).toContain("curl -s http://10.0.0.100/");
  expect(section(fromTrace, "result")).toContain("由跟踪文件生成");
  expect(section(fromTrace, "frames").match(/\[S\]/g)).toEqual(section(html, "frames").match(/\[S\]/g));
  expect(section(fromTrace, "tables")).toContain("IPVS 真实服务器");
  expect(section(fromTrace, "topology")).toContain("真实服务器");
});

test("a trace of packets alone has no tables, and says so", async () => {
  const [trace, out] = [join(FOLDER, "packets.jsonl.gz"), join(FOLDER, "packets.html")];
  writeFileSync(trace, gzipSync(traceBytes("packets")));
  await reportCommand(trace, { output: out, language: "en" });
  expect(section(readFileSync(out, "utf8"), "tables")).toContain("not written at the level full");
});

test.each([
  { file: "no-such-file.yaml", seed: undefined, says: /^no-such-file\.yaml: no such file/ },
  { file: "ARCHITECTURE.md", seed: undefined, says: /^ARCHITECTURE\.md:\d+:/ },
  { file: PATHS.trace, seed: "2", says: /^--seed is for scenarios/ },
])("$says: no file", async ({ file, seed, says }) => {
  const out = join(FOLDER, "never.html");
  await expect(reportCommand(file, { output: out, language: "en", seed })).rejects.toThrow(says);
  expect(existsSync(out)).toBe(false);
});

test("a run that wants too much is reported as far as it went", async () => {
  const [file, out] = [join(FOLDER, "endless.yaml"), join(FOLDER, "endless.html")];
  writeFileSync(file, "title: endless\nhosts:\n  a: { interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } } }\ntimeline:\n  - { at: 0s, host: a, run: 'while true; do true; done' }\n");
  await reportCommand(file, { output: out, language: "en" });
  expect(section(readFileSync(out, "utf8"), "result")).toMatch(/stopped early: endless\.yaml/);
});

test("what is put into markup is text, unless markup made it", () => {
  expect(escapeText(`<a b="c">'&\u0000\u001b`)).toBe("&lt;a b=&quot;c&quot;&gt;&#39;&amp;\ufffd\ufffd");
  expect(markup`<b>${"<i>"}${markup`<u>${1}</u>`}${["<", markup`<s>`, undefined]}</b>`.text).toBe("<b>&lt;i&gt;<u>1</u>&lt;<s></b>");
});

test.each([
  { max: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
  { max: 5.01, ticks: [0, 2, 4] },
  { max: 22.4, ticks: [0, 5, 10, 15, 20] },
  { max: 3, ticks: [0, 1, 2, 3] },
  { max: 0, ticks: [0] },
])("ticks up to $max", ({ max, ticks }) => {
  expect(ticksUpTo(max)).toEqual(ticks);
});
