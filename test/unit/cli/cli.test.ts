/**
 * The `lvsim` command as a user meets it: texts, exit statuses, files, and what it says about bad input.
 */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { decodePcap } from "../../../src/wire/pcap.ts";
import { lvsimProcess, type LvsimResult } from "../../helpers/lvsim-process.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "lvsim-cli-"));

afterAll(() => {
  rmSync(DIRECTORY, { recursive: true });
});

function lvsim(args: readonly string[], input = ""): LvsimResult {
  return lvsimProcess(args, { input });
}

let fileCount = 0;

function file(text: string): string {
  const path = join(DIRECTORY, `s${fileCount++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const TWO_HOSTS = `title: two hosts
hosts:
  a:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
  b:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
`;

describe("help and usage", () => {
  test.each([
    { args: ["--help"], status: 0, stdout: /run \[options\] <file>[\s\S]*Examples:\n {2}lvsim run/, stderr: /^$/ },
    { args: ["run", "--help"], status: 0, stdout: /--pcap <dir>[\s\S]*Examples:\n {2}lvsim run/, stderr: /^$/ },
    { args: ["help", "sched"], status: 0, stdout: /Examples:\n {2}lvsim sched/, stderr: /^$/ },
    { args: ["--version"], status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: /^$/ },
    { args: ["rnu", "x"], status: 2, stdout: /^$/, stderr: /^lvsim: unknown command 'rnu'\n\(Did you mean run\?\)\n$/ },
    { args: ["run"], status: 2, stdout: /^$/, stderr: /missing required argument 'file'/ },
    { args: ["run", "--pcpa", "x", "y"], status: 2, stdout: /^$/, stderr: /unknown option '--pcpa'\n\(Did you mean --pcap\?\)/ },
    { args: ["run", "--until", "soon", "x"], status: 2, stdout: /^$/, stderr: /'soon' is invalid\. write 500us, 20ms, 1\.5s or 2m\./ },
    { args: ["run", "--max-events", "0", "x"], status: 2, stdout: /^$/, stderr: /'0' is invalid\. write a positive whole number\./ },
    { args: ["check", "/nonexistent.yaml"], status: 2, stdout: /^$/, stderr: /^\/nonexistent\.yaml: no such file or directory\n$/ },
    { args: ["check", "/"], status: 2, stdout: /^$/, stderr: /^\/: is a directory\n$/ },
  ])("lvsim $args", ({ args, status, stdout, stderr }) => {
    const result = lvsim(args);
    expect(result.status).toBe(status);
    expect(result.stdout).toMatch(stdout);
    expect(result.stderr).toMatch(stderr);
  });
});

describe("bad input: one clear message with file and line, exit status 2", () => {
  test.each([
    { what: "a broken YAML", text: "title: x\nhosts: [\n", message: /^FILE:3:1: not valid YAML: /m },
    { what: "an unknown key", text: `${TWO_HOSTS}timelin: []\n`, message: /^FILE:7:1: unknown key `timelin`; did you mean `timeline`\?$/m },
    {
      what: "a duplicate address",
      text: TWO_HOSTS.replace("10.0.0.2", "10.0.0.1"),
      message: /^FILE:6:47: the address 10\.0\.0\.1 of b\.eth0 is already a\.eth0's on link lan; choose another$/m,
    },
    {
      what: "an interface on no link",
      text: TWO_HOSTS.replace("link: lan, address: 10.0.0.2/24", "address: 10.0.0.2/24"),
      message: /^FILE:6:25: interface eth0 of host b: an interface must be on a link; add `link: NAME`$/m,
    },
    {
      what: "an endless loop in a script",
      text: `${TWO_HOSTS}    run: |\n      echo x\n      while true; do :; done\n`,
      message: /^FILE:\d+:\d+: limit `\w+` reached: .*b/m,
    },
    {
      what: "an endless loop in a step",
      text: `${TWO_HOSTS}timeline:\n  - { at: 1s, host: a, run: "while true; do :; done" }\n`,
      message: /^FILE:8:\d+: limit `\w+` reached: .* while the step at 1 s on a ran/m,
    },
    {
      what: "10^9 events",
      text: `${TWO_HOSTS}timeline:\n  - { at: 1s, host: a, run: "ping -i 0.000001 -c 1000000000 10.0.0.2 > /dev/null || while true; do sleep 0.00001; done", timeout: 100m }\n`,
      args: ["--max-events", "50000"],
      message: /^FILE:8:\d+: limit `events` reached: 50000 events while the step at 1 s on a ran$/m,
    },
  ])("$what", ({ text, message, args }) => {
    const path = file(text);
    const pcap = join(DIRECTORY, `out${fileCount}`);
    const result = lvsim(["run", path, "--no-ladder", "--pcap", pcap, "--json", join(pcap, "r.json"), ...(args ?? [])]);
    expect(result.stderr.replaceAll(path, "FILE")).toMatch(message);
    expect(result.status).toBe(2);
    expect(existsSync(pcap), "nothing half-written").toBe(false);
  });

  test("a file of 100 MB is not read", () => {
    const path = file("");
    truncateSync(path, 104_857_600);
    const result = lvsim(["run", path]);
    expect(result).toEqual({ status: 2, stdout: "", stderr: `${path}:1:1: the file has 104857600 bytes, the most is 1048576; is this a scenario?\n` });
  });

  test("check reports every file", () => {
    const good = file(TWO_HOSTS);
    const bad = file("title: x\n");
    const result = lvsim(["check", good, bad]);
    expect(result).toEqual({
      status: 2,
      stdout: `${good}: ok, 2 hosts, 1 link, 0 steps\n`,
      stderr: `${bad}:1:1: a scenario needs hosts; add \`hosts:\` with a mapping of names\n`,
    });
  });
});

describe("run", () => {
  test("a command that never ends is given up after its timeout", () => {
    const result = lvsim(["run", file(`${TWO_HOSTS}timeline:\n  - { host: a, run: "echo begun; sleep 1000000", timeout: 3s }\n`), "--json", "-"]);
    expect(JSON.parse(result.stdout)).toMatchObject({ timeline: [{ exit: 124, stdout: "begun\n", stderr: "timed out", seconds: 3 }] });
    expect(result.status).toBe(0);
  });

  test("outputs, a ladder, captures and JSON", () => {
    const path = file(
      `${TWO_HOSTS}timeline:\n  - { at: 1s, host: a, run: "ping -c 1 10.0.0.2 | head -2 | tail -1; echo oops >&2; exit 3", expect: { exit: 3, stdout: "/icmp_seq=1/" } }\n`,
    );
    const pcap = join(DIRECTORY, "ok");
    const result = lvsim(["run", path, "--pcap", pcap, "--json", join(pcap, "r.json"), "--ascii"]);
    expect(result.stderr).toBe("");
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(/^two hosts\n== at 1 s on a: ping .* \[exit 3\]\n64 bytes from 10\.0\.0\.2: icmp_seq=1 .*\nstderr: oops\n/);
    expect(result.stdout).toContain("ARP who-has 10.0.0.2 tell 10.0.0.1");
    expect(result.stdout).toContain("1 of 1 steps as expected\n");
    expect(readdirSync(pcap).sort()).toEqual(["a.eth0.pcap", "b.eth0.pcap", "r.json"]);
    const capture = decodePcap(new Uint8Array(readFileSync(join(pcap, "b.eth0.pcap"))));
    expect(capture.ok && capture.value.records.length).toBeGreaterThanOrEqual(4);
    expect(JSON.parse(readFileSync(join(pcap, "r.json"), "utf8"))).toMatchObject({ timeline: [{ exit: 3, stderr: "oops\n" }], unmet: [] });
  });

  test("an expectation that is not met: exit status 1, and the files are there", () => {
    const path = file(`${TWO_HOSTS}timeline:\n  - { host: a, run: "echo hi", expect: { stdout: "ho\\n" } }\n`);
    const json = join(DIRECTORY, "unmet.json");
    const result = lvsim(["run", path, "--quiet", "--json", json]);
    expect(result).toEqual({ status: 1, stdout: `EXPECT ${path}:8:5: stdout is "hi\\n", not "ho\\n"\n`, stderr: "" });
    expect(existsSync(json)).toBe(true);
  });

  test("a directory that cannot be written", () => {
    const result = lvsim(["run", file(TWO_HOSTS), "--quiet", "--pcap", "/dev/null/x"]);
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/^lvsim: \/dev\/null\/x\/a\.eth0\.pcap: not a directory\n$/);
  });
});

describe("shell", () => {
  test("every fault can be typed, and undone", () => {
    const call = "curl -s -m 1 http://10.0.0.1/; echo $?";
    const lines = [
      ...[".down a", call, ".up a.eth0", call, ".break a.eth0", call, ".mend a", call, ".break lan", call, ".mend lan", call],
      ...[".impair a out loss 100%", call, ".impair a", call, ".partition lan a", call, ".partition lan", call],
      ...[".backlog a 80 full", call, ".backlog a 80 normal", call, ".kill a httpd STOP", call, ".kill a httpd CONT", call, ".slow a 2s", call, ".slow a 0", call],
      ...[".crash a", call, ".reboot a 2s", ".run 5s", call, ".poweroff a", call, ".reboot a 2s", ".run 5s", call, ".kill a httpd", call, ".clock b 1h", "date +%H"],
      ...[".down", ".crash", ".kill a", ".impair lan losss 1%", ".partition lan a,b b"],
    ];
    const web = TWO_HOSTS.replace("  b:", "    run: service httpd start; systemctl enable httpd\n  b:");
    const result = lvsim(["shell", file(web)], `.host b\n${lines.join("\n")}\n`);
    const [bad, good] = ["28", "from a\n0"];
    expect(result.stdout.trimEnd().split("\n")).toEqual(
      [
        ...[bad, good, bad, good, bad, good, bad, good, bad, good, bad, good, bad, good, bad, good, bad, good, bad, good, "7", "01"],
        ...["usage: .down HOST[.IF]", "usage: .crash HOST", "usage: .kill HOST PROCESS [SIGNAL]"],
        'What is "losss"?; write what follows netem on tc\'s command line: loss 10% delay 50ms 10ms',
        "`b` is in two groups; leave it in one",
      ].flatMap((text) => text.split("\n")),
    );
    expect(result.status).toBe(0);
  });

  test("commands, hosts, time and links over a pipe", () => {
    const path = file(`${TWO_HOSTS}timeline:\n  - { at: 9s, host: a, run: "echo step" }\n`);
    const script = [
      ".hosts",
      "hostname",
      "sleep 1",
      ".time",
      ".host b",
      "hostname",
      ".run 2s",
      ".time",
      ".step",
      ".time",
      ".down a",
      ".hsots",
      ".host c",
      ".quit",
      "echo never",
    ].join("\n");
    const result = lvsim(["shell", path], `${script}\n`);
    expect(result.stdout.split("\n")).toEqual([
      "* a: eth0 on lan",
      "  b: eth0 on lan",
      "a",
      "1.020000 s",
      "b",
      "3.030000 s",
      "== at 9 s on a: echo step",
      "step",
      "9.000000 s",
      "unknown command .hsots; did you mean .hosts?",
      "unknown host c; the hosts are a, b",
      "",
    ]);
    expect(result.status).toBe(0);
  });

  test("a command that never ends is interrupted", () => {
    const result = lvsim(["shell", file(TWO_HOSTS)], "sleep 1000000\necho after\n");
    expect(result.stdout).toBe("after\n");
    expect(result.stderr).toContain("^C (after 120 simulated seconds)");
  });
});

test("sched: picks on standard output, mistakes with their line", () => {
  const script = join(DIRECTORY, "x.sched");
  writeFileSync(script, "service tcp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nopen c1 from 10.1.0.1:4001\n");
  expect(lvsim(["sched", script])).toEqual({ status: 0, stdout: "c1 10.2.0.1:80\n", stderr: "" });
  writeFileSync(script, "service tcp 10.9.0.1:80 rr\nopne c1\n");
  const result = lvsim(["sched", script]);
  expect(result.status).toBe(2);
  expect(result.stderr).toMatch(/x\.sched:2: /);
});
