/**
 * Routing tables: longest prefix, order, the joint trie of local and main, rules, what devices do to routes.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIpv4Address, isInPrefix, networkOf, parseIpv4Address, parseIpv4Cidr } from "../../../src/base/ipv4-address.ts";
import { lookupRule } from "../../../src/host/fib-rules.ts";
import type { Host } from "../../../src/host/host.ts";
import type { FibEntry, RouteType } from "../../../src/host/route.ts";
import { addAddress, internetHost } from "../../helpers/internet-host.ts";

function ip(text: string): number {
  return parseIpv4Address(text) as number;
}

function route(
  host: Host,
  cidr: string,
  options: { via?: string; dev?: string; table?: number; type?: RouteType; scope?: number; metric?: number; src?: string; tos?: number } = {},
): FibEntry {
  const { address, prefixLength } = parseIpv4Cidr(cidr) as { address: number; prefixLength: number };
  const type = options.type ?? "unicast";
  return {
    network: address,
    prefixLength,
    table: options.table ?? 254,
    type,
    scope: options.scope ?? (type === "local" ? 254 : type === "broadcast" ? 253 : type === "unicast" && options.via === undefined ? 253 : 0),
    tos: options.tos ?? 0,
    priority: options.metric ?? 0,
    protocol: "boot",
    device: options.dev === undefined ? undefined : host.devices.byName(options.dev),
    gateway: options.via === undefined ? 0 : ip(options.via),
    preferredSource: options.src === undefined ? 0 : ip(options.src),
    mtu: 0,
    mtuLocked: false,
    isOnlink: false,
    advmss: 0,
    isLinkDown: false,
    nextHops: [],
  };
}

function twoNets(): Host {
  return internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: { addresses: ["10.0.1.1/24"] } });
}

function found(host: Host, dst: string, src = "0.0.0.0", mark = 0): string {
  const result = host.fib.lookup({ dst: ip(dst), src: ip(src), mark, tos: 0, scope: 0, output: undefined, input: undefined });
  if (typeof result === "string") return result;
  const gateway = result.gateway === 0 ? "" : ` via ${formatIpv4Address(result.gateway)}`;
  return `${result.route.type} ${formatIpv4Address(result.route.network)}/${result.route.prefixLength}${gateway} dev ${result.device?.name}`;
}

function list(host: Host, table: number): string[] {
  return host.fib
    .entries(table)
    .map(
      (entry) =>
        `${entry.type} ${formatIpv4Address(entry.network)}/${entry.prefixLength}${entry.gateway === 0 ? "" : ` via ${formatIpv4Address(entry.gateway)}`} ${entry.priority}`,
    );
}

test.each([
  { dst: "10.0.0.7", expected: "unicast 10.0.0.0/24 dev eth0" },
  { dst: "10.0.0.1", expected: "local 10.0.0.1/32 dev eth0" },
  { dst: "10.0.0.255", expected: "broadcast 10.0.0.255/32 dev eth0" },
  { dst: "10.0.0.0", expected: "unicast 10.0.0.0/24 dev eth0" },
  { dst: "127.5.5.5", expected: "local 127.0.0.0/8 dev lo" },
  { dst: "192.0.2.1", expected: "unicast 192.0.2.0/24 via 10.0.0.2 dev eth0" },
  { dst: "192.0.2.200", expected: "unicast 192.0.2.128/25 via 10.0.1.2 dev eth1" },
  { dst: "198.51.100.1", expected: "EINVAL" },
  { dst: "198.51.101.1", expected: "EHOSTUNREACH" },
  { dst: "198.51.102.1", expected: "EACCES" },
  { dst: "198.51.103.1", expected: "ENETUNREACH" },
  { dst: "8.8.8.8", expected: "ENETUNREACH" },
])("lookup of $dst gives $expected", ({ dst, expected }) => {
  const host = twoNets();
  host.fib.add(route(host, "192.0.2.0/24", { via: "10.0.0.2" }), "add");
  host.fib.add(route(host, "192.0.2.128/25", { via: "10.0.1.2" }), "add");
  host.fib.add(route(host, "198.51.100.0/24", { type: "blackhole" }), "add");
  host.fib.add(route(host, "198.51.101.0/24", { type: "unreachable" }), "add");
  host.fib.add(route(host, "198.51.102.0/24", { type: "prohibit" }), "add");
  host.fib.add(route(host, "198.51.103.0/24", { type: "throw" }), "add");
  expect(found(host, dst)).toBe(expected);
});

test("a /8 on lo does not hide a /24 of eth0 until a rule splits local from main, and then for good", () => {
  const host = internetHost({ eth0: { addresses: ["10.168.1.3/24"] } });
  addAddress(host, host.devices.loopback, "10.168.1.100/8", { label: "lo:0" });
  expect(found(host, "10.168.1.2")).toBe("unicast 10.168.1.0/24 dev eth0");
  expect(found(host, "10.20.0.1")).toBe("local 10.0.0.0/8 dev lo");
  const rule = { ...lookupRule(-1, 100), from: { network: ip("1.2.3.4"), prefixLength: 32 } };
  expect(host.fib.addRule(rule)).toBeUndefined();
  expect(found(host, "10.168.1.2")).toBe("local 10.0.0.0/8 dev lo");
  expect(host.fib.removeRule({ from: rule.from })).toBeUndefined();
  expect(found(host, "10.168.1.2")).toBe("local 10.0.0.0/8 dev lo");
});

test("a /24 on lo hides the equal /24 of eth0 at once", () => {
  const host = internetHost({ eth0: { addresses: ["192.168.247.11/24"] } });
  addAddress(host, host.devices.loopback, "192.168.247.100/24", { label: "lo:0" });
  expect(found(host, "192.168.247.20")).toBe("local 192.168.247.0/24 dev lo");
  host.addresses.remove(host.devices.loopback, host.devices.loopback.addresses[1] as never);
  expect(found(host, "192.168.247.20")).toBe("unicast 192.168.247.0/24 dev eth0");
});

test.each([
  { how: "add" as const, via: "10.0.0.3", errno: "EEXIST", expected: ["via 10.0.0.2"] },
  { how: "append" as const, via: "10.0.0.3", errno: undefined, expected: ["via 10.0.0.2", "via 10.0.0.3"] },
  { how: "prepend" as const, via: "10.0.0.3", errno: undefined, expected: ["via 10.0.0.3", "via 10.0.0.2"] },
  { how: "replace" as const, via: "10.0.0.3", errno: undefined, expected: ["via 10.0.0.3"] },
  { how: "change" as const, via: "10.0.0.3", errno: undefined, expected: ["via 10.0.0.3"] },
  { how: "append" as const, via: "10.0.0.2", errno: "EEXIST", expected: ["via 10.0.0.2"] },
  { how: "replace" as const, via: "10.0.0.2", errno: undefined, expected: ["via 10.0.0.2"] },
])("$how of a second gateway $via: $errno, $expected", ({ how, via, errno, expected }) => {
  const host = twoNets();
  host.fib.add(route(host, "192.0.2.0/24", { via: "10.0.0.2" }), "add");
  expect(host.fib.add(route(host, "192.0.2.0/24", { via }), how)).toBe(errno);
  expect(list(host, 254).filter((line) => line.includes("192.0.2.0"))).toEqual(expected.map((hop) => `unicast 192.0.2.0/24 ${hop} 0`));
});

test.each([
  { what: "change of nothing", cidr: "192.0.5.0/24", options: { via: "10.0.0.2" }, how: "change" as const, errno: "ENOENT", message: "" },
  {
    what: "far gateway",
    cidr: "192.0.4.0/24",
    options: { via: "172.16.0.1" },
    how: "add" as const,
    errno: "ENETUNREACH",
    message: "Nexthop has invalid gateway",
  },
  {
    what: "host bits",
    cidr: "192.0.4.1/24",
    options: { via: "10.0.0.2" },
    how: "add" as const,
    errno: "EINVAL",
    message: "Invalid prefix for given prefix length",
  },
  {
    what: "foreign source",
    cidr: "192.0.4.0/24",
    options: { via: "10.0.0.2", src: "10.9.9.9" },
    how: "add" as const,
    errno: "EINVAL",
    message: "Invalid prefsrc address",
  },
  { what: "no device", cidr: "192.0.4.0/24", options: {}, how: "add" as const, errno: "ENODEV", message: "" },
  {
    what: "blackhole by a device",
    cidr: "192.0.4.0/24",
    options: { type: "blackhole" as const, dev: "eth0", scope: 0 },
    how: "add" as const,
    errno: "EINVAL",
    message: "Gateway, device and multipath can not be specified for this route type",
  },
])("refused: $what", ({ cidr, options, how, errno, message }) => {
  const host = twoNets();
  expect(host.fib.add(route(host, cidr, options), how)).toBe(errno);
  expect(host.fib.message).toBe(message);
});

test("a device that goes down takes its routes with it, but not its local addresses", () => {
  const host = twoNets();
  const eth1 = host.devices.byName("eth1") as never;
  host.fib.add(route(host, "192.0.2.0/24", { via: "10.0.1.2" }), "add");
  host.devices.setDown(eth1);
  expect(list(host, 254)).toEqual(["unicast 10.0.0.0/24 0"]);
  expect(found(host, "10.0.1.1")).toBe("local 10.0.1.1/32 dev eth1");
  expect(found(host, "10.0.1.255")).toBe("ENETUNREACH");
  host.devices.setUp(eth1);
  expect(list(host, 254)).toEqual(["unicast 10.0.0.0/24 0", "unicast 10.0.1.0/24 0"]);
  expect(found(host, "10.0.1.255")).toBe("broadcast 10.0.1.255/32 dev eth1");
});

test("routes without carrier are used unless ignore_routes_with_linkdown says otherwise", () => {
  const host = twoNets();
  (host as ReturnType<typeof internetHost>).eth("eth1").carrierChanged(false);
  expect(host.fib.entries(254).map((entry) => entry.isLinkDown)).toEqual([false, true]);
  expect(found(host, "10.0.1.9")).toBe("unicast 10.0.1.0/24 dev eth1");
  host.sysctl.write("net.ipv4.conf.all.ignore_routes_with_linkdown", "1");
  expect(found(host, "10.0.1.9")).toBe("ENETUNREACH");
  (host as ReturnType<typeof internetHost>).eth("eth1").carrierChanged(true);
  expect(found(host, "10.0.1.9")).toBe("unicast 10.0.1.0/24 dev eth1");
});

test("rules choose tables by mark, source and priority", () => {
  const host = twoNets();
  host.fib.add(route(host, "0.0.0.0/0", { via: "10.0.0.2" }), "add");
  host.fib.add(route(host, "0.0.0.0/0", { via: "10.0.1.2", table: 100 }), "add");
  expect(host.fib.addRule({ ...lookupRule(500, 100), mark: 7, markMask: 0xffffffff })).toBeUndefined();
  expect(host.fib.addRule({ ...lookupRule(-1, 100), from: { network: ip("10.0.0.1"), prefixLength: 32 } })).toBeUndefined();
  expect(host.fib.rules.map((rule) => rule.priority)).toEqual([0, 499, 500, 32766, 32767]);
  expect(found(host, "8.8.8.8")).toBe("unicast 0.0.0.0/0 via 10.0.0.2 dev eth0");
  expect(found(host, "8.8.8.8", "0.0.0.0", 7)).toBe("unicast 0.0.0.0/0 via 10.0.1.2 dev eth1");
  expect(found(host, "8.8.8.8", "10.0.0.1")).toBe("unicast 0.0.0.0/0 via 10.0.1.2 dev eth1");
  host.fib.addRule({ ...lookupRule(10, 0), action: "prohibit", to: { network: ip("8.8.8.8"), prefixLength: 32 } });
  expect(found(host, "8.8.8.8")).toBe("EACCES");
});

test("suppress_prefixlength passes over short prefixes, goto jumps", () => {
  const host = twoNets();
  host.fib.add(route(host, "0.0.0.0/0", { via: "10.0.0.2" }), "add");
  host.fib.add(route(host, "0.0.0.0/0", { via: "10.0.1.2", table: 7 }), "add");
  host.fib.addRule({ ...lookupRule(100, 254), suppressPrefixLength: 0 });
  host.fib.addRule(lookupRule(200, 7));
  expect(found(host, "8.8.8.8")).toBe("unicast 0.0.0.0/0 via 10.0.1.2 dev eth1");
  expect(found(host, "10.0.0.9")).toBe("unicast 10.0.0.0/24 dev eth0");
  host.fib.addRule({ ...lookupRule(150, 0), action: "goto", target: 32766 });
  expect(found(host, "8.8.8.8")).toBe("unicast 0.0.0.0/0 via 10.0.0.2 dev eth0");
});

test("property: a lookup finds the longest prefix, and listings are sorted", () => {
  const prefix = fc.record({ address: fc.integer({ min: 0x0b000000, max: 0x0bffffff }), length: fc.integer({ min: 8, max: 32 }) });
  fc.assert(
    fc.property(
      fc.array(prefix, { maxLength: 40 }),
      fc.array(fc.integer({ min: 0x0b000000, max: 0x0bffffff }), { minLength: 1, maxLength: 20 }),
      (prefixes, targets) => {
        const host = twoNets();
        for (const { address, length } of prefixes)
          host.fib.add(route(host, `${formatIpv4Address(networkOf(address, length))}/${length}`, { via: "10.0.0.2" }), "replace");
        for (const dst of targets) {
          const best = Math.max(-1, ...prefixes.filter((p) => isInPrefix(dst, networkOf(p.address, p.length), p.length)).map((p) => p.length));
          const result = host.fib.lookup({ dst, src: 0, mark: 0, tos: 0, scope: 0, output: undefined, input: undefined });
          expect(typeof result === "string" ? -1 : result.route.prefixLength).toBe(best);
        }
        const entries = host.fib.entries(254);
        for (let i = 1; i < entries.length; i++) {
          const [a, b] = [entries[i - 1] as FibEntry, entries[i] as FibEntry];
          expect(a.network < b.network || (a.network === b.network && a.prefixLength >= b.prefixLength)).toBe(true);
        }
      },
    ),
    { numRuns: 100 },
  );
});
