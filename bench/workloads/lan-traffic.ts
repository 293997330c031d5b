/**
 * The traffic of the LAN: each client opens connections round robin, one every millisecond.
 *
 *   TCP   connect, 100 bytes there, 1000 back, FIN both ways      UDP   100 bytes there, 1000 back
 */

import type { EventTarget } from "../../src/kernel/event-loop.ts";
import type { LinuxHost } from "../../src/host/linux-host.ts";
import type { TcpEvents, TcpSocket, UdpSocket } from "../../src/host/host.ts";
import { type Network, SERVICE_PORT } from "./lan-network.ts";

const REQUEST = new Uint8Array(100);
const RESPONSE = new Uint8Array(1000);
const START_NS = 10_000_000;
export const INTERVAL_NS = 1_000_000;
const BACKLOG = 4096;

/** What happened: the bench checks it, so that nobody measures a LAN that does not work. */
export interface Tally {
  opened: number;
  done: number;
  failed: number;
}

export function startServers(network: Network, protocol: "tcp" | "udp"): void {
  for (const server of network.servers) protocol === "tcp" ? serveTcp(server) : serveUdp(server);
}

export function startClients(network: Network, protocol: "tcp" | "udp", exchangesPerClient: number): Tally {
  const tally: Tally = { opened: 0, done: 0, failed: 0 };
  network.clients.forEach((client, i) => {
    const opener = protocol === "tcp" ? new TcpOpener(network, client, i, exchangesPerClient, tally) : new UdpOpener(network, client, i, exchangesPerClient, tally);
    network.loop.at(network.loop.nowNs + START_NS + Math.floor((INTERVAL_NS * i) / network.clients.length), opener);
  });
  return tally;
}

/* ------------------------------------------------------------------------------------------------------------------- TCP */

function serveTcp(host: LinuxHost): void {
  const listener = host.tcp.listen({ address: 0, port: SERVICE_PORT, backlog: BACKLOG }, (socket) => new Answer(socket));
  if (typeof listener === "string") throw new Error(`listen: ${listener}`);
}

class Answer implements TcpEvents {
  readonly #socket: TcpSocket;
  #received = 0;

  constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  onData(bytes: Uint8Array): void {
    this.#received += bytes.length;
    if (this.#received === REQUEST.length) this.#socket.send(RESPONSE);
  }

  onEnd(): void {
    this.#socket.close();
  }
}

class Exchange implements TcpEvents {
  socket: TcpSocket | undefined = undefined;
  readonly #tally: Tally;
  #received = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  onConnected(): void {
    this.socket?.send(REQUEST);
  }

  onData(bytes: Uint8Array): void {
    this.#received += bytes.length;
    if (this.#received !== RESPONSE.length) return;
    this.#tally.done++;
    this.socket?.close();
  }

  onError(): void {
    this.#tally.failed++;
  }
}

class TcpOpener implements EventTarget {
  readonly #network: Network;
  readonly #host: LinuxHost;
  readonly #tally: Tally;
  #left: number;
  #next: number;

  constructor(network: Network, host: LinuxHost, index: number, count: number, tally: Tally) {
    this.#network = network;
    this.#host = host;
    this.#tally = tally;
    this.#left = count;
    this.#next = index % network.destinations.length;
  }

  onEvent(): void {
    const { destinations, loop } = this.#network;
    const exchange = new Exchange(this.#tally);
    const socket = this.#host.tcp.connect({ address: destinations[this.#next] as number, port: SERVICE_PORT }, exchange);
    if (typeof socket === "string") throw new Error(`connect: ${socket}`);
    exchange.socket = socket;
    this.#tally.opened++;
    this.#next = (this.#next + 1) % destinations.length;
    if (--this.#left > 0) loop.after(INTERVAL_NS, this);
  }
}

/* ------------------------------------------------------------------------------------------------------------------- UDP */

function serveUdp(host: LinuxHost): void {
  const socket: UdpSocket | string = host.udp.bind(
    { address: 0, port: SERVICE_PORT },
    {
      onDatagram: (_payload, from) => {
        (socket as UdpSocket).send(RESPONSE, from);
      },
      onError: () => {},
    },
  );
  if (typeof socket === "string") throw new Error(`bind: ${socket}`);
}

/** As ns-3's: one socket a client, so that a virtual server sees one connection a client and the cost of a datagram is what is measured. */
class UdpOpener implements EventTarget {
  readonly #network: Network;
  readonly #socket: UdpSocket;
  readonly #tally: Tally;
  #left: number;
  #next: number;

  constructor(network: Network, host: LinuxHost, index: number, count: number, tally: Tally) {
    this.#network = network;
    this.#tally = tally;
    this.#left = count;
    this.#next = index % network.destinations.length;
    const socket = host.udp.bind(
      { address: 0, port: 0 },
      {
        onDatagram: () => {
          tally.done++;
        },
        onError: () => {
          tally.failed++;
        },
      },
    );
    if (typeof socket === "string") throw new Error(`bind: ${socket}`);
    this.#socket = socket;
  }

  onEvent(): void {
    const { destinations, loop } = this.#network;
    const errno = this.#socket.send(REQUEST, { address: destinations[this.#next] as number, port: SERVICE_PORT });
    if (errno !== undefined) throw new Error(`send: ${errno}`);
    this.#tally.opened++;
    this.#next = (this.#next + 1) % destinations.length;
    if (--this.#left > 0) loop.after(INTERVAL_NS, this);
  }
}
