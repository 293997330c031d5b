import { expect, test } from "vitest";
import { NS_PER_SECOND } from "../../../src/base/time.ts";
import type { LinuxHost } from "../../../src/host/linux-host.ts";
import { Ipv4Packet, PROTOCOL_TCP, TCP_ACK, TcpSegment } from "../../../src/wire/packet.ts";
import { ip, Laboratory } from "./two-hosts.ts";

function ping(host: LinuxHost, to: string, heard: string[] = [], sequence = 1): string | undefined {
  const socket = host.icmp.openEcho((packet, icmp) =>
    heard.push(`${seconds(host.loop.nowNs)} ${icmp.type}/${icmp.code} from ${packet.src === ip("10.0.0.1") ? "self" : "other"}`),
  );
  return socket.send({ destination: ip(to), sequence, payload: new Uint8Array(56) });
}

function seconds(ns: number): string {
  return String(Math.floor(ns / 1e9));
}

function changes(lab: Laboratory, host: string): string[] {
  return lab.sink.events.flatMap((event) =>
    event.kind === "neighbour" && event.host === host ? [`${seconds(event.timeNs)} ${event.before}>${event.after}`] : [],
  );
}

test("an address nobody has: three requests a second apart, then the sender is told", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const heard: string[] = [];
  ping(a, "10.0.0.9", heard);
  lab.run(10);
  expect(lab.frames.filter((seen) => seen.host === "a").map((seen) => seconds(seen.timeNs))).toEqual(["0", "1", "2"]);
  expect(changes(lab, "a")).toEqual(["0 NONE>INCOMPLETE", "3 INCOMPLETE>FAILED"]);
  expect(heard).toEqual(["3 3/1 from self"]);
  ping(a, "10.0.0.9", heard);
  lab.run(5);
  expect(heard.at(-1)).toBe("13 3/1 from self");
});

test("REACHABLE turns STALE after its time, DELAY and PROBE follow, an answer makes it REACHABLE again", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  lab.host("b", { eth0: "lan 10.0.0.2/24" });
  ping(a, "10.0.0.2");
  lab.run(60);
  const eth0 = a.devices.byName("eth0");
  if (eth0 === undefined) throw new Error("no eth0");
  expect(a.neighbours.lookup(eth0, ip("10.0.0.2"))?.state).toBe("STALE");
  const before = changes(lab, "a").map((line) => line.split(" ")[1]);
  expect(before).toEqual(["NONE>INCOMPLETE", "INCOMPLETE>REACHABLE", "REACHABLE>STALE"]);
  const staleAt = Number(changes(lab, "a")[2]?.split(" ")[0]);
  expect(staleAt).toBeGreaterThanOrEqual(15);
  expect(staleAt).toBeLessThanOrEqual(45);
  ping(a, "10.0.0.2");
  lab.run(10);
  expect(changes(lab, "a").slice(3)).toEqual(["60 STALE>DELAY", "65 DELAY>PROBE", "65 PROBE>REACHABLE"]);
  const probe = lab.dump("a", "eth0", "out").filter((line) => line.startsWith("ARP, Request")).length;
  expect(probe).toBe(2);
});

test("TCP progress confirms in DELAY, on the router, too, that forwards its segment", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" }, "10.0.0.2");
  const r = lab.host("r", { eth0: "lan 10.0.0.2/24", eth1: "dmz 10.0.1.2/24" });
  lab.host("b", { eth0: "dmz 10.0.1.3/24" }, "10.0.1.2");
  r.sysctl.write("net.ipv4.ip_forward", "1");
  ping(a, "10.0.1.3");
  lab.run(60);
  ping(a, "10.0.1.3");
  lab.run(1);
  const segment = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.1.3"), PROTOCOL_TCP, 64, new TcpSegment(1, 2, 3, 4, TCP_ACK, 0));
  a.ip.send(segment, { confirmsNeighbour: true });
  lab.run(5);
  expect(changes(lab, "a").slice(3)).toEqual(["60 STALE>DELAY", "65 DELAY>REACHABLE"]);
  expect(changes(lab, "r").filter((line) => line.startsWith("65"))).toContain("65 DELAY>REACHABLE");
});

test("PROBE fails after three unicast requests", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  ping(a, "10.0.0.2");
  lab.run(60);
  b.devices.crash();
  ping(a, "10.0.0.2");
  lab.run(20);
  expect(changes(lab, "a").slice(3)).toEqual(["60 STALE>DELAY", "65 DELAY>PROBE", "68 PROBE>FAILED"]);
});

test("carrier loss forgets all but permanent entries; going down forgets those too", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const eth0 = a.devices.byName("eth0");
  if (eth0 === undefined) throw new Error("no eth0");
  a.neighbours.set(eth0, ip("10.0.0.50"), 1, "PERMANENT", "add");
  ping(a, "10.0.0.2");
  lab.run(1);
  expect(a.neighbours.list.map((entry) => entry.state)).toEqual(["PERMANENT", "REACHABLE"]);
  a.neighbours.deviceDown(eth0, true);
  expect(a.neighbours.list.map((entry) => entry.state)).toEqual(["PERMANENT"]);
  a.devices.setDown(eth0);
  expect(a.neighbours.list).toEqual([]);
});

test("what waits is bounded: the oldest packets make room", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  a.sysctl.write("net.ipv4.neigh.eth0.unres_qlen_bytes", "4000");
  const heard: string[] = [];
  for (let i = 0; i < 20; i++) ping(a, "10.0.0.9", heard);
  lab.run(5);
  expect(heard.length).toBe(5);
});

test.each([
  { how: "add", there: false, state: "PERMANENT", mac: 1, errno: undefined },
  { how: "add", there: true, state: "PERMANENT", mac: 1, errno: "EEXIST" },
  { how: "change", there: false, state: "PERMANENT", mac: 1, errno: "ENOENT" },
  { how: "change", there: true, state: "STALE", mac: undefined, errno: undefined },
  { how: "replace", there: false, state: "STALE", mac: 1, errno: undefined },
  { how: "add", there: false, state: "PERMANENT", mac: undefined, errno: "EINVAL" },
] as const)("set: $how, there $there, $state -> $errno", ({ how, there, state, mac, errno }) => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const eth0 = a.devices.byName("eth0");
  if (eth0 === undefined) throw new Error("no eth0");
  if (there) a.neighbours.set(eth0, ip("10.0.0.5"), 7, "PERMANENT", "add");
  expect(a.neighbours.set(eth0, ip("10.0.0.5"), mac, state, how)).toBe(errno);
});

test("the table is bounded: a scan of many addresses evicts failed entries and then drops", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/16" });
  for (let i = 0; i < 3000; i++) ping(a, `10.0.${1 + Math.trunc(i / 250)}.${1 + (i % 250)}`);
  expect(a.neighbours.list.length).toBeLessThanOrEqual(1024);
  expect(a.log.lines.length).toBeGreaterThan(0);
  lab.run(30);
  lab.loop.runUntil(lab.loop.nowNs + 60 * NS_PER_SECOND);
  for (let i = 0; i < 600; i++) ping(a, `10.0.${40 + Math.trunc(i / 250)}.${1 + (i % 250)}`);
  expect(a.neighbours.list.length).toBeLessThanOrEqual(1024);
});
