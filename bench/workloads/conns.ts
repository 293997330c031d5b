/**
 * A director with N live connections: `node --expose-gc conns.js --connections=1000000`. Prints one JSON line.
 *
 * Frames are handed to its interface as a cable would; what it sends is counted and forgotten. Each connection gets a SYN and an ACK, and is
 * then idle in ESTABLISHED. Afterwards packets of the connections come in an order that no cache likes. Heap is what is left after a collection.
 */

import type { NetDevice } from "../../src/host/device.ts";
import type { LinuxHost } from "../../src/host/linux-host.ts";
import type { FrameReceiver, LinkPort } from "../../src/link/port.ts";
import { ETHERTYPE_IPV4, EthernetFrame, Ipv4Packet, PROTOCOL_TCP, TCP_ACK, TCP_SYN, TcpSegment } from "../../src/wire/packet.ts";
import { buildNetwork, SERVICE_PORT } from "./lan-network.ts";
import { cpuSeconds, liveHeapBytes, options, print } from "./measure.ts";

const OPTIONS = options({ connections: 100_000, packets: 500_000, topology: "dr" });
/** Client addresses; a client has so many ports that none is used twice. */
const ADDRESSES = 250;
const CLIENT_BASE = 0x0a011000;
/** So many frames come in a millisecond. */
const FRAMES_PER_MS = 1000;

class Sink implements LinkPort {
  readonly hasCarrier = true;
  sent = 0;

  transmit(): void {
    this.sent++;
  }
}

const topology = OPTIONS.topology === "nat" ? "nat" : OPTIONS.topology === "tun" ? "tun" : "dr";
const network = buildNetwork({ topology, protocol: "tcp", clients: 0, servers: 4 });
const { director, loop } = network;
const virtual = network.destinations[0] as number;
const sink = new Sink();
const device = replugged(director, sink);
let fed = 0;

/** A second way into the clients' network, with no switch behind it, so that only the director works. */
function replugged(host: LinuxHost, port: LinkPort): NetDevice & FrameReceiver {
  const added = host.devices.addEthernet({ name: "eth9", mac: 0x020000009999, mtu: 1500, port });
  const errno = host.devices.setUp(added);
  if (errno !== undefined) throw new Error(errno);
  for (const key of ["all", "eth9"]) host.sysctl.write(`net.ipv4.conf.${key}.rp_filter`, "0");
  // Servers are neighbours that need no asking, on the way that leads into the sink.
  for (const server of network.servers) {
    const address = server.devices.byName("eth0")?.addresses[0]?.address ?? 0;
    const out = host.devices.byName(topology === "nat" ? "eth1" : "eth0");
    if (out === undefined) throw new Error("the director has no way to its servers");
    const failed = host.neighbours.set(out, address, 0x02000000aaaa, "PERMANENT", "replace");
    if (failed !== undefined) throw new Error(failed);
  }
  // Whatever leaves by the network's own cables is dropped at once: nobody plays the servers.
  for (const link of network.switches) for (const one of link.ports) one.setUp(one.receiver?.hostName === host.name);
  return added;
}

function feed(connection: number, flags: number): void {
  const port = 1024 + Math.floor(connection / ADDRESSES);
  const segment = new TcpSegment(port, SERVICE_PORT, 1000, (flags & TCP_ACK) === 0 ? 0 : 1, flags, 65535);
  const packet = new Ipv4Packet(CLIENT_BASE + (connection % ADDRESSES), virtual, PROTOCOL_TCP, 64, segment);
  device.receiveFrame(new EthernetFrame(device.mac, 0x020000008888, ETHERTYPE_IPV4, packet));
  if (++fed % FRAMES_PER_MS === 0) loop.runUntil(loop.nowNs + 1_000_000);
}

function open(from: number, to: number): void {
  for (let i = from; i < to; i++) {
    feed(i, TCP_SYN);
    feed(i, TCP_ACK);
  }
}

/** Multiplication by an odd constant visits every connection, each far from the one before. */
function touch(count: number): void {
  for (let i = 0; i < count; i++) feed((Math.imul(i, 0x9e3779b1) >>> 0) % OPTIONS.connections, TCP_ACK);
}

// Compile with connections that stay: they are not among those whose memory is measured.
const WARM = 20_000;
open(OPTIONS.connections, OPTIONS.connections + WARM);
const heapBefore = liveHeapBytes();
const openStart = cpuSeconds();
open(0, OPTIONS.connections);
const openSeconds = cpuSeconds() - openStart;
const heapAfter = liveHeapBytes();
touch(Math.min(OPTIONS.packets, 100_000));
const touchStart = cpuSeconds();
touch(OPTIONS.packets);
const touchSeconds = cpuSeconds() - touchStart;
const live = network.ipvs?.connections.length ?? 0;
if (live !== OPTIONS.connections + WARM) throw new Error(`${live} connections live, ${OPTIONS.connections + WARM} were opened`);
print({
  program: "lvsim",
  connections: OPTIONS.connections,
  bytesPerConnection: (heapAfter - heapBefore) / OPTIONS.connections,
  usPerNewConnection: (openSeconds * 1e6) / OPTIONS.connections,
  nsPerPacket: (touchSeconds * 1e9) / OPTIONS.packets,
  heapMegabytes: heapAfter / 1e6,
});
