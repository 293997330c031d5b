/**
 * The floor for plain JavaScript: the LAN of the benchmark with bare objects, `node lan-sketch.mjs --exchanges=10000`. Prints one line of JSON.
 *
 *   clients ══ learning switch ══ router ══ learning switch ══ servers      1 Gbit/s a cable with its own queue, 1 us, ARP
 *
 * It does the same frames as a real TCP would here (SYN, SYN/ACK, ACK, 100 bytes, 1000 bytes, FIN both ways), an event for each frame and cable,
 * a retransmission timer and a TIME_WAIT of 10 ms for each connection. It is no simulator: nothing is checked, nothing can be lost, no windows,
 * no options, no state but what these frames need.
 *
 * `--fresh=1`: after the warm-up the sketch is made anew, functions and all, as it is by a program that has it inside a function and runs it
 * twice. The compiler then no longer takes one network for the only one, and the code that it makes is about half as fast.
 */

import { ArrayHeap } from "./queues.mjs";

const OPTIONS = { exchanges: 10_000, clients: 8, servers: 4, warm: 2000, repeat: 1, fresh: 0 };
for (const argument of process.argv.slice(2)) {
  const [, name, value] = /^--(\w+)=(\d+)$/.exec(argument) ?? [];
  if (!(name in OPTIONS)) throw new Error(`what is ${argument}?`);
  OPTIONS[name] = Number(value);
}

const SYN = 2;
const ACK = 16;
const FIN = 1;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IP = 0x0800;
const BROADCAST = 0xffffffffffff;
const SERVICE_PORT = 80;
const CABLE_NS = 1000;
const RTO_NS = 200e6;
const TIME_WAIT_NS = 10e6;
const INTERVAL_NS = 1e6;

/** All of it in a function, so that it can be had a second time. */
function sketch() {
  class Frame {
    constructor(dst, src, type, payload) {
      this.dst = dst;
      this.src = src;
      this.type = type;
      this.payload = payload;
    }
  }

  class Arp {
    constructor(isReply, senderIp, senderMac, targetIp) {
      this.isReply = isReply;
      this.senderIp = senderIp;
      this.senderMac = senderMac;
      this.targetIp = targetIp;
      this.bytes = 28;
    }
  }

  class Segment {
    constructor(src, dst, srcPort, dstPort, flags, seq, ack, data) {
      this.src = src;
      this.dst = dst;
      this.ttl = 64;
      this.srcPort = srcPort;
      this.dstPort = dstPort;
      this.flags = flags;
      this.seq = seq;
      this.ack = ack;
      this.data = data;
      this.bytes = 40 + data;
    }
  }

  /** The event loop: an object to wake and what to tell it. */
  class Loop {
    constructor() {
      this.queue = new ArrayHeap();
      this.now = 0;
      this.fired = 0;
      this.targets = [];
      this.arguments = [];
      this.free = [];
    }

    at(time, target, argument) {
      const slot = this.free.length > 0 ? this.free.pop() : this.targets.length;
      this.targets[slot] = target;
      this.arguments[slot] = argument;
      this.queue.push(time, slot);
    }

    run() {
      while (this.queue.size > 0) {
        const slot = this.queue.pop();
        this.now = this.queue.time;
        const target = this.targets[slot];
        const argument = this.arguments[slot];
        this.targets[slot] = undefined;
        this.arguments[slot] = undefined;
        this.free.push(slot);
        this.fired++;
        target.wake(argument);
      }
    }
  }

  /** One end of a cable. */
  class Port {
    constructor(lan, owner) {
      this.lan = lan;
      this.owner = owner;
      this.peer = undefined;
      this.busyUntil = 0;
    }

    send(frame) {
      const { loop } = this.lan;
      const bytes = Math.max(frame.payload.bytes + 18, 64) + 8;
      const start = this.busyUntil > loop.now ? this.busyUntil : loop.now;
      this.busyUntil = start + (bytes + 12) * 8;
      this.lan.frames++;
      loop.at(start + bytes * 8 + CABLE_NS, this.peer, frame);
    }

    wake(frame) {
      this.owner.receive(frame, this);
    }
  }

  class Switch {
    constructor() {
      this.ports = [];
      this.known = new Map();
    }

    receive(frame, from) {
      if (this.known.get(frame.src) !== from) this.known.set(frame.src, from);
      const to = frame.dst === BROADCAST ? undefined : this.known.get(frame.dst);
      if (to === undefined) {
        for (const port of this.ports) if (port !== from) port.send(frame);
      } else if (to !== from) to.send(frame);
    }
  }

  class Host {
    constructor(lan) {
      this.lan = lan;
      this.interfaces = [];
      this.routes = [];
      this.neighbours = new Map();
      this.waiting = new Map();
      this.connections = new Map();
      this.nextPort = 32_768;
    }

    receive(frame, port) {
      const { mac } = port;
      if (frame.dst !== mac && frame.dst !== BROADCAST) return;
      const { payload } = frame;
      if (frame.type === ETHERTYPE_ARP) this.receiveArp(payload, port);
      else if (this.interfaces.some((one) => one.ip === payload.dst)) this.receiveSegment(payload);
      else if (--payload.ttl > 0) this.send(payload);
    }

    receiveArp(arp, port) {
      if (arp.targetIp !== port.ip) return;
      this.neighbours.set(arp.senderIp, arp.senderMac);
      if (!arp.isReply) {
        port.send(new Frame(arp.senderMac, port.mac, ETHERTYPE_ARP, new Arp(true, port.ip, port.mac, arp.senderIp)));
        return;
      }
      for (const packet of this.waiting.get(arp.senderIp) ?? []) port.send(new Frame(arp.senderMac, port.mac, ETHERTYPE_IP, packet));
      this.waiting.delete(arp.senderIp);
    }

    send(packet) {
      let best;
      for (const route of this.routes) if ((packet.dst & route.mask) >>> 0 === route.network && (best === undefined || route.mask >>> 0 > best.mask >>> 0)) best = route;
      const { port, gateway } = best;
      const hop = gateway === 0 ? packet.dst : gateway;
      const mac = this.neighbours.get(hop);
      if (mac !== undefined) {
        port.send(new Frame(mac, port.mac, ETHERTYPE_IP, packet));
        return;
      }
      const queue = this.waiting.get(hop);
      if (queue !== undefined) {
        queue.push(packet);
        return;
      }
      this.waiting.set(hop, [packet]);
      port.send(new Frame(BROADCAST, port.mac, ETHERTYPE_ARP, new Arp(false, port.ip, port.mac, hop)));
    }

    receiveSegment(segment) {
      const key = segment.src * 65_536 + segment.srcPort;
      let connection = this.connections.get(segment.dstPort)?.get(key);
      if (connection === undefined) {
        if ((segment.flags & SYN) === 0 || segment.dstPort !== SERVICE_PORT) return;
        connection = new Connection(this, segment.dst, SERVICE_PORT, segment.src, segment.srcPort, false);
      }
      connection.receive(segment);
    }
  }

  class Connection {
    constructor(host, localIp, localPort, remoteIp, remotePort, isClient) {
      this.host = host;
      this.localIp = localIp;
      this.localPort = localPort;
      this.remoteIp = remoteIp;
      this.remotePort = remotePort;
      this.isClient = isClient;
      this.state = "open";
      this.nextSeq = 1;
      this.expected = 0;
      this.received = 0;
      /** Counts up whenever the timer is set or stopped: an older event finds that it is stale. */
      this.timer = 0;
      this.key = remoteIp * 65_536 + remotePort;
      let table = host.connections.get(localPort);
      if (table === undefined) {
        table = new Map();
        host.connections.set(localPort, table);
      }
      table.set(this.key, this);
    }

    transmit(flags, data) {
      const segment = new Segment(this.localIp, this.remoteIp, this.localPort, this.remotePort, flags, this.nextSeq, this.expected, data);
      const length = data + ((flags & (SYN | FIN)) !== 0 ? 1 : 0);
      this.nextSeq += length;
      if (length > 0) this.host.lan.loop.at(this.host.lan.loop.now + RTO_NS, this, ++this.timer);
      this.host.send(segment);
    }

    wake(timer) {
      if (timer !== this.timer) return;
      if (this.state !== "time-wait") throw new Error("nothing is lost here");
      this.forget();
    }

    forget() {
      const { connections } = this.host;
      const table = connections.get(this.localPort);
      table.delete(this.key);
      if (table.size === 0) connections.delete(this.localPort);
    }

    receive(segment) {
      const { flags, data } = segment;
      if ((flags & SYN) !== 0) {
        this.expected = segment.seq + 1;
        if (this.isClient) {
          this.timer++;
          this.transmit(ACK, 0);
          this.transmit(ACK, 100);
        } else this.transmit(SYN | ACK, 0);
        return;
      }
      if (segment.ack === this.nextSeq && this.state !== "time-wait") this.timer++;
      if (data > 0) this.receiveData(segment);
      else if ((flags & FIN) !== 0) this.receiveFin(segment);
      else if (this.state === "last-ack" && segment.ack === this.nextSeq) this.forget();
    }

    receiveData(segment) {
      this.expected = segment.seq + segment.data;
      this.received += segment.data;
      this.transmit(ACK, 0);
      if (!this.isClient) this.transmit(ACK, 1000);
      else if (this.received === 1000) {
        this.host.lan.done++;
        this.transmit(FIN | ACK, 0);
      }
    }

    receiveFin(segment) {
      this.expected = segment.seq + 1;
      if (this.isClient) {
        this.transmit(ACK, 0);
        this.state = "time-wait";
        const { loop } = this.host.lan;
        loop.at(loop.now + TIME_WAIT_NS, this, ++this.timer);
      } else {
        this.state = "last-ack";
        this.transmit(FIN | ACK, 0);
      }
    }
  }

  class Opener {
    constructor(host, index, servers, count) {
      this.host = host;
      this.servers = servers;
      this.next = index % servers.length;
      this.left = count;
    }

    wake() {
      const { host } = this;
      const connection = new Connection(host, host.interfaces[0].ip, host.nextPort, this.servers[this.next], SERVICE_PORT, true);
      host.nextPort = host.nextPort === 60_999 ? 32_768 : host.nextPort + 1;
      this.next = (this.next + 1) % this.servers.length;
      connection.transmit(SYN, 0);
      if (--this.left > 0) host.lan.loop.at(host.lan.loop.now + INTERVAL_NS, this);
    }
  }

  function build() {
    const lan = { loop: new Loop(), frames: 0, done: 0 };
    let macs = 0;
    const plug = (host, link, ip) => {
      const port = new Port(lan, host);
      const other = new Port(lan, link);
      port.peer = other;
      other.peer = port;
      port.mac = 0x020000000000 + ++macs;
      port.ip = ip;
      link.ports.push(other);
      host.interfaces.push(port);
      host.routes.push({ network: (ip & 0xffff0000) >>> 0, mask: 0xffff0000, gateway: 0, port });
      return port;
    };
    const clientSide = new Switch();
    const serverSide = new Switch();
    const router = new Host(lan);
    plug(router, clientSide, 0x0a01fffe);
    plug(router, serverSide, 0x0a02fffe);
    const hosts = (count, link, base, gateway) =>
      Array.from({ length: count }, (_, i) => {
        const host = new Host(lan);
        const port = plug(host, link, base + 1 + i);
        host.routes.push({ network: 0, mask: 0, gateway, port });
        return host;
      });
    const clients = hosts(OPTIONS.clients, clientSide, 0x0a010000, 0x0a01fffe);
    const servers = hosts(OPTIONS.servers, serverSide, 0x0a020000, 0x0a02fffe);
    const addresses = servers.map((server) => server.interfaces[0].ip);
    return { lan, clients, addresses };
  }

  function round({ lan, clients, addresses }, exchanges) {
    const each = Math.ceil(exchanges / clients.length);
    const before = { done: lan.done, frames: lan.frames, events: lan.loop.fired, cpu: process.cpuUsage() };
    clients.forEach((client, i) => {
      lan.loop.at(lan.loop.now + 10e6 + Math.floor((INTERVAL_NS * i) / clients.length), new Opener(client, i, addresses, each));
    });
    lan.loop.run();
    const { user, system } = process.cpuUsage(before.cpu);
    const wanted = each * clients.length;
    if (lan.done - before.done !== wanted) throw new Error(`${lan.done - before.done} of ${wanted} exchanges done`);
    return { seconds: (user + system) / 1e6, exchanges: wanted, frames: lan.frames - before.frames, events: lan.loop.fired - before.events };
  }

  return { build, round };
}

const first = sketch();
const firstNetwork = first.build();
if (OPTIONS.warm > 0) first.round(firstNetwork, OPTIONS.warm);
const second = OPTIONS.fresh === 0 ? first : sketch();
const network = OPTIONS.fresh === 0 ? firstNetwork : second.build();
const rounds = Array.from({ length: OPTIONS.repeat }, () => second.round(network, OPTIONS.exchanges)).sort((a, b) => a.seconds - b.seconds);
const { seconds, exchanges, frames, events } = rounds[rounds.length >> 1];
process.stdout.write(
  `${JSON.stringify({
    program: "lan-sketch",
    seconds,
    exchanges,
    frames,
    events,
    usPerExchange: (seconds * 1e6) / exchanges,
    nsPerFrame: (seconds * 1e9) / frames,
    framesPerExchange: frames / exchanges,
    eventsPerFrame: events / frames,
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
  })}\n`,
);
