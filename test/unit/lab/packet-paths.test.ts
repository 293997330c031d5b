/**
 * The ways of packets: through routers, address translation, tunnels and fragments; answers are packets of their own; drops end a way.
 */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Lab, type PacketPath } from "../../../src/index.ts";
import { directRoutingLab, twoHostLab } from "./labs.ts";

/** Each way with how it ended, without repetition, in order of first appearance. */
function ways(paths: readonly PacketPath[]): string[] {
  return [...new Set(paths.map(({ hosts, end }) => `${hosts.join(" > ")}${end === "received" ? "" : ` ${end}`}`))];
}

/** client ─ lan ─ director ─ back ─ rs1; everything the director does is on its hands. */
function behindDirector(run: string, rs1: { readonly run: string }): Lab {
  const lab = new Lab();
  lab.host("client", { interfaces: { eth0: { link: "lan", address: "10.0.0.50/24" } }, gateway: "10.0.0.10" });
  lab.host("director", {
    interfaces: { eth0: { link: "lan", address: "10.0.0.10/24" }, eth1: { link: "back", address: "10.1.0.1/24" } },
    forward: true,
    run,
  });
  lab.host("rs1", { interfaces: { eth0: { link: "back", address: "10.1.0.11/24" } }, gateway: "10.1.0.1", run: rs1.run });
  return lab;
}

const CURL = "curl -s -m 2 http://10.0.0.100/";

test("direct routing: requests pass the director, answers do not", () => {
  const lab = directRoutingLab();
  lab.run("client", CURL);
  lab.runFor("10ms");
  expect(ways(lab.packets())).toEqual(["client > director > rs2", "rs2 > client"]);
  expect(ways(lab.packets({ from: "client" }))).toEqual(["client > director > rs2"]);
  const [syn] = lab.packets({ to: "10.0.0.100:80" });
  expect(syn).toMatchObject({ text: expect.stringMatching(/^10\.0\.0\.50\.\d+ > 10\.0\.0\.100\.80 \[S\]$/), end: "received", detail: "" });
  expect(syn?.records.map((id) => lab.events.find((event) => event.id === id)?.kind)).toEqual(["frame-sent", "frame-received", "frame-sent", "frame-received"]);
  expect(syn?.endNs).toBeGreaterThan(syn?.startNs as number);
});

test("address translation: both ways pass the director", () => {
  const nat = "ip addr add 10.0.0.100/32 dev eth0; ipvsadm -A -t 10.0.0.100:80 -s rr; ipvsadm -a -t 10.0.0.100:80 -r 10.1.0.11 -m";
  const lab = behindDirector(nat, { run: "service httpd start" });
  expect(lab.run("client", CURL).stdout).toBe("from rs1\n");
  lab.runFor("10ms");
  expect(ways(lab.packets({ protocol: "tcp" }))).toEqual(["client > director > rs1", "rs1 > director > client"]);
});

test("what was on wires is enough", () => {
  const lab = directRoutingLab({ trace: "frames" });
  lab.run("client", CURL);
  lab.runFor("10ms");
  expect(ways(lab.packets())).toEqual(["client > director > rs2", "rs2 > client"]);
});

test("tunnels of every kind carry the same packet", () => {
  const file = new URL("../../conformance/tun-gue-gre.yaml", import.meta.url);
  const lab = Lab.fromScenario(readFileSync(file, "utf8"));
  lab.runToEnd();
  expect(ways(lab.packets({ protocol: "tcp" }))).toEqual([
    "client > director > rs1",
    "rs1 > client",
    "client > director > rs2",
    "rs2 > client",
  ]);
  const ipip = "ip addr add 10.0.0.100/32 dev eth0; ipvsadm -A -t 10.0.0.100:80 -s rr; ipvsadm -a -t 10.0.0.100:80 -r 10.1.0.11 -i";
  const behind = behindDirector(ipip, { run: "ip link set tunl0 up; ip addr add 10.0.0.100/32 dev tunl0; service httpd start" });
  behind.run("client", CURL);
  // The director does not route what claims to come from an address of its own.
  expect(ways(behind.packets())).toEqual(["client > director > rs1", "rs1 > director IP_LOCAL_SOURCE"]);
});

test("fragments go one by one; what was reassembled follows from the last", () => {
  const forwarded = behindDirector("true", { run: "true" });
  expect(forwarded.run("client", "ping -c 1 -s 3000 10.1.0.11").exit).toBe(0);
  expect(ways(forwarded.packets({ protocol: "icmp" }))).toEqual(["client > director > rs1", "rs1 > director > client"]);
  expect(forwarded.packets({ from: "client" })).toHaveLength(3);
  const masqueraded = behindDirector("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE", { run: "true" });
  expect(masqueraded.run("client", "ping -c 1 -s 3000 10.1.0.11").exit).toBe(0);
  expect(masqueraded.packets({ from: "client" }).map(({ hosts }) => hosts.join(" > "))).toEqual([
    "client > director",
    "client > director",
    "client > director > rs1",
    "client > director > rs1",
    "client > director > rs1",
  ]);
});

test("an error about a packet and an echo of it are packets of their own", () => {
  const lab = behindDirector("true", { run: "true" });
  lab.run("client", "ping -c 1 -W 1 -t 1 10.1.0.11");
  expect(ways(lab.packets())).toEqual(["client > director IP_TTL", "director > client"]);
  const two = twoHostLab();
  two.run("a", "ping -c 1 10.0.0.2");
  expect(ways(two.packets())).toEqual(["a > b", "b > a"]);
});

test("drops end a way and say why", () => {
  const lab = behindDirector("iptables -A FORWARD -d 10.1.0.11 -p icmp -j DROP; sysctl -q -w net.ipv4.ip_forward=1", { run: "true" });
  lab.run("client", "ping -c 1 -W 1 10.1.0.11");
  const [path] = lab.packets();
  expect(path).toMatchObject({ hosts: ["client", "director"], end: "NETFILTER_DROP" });
  lab.down("rs1.eth0");
  lab.run("director", "ping -c 1 -W 1 10.1.0.11");
  expect(ways(lab.packets({ from: "director" }))).toEqual([]);
  expect(ways(lab.packets({ from: "client" }))).toEqual(["client > director NETFILTER_DROP"]);
  expect(() => lab.packets({ to: "rs1" })).toThrow('"rs1" is not a destination; write "10.0.0.100" or "10.0.0.100:80"');
});

test("a packet for a MAC address that nobody has is heard by nobody", () => {
  const lab = twoHostLab();
  lab.run("a", "arp -s 10.0.0.2 02:00:00:00:00:77; ping -c 1 -W 1 10.0.0.2");
  expect(ways(lab.packets())).toEqual(["a unheard"]);
});

test("packets from a time on", () => {
  const lab = twoHostLab();
  lab.run("a", "ping -c 1 10.0.0.2");
  const { timeNs } = lab.position;
  expect(lab.packets({ sinceNs: timeNs + 1 })).toEqual([]);
  lab.run("b", "ping -c 1 10.0.0.1");
  expect(ways(lab.packets({ sinceNs: timeNs + 1 }))).toEqual(["b > a", "a > b"]);
});

test("a frame for a virtual MAC arrives once, and the interface below has received it", () => {
  const lab = Lab.fromScenario(readFileSync("test/conformance/ka-vmac.yaml", "utf8"));
  lab.runUntil("9s");
  expect(lab.packets({ from: "client", protocol: "icmp" }).map(({ hosts, end }) => `${hosts.join(" > ")} ${end}`)).toEqual(["client > m received"]);
  const sent = lab.events.findLast((event) => event.kind === "frame-sent" && event.host === "client" && event.frame.payload.kind === "ipv4");
  const received = lab.events.filter((event) => event.kind === "frame-received" && event.cause === sent?.id);
  expect(received.map((event) => "device" in event && event.device)).toEqual(["eth0", "vrrp.5"]);
});
