/**
 * /proc/sys: defaults, bounds, how settings of all, default and devices act on each other.
 */

import { expect, test } from "vitest";
import type { Ipv4ConfKey } from "../../../src/host/ipv4-conf.ts";
import { addAddress, internetHost } from "../../helpers/internet-host.ts";

test.each([
  { key: "net.ipv4.ip_forward", value: "0" },
  { key: "net.ipv4.conf.all.accept_source_route", value: "0" },
  { key: "net.ipv4.conf.eth0.accept_source_route", value: "1" },
  { key: "net.ipv4.conf.lo.disable_policy", value: "1" },
  { key: "net.ipv4.conf.eth0.send_redirects", value: "1" },
  { key: "net.ipv4.tcp_rmem", value: "4096\t131072\t6291456" },
  { key: "net.ipv4.ip_local_port_range", value: "32768\t60999" },
  { key: "net.ipv4.neigh.eth0.unres_qlen", value: "101" },
  { key: "net.ipv4.neigh.eth0.locktime", value: "100" },
  { key: "net.ipv4.route.min_pmtu", value: "552" },
  { key: "net.ipv6.conf.all.disable_ipv6", value: "1" },
  { key: "net.netfilter.nf_conntrack_tcp_timeout_established", value: "432000" },
  { key: "net.ipv4.neigh.default.gc_thresh1", value: undefined },
])("$key is $value at first", ({ key, value }) => {
  expect(internetHost().sysctl.read(key)).toBe(value);
});

test.each([
  { key: "net.ipv4.conf.eth0.arp_ignore", text: "x", errno: "EINVAL", value: "0" },
  { key: "net.ipv4.conf.eth0.arp_ignore", text: "1 2\n", errno: undefined, value: "1" },
  { key: "net.ipv4.conf.eth0.arp_ignore", text: "0x10", errno: undefined, value: "16" },
  { key: "net.ipv4.conf.eth0.arp_ignore", text: "010", errno: undefined, value: "8" },
  { key: "net.ipv4.conf.eth0.arp_ignore", text: "2147483648", errno: "EINVAL", value: "0" },
  { key: "net.ipv4.conf.eth0.rp_filter", text: "-5", errno: undefined, value: "-5" },
  { key: "net.ipv4.conf.eth0.rp_filter", text: " \n", errno: "EINVAL", value: "0" },
  { key: "net.ipv4.tcp_syncookies", text: "9", errno: undefined, value: "9" },
  { key: "net.ipv4.tcp_syncookies", text: "256", errno: "EINVAL", value: "1" },
  { key: "net.ipv4.ip_default_ttl", text: "0", errno: "EINVAL", value: "64" },
  { key: "net.ipv4.ip_local_port_range", text: "1000 500", errno: "EINVAL", value: "32768\t60999" },
  { key: "net.ipv4.ip_local_port_range", text: "1000 60000", errno: undefined, value: "1000\t60000" },
  { key: "net.ipv4.tcp_rmem", text: "1 2", errno: undefined, value: "1\t2\t6291456" },
  { key: "net.ipv4.ping_group_range", text: "5 1", errno: undefined, value: "1\t0" },
  { key: "net.ipv4.tcp_congestion_control", text: "foo", errno: "ENOENT", value: "cubic" },
  { key: "net.ipv4.tcp_congestion_control", text: "reno\n", errno: undefined, value: "reno" },
  { key: "net.ipv4.conf.eth0.mc_forwarding", text: "1", errno: "EACCES", value: "0" },
  { key: "net.ipv4.nope", text: "1", errno: "ENOENT", value: undefined },
  { key: "net.ipv4.neigh.eth0.retrans_time", text: "50", errno: undefined, value: "50" },
])("writing $text to $key: $errno, then $value", ({ key, text, errno, value }) => {
  const { sysctl } = internetHost();
  expect(sysctl.write(key, text)).toBe(errno);
  expect(sysctl.read(key)).toBe(value);
});

test("ip_forward and conf/all/forwarding are one, and set all, default, every device and accept_redirects", () => {
  const host = internetHost();
  const read = (...names: string[]) => names.map((name) => host.sysctl.read(`net.ipv4.${name}`));
  host.sysctl.write("net.ipv4.ip_forward", "1");
  expect(
    read(
      "conf.all.forwarding",
      "conf.default.forwarding",
      "conf.eth0.forwarding",
      "conf.lo.forwarding",
      "conf.all.accept_redirects",
      "conf.eth0.accept_redirects",
    ),
  ).toEqual(["1", "1", "1", "1", "0", "1"]);
  host.sysctl.write("net.ipv4.conf.all.forwarding", "0");
  expect(read("ip_forward", "conf.eth0.forwarding", "conf.all.accept_redirects")).toEqual(["0", "0", "1"]);
  host.sysctl.write("net.ipv4.conf.eth0.forwarding", "1");
  expect(read("ip_forward", "conf.eth0.forwarding")).toEqual(["0", "1"]);
  host.sysctl.write("net.ipv4.conf.default.forwarding", "1");
  expect(read("ip_forward", "conf.lo.forwarding")).toEqual(["0", "0"]);
});

test("conf/default reaches devices that have no address yet and were not set themselves, and all new ones", () => {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24"] }, eth1: {}, eth2: {} });
  host.sysctl.write("net.ipv4.conf.eth2.arp_ignore", "0");
  host.sysctl.write("net.ipv4.conf.default.arp_ignore", "7");
  host.devices.addDummy("dummy0");
  const read = (device: string) => host.sysctl.read(`net.ipv4.conf.${device}.arp_ignore`);
  expect(["eth0", "eth1", "eth2", "dummy0", "all"].map(read)).toEqual(["0", "7", "0", "7", "0"]);
  addAddress(host, host.eth("eth1"), "10.0.1.1/24");
  host.sysctl.write("net.ipv4.conf.default.arp_ignore", "3");
  expect(["eth1", "dummy0"].map(read)).toEqual(["7", "3"]);
});

test.each([
  { key: "rp_filter", all: 1, own: 2, expected: 2 },
  { key: "arp_ignore", all: 1, own: 0, expected: 1 },
  { key: "send_redirects", all: 0, own: 1, expected: 1 },
  { key: "send_redirects", all: 0, own: 0, expected: 0 },
  { key: "accept_source_route", all: 0, own: 1, expected: 0 },
  { key: "accept_source_route", all: 1, own: 1, expected: 1 },
  { key: "forwarding", all: 0, own: 1, expected: 1 },
  { key: "ignore_routes_with_linkdown", all: 1, own: 0, expected: 1 },
  { key: "medium_id", all: 3, own: 0, expected: 0 },
] satisfies { key: Ipv4ConfKey; all: number; own: number; expected: number }[])(
  "$key with all $all and its own $own is $expected",
  ({ key, all, own, expected }) => {
    const host = internetHost();
    host.sysctl.all[key] = all;
    host.eth("eth0").conf[key] = own;
    expect(host.sysctl.inForce(host.eth("eth0"), key)).toBe(expected);
  },
);

test("accept_redirects needs both on a host that forwards, one on a host that does not", () => {
  const host = internetHost();
  const eth0 = host.eth("eth0");
  host.sysctl.all.accept_redirects = 0;
  expect(host.sysctl.inForce(eth0, "accept_redirects")).toBe(1);
  eth0.conf.forwarding = 1;
  expect(host.sysctl.inForce(eth0, "accept_redirects")).toBe(0);
});

test("an owner that registers a known key shares its cell; a new key appears and can be undone", () => {
  const { sysctl } = internetHost();
  const cell = sysctl.registerInteger("net.ipv4.tcp_retries2", 3);
  expect(cell.value).toBe(15);
  sysctl.write("net.ipv4.tcp_retries2", "8");
  expect(cell.value).toBe(8);
  const undo = sysctl.register("net.ipv4.vs.conntrack", { read: () => "0", write: () => "EPERM" });
  expect(sysctl.keys()).toContain("net.ipv4.vs.conntrack");
  undo();
  expect(sysctl.keys()).not.toContain("net.ipv4.vs.conntrack");
});

test("keys are sorted folder by folder, and an interface name's dots stand as slashes", () => {
  const host = internetHost({ "eth0.5": {} });
  const keys = host.sysctl.keys();
  expect(keys).toContain("net.ipv4.conf.eth0/5.rp_filter");
  expect(keys.indexOf("net.ipv4.raw_l3mdev_accept")).toBeLessThan(keys.indexOf("net.ipv4.route.min_pmtu"));
});
