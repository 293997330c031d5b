/**
 * Routing decisions: source selection, martians, reverse path filter, redirects, what ICMP teaches, and that kept results do not go stale.
 */

import { expect, test } from "vitest";
import { formatIpv4Address, parseIpv4Address } from "../../../src/base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../src/base/time.ts";
import { isRouteError } from "../../../src/host/host.ts";
import type { Route, RouteError } from "../../../src/host/route.ts";
import { routeConnect } from "../../../src/host/route-connect.ts";
import { addAddress, internetHost, type TestHost } from "../../helpers/internet-host.ts";

function ip(text: string): number {
  return parseIpv4Address(text) as number;
}

function twoNets(): TestHost {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: { addresses: ["10.0.1.1/24"] } });
  gateway(host, "10.0.0.2");
  return host;
}

function gateway(host: TestHost, via: string): void {
  host.fib.add(
    {
      network: 0,
      prefixLength: 0,
      table: 254,
      type: "unicast",
      scope: 0,
      tos: 0,
      priority: 0,
      protocol: "boot",
      device: undefined,
      gateway: ip(via),
      preferredSource: 0,
      mtu: 0,
      mtuLocked: false,
      isOnlink: false,
      advmss: 0,
      isLinkDown: false,
      nextHops: [],
    },
    "replace",
  );
}

function told(route: Route | RouteError): string {
  if (isRouteError(route)) return route.reason === undefined ? route.errno : `${route.errno} ${route.reason}`;
  const via = route.gateway === 0 ? "" : ` via ${formatIpv4Address(route.gateway)}`;
  const source = route.source === 0 ? "" : ` src ${formatIpv4Address(route.source)}`;
  return `${route.type}${via} dev ${route.device.name}${source}${route.doRedirect ? " redirect" : ""}`;
}

function input(host: TestHost, src: string, dst: string, device = "eth0", isArp = false): string {
  return told(host.routing.input({ dst: ip(dst), src: ip(src), device: host.eth(device), mark: 0, tos: 0, isArp }));
}

test.each([
  { dst: "10.0.0.9", src: undefined, expected: "unicast dev eth0 src 10.0.0.1" },
  { dst: "8.8.8.8", src: undefined, expected: "unicast via 10.0.0.2 dev eth0 src 10.0.0.1" },
  { dst: "10.0.1.9", src: "10.0.0.1", expected: "unicast dev eth1 src 10.0.0.1" },
  { dst: "10.0.1.1", src: undefined, expected: "local dev lo src 10.0.1.1" },
  { dst: "127.3.3.3", src: undefined, expected: "local dev lo src 127.0.0.1" },
  { dst: "10.0.1.255", src: undefined, expected: "broadcast dev eth1 src 10.0.1.1" },
  { dst: "0.0.0.0", src: undefined, expected: "local dev lo src 127.0.0.1" },
  { dst: "10.0.0.9", src: "10.77.0.1", expected: "ENETUNREACH" },
  { dst: "10.0.0.9", src: "127.0.0.1", expected: "EINVAL" },
  { dst: "224.0.0.18", src: "10.0.1.1", expected: "multicast dev eth1 src 10.0.1.1" },
  { dst: "239.1.1.1", src: undefined, expected: "multicast dev eth0 src 10.0.0.1" },
  { dst: "255.255.255.255", src: "10.0.1.1", expected: "broadcast dev eth1 src 10.0.1.1" },
])("output to $dst from $src: $expected", ({ dst, src, expected }) => {
  const host = twoNets();
  expect(told(host.routing.output({ dst: ip(dst), src: src === undefined ? 0 : ip(src) }))).toBe(expected);
});

test("a sender that names its device may leave the tables aside, and any source may be asked for", () => {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: {} });
  expect(told(host.routing.output({ dst: ip("10.0.0.9"), device: host.eth("eth1") }))).toBe("unicast dev eth1 src 10.0.0.1");
  expect(told(host.routing.output({ dst: ip("10.0.0.9"), src: ip("1.1.1.1"), anySource: true }))).toBe("unicast dev eth0 src 1.1.1.1");
  host.devices.setDown(host.eth("eth1"));
  expect(told(host.routing.output({ dst: ip("10.0.0.9"), device: host.eth("eth1") }))).toBe("ENETUNREACH");
});

test.each([
  { src: "10.0.0.9", dst: "10.0.0.1", forward: 0, expected: "local dev lo" },
  { src: "10.0.0.9", dst: "10.0.1.1", forward: 0, expected: "local dev lo" },
  { src: "10.0.0.9", dst: "10.0.0.255", forward: 0, expected: "broadcast dev lo" },
  { src: "10.0.0.9", dst: "10.0.1.9", forward: 0, expected: "EHOSTUNREACH" },
  { src: "10.0.0.9", dst: "10.0.1.9", forward: 1, expected: "unicast dev eth1" },
  { src: "10.0.0.9", dst: "8.8.8.8", forward: 1, expected: "unicast via 10.0.0.2 dev eth0 redirect" },
  { src: "10.0.1.1", dst: "10.0.0.1", forward: 0, expected: "EINVAL IP_LOCAL_SOURCE" },
  { src: "10.0.0.1", dst: "10.0.1.9", forward: 1, expected: "EINVAL IP_LOCAL_SOURCE" },
  { src: "127.0.0.1", dst: "10.0.0.1", forward: 0, expected: "EINVAL IP_LOCALNET" },
  { src: "10.0.0.9", dst: "127.0.0.1", forward: 0, expected: "EINVAL IP_LOCALNET" },
  { src: "224.0.0.1", dst: "10.0.0.1", forward: 0, expected: "EINVAL IP_INVALID_SOURCE" },
  { src: "0.0.0.0", dst: "10.0.0.1", forward: 0, expected: "EINVAL IP_INVALID_SOURCE" },
  { src: "0.0.0.0", dst: "255.255.255.255", forward: 0, expected: "broadcast dev lo" },
  { src: "10.0.0.9", dst: "224.0.0.1", forward: 0, expected: "multicast dev lo" },
  { src: "10.0.0.9", dst: "224.0.0.18", forward: 0, expected: "EINVAL OTHERHOST" },
])("input by eth0 from $src to $dst, ip_forward $forward: $expected", ({ src, dst, forward, expected }) => {
  const host = twoNets();
  host.sysctl.write("net.ipv4.ip_forward", String(forward));
  expect(input(host, src, dst)).toBe(expected);
});

test.each([
  { all: 0, own: 0, src: "10.0.1.9", expected: "local dev lo" },
  { all: 0, own: 1, src: "10.0.1.9", expected: "EXDEV IP_RPFILTER" },
  { all: 1, own: 0, src: "10.0.1.9", expected: "EXDEV IP_RPFILTER" },
  { all: 1, own: 2, src: "10.0.1.9", expected: "local dev lo" },
  { all: 0, own: 1, src: "10.0.0.9", expected: "local dev lo" },
  { all: 0, own: 1, src: "8.8.8.8", expected: "local dev lo" },
])("rp_filter all $all, eth0 $own, source $src: $expected", ({ all, own, src, expected }) => {
  const host = twoNets();
  host.sysctl.write("net.ipv4.conf.all.rp_filter", String(all));
  host.sysctl.write("net.ipv4.conf.eth0.rp_filter", String(own));
  expect(input(host, src, "10.0.0.1")).toBe(expected);
});

test("rp_filter: no way back at all fails 1 and 2, not 0", () => {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24"] } });
  for (const [value, expected] of [
    ["0", "local dev lo"],
    ["1", "EXDEV IP_RPFILTER"],
    ["2", "EXDEV IP_RPFILTER"],
  ] as const) {
    host.sysctl.write("net.ipv4.conf.eth0.rp_filter", value);
    expect(input(host, "8.8.8.8", "10.0.0.1")).toBe(expected);
  }
});

test("the /24 on lo: neighbours become martians only under rp_filter", () => {
  const host = internetHost({ eth0: { addresses: ["192.168.247.11/24"] } });
  addAddress(host, host.devices.loopback, "192.168.247.100/24", { label: "lo:0" });
  expect(input(host, "192.168.247.20", "192.168.247.11")).toBe("local dev lo");
  expect(input(host, "192.168.247.20", "192.168.247.55", "eth0", true)).toBe("local dev lo");
  host.sysctl.write("net.ipv4.conf.all.rp_filter", "2");
  expect(input(host, "192.168.247.20", "192.168.247.11")).toBe("EINVAL IP_LOCAL_SOURCE");
});

test("accept_local lets own addresses come in; martians are logged when asked for, at most ten in five seconds", () => {
  const host = twoNets();
  host.sysctl.write("net.ipv4.conf.all.log_martians", "1");
  for (let i = 0; i < 15; i++) input(host, "10.0.1.1", "10.0.0.1");
  expect(host.log.lines.length).toBe(10);
  expect(host.log.lines[0]?.text).toBe("IPv4: martian source 10.0.0.1 from 10.0.1.1, on dev eth0");
  host.sysctl.write("net.ipv4.conf.eth0.accept_local", "1");
  expect(input(host, "10.0.1.1", "10.0.0.1")).toBe("local dev lo");
});

test("redirects: only when send_redirects, on one device, for a source on link; never for ARP", () => {
  const host = twoNets();
  host.sysctl.write("net.ipv4.ip_forward", "1");
  expect(input(host, "10.0.0.9", "8.8.8.8")).toContain("redirect");
  expect(input(host, "9.9.9.9", "8.8.8.8")).toBe("unicast via 10.0.0.2 dev eth0");
  expect(input(host, "10.0.0.9", "8.8.8.8", "eth0", true)).toBe("EINVAL");
  host.sysctl.write("net.ipv4.conf.all.send_redirects", "0");
  expect(input(host, "10.0.0.9", "8.8.8.8")).toContain("redirect");
  host.sysctl.write("net.ipv4.conf.eth0.send_redirects", "0");
  expect(input(host, "10.0.0.9", "8.8.8.8")).toBe("unicast via 10.0.0.2 dev eth0");
});

test("a learnt MTU holds ten minutes, below min_pmtu it is locked; forwarding does not use it", () => {
  const host = twoNets();
  const mtu = (): number => (host.routing.output({ dst: ip("8.8.8.8") }) as Route).mtu;
  host.routing.learnMtu(ip("8.8.8.8"), 1400);
  expect(mtu()).toBe(1400);
  host.routing.learnMtu(ip("8.8.8.8"), 1450);
  expect(mtu()).toBe(1400);
  host.sysctl.write("net.ipv4.ip_forward", "1");
  expect((host.routing.input({ dst: ip("8.8.8.8"), src: ip("10.0.1.9"), device: host.eth("eth1"), mark: 0, tos: 0 }) as Route).mtu).toBe(1500);
  host.loop.runUntil(601 * NS_PER_SECOND);
  expect(mtu()).toBe(1500);
  host.routing.learnMtu(ip("8.8.8.8"), 100);
  expect([mtu(), (host.routing.output({ dst: ip("8.8.8.8") }) as Route).mtuLocked]).toEqual([552, true]);
  host.sysctl.write("net.ipv4.route.flush", "1");
  expect(mtu()).toBe(1500);
});

test("a redirect is obeyed once the new gateway is resolved, from the gateway in use, for five minutes", () => {
  const host = twoNets();
  const via = (): string => formatIpv4Address((host.routing.output({ dst: ip("8.8.8.8") }) as Route).gateway);
  const learn = (from: string): void => host.routing.learnRedirect(ip("8.8.8.8"), ip("10.0.0.3"), host.eth("eth0"), ip(from));
  learn("10.0.0.2");
  expect([via(), host.solicited]).toEqual(["10.0.0.2", [ip("10.0.0.3")]]);
  host.known.add(ip("10.0.0.3"));
  learn("10.0.0.9");
  expect(via()).toBe("10.0.0.2");
  learn("10.0.0.2");
  expect(via()).toBe("10.0.0.3");
  expect(host.routing.exceptions().map((exception) => formatIpv4Address(exception.destination))).toEqual(["8.8.8.8"]);
  host.loop.runUntil(301 * NS_PER_SECOND);
  expect(via()).toBe("10.0.0.2");
});

test("accept_redirects=0 refuses; a forwarding host needs it in all and its own", () => {
  const host = twoNets();
  host.known.add(ip("10.0.0.3"));
  host.sysctl.write("net.ipv4.ip_forward", "1");
  host.routing.learnRedirect(ip("8.8.8.8"), ip("10.0.0.3"), host.eth("eth0"), ip("10.0.0.2"));
  expect(host.routing.exceptions()).toEqual([]);
});

test("kept results follow routes, addresses and settings", () => {
  const host = twoNets();
  const out = (): string => told(host.routing.output({ dst: ip("8.8.8.8") }));
  expect(out()).toBe("unicast via 10.0.0.2 dev eth0 src 10.0.0.1");
  expect(host.routing.output({ dst: ip("8.8.8.8") })).toBe(host.routing.output({ dst: ip("8.8.8.8") }));
  gateway(host, "10.0.1.2");
  expect(out()).toBe("unicast via 10.0.1.2 dev eth1 src 10.0.1.1");
  host.devices.setMtu(host.eth("eth1"), 1400);
  expect((host.routing.output({ dst: ip("8.8.8.8") }) as Route).mtu).toBe(1400);
  host.devices.setDown(host.eth("eth1"));
  expect(out()).toBe("ENETUNREACH");
});

test("a socket that connects looks its route up again from the address that it was given", () => {
  const host = twoNets();
  const any = { network: 0, prefixLength: 0 };
  const rule = { priority: 100, tos: 0, mark: 0, markMask: 0, inputDevice: "", outputDevice: "", isInverted: false, table: 0 };
  host.fib.addRule({ ...rule, from: { network: ip("10.0.0.0"), prefixLength: 24 }, to: any, action: "blackhole" });
  expect(told(host.routing.output({ dst: ip("8.8.8.8") }))).toBe("unicast via 10.0.0.2 dev eth0 src 10.0.0.1");
  expect(told(routeConnect(host.routing, { dst: ip("8.8.8.8") }))).toMatch(/^EINVAL/);
  expect(told(routeConnect(host.routing, { dst: ip("10.0.1.7") }))).toBe("unicast dev eth1 src 10.0.1.1");
});
