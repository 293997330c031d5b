/**
 * Two directors that share connections: what the master tells and when, what the backup makes of it, and a takeover.
 */

import { expect, test } from "vitest";
import type { NetDevice } from "../../../src/host/device.ts";
import type { LinuxHost } from "../../../src/host/linux-host.ts";
import { IpVirtualServer } from "../../../src/ipvs/ip-virtual-server.ts";
import type { ServiceKey, ServiceSpec, SyncDaemonSpec } from "../../../src/ipvs/ipvs.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  SYNC_INACTIVE,
  SYNC_NO_OUTPUT,
  SYNC_TEMPLATE,
  type SyncMessage,
  type SyncRecord,
} from "../../../src/ipvs/sync-message.ts";
import { EthernetFrame, Ipv4Packet, UdpDatagram } from "../../../src/wire/packet.ts";
import { addAddress, address, call, destSpec, Lan, serve } from "../../helpers/lan.ts";

const GROUP = address("224.0.0.81");
const VIP = "192.168.30.100";
const DAEMON: SyncDaemonSpec = { device: "eth0", syncId: 7, maxLength: 0, group: 0, port: 0, ttl: 0 };
const WEB: ServiceKey = { kind: "address", protocol: 6, address: address(VIP), port: 80 };
const DNS: ServiceKey = { kind: "address", protocol: 17, address: address(VIP), port: 53 };

function service(key: ServiceKey, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    key,
    scheduler: "rr",
    schedulerFlags: [],
    isPersistent: false,
    persistenceTimeoutSeconds: 0,
    netmask: 0xffffffff,
    isOnePacket: false,
    persistenceEngine: "",
    ...more,
  };
}

/** Everybody on one network; d1 has the virtual address, rs1 answers for it. Messages are those that d1 sends. */
function cluster(more: Partial<ServiceSpec> = {}) {
  const lan = new Lan();
  const client = lan.host("client", ["lan 192.168.30.9/24"]);
  const [d1, d2] = [lan.host("d1", ["lan 192.168.30.1/24"]), lan.host("d2", ["lan 192.168.30.2/24"])];
  const server = lan.host("rs1", ["lan 192.168.30.11/24"]);
  addAddress(d1, "eth0", `${VIP}/32`);
  server.sysctl.write("net.ipv4.conf.all.arp_ignore", "1");
  server.sysctl.write("net.ipv4.conf.all.arp_announce", "2");
  addAddress(server, "lo", `${VIP}/32`);
  serve(server, 80);
  const directors = [d1, d2].map((host) => {
    const ipvs = new IpVirtualServer(host);
    for (const key of [WEB, DNS]) {
      ipvs.addService(service(key, more));
      ipvs.addDest(key, destSpec(`192.168.30.11:${key === WEB ? 80 : 53}`, "route"));
    }
    return ipvs;
  }) as [IpVirtualServer, IpVirtualServer];
  const messages: (SyncMessage & { readonly seconds: number; readonly packet: Ipv4Packet })[] = [];
  eth0Of(d1).taps.push((direction, timeNs, frame) => {
    const packet = frame instanceof EthernetFrame ? frame.payload : undefined;
    if (direction !== "out" || !(packet instanceof Ipv4Packet) || !(packet.payload instanceof UdpDatagram) || packet.dst >>> 28 !== 14) return;
    const message = decodeSyncMessage(packet.payload.payload as Uint8Array);
    if (message !== undefined) messages.push({ ...message, seconds: timeNs / 1e9, packet });
  });
  return { lan, client, d1, d2, server, ipvs: directors[0], backup: directors[1], messages };
}

function eth0Of(host: LinuxHost): NetDevice {
  return host.devices.byName("eth0") as NetDevice;
}

function settings(host: LinuxHost, text: string): void {
  for (const one of text.split(";").filter((word) => word !== "")) {
    const [key = "", value = ""] = one.split("=");
    expect(host.sysctl.write(`net.ipv4.vs.${key.trim()}`, value)).toBeUndefined();
  }
}

function describe(record: SyncRecord): string {
  return (record.flags & SYNC_TEMPLATE) !== 0 ? `template ${record.state}` : `${record.state}${(record.flags & SYNC_INACTIVE) !== 0 ? " inactive" : ""}`;
}

test("a connection is told of when it is established and when it ends, in one message that leaves two to three seconds later", () => {
  const { lan, client, ipvs, backup, messages } = cluster();
  ipvs.startDaemon("master", DAEMON);
  backup.startDaemon("backup", DAEMON);
  lan.run(1.5);
  call(client, VIP, 80);
  lan.run(6);
  expect(messages.map(({ records }) => records.map(describe))).toEqual([["1", "4 inactive"]]);
  const [message] = messages as [(typeof messages)[number]];
  expect(message.syncId).toBe(7);
  expect(message.seconds).toBeCloseTo(4, 6);
  expect(message.packet).toMatchObject({ src: address("192.168.30.1"), dst: GROUP, ttl: 1, dontFragment: false });
  expect((message.packet.payload as UdpDatagram).dstPort).toBe(8848);
  expect(backup.connections).toMatchObject([{ state: "FIN_WAIT", isFromSync: true, destAddress: address("192.168.30.11") }]);
  expect(backup.service(WEB)?.dests).toMatchObject([{ activeConns: 0, inactConns: 1 }]);
  // Entries that were learnt count nowhere.
  expect(backup.service(WEB)?.statistics.conns).toBe(0);
});

test("a persistent service: the template is told of at every packet of its connections", () => {
  const { lan, client, ipvs, backup, messages } = cluster({ isPersistent: true, persistenceTimeoutSeconds: 100 });
  ipvs.startDaemon("master", DAEMON);
  backup.startDaemon("backup", { ...DAEMON, syncId: 0 });
  call(client, VIP, 80);
  lan.run(6);
  const told = messages.flatMap(({ records }) => records.map(describe));
  expect(told.slice(0, 4)).toEqual(["template 0", "template 1", "1", "template 1"]);
  expect(told.filter((text) => text === "4 inactive")).toHaveLength(1);
  expect(backup.connections).toMatchObject([
    { isTemplate: true, state: "ASSURED" },
    { isTemplate: false, state: "FIN_WAIT" },
  ]);
  expect(backup.service(WEB)?.dests).toMatchObject([{ persistConns: 1, inactConns: 1, activeConns: 0 }]);
  expect(messages[0]?.records[0]).toMatchObject({ timeoutSeconds: 100, clientPort: 0, virtualPort: 80 });
});

test.each([
  { what: "the third, and then every fiftieth", set: "", count: 110, numbers: [3, 53, 103] },
  { what: "as sync_threshold says", set: "sync_threshold=1 20", count: 45, numbers: [1, 21, 41] },
  { what: "once, without a period", set: "sync_threshold=5 0", count: 30, numbers: [5] },
  { what: "by refresh only, without a period", set: "sync_threshold=3 0;sync_refresh_period=3", count: 30, numbers: [1] },
  { what: "each when nothing limits it", set: "sync_threshold=0 1", count: 4, numbers: [1, 2, 3, 4] },
  { what: "none in persist mode 1 but templates", set: "sync_persist_mode=1", count: 30, numbers: [] as number[], isPersistent: true },
])("packets of a UDP connection that are told of: $what", ({ set, count, numbers, isPersistent }) => {
  const { lan, client, d1, ipvs, messages } = cluster({ isPersistent: isPersistent === true, persistenceTimeoutSeconds: 60 });
  settings(d1, set);
  const told: number[] = [];
  ipvs.startDaemon("master", { ...DAEMON, maxLength: 1 });
  const socket = client.udp.bind({ address: 0, port: 4000 }, { onDatagram: () => {}, onError: () => {} });
  if (typeof socket === "string") throw new Error(socket);
  for (let i = 1; i <= count; i++) {
    const before = messages.length;
    socket.send(new Uint8Array(1), { address: address(VIP), port: 53 });
    // A buffer for one record is full with the next: both leave within this time.
    lan.run(3.5);
    if (messages.slice(before).some(({ records }) => records.some((record) => (record.flags & SYNC_TEMPLATE) === 0))) told.push(i);
  }
  // Refreshing is by time, not by packet: 3.5 seconds are more than the period, and every packet is due.
  expect(told).toEqual(set.includes("refresh") ? Array.from({ length: count }, (_, i) => i + 1) : numbers);
});

test.each([
  { retries: 0, count: 1 },
  { retries: 2, count: 3 },
])("sync_refresh_period: within it an entry is told of again $retries times, an eighth of the period apart", ({ retries, count }) => {
  const { lan, client, d1, ipvs, messages } = cluster();
  settings(d1, `sync_threshold=0 0;sync_refresh_period=20;sync_retries=${retries}`);
  ipvs.startDaemon("master", DAEMON);
  const socket = client.udp.bind({ address: 0, port: 4000 }, { onDatagram: () => {}, onError: () => {} });
  if (typeof socket === "string") throw new Error(socket);
  for (let second = 0; second < 15; second++) {
    socket.send(new Uint8Array(1), { address: address(VIP), port: 53 });
    lan.run(1);
  }
  expect(messages.flatMap(({ records }) => records)).toHaveLength(count);
});

test("a full message leaves after 20 ms, eight of them at once; too many are lost", () => {
  const { lan, client, d1, ipvs, messages } = cluster();
  settings(d1, "sync_threshold=0 1");
  ipvs.startDaemon("master", { ...DAEMON, maxLength: 100 });
  const socket = client.udp.bind({ address: 0, port: 4000 }, { onDatagram: () => {}, onError: () => {} });
  if (typeof socket === "string") throw new Error(socket);
  const send = (count: number) => {
    for (let i = 0; i < count; i++) socket.send(new Uint8Array(1), { address: address(VIP), port: 53 });
  };
  // Resolve the servers' addresses first.
  send(1);
  lan.run(4);
  messages.length = 0;
  send(3);
  lan.run(0.015);
  expect(messages).toHaveLength(0);
  lan.run(0.01);
  expect(messages.map(({ records }) => records.length)).toEqual([2]);
  send(16);
  lan.run(0.001);
  expect(messages).toHaveLength(9);
  settings(d1, "sync_qlen_max=2");
  messages.length = 0;
  send(20);
  lan.run(0.5);
  expect(messages).toHaveLength(2);
});

test("stopping the master loses what waits, and nothing is told any more", () => {
  const { lan, client, ipvs, messages } = cluster();
  ipvs.startDaemon("master", DAEMON);
  call(client, VIP, 80);
  lan.run(0.5);
  expect(ipvs.stopDaemon("master")).toBeUndefined();
  call(client, VIP, 80);
  lan.run(6);
  expect(messages).toEqual([]);
});

test("version 0 says no timeouts, and tells of a template only with its connection", () => {
  const { lan, client, d1, ipvs, backup, messages } = cluster({ isPersistent: true, persistenceTimeoutSeconds: 100 });
  settings(d1, "sync_version=0");
  ipvs.startDaemon("master", DAEMON);
  backup.startDaemon("backup", DAEMON);
  call(client, VIP, 80);
  lan.run(6);
  expect(messages[0]?.version).toBe(0);
  expect(messages.flatMap(({ records }) => records.map(describe))).toEqual(["1", "template 1", "4 inactive", "template 1"]);
  const nowNs = messages[0] === undefined ? 0 : messages[0].seconds * 1e9;
  const left = backup.connections.map((one) => [one.isTemplate, Math.round((one.expiresAtNs - nowNs) / 1e9)]);
  expect(left).toEqual([
    [false, 120],
    [true, 180],
  ]);
});

test("several ports: each connection goes by one of them, and the backup hears all", () => {
  const { lan, client, d1, d2, ipvs, backup, messages } = cluster();
  for (const host of [d1, d2]) settings(host, "sync_ports=4");
  ipvs.startDaemon("master", DAEMON);
  backup.startDaemon("backup", DAEMON);
  settings(d2, "sync_ports=1");
  for (let i = 0; i < 8; i++) call(client, VIP, 80);
  lan.run(6);
  expect([...new Set(messages.map(({ packet }) => (packet.payload as UdpDatagram).dstPort))].sort()).toEqual([8848, 8849, 8850, 8851]);
  expect(backup.connections).toHaveLength(8);
});

test.each([{ method: "route" as const }, { method: "tunnel" as const }])(
  "a backup takes over ($method): the connection goes on by the same server",
  ({ method }) => {
    const { lan, client, d1, d2, server, ipvs, backup } = cluster();
    for (const one of [ipvs, backup]) one.editDest(WEB, destSpec("192.168.30.11:80", method));
    if (method === "tunnel") server.devices.setUp(server.devices.byName("tunl0") as NetDevice);
    ipvs.startDaemon("master", DAEMON);
    backup.startDaemon("backup", DAEMON);
    let text = "";
    const socket = client.tcp.connect({ address: address(VIP), port: 80 }, { onData: (bytes) => (text += new TextDecoder().decode(bytes)) });
    if (typeof socket === "string") throw new Error(socket);
    lan.run(0.1);
    socket.send(new Uint8Array(1));
    lan.run(5);
    expect(text).toBe("rs1");
    expect(backup.connections).toMatchObject([{ state: "ESTABLISHED", isFromSync: true }]);
    expect(backup.service(WEB)?.dests).toMatchObject([{ activeConns: 1, inactConns: 0 }]);
    d1.devices.setDown(eth0Of(d1));
    addAddress(d2, "eth0", `${VIP}/32`);
    d2.arp.sendGratuitous(eth0Of(d2), address(VIP));
    socket.send(new Uint8Array(1));
    lan.run(1);
    socket.close();
    lan.run(1);
    expect(text).toBe("rs1rs1");
    expect(backup.connections).toMatchObject([{ state: "FIN_WAIT" }]);
    expect(backup.service(WEB)?.dests).toMatchObject([{ activeConns: 0, inactConns: 1 }]);
    expect(backup.service(WEB)?.statistics.inPackets).toBeGreaterThan(2);
  },
);

test("backup_only: while the backup daemon runs, packets go to the local stack", () => {
  const { lan, client, d1, ipvs } = cluster();
  serve(d1, 80);
  settings(d1, "backup_only=1");
  ipvs.startDaemon("backup", DAEMON);
  const own = call(client, VIP, 80);
  lan.run(0.5);
  ipvs.stopDaemon("backup");
  const other = call(client, VIP, 80);
  lan.run(0.5);
  expect([own.text, other.text]).toEqual(["d1", "rs1"]);
});

/* ---------------------------------------------------------------------------------------------- what a backup makes of a message */

const ESTABLISHED: SyncRecord = {
  protocol: 6,
  flags: 3 | SYNC_NO_OUTPUT,
  state: 1,
  clientAddress: address("192.168.30.9"),
  clientPort: 4000,
  virtualAddress: address(VIP),
  virtualPort: 80,
  destAddress: address("192.168.30.11"),
  destPort: 80,
  mark: 0,
  timeoutSeconds: 900,
};

/** d2 as a backup, and somebody who sends it messages. */
function listener(spec: Partial<SyncDaemonSpec> = {}) {
  const { lan, client, d2, backup } = cluster();
  expect(backup.startDaemon("backup", { ...DAEMON, ...spec })).toBeUndefined();
  const socket = client.udp.bind({ address: 0, port: 0 }, { onDatagram: () => {}, onError: () => {} });
  if (typeof socket === "string") throw new Error(socket);
  socket.multicast.device = eth0Of(client);
  const tellBytes = (bytes: Uint8Array) => {
    expect(socket.send(bytes, { address: GROUP, port: 8848 }, { mayFragment: true })).toBeUndefined();
    lan.run(0.01);
  };
  const tell = (...records: SyncRecord[]) => tellBytes(encodeSyncMessage({ version: 1, syncId: 7, records }));
  const counts = () => {
    const dest = backup.service(WEB)?.dests[0];
    return [dest?.activeConns, dest?.inactConns];
  };
  return { lan, d2, backup, tell, tellBytes, counts };
}

test.each([
  { own: 0, heard: 7, count: 1 },
  { own: 7, heard: 7, count: 1 },
  { own: 7, heard: 8, count: 0 },
])("sync id $own hears $heard: $count", ({ own, heard, count }) => {
  const { backup, tellBytes } = listener({ syncId: own });
  tellBytes(encodeSyncMessage({ version: 1, syncId: heard, records: [ESTABLISHED] }));
  expect(backup.connections).toHaveLength(count);
});

test("active or not, state and timeout follow the message", () => {
  const { lan, backup, tell, counts } = listener();
  tell(ESTABLISHED);
  expect(counts()).toEqual([1, 0]);
  tell({ ...ESTABLISHED, flags: ESTABLISHED.flags | SYNC_INACTIVE, state: 4, timeoutSeconds: 120 });
  expect(counts()).toEqual([0, 1]);
  expect(backup.connections).toMatchObject([{ state: "FIN_WAIT" }]);
  expect(Math.round(((backup.connections[0]?.expiresAtNs ?? 0) - lan.loop.nowNs) / 1e9)).toBe(120);
  tell(ESTABLISHED);
  expect(counts()).toEqual([1, 0]);
  lan.run(901);
  expect(counts()).toEqual([0, 0]);
  expect(backup.connections).toEqual([]);
});

test("without its server here an entry stands alone, until a message finds the server", () => {
  const { backup, tell, counts } = listener();
  backup.deleteDest(WEB, address("192.168.30.11"), 80);
  tell(ESTABLISHED);
  expect(backup.connections).toMatchObject([{ state: "ESTABLISHED", destAddress: address("192.168.30.11") }]);
  backup.addDest(WEB, destSpec("192.168.30.11:80", "tunnel"));
  expect(counts()).toEqual([0, 0]);
  tell(ESTABLISHED);
  expect(counts()).toEqual([1, 0]);
  expect(backup.connections).toHaveLength(1);
});

test("another server for the same ends: an active message replaces the entry, an inactive one is old news", () => {
  const { backup, tell, counts } = listener();
  const other = { ...ESTABLISHED, destAddress: address("192.168.30.12") };
  tell(ESTABLISHED);
  tell({ ...other, flags: other.flags | SYNC_INACTIVE, state: 4 });
  expect(backup.connections).toMatchObject([{ destAddress: ESTABLISHED.destAddress, state: "ESTABLISHED" }]);
  tell(other);
  expect(backup.connections).toMatchObject([{ destAddress: other.destAddress }]);
  expect(counts()).toEqual([0, 0]);
});

test.each([
  { what: "UDP", record: { protocol: 17, state: 0, virtualPort: 53, destPort: 53 }, state: "UDP", seconds: 300 },
  { what: "SCTP", record: { protocol: 132, state: 8 }, state: "ESTABLISHED", seconds: 900 },
  { what: "TCP", record: { state: 5 }, state: "TIME_WAIT", seconds: 120 },
  { what: "a template", record: { flags: SYNC_TEMPLATE | 3, clientPort: 0, state: 1 }, state: "ASSURED", seconds: 180 },
])("$what without a timeout gets that of its state", ({ record, state, seconds }) => {
  const { lan, backup, tell } = listener();
  tell({ ...ESTABLISHED, timeoutSeconds: 0, ...record });
  expect(backup.connections).toMatchObject([{ state }]);
  expect(Math.round(((backup.connections[0]?.expiresAtNs ?? 0) - lan.loop.nowNs) / 1e9)).toBe(seconds);
});

test("records of unknown protocols and states are left out; the others count", () => {
  const { backup, tell } = listener();
  tell({ ...ESTABLISHED, protocol: 89 }, { ...ESTABLISHED, state: 11 }, { ...ESTABLISHED, protocol: 17, state: 1 }, { ...ESTABLISHED, clientPort: 4001 });
  expect(backup.connections).toMatchObject([{ clientPort: 4001 }]);
});

test("what does not fit into the buffer, or is broken, is refused; the latter with a word in the log", () => {
  const { d2, backup, tell, tellBytes } = listener({ maxLength: 1 });
  tell(...Array.from({ length: 29 }, (_, i) => ({ ...ESTABLISHED, clientPort: 5000 + i })));
  expect(backup.connections).toEqual([]);
  tell(...Array.from({ length: 28 }, (_, i) => ({ ...ESTABLISHED, clientPort: 5000 + i })));
  expect(backup.connections).toHaveLength(28);
  const broken = encodeSyncMessage({ version: 1, syncId: 7, records: [ESTABLISHED] });
  broken[8] = 2;
  tellBytes(broken);
  expect(backup.connections).toHaveLength(28);
  expect(d2.log.lines.at(-1)?.text).toBe("IPVS: BACKUP, Dropping buffer, Err: -10 in decoding");
});

test("a template of a marked service finds its server, which has no port of its own unless it is reached by NAT", () => {
  const { backup, tell } = listener();
  const key: ServiceKey = { kind: "fwmark", mark: 5 };
  backup.addService(service(key, { isPersistent: true, persistenceTimeoutSeconds: 60 }));
  backup.addDest(key, destSpec("192.168.30.11:0", "route"));
  tell(
    { ...ESTABLISHED, protocol: 0, flags: 3 | SYNC_TEMPLATE, state: 1, clientPort: 0, virtualAddress: 5, virtualPort: 0, destPort: 0, mark: 5 },
    { ...ESTABLISHED, mark: 5, destPort: 8080 },
  );
  expect(backup.service(key)?.dests).toMatchObject([{ persistConns: 1, activeConns: 1 }]);
});

/* --------------------------------------------------------------------------------------------------------- starting and stopping */

test("daemons that cannot be started or stopped", () => {
  const { d1, ipvs } = cluster();
  expect(ipvs.stopDaemon("backup")).toBe("ESRCH");
  expect(ipvs.startDaemon("master", { ...DAEMON, device: "eth9" })).toBe("ENODEV");
  expect(ipvs.startDaemon("master", { ...DAEMON, group: address("10.0.0.1") })).toBe("EINVAL");
  expect(ipvs.startDaemon("master", DAEMON)).toBeUndefined();
  expect(ipvs.startDaemon("master", DAEMON)).toBe("EEXIST");
  expect(ipvs.startDaemon("master", { ...DAEMON, device: "eth9" })).toBe("ENODEV");
  expect(ipvs.startDaemon("backup", DAEMON)).toBeUndefined();
  ipvs.stopDaemon("master");
  d1.devices.setDown(eth0Of(d1));
  expect(ipvs.startDaemon("master", DAEMON)).toBe("ENETUNREACH");
  expect(ipvs.daemons.master).toBeUndefined();
  expect(d1.udp.sockets).toHaveLength(1);
  ipvs.stopDaemon("backup");
  expect(d1.udp.sockets).toEqual([]);
  expect(d1.multicast.isMember(GROUP, eth0Of(d1))).toBe(false);
});

test.each([
  { role: "master" as const, maxLength: 0, mtu: 1500, got: 1472 },
  { role: "master" as const, maxLength: 0, mtu: 9000, got: 1472 },
  { role: "backup" as const, maxLength: 0, mtu: 9000, got: 8972 },
  { role: "backup" as const, maxLength: 0, mtu: 1400, got: 1472 },
  { role: "backup" as const, maxLength: 10, mtu: 1500, got: 1024 },
  { role: "master" as const, maxLength: 60000, mtu: 1500, got: 60000 },
  { role: "master" as const, maxLength: 70000, mtu: 1500, got: 65507 },
])("$role, maximum $maxLength, MTU $mtu: messages of at most $got bytes", ({ role, maxLength, mtu, got }) => {
  const { d1, ipvs } = cluster();
  d1.devices.setMtu(eth0Of(d1), mtu);
  expect(ipvs.startDaemon(role, { ...DAEMON, maxLength })).toBeUndefined();
  expect(ipvs.daemons[role]).toMatchObject({ maxLength: got, group: GROUP, port: 8848, ttl: 1 });
});
