/**
 * socat: joins two ends. What is simulated: TCP-LISTEN (with fork), TCP, EXEC, SYSTEM and STDIO; other addresses are refused by name.
 *
 * socat 1.7.4 xio-listen.c, xio-exec.c, socat.c (_socat): when one side has ended, the other gets half a second.
 */

import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { NS_PER_MS } from "../../base/time.ts";
import type { TcpEvents, TcpSocket } from "../../host/host.ts";
import { Timer } from "../../kernel/timer.ts";
import type { ScriptBudget } from "../bash/shell.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import type { LvsMachine } from "../machine-builder.ts";
import { resolveHost } from "../names.ts";
import type { Process } from "../process.ts";
import { DeviceFile, makePipe, type OpenFile } from "../streams.ts";

const BACKLOG = 5;
const GRACE_NS = 500 * NS_PER_MS;
const SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

interface Address {
  readonly kind: "listen" | "connect" | "program" | "stdio";
  readonly host: string;
  readonly port: number;
  readonly argv: readonly string[];
  readonly forks: boolean;
}

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

function parseAddress(text: string): Address | undefined {
  const none = { host: "", port: 0, argv: [], forks: false };
  if (text === "-" || /^stdio$/i.test(text)) return { ...none, kind: "stdio" };
  const program = /^(EXEC|SYSTEM):(?:"([^"]*)"|'([^']*)'|([^,]*))(?:,.*)?$/i.exec(text);
  if (program !== null) {
    const line = program[2] ?? program[3] ?? program[4] ?? "";
    return { ...none, kind: "program", argv: /^exec$/i.test(program[1] as string) ? line.split(/\s+/).filter((word) => word !== "") : ["/bin/sh", "-c", line] };
  }
  const listen = /^TCP4?-L(?:ISTEN)?:(\d+)((?:,[^,]+)*)$/i.exec(text);
  if (listen !== null) return { ...none, kind: "listen", port: Number(listen[1]), forks: /,fork\b/i.test(listen[2] ?? "") };
  const connect = /^TCP4?(?:-CONNECT)?:([^:,]+):(\d+)(?:,.*)?$/i.exec(text);
  return connect === null ? undefined : { ...none, kind: "connect", host: connect[1] as string, port: Number(connect[2]) };
}

class Conversation {
  readonly #context: CommandContext;
  readonly #ends: (End | undefined)[] = [undefined, undefined];
  readonly #hasEnded = [false, false];
  readonly #timer: Timer;
  readonly #onOver: () => void;
  #isOver = false;

  constructor(context: CommandContext, onOver: () => void) {
    this.#context = context;
    this.#onOver = onOver;
    this.#timer = new Timer(context.machine.host.loop, { onEvent: () => this.stop() });
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
      text: (text) => this.#ends[other]?.send(text),
      ended: () => {
        if (this.#hasEnded[place] === true || this.#isOver) return;
        this.#hasEnded[place] = true;
        this.#ends[other]?.finish();
        if (this.#hasEnded[other] === true) this.stop();
        else this.#timer.arm(GRACE_NS);
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

  /** A program with its input and output here; undefined after a complaint. */
  programEnd(place: 0 | 1, argv: readonly string[], owner: Process, budget: ScriptBudget): boolean {
    const machine = this.#context.machine as LvsMachine;
    const { runtime } = machine;
    const program = runtime.find(argv[0] ?? "", this.#context.cwd, SEARCH_PATH);
    if (program.kind === "none") {
      this.#context.stderr.write(`socat[${owner.pid}] E execvp("${argv[0] ?? ""}"): No such file or directory\n`);
      this.stop();
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

function* run(context: CommandContext): Running<number> {
  const words = context.args.filter((word) => !/^-(d+|v|x|u|U|s|t\d*|T\d*)$/.test(word));
  const [first, second] = words.map(parseAddress);
  if (words.length !== 2 || first === undefined || second === undefined) {
    const wrong = words.find((word) => parseAddress(word) === undefined);
    context.stderr.write(
      wrong === undefined ? `${context.name}: exactly 2 addresses required (there are ${words.length}); use option "-h" for help\n` : `${context.name}: address "${wrong}" is not simulated (known: TCP-LISTEN, TCP, EXEC, SYSTEM, STDIO)\n`,
    );
    return 1;
  }
  if (second.kind === "listen" || (first.kind === "program" && second.kind === "program")) {
    context.stderr.write(`${context.name}: "${words[1]}" as the second address is not simulated\n`);
    return 1;
  }
  if (first.kind === "listen") return yield* serve(context, first, second);
  return yield* once(context, first, second, undefined);
}

/** Waits for connections; with fork, for ever. */
function* serve(context: CommandContext, listen: Address, other: Address): Running<number> {
  const { host } = context.machine;
  let wake: ((socket: TcpSocket) => void) | undefined;
  const budget = budgetOf(context);
  const listener = host.tcp.listen({ address: 0, port: listen.port, backlog: BACKLOG, owner: context.process.socketOwner() }, (socket) => {
    if (!listen.forks) {
      wake?.(socket);
      return {};
    }
    const conversation = new Conversation(context, () => {});
    const events = conversation.socketEnd(0, socket);
    if (other.kind === "program") conversation.programEnd(1, other.argv, context.process, budget);
    else conversation.inputEnd(1);
    return events;
  });
  if (typeof listener === "string") {
    context.stderr.write(`socat[${context.process.pid}] E bind(5, {AF=2 0.0.0.0:${listen.port}}, 16): ${errorText(listener)}\n`);
    return 1;
  }
  context.onExit(() => listener.close());
  const socket = yield* context.waitFor<TcpSocket>((resolve) => {
    wake = resolve;
    return () => {};
  });
  listener.close();
  return yield* once(context, listen, other, socket);
}

function budgetOf(context: CommandContext): ScriptBudget {
  const machine = context.machine as LvsMachine;
  return machine.runtime.budgetOf(context.process) ?? { limits: machine.limits, commands: 0, line: 0, spendOutput: () => {} };
}

/** One conversation, in this process. */
function* once(context: CommandContext, first: Address, second: Address, accepted: TcpSocket | undefined): Running<number> {
  let resolveOver: (() => void) | undefined;
  const conversation = new Conversation(context, () => resolveOver?.());
  context.onExit(() => conversation.stop());
  let usesInput = false;
  for (const [place, address] of [first, second].entries() as Iterable<[0 | 1, Address]>) {
    if (address.kind === "stdio") {
      conversation.inputEnd(place);
      usesInput = true;
    } else if (address.kind === "program") {
      if (!conversation.programEnd(place, address.argv, context.process, budgetOf(context))) return 1;
    } else if (accepted !== undefined) accepted.setEvents(conversation.socketEnd(place, accepted));
    else {
      const failed = yield* connect(context, conversation, place, address);
      if (failed !== undefined) {
        context.stderr.write(`socat[${context.process.pid}] E connect(5, AF=2 ${address.host}:${address.port}, 16): ${failed}\n`);
        conversation.stop();
        return 1;
      }
    }
  }
  if (usesInput) {
    const place = first.kind === "stdio" ? 0 : 1;
    const events = conversation.events(place);
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
  return 0;
}

function* connect(context: CommandContext, conversation: Conversation, place: 0 | 1, address: Address): Running<string | undefined> {
  const target = resolveHost(context.machine, address.host);
  if (target === undefined) return "Name or service not known";
  let done: ((error: string | undefined) => void) | undefined;
  const socket = context.machine.host.tcp.connect(
    { address: target, port: address.port, owner: context.process.socketOwner() },
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
