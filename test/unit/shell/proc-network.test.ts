/**
 * /proc/sys as files, /proc/net/dev and /proc/net/route.
 */

import { expect, test } from "vitest";
import { ipCommand } from "../../../src/shell/commands/ip/ip.ts";
import { networkProcFiles, sysctlFiles } from "../../../src/shell/proc-network.ts";
import { runCommand } from "../../helpers/command-run.ts";
import { internetHost } from "../../helpers/internet-host.ts";

test.each([
  { path: "net/ipv4/ip_forward", status: { type: "file", mode: 0o644 } },
  { path: "net/ipv4/conf/eth0.5/rp_filter", status: { type: "file", mode: 0o644 } },
  { path: "net/ipv4/route/flush", status: { type: "file", mode: 0o200 } },
  { path: "net/ipv4/tcp_available_congestion_control", status: { type: "file", mode: 0o444 } },
  { path: "net/ipv4/conf", status: { type: "directory", mode: 0o555 } },
  { path: "", status: { type: "directory", mode: 0o555 } },
  { path: "net/ipv4/nope", status: undefined },
])("/proc/sys/$path is $status", ({ path, status }) => {
  expect(sysctlFiles(internetHost({ "eth0.5": {} }).sysctl).status(path)).toEqual(status);
});

test("folders list devices; files read and write; write-only files do not read", () => {
  const host = internetHost();
  const files = sysctlFiles(host.sysctl);
  expect(files.list("net/ipv4/conf")).toEqual(["all", "default", "erspan0", "eth0", "gre0", "gretap0", "lo", "tunl0"]);
  expect(files.write("net/ipv4/ip_forward", "1\n")).toBeUndefined();
  expect(files.read("net/ipv4/ip_forward")).toBe("1\n");
  expect(files.write("net/ipv4/ip_forward", "")).toBeUndefined();
  expect(files.write("net/ipv4/ip_forward", "\n")).toBe("EINVAL");
  expect(() => files.read("net/ipv4/route/flush")).toThrow("EACCES");
  expect(() => files.read("net/ipv4/nope")).toThrow("ENOENT");
});

test("/proc/net/route and /proc/net/dev have the kernel's columns", () => {
  const host = internetHost();
  for (const line of ["route add default via 10.0.0.2", "route add unreachable 192.0.2.0/24", "route add 198.51.100.7 dev eth0 metric 5"])
    runCommand(host, ipCommand, line.split(" "));
  const files = networkProcFiles(host);
  const lines = (files.get("route")?.() ?? "").split("\n");
  expect(lines.map((line) => line.trimEnd())).toEqual([
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "eth0\t00000000\t0200000A\t0003\t0\t0\t0\t00000000\t0\t0\t0",
    "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
    "*\t000200C0\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0",
    "eth0\t076433C6\t00000000\t0005\t0\t0\t5\tFFFFFFFF\t0\t0\t0",
    "",
  ]);
  expect(lines.slice(0, -1).every((line) => line.length === 127)).toBe(true);
  expect(files.get("dev")?.()).toContain(
    "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n",
  );
});
