/**
 * socat: joins two ends. What is simulated: TCP-LISTEN, UDP-LISTEN, UDP-RECVFROM (with fork), UDP-RECV, TCP, UDP, UDP-SENDTO, UDP-DATAGRAM, EXEC,
 * SYSTEM and STDIO; other addresses are refused by name.
 *
 * socat 1.7.4 xio-listen.c, xio-ipapp.c, xio-udp.c, xio-exec.c, socat.c (_socat): when one side has ended, the other gets half a second.
 */

import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { Errno, TcpEvents, TcpSocket, UdpSocket, UdpSocketEvents } from "../../host/host.ts";
import { Timer } from "../../kernel/timer.ts";
import type { ScriptBudget } from "../bash/shell.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import type { LvsMachine } from "../machine-builder.ts";
import { resolveHost } from "../names.ts";
import type { Process } from "../process.ts";
import { calendarTime } from "../time-format.ts";
import { parseAddress, parseSocatLine, type SocatAddress, type SocatLine } from "./socat-address.ts";
import { DeviceFile, makePipe, type OpenFile } from "../streams.ts";

const BACKLOG = 5;
const SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** One side of a conversation. */
interface End {
  send(text: string): void;
  /** Nothing more will be sent to it. */
  finish(): void;
  close(): void;
}

interface EndEvents {
  text(text: string): void;
  ended(): void;
}

interface Peer {
  readonly address: Ipv4Address;
  readonly port: number;
}

interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: Peer;
}

/** Where the events of a UDP socket go. */
interface DatagramEnd {
  text(bytes: Uint8Array): void;
  error(errno: Errno): void;
}

/** The address of the transfer buffer, which some messages name; a real one differs from run to run. */
const BUFFER = "0x5581e0f3b000";

class Conversation {
  readonly #context: CommandContext;
  readonly #ends: (End | undefined)[] = [undefined, undefined];
  readonly #hasEnded = [false, false];
  readonly #timer: Timer;
  readonly #line: SocatLine;
  readonly #onOver: () => void;
  #isOver = false;
  status = 0;

  constructor(context: CommandContext, line: SocatLine, onOver: () => void) {
    this.#context = context;
    this.#line = line;
    this.#onOver = onOver;
    this.#timer = new Timer(context.machine.host.loop, { onEvent: () => this.stop() });
    this.#wait();
  }

  /** Whoever has something to say sets the time anew. */
  #wait(): void {
    const { graceNs, idleNs } = this.#line;
    const ns = this.#hasEnded.includes(true) ? graceNs : idleNs;
    if (ns > 0 || this.#hasEnded.includes(true)) this.#timer.arm(ns);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  set(place: 0 | 1, end: End): void {
    this.#ends[place] = end;
  }

  events(place: 0 | 1): EndEvents {
    const other = (1 - place) as 0 | 1;
    return {
      text: (text) => {
        if (this.#isOver || (this.#line.isOneWay && place === 1)) return;
        this.#wait();
        this.#ends[other]?.send(text);
      },
      ended: () => {
        if (this.#hasEnded[place] === true || this.#isOver) return;
        this.#hasEnded[place] = true;
        this.#ends[other]?.finish();
        if (this.#hasEnded[other] === true || (this.#line.isOneWay && place === 0)) this.stop();
        else this.#wait();
      },
    };
  }

  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer.disarm();
    for (const end of this.#ends) end?.close();
    this.#onOver();
  }

  /** TCP. */
  socketEnd(place: 0 | 1, socket: TcpSocket): TcpEvents {
    const events = this.events(place);
    this.set(place, {
      send: (text) => void socket.send(utf8Bytes(text)),
      finish: () => socket.shutdownWrite(),
      close: () => socket.close(),
    });
    return { onData: (bytes) => events.text(utf8Text(bytes)), onEnd: () => events.ended(), onError: () => this.stop() };
  }

  /** UDP: what comes from one side at once is a datagram, and there is no end. `to`: for a socket that is not connected. */
  datagramEnd(place: 0 | 1, socket: UdpSocket, to?: Peer): DatagramEnd {
    const events = this.events(place);
    this.set(place, {
      send: (text) => {
        const errno = socket.send(utf8Bytes(text), to);
        if (errno !== undefined) this.fail(`write(5, ${BUFFER}, ${utf8Bytes(text).length}): ${errorText(errno)}`);
      },
      finish: () => {},
      close: () => socket.close(),
    });
    return { text: (bytes) => events.text(utf8Text(bytes)), error: (errno) => this.fail(`read(5, ${BUFFER}, 8192): ${errorText(errno)}`) };
  }

  fail(text: string): void {
    if (this.#isOver) return;
    complain(this.#context, text);
    this.status = 1;
    this.stop();
  }

  /** A program with its input and output here; undefined after a complaint. */
  programEnd(place: 0 | 1, argv: readonly string[], owner: Process, budget: ScriptBudget): boolean {
    const machine = this.#context.machine as LvsMachine;
    const { runtime } = machine;
    const program = runtime.find(argv[0] ?? "", this.#context.cwd, SEARCH_PATH);
    if (program.kind === "none") {
      this.fail(`execvp("${argv[0] ?? ""}"): No such file or directory`);
      return false;
    }
    const { loop } = machine.host;
    const input = makePipe(loop);
    const output = makePipe(loop);
    input.writer.retain();
    output.reader.retain();
    const fds = new Map<number, OpenFile>([
      [0, input.reader],
      [1, output.writer],
      [2, new DeviceFile(loop, "null")],
    ]);
    const child = runtime.start(program, { argv, env: this.#context.env, cwd: this.#context.cwd, fds, parent: owner, budget });
    const events = this.events(place);
    let isClosed = false;
    const finish = (): void => {
      if (isClosed) return;
      isClosed = true;
      input.writer.release();
    };
    this.set(place, {
      send: (text) => void input.writer.put(text),
      finish,
      close: () => {
        finish();
        output.reader.release();
        if (child.isAlive) machine.processes.kill(child.pid, "TERM");
      },
    });
    this.#pump(output.reader, events, owner);
    return true;
  }

  /** Reads a program's output beside everything else. */
  #pump(reader: OpenFile, events: EndEvents, owner: Process): void {
    const { machine } = this.#context;
    machine.processes.start({ name: "socat", args: [this.#context.name, ...this.#context.args], parent: owner }, () => copyOut(reader, events));
  }

  inputEnd(place: 0 | 1): void {
    this.set(place, { send: (text) => void this.#context.stdout.write(text), finish: () => {}, close: () => {} });
  }
}

function* copyOut(reader: OpenFile, events: EndEvents): Running<number> {
  for (;;) {
    const text = yield* reader.readSome();
    if (text === undefined) break;
    events.text(text);
  }
  events.ended();
  return 0;
}

const KNOWN = "TCP-LISTEN, TCP, UDP-LISTEN, UDP-RECVFROM, UDP-RECV, UDP, UDP-SENDTO, UDP-DATAGRAM, EXEC, SYSTEM, STDIO";

function* run(context: CommandContext): Running<number> {
  const line = parseSocatLine(context.args);
  const { words } = line;
  if (line.unknown !== undefined) {
    context.stderr.write(`${context.name}: option "${line.unknown}" is not simulated\n`);
    return 1;
  }
  if (words.length !== 2) return complain(context, `exactly 2 addresses required (there are ${words.length}); use option "-h" for help`);
  const [first, second] = words.map(parseAddress);
  if (first === undefined || second === undefined) {
    const wrong = words.find((word) => parseAddress(word) === undefined);
    context.stderr.write(`${context.name}: address "${wrong}" is not simulated (known: ${KNOWN})\n`);
    return 1;
  }
  if (isServer(second) || (first.kind === "program" && second.kind === "program")) {
    context.stderr.write(`${context.name}: "${words[1]}" as the second address is not simulated\n`);
    return 1;
  }
  if (first.kind === "listen") return yield* serve(context, line, first, second);
  if (first.forks && isServer(first) && second.kind !== "program" && second.kind !== "stdio") {
    context.stderr.write(`${context.name}: "${words[0]}" with "${words[1]}" is not simulated\n`);
    return 1;
  }
  if (isServer(first)) return yield* serveDatagrams(context, line, first, second);
  return yield* once(context, line, first, second, undefined);
}

function isServer(address: SocatAddress): boolean {
  return address.kind === "listen" || address.kind === "udp-listen" || address.kind === "udp-recvfrom" || address.kind === "udp-recv";
}

/** A line of its log, as it is without -ly; status 1. */
function complain(context: CommandContext, text: string): 1 {
  const { machine } = context;
  const time = calendarTime(machine.epochSeconds + Math.floor(machine.host.loop.nowNs / NS_PER_SECOND));
  const two = (value: number): string => String(value).padStart(2, "0");
  const stamp = `${time.year}/${two(time.month)}/${two(time.day)} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}`;
  context.stderr.write(`${stamp} socat[${context.process.pid}] E ${text}\n`);
  return 1;
}

/** UDP-RECVFROM takes one datagram and answers it, UDP-LISTEN talks with whom the first came from, UDP-RECV hears everybody. */
function* serveDatagrams(context: CommandContext, line: SocatLine, address: SocatAddress, other: SocatAddress): Running<number> {
  let take: ((datagram: Datagram) => void) | undefined;
  const isListening = address.kind === "udp-listen";
  const listener = bindDatagrams(context, address, isListening, { onDatagram: (bytes, from) => take?.({ bytes, from }), onError: () => {} });
  if (typeof listener === "number") return listener;
  context.onExit(() => listener.close());
  if (address.forks) {
    const budget = budgetOf(context);
    take = (datagram) => {
      const conversation = new Conversation(context, line, () => {});
      if (other.kind === "stdio") conversation.inputEnd(1);
      else if (!conversation.programEnd(1, other.argv, context.process, budget)) return;
      if (isListening) answerPeer(context, conversation, address, datagram);
      else answerOnce(conversation, listener, datagram);
    };
    return yield* context.waitFor<number>(() => () => {});
  }
  const first = yield* context.waitFor<Datagram>((resolve) => {
    take = resolve;
    return () => {};
  });
  return yield* once(context, line, address, other, (conversation) => {
    if (isListening) {
      listener.close();
      answerPeer(context, conversation, address, first);
    } else if (address.kind === "udp-recvfrom") answerOnce(conversation, listener, first);
    else {
      const events = conversation.datagramEnd(0, listener);
      take = ({ bytes }) => events.text(bytes);
      take(first);
    }
  });
}

/** Status 1 when the port is taken. */
function bindDatagrams(context: CommandContext, address: SocatAddress, reuseAddress: boolean, events: UdpSocketEvents): UdpSocket | 1 {
  const local = localAddress(context, address);
  const socket = context.machine.host.udp.bind({ address: local, port: address.port, owner: context.process.socketOwner(), reuseAddress }, events);
  if (typeof socket !== "string") return socket;
  return complain(context, `bind(5, {AF=2 ${formatIpv4Address(local)}:${address.port}}, 16): ${errorText(socket)}`);
}

/** UDP-LISTEN: a socket of its own for the sender of a first datagram. */
function answerPeer(context: CommandContext, conversation: Conversation, address: SocatAddress, { bytes, from }: Datagram): void {
  let end: DatagramEnd | undefined;
  const socket = bindDatagrams(context, address, true, { onDatagram: (later) => end?.text(later), onError: (errno) => end?.error(errno) });
  if (typeof socket === "number") return conversation.stop();
  socket.connect(from.address, from.port);
  end = conversation.datagramEnd(0, socket);
  end.text(bytes);
}

/** UDP-RECVFROM: one datagram, after which nothing more comes. */
function answerOnce(conversation: Conversation, socket: UdpSocket, { bytes, from }: Datagram): void {
  conversation.set(0, { send: (text) => void socket.send(utf8Bytes(text), from), finish: () => {}, close: () => {} });
  const events = conversation.events(0);
  events.text(utf8Text(bytes));
  events.ended();
}

function localAddress(context: CommandContext, { bind }: SocatAddress): Ipv4Address {
  return bind === "" ? 0 : (resolveHost(context.machine, bind) ?? 0);
}

/** Waits for connections; with fork, for ever. */
function* serve(context: CommandContext, line: SocatLine, listen: SocatAddress, other: SocatAddress): Running<number> {
  const { host } = context.machine;
  let wake: ((socket: TcpSocket) => void) | undefined;
  const budget = budgetOf(context);
  const local = localAddress(context, listen);
  const listener = host.tcp.listen({ address: local, port: listen.port, backlog: BACKLOG, owner: context.process.socketOwner() }, (socket) => {
    if (!listen.forks) {
      wake?.(socket);
      return {};
    }
    const conversation = new Conversation(context, line, () => {});
    const events = conversation.socketEnd(0, socket);
    if (other.kind === "program") conversation.programEnd(1, other.argv, context.process, budget);
    else conversation.inputEnd(1);
    return events;
  });
  if (typeof listener === "string") return complain(context, `bind(5, {AF=2 ${formatIpv4Address(local)}:${listen.port}}, 16): ${errorText(listener)}`);
  context.onExit(() => listener.close());
  const socket = yield* context.waitFor<TcpSocket>((resolve) => {
    wake = resolve;
    return () => {};
  });
  listener.close();
  return yield* once(context, line, listen, other, (conversation) => socket.setEvents(conversation.socketEnd(0, socket)));
}

function budgetOf(context: CommandContext): ScriptBudget {
  const machine = context.machine as LvsMachine;
  return machine.runtime.budgetOf(context.process) ?? { limits: machine.limits, commands: 0, line: 0, spendOutput: () => {} };
}

/** One conversation, in this process. `begin` joins it with whom a server has heard, when the other end is there. */
function* once(context: CommandContext, line: SocatLine, first: SocatAddress, second: SocatAddress, begin: ((conversation: Conversation) => void) | undefined): Running<number> {
  let resolveOver: (() => void) | undefined;
  const conversation = new Conversation(context, line, () => resolveOver?.());
  context.onExit(() => conversation.stop());
  let input: 0 | 1 | undefined;
  for (const [place, address] of [first, second].entries() as Iterable<[0 | 1, SocatAddress]>) {
    if (address.kind === "stdio") {
      conversation.inputEnd(place);
      if (input === undefined && !(line.isOneWay && place === 1)) input = place;
    } else if (address.kind === "program") {
      if (!conversation.programEnd(place, address.argv, context.process, budgetOf(context))) return 1;
    } else if (place === 0 && begin !== undefined) continue;
    else {
      const failed = address.kind === "connect" ? yield* connect(context, conversation, place, address) : openDatagrams(context, conversation, place, address);
      if (failed !== undefined) {
        conversation.fail(`connect(5, AF=2 ${address.host}:${address.port}, 16): ${failed}`);
        return 1;
      }
    }
  }
  begin?.(conversation);
  if (input !== undefined) {
    const events = conversation.events(input);
    while (!conversation.isOver) {
      const text = yield* context.stdin.readSome();
      if (text === undefined) break;
      events.text(text);
    }
    events.ended();
  }
  if (!conversation.isOver)
    yield* context.waitFor<void>((resolve) => {
      resolveOver = () => resolve();
      return () => {};
    });
  return conversation.status;
}

/** UDP, UDP-SENDTO, UDP-DATAGRAM: what failed, if anything did. */
function openDatagrams(context: CommandContext, conversation: Conversation, place: 0 | 1, address: SocatAddress): string | undefined {
  const target = resolveHost(context.machine, address.host);
  if (target === undefined) return "Name or service not known";
  const to = { address: target, port: address.port };
  let end: DatagramEnd | undefined;
  const isMeant = (from: Peer): boolean => address.kind !== "udp-sendto" || (from.address === to.address && from.port === to.port);
  const socket = context.machine.host.udp.bind(
    { address: localAddress(context, address), port: address.sourcePort, owner: context.process.socketOwner() },
    { onDatagram: (bytes, from) => (isMeant(from) ? end?.text(bytes) : undefined), onError: (errno) => end?.error(errno) },
  );
  if (typeof socket === "string") return errorText(socket);
  const isConnected = address.kind === "udp-connect";
  const errno = isConnected ? socket.connect(target, address.port) : undefined;
  if (errno !== undefined) {
    socket.close();
    return errorText(errno);
  }
  end = conversation.datagramEnd(place, socket, isConnected ? undefined : to);
  return undefined;
}

function* connect(context: CommandContext, conversation: Conversation, place: 0 | 1, address: SocatAddress): Running<string | undefined> {
  const target = resolveHost(context.machine, address.host);
  if (target === undefined) return "Name or service not known";
  let done: ((error: string | undefined) => void) | undefined;
  const socket = context.machine.host.tcp.connect(
    { address: target, port: address.port, localAddress: localAddress(context, address), localPort: address.sourcePort, owner: context.process.socketOwner() },
    { onConnected: () => done?.(undefined), onError: (errno) => done?.(errorText(errno)) },
  );
  if (typeof socket === "string") return errorText(socket);
  const error = yield* context.waitFor<string | undefined>((resolve) => {
    done = resolve;
    return () => socket.close();
  });
  if (error === undefined) socket.setEvents(conversation.socketEnd(place, socket));
  return error;
}

export const socatCommand: Command = { path: "/usr/bin/socat", run };
