import { expect, test } from "vitest";
import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { ForwardingMethod, ServiceKey } from "../../../src/ipvs/ipvs.ts";
import { IcmpMessage, Ipv4Packet } from "../../../src/wire/packet.ts";
import { addAddress, address, call, Lan, serve } from "../../helpers/lan.ts";
import { checkChecksums, checkConservation, checkDirectRouting, checkNatReversible, checkOrder, checkTtl } from "../../helpers/trace-checks.ts";

/** client ── front ── director ── back ── rs1, rs2 for NAT; everybody on front otherwise. */
function cluster(method: ForwardingMethod, scheduler = "rr") {
  const lan = new Lan();
  const isNat = method === "masq";
  const client = lan.host("client", ["front 10.1.0.50/24"]);
  const director = lan.host("director", isNat ? ["front 10.1.0.1/24", "back 10.2.0.1/24"] : ["front 10.1.0.1/24"]);
  const net = isNat ? "10.2.0" : "10.1.0";
  const servers = [11, 12].map((n, i) => lan.host(`rs${i + 1}`, [`${isNat ? "back" : "front"} ${net}.${n}/24`], isNat ? "10.2.0.1" : undefined));
  addAddress(director, "eth0", "10.1.0.100/32");
  if (isNat) director.sysctl.write("net.ipv4.ip_forward", "1");
  for (const server of servers) {
    serve(server, 80);
    if (isNat) continue;
    server.sysctl.write("net.ipv4.conf.all.arp_ignore", "1");
    server.sysctl.write("net.ipv4.conf.all.arp_announce", "2");
    if (method === "tunnel") {
      const tunl0 = server.devices.byName("tunl0");
      if (tunl0 === undefined) throw new Error("no tunl0");
      addAddress(server, "tunl0", "10.1.0.100/32");
      server.devices.setUp(tunl0);
    } else addAddress(server, "lo", "10.1.0.100/32");
  }
  const key: ServiceKey = { kind: "address", protocol: 6, address: address("10.1.0.100"), port: 80 };
  const ipvs = lan.director(director, key, scheduler, [`${net}.11:80`, `${net}.12:80`], method);
  return { lan, client, director, servers, ipvs, key };
}

function checkTrace(lan: Lan): void {
  const { events } = lan.records;
  for (const check of [checkOrder, checkConservation, checkChecksums, checkTtl, checkDirectRouting, checkNatReversible]) expect(check(events)).toEqual([]);
}

test.each([
  { method: "masq" as const, states: ["TIME_WAIT", "TIME_WAIT", "TIME_WAIT"], out: true },
  { method: "route" as const, states: ["FIN_WAIT", "FIN_WAIT", "FIN_WAIT"], out: false },
  { method: "tunnel" as const, states: ["FIN_WAIT", "FIN_WAIT", "FIN_WAIT"], out: false },
])("$method: requests reach both servers in turn, the newest first", ({ method, states, out }) => {
  const { lan, client, ipvs } = cluster(method);
  const texts: string[] = [];
  for (let i = 0; i < 3; i++) {
    const result = call(client, "10.1.0.100", 80);
    lan.run(0.2);
    texts.push(result.text);
  }
  expect(texts).toEqual(["rs2", "rs1", "rs2"]);
  expect(ipvs.connections.map((c) => c.state)).toEqual(states);
  const [service] = ipvs.services;
  expect(service?.statistics.conns).toBe(3);
  expect((service?.statistics.outPackets ?? 0) > 0).toBe(out);
  checkTrace(lan);
});

test("a director without servers answers with port unreachable", () => {
  const { lan, client, ipvs, key } = cluster("route");
  for (const dest of ipvs.services[0]?.dests ?? []) ipvs.deleteDest(key, dest.address, dest.port);
  const result = call(client, "10.1.0.100", 80);
  lan.run(0.1);
  expect(result.text).toBe("ECONNREFUSED");
});

test("weight 0 everywhere: nobody is chosen, connections that exist go on", () => {
  const { lan, client, ipvs, key } = cluster("masq");
  const first = call(client, "10.1.0.100", 80);
  lan.run(0.0001);
  for (const dest of ipvs.services[0]?.dests ?? []) ipvs.editDest(key, { ...dest, weight: 0 });
  lan.run(0.2);
  expect(first.text).toBe("rs2");
  const second = call(client, "10.1.0.100", 80);
  lan.run(0.2);
  expect(second.text).toBe("ECONNREFUSED");
});

test("a removed server keeps its counters for the time that it comes back", () => {
  const { lan, client, ipvs, key } = cluster("route");
  call(client, "10.1.0.100", 80);
  lan.run(0.2);
  const dest = ipvs.services[0]?.dests.find((d) => formatIpv4Address(d.address) === "10.1.0.12");
  if (dest === undefined) throw new Error("no dest");
  expect(dest.inactConns).toBe(1);
  expect(ipvs.deleteDest(key, dest.address, dest.port)).toBeUndefined();
  expect(ipvs.connections).toHaveLength(1);
  ipvs.addDest(key, dest);
  expect(ipvs.services[0]?.dests[0]).toMatchObject({ address: dest.address, inactConns: 1 });
});

test("entries live as long as their state says and leave their dest then", () => {
  const { lan, client, ipvs } = cluster("route");
  call(client, "10.1.0.100", 80);
  lan.run(1);
  expect(ipvs.connections).toHaveLength(1);
  lan.run(118);
  expect(ipvs.connections).toHaveLength(1);
  lan.run(2);
  expect(ipvs.connections).toHaveLength(0);
  expect(ipvs.services[0]?.dests.map((d) => d.inactConns)).toEqual([0, 0]);
});

test("what is too big for the tunnel is quoted with the TTL that it would have had", () => {
  const { lan, client } = cluster("tunnel");
  const socket = client.tcp.connect({ address: address("10.1.0.100"), port: 80 }, { onConnected: () => void (typeof socket !== "string" && socket.send(new Uint8Array(1448))) });
  lan.run(0.1);
  const quoted = lan.records.events.flatMap((event) => {
    if (event.kind !== "frame-sent" || event.host !== "director" || !(event.frame.payload instanceof Ipv4Packet)) return [];
    const { payload } = event.frame.payload;
    return payload instanceof IcmpMessage && payload.code === 4 ? [[payload.rest, payload.quoted?.ttl]] : [];
  });
  expect(quoted).toEqual([[1480, 63]]);
});
