/**
 * Addresses of devices: primaries and secondaries, promotion, the routes that belong to them, source selection.
 */

import { expect, test } from "vitest";
import { formatIpv4Address, parseIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { InterfaceAddress, NetDevice } from "../../../src/host/device.ts";
import { addAddress, internetHost, type TestHost } from "../../helpers/internet-host.ts";

function ip(text: string): number {
  return parseIpv4Address(text) as number;
}

function shown(device: NetDevice): string[] {
  return device.addresses.map((address) => `${formatIpv4Address(address.address)}/${address.prefixLength}${address.isSecondary ? " secondary" : ""}`);
}

function routes(host: TestHost, table: number, device: string): string[] {
  return host.fib
    .entries(table)
    .filter((entry) => entry.device?.name === device)
    .map((entry) => `${entry.type} ${formatIpv4Address(entry.network)}/${entry.prefixLength} src ${formatIpv4Address(entry.preferredSource)}`);
}

function holderOf(device: NetDevice, address: string): InterfaceAddress {
  return device.addresses.find((one) => one.address === ip(address)) as InterfaceAddress;
}

function host(): TestHost {
  const made = internetHost({ eth0: {} });
  for (const cidr of ["10.0.0.1/24", "10.0.0.11/24", "10.0.0.12/24", "10.1.0.1/24", "10.0.0.50/32"])
    addAddress(made, made.eth("eth0"), cidr, { hasBroadcast: true });
  return made;
}

test("a second address of a subnet is secondary and stands after the primaries", () => {
  const made = host();
  expect(shown(made.eth("eth0"))).toEqual(["10.0.0.1/24", "10.1.0.1/24", "10.0.0.50/32", "10.0.0.11/24 secondary", "10.0.0.12/24 secondary"]);
  expect(routes(made, 254, "eth0")).toEqual(["unicast 10.0.0.0/24 src 10.0.0.1", "unicast 10.1.0.0/24 src 10.1.0.1"]);
  expect(routes(made, 255, "eth0")).toEqual([
    "local 10.0.0.1/32 src 10.0.0.1",
    "local 10.0.0.11/32 src 10.0.0.1",
    "local 10.0.0.12/32 src 10.0.0.1",
    "local 10.0.0.50/32 src 10.0.0.50",
    "broadcast 10.0.0.255/32 src 10.0.0.1",
    "local 10.1.0.1/32 src 10.1.0.1",
    "broadcast 10.1.0.255/32 src 10.1.0.1",
  ]);
});

test("a primary takes its secondaries with it", () => {
  const made = host();
  const eth0 = made.eth("eth0");
  expect(made.addresses.remove(eth0, holderOf(eth0, "10.0.0.1"))).toBeUndefined();
  expect(shown(eth0)).toEqual(["10.1.0.1/24", "10.0.0.50/32"]);
  expect(routes(made, 254, "eth0")).toEqual(["unicast 10.1.0.0/24 src 10.1.0.1"]);
  expect(routes(made, 255, "eth0")).toEqual(["local 10.0.0.50/32 src 10.0.0.50", "local 10.1.0.1/32 src 10.1.0.1", "broadcast 10.1.0.255/32 src 10.1.0.1"]);
  expect([made.addresses.isOwn(ip("10.0.0.11")), made.addresses.isOwn(ip("10.0.0.50"))]).toEqual([false, true]);
});

test("with promote_secondaries the first secondary takes over", () => {
  const made = host();
  const eth0 = made.eth("eth0");
  made.sysctl.write("net.ipv4.conf.all.promote_secondaries", "1");
  made.addresses.remove(eth0, holderOf(eth0, "10.0.0.1"));
  expect(shown(eth0)).toEqual(["10.1.0.1/24", "10.0.0.50/32", "10.0.0.11/24", "10.0.0.12/24 secondary"]);
  expect(routes(made, 254, "eth0")).toEqual(["unicast 10.0.0.0/24 src 10.0.0.11", "unicast 10.1.0.0/24 src 10.1.0.1"]);
  expect(routes(made, 255, "eth0")).toContain("local 10.0.0.12/32 src 10.0.0.11");
  expect(routes(made, 255, "eth0")).not.toContain("local 10.0.0.1/32 src 10.0.0.1");
});

test("removing the last address ends IP on the device; a route with its source dies", () => {
  const made = internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: { addresses: ["10.0.1.1/24"] } });
  const eth1 = made.eth("eth1");
  const base = {
    tos: 0,
    priority: 0,
    protocol: "boot",
    mtu: 0,
    mtuLocked: false,
    isOnlink: false,
    advmss: 0,
    isLinkDown: false,
    nextHops: [],
    table: 254,
    type: "unicast" as const,
  };
  made.fib.add(
    { ...base, network: ip("192.0.2.0"), prefixLength: 24, scope: 253, device: made.eth("eth0"), gateway: 0, preferredSource: ip("10.0.1.1") },
    "add",
  );
  made.fib.add({ ...base, network: ip("192.0.3.0"), prefixLength: 24, scope: 253, device: eth1, gateway: 0, preferredSource: 0 }, "add");
  made.addresses.remove(eth1, holderOf(eth1, "10.0.1.1"));
  expect(routes(made, 254, "eth0")).toEqual(["unicast 10.0.0.0/24 src 10.0.0.1"]);
  expect(routes(made, 254, "eth1")).toEqual([]);
});

test.each([
  { add: "10.0.0.11/24", scope: 0, errno: "EEXIST" },
  { add: "10.0.0.77/24", scope: 254, errno: "EINVAL" },
  { add: "10.0.0.11/25", scope: 0, errno: undefined },
])("adding $add with scope $scope: $errno", ({ add, scope, errno }) => {
  const made = host();
  expect(addAddress(made, made.eth("eth0"), add, { scope })).toBe(errno);
});

test("lo gets 127.0.0.1/8 when it comes up, keeps its addresses when it goes down", () => {
  const made = internetHost({});
  const lo = made.devices.loopback;
  addAddress(made, lo, "192.168.9.9/32", { label: "lo:0" });
  made.devices.setDown(lo);
  expect(shown(lo)).toEqual(["127.0.0.1/8", "192.168.9.9/32"]);
  expect(routes(made, 255, "lo")).toEqual(["local 127.0.0.0/8 src 127.0.0.1", "local 127.0.0.1/32 src 127.0.0.1", "local 192.168.9.9/32 src 192.168.9.9"]);
  made.devices.setUp(lo);
  expect(routes(made, 255, "lo")).toContain("broadcast 127.255.255.255/32 src 127.0.0.1");
});

test.each([
  { dst: "10.0.0.20", scope: 253, expected: "10.0.0.1" },
  { dst: "10.1.0.20", scope: 253, expected: "10.1.0.1" },
  { dst: "172.16.0.1", scope: 253, expected: "10.0.0.1" },
  { dst: "0.0.0.0", scope: 0, expected: "10.0.0.1" },
])("source towards $dst with scope $scope: $expected", ({ dst, scope, expected }) => {
  const made = host();
  expect(formatIpv4Address(made.addresses.select(made.eth("eth0"), ip(dst), scope))).toBe(expected);
});

test("a device without address borrows one, first of all from lo", () => {
  const made = internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: {} });
  expect(formatIpv4Address(made.addresses.select(made.eth("eth1"), 0, 253))).toBe("10.0.0.1");
  addAddress(made, made.devices.loopback, "192.168.9.9/32");
  expect(formatIpv4Address(made.addresses.select(made.eth("eth1"), 0, 253))).toBe("192.168.9.9");
});

test("renaming gives labels the new name", () => {
  const made = host();
  const eth0 = made.eth("eth0");
  expect(made.devices.rename(eth0, "lan0")).toBe("EBUSY");
  made.devices.setDown(eth0);
  expect(made.devices.rename(eth0, "lan0")).toBeUndefined();
  expect(eth0.addresses.map((address) => address.label)).toEqual(["lan0", "lan0:2", "lan0:3", "lan0:4", "lan0:5"]);
  expect(made.sysctl.read("net.ipv4.conf.lan0.rp_filter")).toBe("0");
  expect(made.sysctl.read("net.ipv4.conf.eth0.rp_filter")).toBeUndefined();
});
