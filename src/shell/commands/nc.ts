/**
 * nc, the OpenBSD netcat: connects or listens, TCP or UDP, and copies between the network and its own input and output.
 *
 * netcat-openbsd 1.219 (Debian) netcat.c. Not simulated, and refused: UNIX sockets, proxies, TLS, routing tables, DCCP.
 */

import { utf8Bytes } from "../../base/bytes.ts";
import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";
import type { TcpListener, UdpSocket } from "../../host/host.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { resolveHost } from "../names.ts";
import { serviceName } from "../../wire/service-names.ts";
import { NEVER_NS, TcpStream } from "../tcp-stream.ts";
import { type Channel, copyBothWays } from "./nc-copy.ts";
import { NC_HELP, type NcOptions, parseNc } from "./nc-options.ts";

const UDP_PROBES = 5;

function* run(context: CommandContext): Running<number> {
  const parsed = parseNc(context.args);
  if (parsed.kind === "help") {
    context.stderr.write(NC_HELP);
    return 0;
  }
  if (parsed.kind === "error") {
    context.stderr.write(parsed.text);
    return 1;
  }
  const { options } = parsed;
  if (options.listens) return options.isUdp ? yield* listenUdp(context, options) : yield* listenTcp(context, options);
  return yield* connect(context, options);
}

/* ------------------------------------------------------------------------------------------------------------- clients */

function* connect(context: CommandContext, options: NcOptions): Running<number> {
  const address = resolveHost(context.machine, options.host ?? "");
  let exit = 1;
  for (const port of options.ports) {
    if (address === undefined) {
      context.stderr.write(
        `nc: getaddrinfo for host "${options.host}" port ${port}: ${options.isNumeric ? "Name or service not known" : "Temporary failure in name resolution"}\n`,
      );
      return 1;
    }
    const local = options.source === undefined ? 0 : resolveHost(context.machine, options.source);
    if (local === undefined) {
      context.stderr.write(`nc: getaddrinfo: Temporary failure in name resolution\n`);
      return 1;
    }
    const target = { address, port, local };
    const status = options.isUdp ? yield* connectUdp(context, options, target) : yield* connectTcp(context, options, target);
    if (status === 255) return 1;
    if (status === 0) exit = 0;
  }
  return exit;
}

interface Target {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly local: Ipv4Address;
}

function* connectTcp(context: CommandContext, options: NcOptions, target: Target): Running<number> {
  const stream = new TcpStream(context);
  context.onExit(() => stream.close());
  const errno = stream.start({ address: target.address, port: target.port, localAddress: target.local, localPort: options.localPort });
  if (errno === "EADDRINUSE" || (errno === "EADDRNOTAVAIL" && target.local !== 0)) {
    context.stderr.write(`nc: bind failed: ${errorText(errno)}\n`);
    return 255;
  }
  const started = context.machine.host.loop.nowNs;
  const failed = errno ?? (yield* stream.connected(options.timeoutNs === undefined ? NEVER_NS : started + options.timeoutNs));
  if (failed !== undefined) {
    stream.close();
    if (options.isVerbose)
      context.stderr.write(
        `nc: connect to ${shownHost(options, target)} port ${target.port} (tcp) ${failed === "timeout" ? "timed out: Operation now in progress" : `failed: ${errorText(failed)}`}\n`,
      );
    return 1;
  }
  if (options.isVerbose) context.stderr.write(succeeded(options, target));
  if (options.isScan) {
    stream.close();
    return 0;
  }
  const exit = yield* copyBothWays(context, options, tcpChannel(stream));
  stream.close();
  return exit;
}

function succeeded(options: NcOptions, target: Target): string {
  const protocol = options.isUdp ? "udp" : "tcp";
  const service = options.isNumeric ? "*" : (serviceName(target.port, protocol) ?? "*");
  return `Connection to ${shownHost(options, target)} ${target.port} port [${protocol}/${service}] succeeded!\n`;
}

/** A name comes with its address. */
function shownHost(options: NcOptions, target: Target): string {
  const address = formatIpv4Address(target.address);
  return options.isNumeric || options.host === address ? (options.host ?? "") : `${options.host} (${address})`;
}

function tcpChannel(stream: TcpStream): Channel {
  return {
    hasMessage: false,
    read: (deadlineNs) => stream.read(deadlineNs),
    write: (bytes) => stream.errno === undefined && stream.write(bytes),
    shutdown: () => stream.socket?.shutdownWrite(),
    close: () => stream.close(),
    setWake: (wake) => stream.onActivity(wake),
    isReadable: () => stream.hasData || stream.isEnded || stream.errno !== undefined,
  };
}

function* connectUdp(context: CommandContext, options: NcOptions, target: Target): Running<number> {
  const queue = new UdpQueue();
  const socket = bindUdp(context, options, target.local, queue);
  if (typeof socket === "string") {
    context.stderr.write(`nc: bind failed: ${errorText(socket)}\n`);
    return 255;
  }
  context.onExit(() => socket.close());
  const errno = socket.connect(target.address, target.port);
  if (errno !== undefined) {
    socket.close();
    if (options.isVerbose) context.stderr.write(`nc: connect to ${shownHost(options, target)} port ${target.port} (udp) failed: ${errorText(errno)}\n`);
    return 1;
  }
  if (options.isVerbose || options.isScan) {
    if (!(yield* probeUdp(context, options, socket, queue))) {
      socket.close();
      return 1;
    }
    if (options.isVerbose) context.stderr.write(succeeded(options, target));
  }
  if (options.isScan) {
    socket.close();
    return 0;
  }
  const exit = yield* copyBothWays(context, options, udpChannel(socket, queue));
  socket.close();
  return exit;
}

/** Sends a byte and another at once, then one a second: a port unreachable shows in the second write (udptest). */
function* probeUdp(context: CommandContext, options: NcOptions, socket: UdpSocket, queue: UdpQueue): Running<boolean> {
  const probe = utf8Bytes("X");
  const count = options.isScan ? UDP_PROBES : 2;
  for (let i = 0; i < count; i++) {
    if (queue.errno !== undefined) return false;
    const errno = socket.send(probe);
    if (errno !== undefined) return false;
    yield* context.sleep(i === 0 || !options.isScan ? NS_PER_MS : i === count - 1 ? 0 : NS_PER_SECOND);
  }
  return queue.errno === undefined;
}

/* ----------------------------------------------------------------------------------------------------------- listeners */

function* listenTcp(context: CommandContext, options: NcOptions): Running<number> {
  const address = listenAddress(context, options);
  const port = options.ports[0] ?? options.localPort;
  if (address === undefined) return 1;
  const waiting: TcpStream[] = [];
  let wake: (() => void) | undefined;
  const listener: TcpListener | string = context.machine.host.tcp.listen({ address, port, backlog: 1, owner: context.process.socketOwner() }, (socket) => {
    const stream = new TcpStream(context);
    const events = stream.adopt(socket);
    waiting.push(stream);
    // It serves one peer at a time and goes on listening meanwhile: others wait in the kernel's queue.
    if (typeof listener !== "string") listener.isAccepting = false;
    wake?.();
    return events;
  });
  if (typeof listener === "string") {
    context.stderr.write(`nc: ${errorText(listener)}\n`);
    return 1;
  }
  context.onExit(() => {
    listener.close();
    for (const stream of waiting) stream.close();
  });
  if (options.isVerbose) context.stderr.write(`Listening on ${formatIpv4Address(address)} ${listener.localPort}\n`);
  for (;;) {
    while (waiting.length === 0) {
      yield* context.waitFor<void>((resolve) => {
        wake = () => resolve();
        return () => {
          wake = undefined;
        };
      });
      wake = undefined;
    }
    const stream = waiting.shift() as TcpStream;
    context.onExit(() => stream.close());
    if (options.isVerbose) context.stderr.write(received(stream.socket?.remoteAddress ?? 0, stream.socket?.remotePort ?? 0));
    if (options.isScan) stream.close();
    else yield* copyBothWays(context, options, tcpChannel(stream));
    stream.close();
    if (!options.staysOpen) return 0;
    listener.isAccepting = true;
  }
}

function received(address: Ipv4Address, port: number): string {
  return `Connection received on ${formatIpv4Address(address)} ${port}\n`;
}

function listenAddress(context: CommandContext, options: NcOptions): Ipv4Address | undefined {
  const name = options.host ?? options.source;
  if (name === undefined) return 0;
  const address = resolveHost(context.machine, name);
  if (address === undefined) context.stderr.write(`nc: getaddrinfo: Temporary failure in name resolution\n`);
  return address;
}

function* listenUdp(context: CommandContext, options: NcOptions): Running<number> {
  const address = listenAddress(context, options);
  if (address === undefined) return 1;
  for (;;) {
    const queue = new UdpQueue();
    const socket = context.machine.host.udp.bind(
      { address, port: options.ports[0] ?? options.localPort, owner: context.process.socketOwner(), reuseAddress: true },
      queue.events(),
    );
    if (typeof socket === "string") {
      context.stderr.write(`nc: ${errorText(socket)}\n`);
      return 1;
    }
    context.onExit(() => socket.close());
    if (options.isVerbose) context.stderr.write(`Bound on ${formatIpv4Address(address)} ${socket.localPort}\n`);
    const isConversation = !options.staysOpen;
    const first = yield* queue.first(context);
    // Without -k it stays with the first peer: others get port unreachable.
    if (isConversation) socket.connect(first.address, first.port);
    if (options.isVerbose) context.stderr.write(received(first.address, first.port));
    yield* copyBothWays(context, options, udpChannel(socket, queue));
    socket.close();
    if (isConversation) return 0;
  }
}

function bindUdp(context: CommandContext, options: NcOptions, local: Ipv4Address, queue: UdpQueue): UdpSocket | string {
  return context.machine.host.udp.bind({ address: local, port: options.localPort, owner: context.process.socketOwner(), reuseAddress: true }, queue.events());
}

/** Datagrams that wait to be read. */
class UdpQueue {
  errno: string | undefined;
  readonly datagrams: Uint8Array[] = [];
  readonly #peers: { readonly address: Ipv4Address; readonly port: number }[] = [];
  wake: (() => void) | undefined;

  events(): Parameters<CommandContext["machine"]["host"]["udp"]["bind"]>[1] {
    return {
      onDatagram: (payload, from) => {
        if (this.datagrams.length >= 1024) return;
        this.datagrams.push(payload);
        this.#peers.push(from);
        this.wake?.();
      },
      onError: (errno) => {
        this.errno = errno;
        this.wake?.();
      },
    };
  }

  *first(context: CommandContext): Running<{ readonly address: Ipv4Address; readonly port: number }> {
    while (this.#peers.length === 0) {
      yield* context.waitFor<void>((resolve) => {
        this.wake = () => resolve();
        return () => {
          this.wake = undefined;
        };
      });
      this.wake = undefined;
    }
    return this.#peers[0] as { readonly address: Ipv4Address; readonly port: number };
  }
}

function udpChannel(socket: UdpSocket, queue: UdpQueue): Channel {
  return {
    hasMessage: true,
    // biome-ignore lint/correctness/useYield: a datagram is there, or nothing is
    *read() {
      if (queue.errno !== undefined) {
        const errno = queue.errno;
        queue.errno = undefined;
        return { kind: "error", errno } as const;
      }
      const bytes = queue.datagrams.shift();
      return bytes === undefined ? ({ kind: "timeout" } as const) : ({ kind: "data", bytes } as const);
    },
    write: (bytes) => socket.send(bytes) === undefined,
    shutdown: () => undefined,
    close: () => socket.close(),
    setWake: (wake) => {
      queue.wake = wake;
    },
    isReadable: () => queue.datagrams.length > 0 || queue.errno !== undefined,
  };
}

export const ncCommands: readonly Command[] = [
  { path: "/usr/bin/nc", run },
  { path: "/usr/bin/nc.openbsd", run },
  { path: "/usr/bin/netcat", run },
];
