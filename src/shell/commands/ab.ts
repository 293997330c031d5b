/**
 * ab, ApacheBench: many requests, several at a time, and its report.
 *
 * Apache 2.4 support/ab.c. Connections are driven by socket events, not by the command's own waits: they run side by side.
 */

import { utf8Bytes } from "../../base/bytes.ts";
import { NS_PER_SECOND, NS_PER_US } from "../../base/time.ts";
import type { TcpSocket } from "../../host/host.ts";
import { Timer } from "../../kernel/timer.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { HttpResponseReader } from "../http-message.ts";
import { resolveHost } from "../names.ts";
import { AB_BANNER, AB_USAGE, type AbSample, type AbTotals, formatAbReport } from "./ab-report.ts";

const REQUESTS_MAX = 50_000;
const CONCURRENCY_MAX = 20_000;
/** Between the system calls of one connection. */
const STEP_NS = 200 * NS_PER_US;
const FAILURES_MAX = 10;

interface AbOptions {
  requests: number;
  concurrency: number;
  timeLimitNs: number | undefined;
  timeoutNs: number;
  keepAlive: boolean;
  method: string;
  fields: string[];
  isQuiet: boolean;
  toleratesErrors: boolean;
  showsPercentiles: boolean;
}

const IGNORED_FLAGS = "SlI";
const UNSUPPORTED = "TpugewxyzPXZfEBbvWi";

function* run(context: CommandContext): Running<number> {
  const options: AbOptions = {
    requests: 1,
    concurrency: 1,
    timeLimitNs: undefined,
    timeoutNs: 30 * NS_PER_SECOND,
    keepAlive: false,
    method: "GET",
    fields: [],
    isQuiet: false,
    toleratesErrors: false,
    showsPercentiles: true,
  };
  const words: string[] = [];
  const early = parse(context, options, words);
  if (early !== undefined) return early;
  if (words.length !== 1) return usage(context, "wrong number of arguments", 22);
  const match = /^(?:http:\/\/)?([^/:]+)(?::(\d+))?(\/.*)$/.exec(words[0] ?? "");
  if (match === null) return usage(context, words[0]?.startsWith("https://") === true ? "SSL is not supported by the simulated ab" : "invalid URL", 22);
  if (options.concurrency > options.requests) return usage(context, "Cannot use concurrency level greater than total number of requests", 22);
  const port = Number(match[2] ?? 80);
  const host = match[1] ?? "";
  context.stdout.write(`${AB_BANNER}\nBenchmarking ${host} (be patient)${options.requests > 150 && !options.isQuiet ? "\n" : "..."}`);
  const address = resolveHost(context.machine, host);
  if (address === undefined) {
    context.stderr.write(`ab: Could not resolve host ${host} (port ${port}): Name or service not known (670002)\n`);
    return 1;
  }
  const bench = new Benchmark(context, options, { host, address, port, path: match[3] ?? "/" });
  return yield* bench.run();
}

function usage(context: CommandContext, text: string, exit: number): number {
  context.stderr.write(`ab: ${text}\n${AB_USAGE}`);
  return exit;
}

function parse(context: CommandContext, options: AbOptions, words: string[]): number | undefined {
  const { args } = context;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] ?? "";
    if (!argument.startsWith("-") || argument === "-") {
      words.push(argument);
      continue;
    }
    for (let j = 1; j < argument.length; j++) {
      const letter = argument[j] ?? "";
      if (letter === "k") options.keepAlive = true;
      else if (letter === "q") options.isQuiet = true;
      else if (letter === "r") options.toleratesErrors = true;
      else if (letter === "d") options.showsPercentiles = false;
      else if (letter === "i") options.method = "HEAD";
      else if (letter === "h") {
        context.stderr.write(AB_USAGE);
        return 22;
      } else if (letter === "V") {
        context.stdout.write(AB_BANNER);
        return 0;
      } else if (IGNORED_FLAGS.includes(letter)) continue;
      else if ("nctsHCAm".includes(letter)) {
        const value = j + 1 < argument.length ? argument.slice(j + 1) : args[++i];
        if (value === undefined) return usage(context, `option requires an argument -- ${letter}`, 22);
        if (letter === "n" && !(Number.parseInt(value, 10) > 0)) {
          context.stderr.write("Invalid number of requests\n\n");
          return 1;
        }
        const error = setValue(options, letter, value);
        if (error !== undefined) return usage(context, error, 22);
        break;
      } else if (UNSUPPORTED.includes(letter)) {
        context.stderr.write(`ab: -${letter} is not supported by the simulated ab\n`);
        return 22;
      } else return usage(context, `invalid option -- ${letter}`, 22);
    }
  }
  return undefined;
}

function setValue(options: AbOptions, letter: string, value: string): string | undefined {
  const count = Number.parseInt(value, 10) || 0;
  switch (letter) {
    case "n":
      options.requests = count;
      return undefined;
    case "c":
      if (count < 1 || count > CONCURRENCY_MAX) return `Invalid Concurrency [Range 0..${CONCURRENCY_MAX}]\n`;
      options.concurrency = count;
      return undefined;
    case "t":
      options.timeLimitNs = count * NS_PER_SECOND;
      options.requests = REQUESTS_MAX;
      return undefined;
    case "s":
      options.timeoutNs = count * NS_PER_SECOND;
      return undefined;
    case "C":
      options.fields.push(`Cookie: ${value}`);
      return undefined;
    case "m":
      options.method = value;
      return undefined;
    default:
      options.fields.push(value);
      return undefined;
  }
}

interface AbTarget {
  readonly host: string;
  readonly address: number;
  readonly port: number;
  readonly path: string;
}

class Benchmark {
  readonly context: CommandContext;
  readonly options: AbOptions;
  readonly target: AbTarget;
  readonly request: Uint8Array;
  readonly samples: AbSample[] = [];
  readonly totals: AbTotals = {
    server: "",
    bodyLength: -1,
    failed: 0,
    connectFailures: 0,
    receiveFailures: 0,
    lengthFailures: 0,
    exceptions: 0,
    not200: 0,
    keptAlive: 0,
    bytes: 0,
    bodyBytes: 0,
    requestBytes: 0,
  };
  started = 0;
  abortText: string | undefined;
  readonly #workers: AbWorker[] = [];
  #finish: (() => void) | undefined;
  #isOver = false;

  constructor(context: CommandContext, options: AbOptions, target: AbTarget) {
    this.context = context;
    this.options = options;
    this.target = target;
    const has = (name: string): boolean => options.fields.some((field) => field.toLowerCase().startsWith(`${name}:`));
    const lines = [`${options.method} ${target.path} HTTP/1.0`];
    if (options.keepAlive) lines.push("Connection: Keep-Alive");
    if (!has("host")) lines.push(`Host: ${target.host}${target.port === 80 ? "" : `:${target.port}`}`);
    if (!has("user-agent")) lines.push("User-Agent: ApacheBench/2.3");
    if (!has("accept")) lines.push("Accept: */*");
    this.request = utf8Bytes(`${[...lines, ...options.fields].join("\r\n")}\r\n\r\n`);
  }

  get now(): number {
    return this.context.machine.host.loop.nowNs;
  }

  /** No more requests are to be started. */
  get isSpent(): boolean {
    return this.started >= this.options.requests || this.#isOver;
  }

  *run(): Running<number> {
    const startNs = this.now;
    this.context.onExit(() => this.#stop());
    yield* this.context.waitFor<void>((resolve) => {
      const timer = new Timer(this.context.machine.host.loop, { onEvent: () => this.over() });
      this.#finish = () => {
        timer.disarm();
        resolve();
      };
      if (this.options.timeLimitNs !== undefined) timer.arm(this.options.timeLimitNs);
      for (let i = 0; i < this.options.concurrency; i++) {
        const worker = new AbWorker(this);
        this.#workers.push(worker);
        worker.startLater();
      }
      return () => this.#stop();
    });
    this.#stop();
    if (this.abortText !== undefined) {
      this.context.stderr.write(this.abortText);
      return Number(/\((\d+)\)/.exec(this.abortText)?.[1] ?? 1);
    }
    this.context.stdout.write(this.options.requests > 150 && !this.options.isQuiet ? "\n\n" : "..done\n\n\n");
    this.context.stdout.write(
      formatAbReport({ ...this.target, options: this.options, samples: this.samples, totals: this.totals, elapsedNs: this.now - startNs }),
    );
    return 0;
  }

  abort(text: string): void {
    this.abortText = text;
    this.over();
  }

  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#finish?.();
  }

  done(): void {
    const { requests, isQuiet } = this.options;
    const step = Math.max(Math.trunc(requests / 10), 100);
    if (requests > 150 && !isQuiet && this.options.timeLimitNs === undefined && this.samples.length % step === 0)
      this.context.stderr.write(`Completed ${this.samples.length} requests\n`);
    if (this.samples.length < requests) return;
    if (requests > 150 && !isQuiet) this.context.stderr.write(`Finished ${requests} requests\n`);
    this.over();
  }

  #stop(): void {
    this.#isOver = true;
    for (const worker of this.#workers) worker.stop();
  }
}

/** One of the concurrent clients. */
class AbWorker {
  readonly #bench: Benchmark;
  readonly #timer: Timer;
  #next: () => void;
  #socket: TcpSocket | undefined;
  #reader = new HttpResponseReader(() => true);
  #startNs = 0;
  #connectedNs = 0;
  #sentNs = 0;
  #firstNs = 0;
  #received = 0;
  #body = 0;

  constructor(bench: Benchmark) {
    this.#bench = bench;
    this.#next = () => this.#connect();
    this.#timer = new Timer(bench.context.machine.host.loop, { onEvent: () => this.#next() });
  }

  startLater(): void {
    this.#next = () => this.#connect();
    this.#timer.arm(STEP_NS);
  }

  stop(): void {
    this.#timer.disarm();
    this.#socket?.close();
    this.#socket = undefined;
  }

  #connect(): void {
    const bench = this.#bench;
    if (bench.isSpent) return;
    bench.started++;
    this.#startNs = bench.now;
    const { context, target } = bench;
    const socket = context.machine.host.tcp.connect(
      { address: target.address, port: target.port, owner: context.process.socketOwner() },
      {
        onConnected: () => this.#connected(),
        onData: (bytes) => this.#receive(bytes),
        onEnd: () => this.#ended(),
        onError: (errno) => this.#failed(errno),
      },
    );
    if (typeof socket === "string") {
      bench.abort(`\nTest aborted after ${FAILURES_MAX} failures\n\napr_socket_connect(): ${errorText(socket)} (${errnoNumber(socket)})\n`);
      return;
    }
    socket.noDelay = true;
    this.#socket = socket;
    this.#next = () => this.#timedOut();
    this.#timer.arm(bench.options.timeoutNs);
  }

  #connected(): void {
    this.#connectedNs = this.#bench.now;
    this.#next = () => this.#send();
    this.#timer.arm(STEP_NS);
  }

  #send(): void {
    const bench = this.#bench;
    const { method } = bench.options;
    this.#reader = new HttpResponseReader(() => method !== "HEAD");
    this.#received = 0;
    this.#body = 0;
    this.#firstNs = 0;
    this.#socket?.send(bench.request);
    bench.totals.requestBytes += bench.request.length;
    this.#sentNs = bench.now;
    this.#next = () => this.#timedOut();
    this.#timer.arm(bench.options.timeoutNs);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#firstNs === 0) this.#firstNs = this.#bench.now;
    this.#received += bytes.length;
    this.#body += this.#reader.feed(bytes).length;
    const isKept = this.#bench.options.keepAlive && /keep-alive/i.test(this.#reader.head?.field("connection") ?? "");
    if (this.#reader.isComplete && isKept) this.#complete(true);
  }

  #ended(): void {
    if (this.#received === 0) {
      this.#bench.totals.exceptions++;
      this.#bench.totals.failed++;
    }
    // ab sees the end one turn of its loop later, then closes.
    this.#next = () => this.#complete(false);
    this.#timer.arm(STEP_NS);
  }

  #complete(isKept: boolean): void {
    const { totals, samples } = this.#bench;
    const now = this.#bench.now;
    const { head } = this.#reader;
    if (totals.server === "") totals.server = (head?.field("server") ?? "").split(" ")[0] ?? "";
    if (totals.bodyLength < 0) totals.bodyLength = this.#body;
    else if (totals.bodyLength !== this.#body) {
      totals.lengthFailures++;
      totals.failed++;
    }
    if (head !== undefined && (head.status < 200 || head.status > 299)) totals.not200++;
    if (isKept) totals.keptAlive++;
    totals.bytes += this.#received;
    totals.bodyBytes += this.#body;
    samples.push({
      connectNs: Math.max(this.#connectedNs - this.#startNs, 0),
      waitNs: Math.max(this.#firstNs - this.#sentNs, 0),
      totalNs: now - this.#startNs,
    });
    if (isKept && !this.#bench.isSpent) {
      this.#bench.started++;
      this.#startNs = now;
      this.#connectedNs = now;
      this.#bench.done();
      this.#next = () => this.#send();
      this.#timer.arm(STEP_NS);
      return;
    }
    this.#timer.disarm();
    this.#socket?.close();
    this.#socket = undefined;
    this.#bench.done();
    if (!this.#bench.isSpent) this.startLater();
  }

  #failed(errno: string): void {
    const bench = this.#bench;
    this.#timer.disarm();
    this.#socket = undefined;
    if (bench.options.toleratesErrors) {
      bench.totals.receiveFailures++;
      bench.totals.failed++;
      bench.samples.push({ connectNs: 0, waitNs: 0, totalNs: bench.now - this.#startNs });
      bench.done();
      if (!bench.isSpent) this.startLater();
      return;
    }
    const name = errno === "EPIPE" ? "ECONNRESET" : errno;
    const done = bench.samples.length > 0 ? `Total of ${bench.samples.length} requests completed\n` : "";
    bench.abort(`apr_socket_recv: ${errorText(name)} (${errnoNumber(name)})\n${done}`);
  }

  #timedOut(): void {
    const done = this.#bench.samples.length > 0 ? `Total of ${this.#bench.samples.length} requests completed\n` : "";
    this.#bench.abort(`apr_pollset_poll: The timeout specified has expired (70007)\n${done}`);
  }
}

const ERRNO_NUMBERS: Readonly<Record<string, number>> = {
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
};

function errnoNumber(errno: string): number {
  return ERRNO_NUMBERS[errno] ?? 5;
}

export const abCommand: Command = { path: "/usr/bin/ab", run };
