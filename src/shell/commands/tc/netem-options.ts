/**
 * What may follow `netem` on tc's command line, and how `tc qdisc show` tells it.
 *
 * iproute2 6.1 tc/q_netem.c (netem_parse_opt, netem_print_opt), tc/tc_util.c (get_percent, get_rate64, tc_print_rate), lib/utils.c
 * (get_time, sprint_time), tc/tc_core.c (tc_core_time2tick). Times are ticks of 64 ns. Not supported: slot.
 */

import type { DelayShape } from "../../../link/delay-tables.ts";
import { NETEM_JITTER_NS_MAX, NETEM_LIMIT_DEFAULT, NETEM_NOTHING, NETEM_ONE, type NetemLoss, type NetemOptions, netemProbability } from "../../../link/netem.ts";

const NS_PER_TICK = 64;
const TICKS_PER_US = 1000 / NS_PER_TICK;
const UINT32_MAX = 0xffff_ffff;
const TABLES = "/usr/lib/x86_64-linux-gnu/tc/";
const SHAPES: ReadonlySet<string> = new Set(["normal", "pareto", "paretonormal"]);

export const NETEM_USAGE = `Usage: ... netem [ limit PACKETS ]
                 [ delay TIME [ JITTER [CORRELATION]]]
                 [ distribution {uniform|normal|pareto|paretonormal} ]
                 [ corrupt PERCENT [CORRELATION]]
                 [ duplicate PERCENT [CORRELATION]]
                 [ loss random PERCENT [CORRELATION]]
                 [ loss state P13 [P31 [P32 [P23 P14]]]
                 [ loss gemodel PERCENT [R [1-H [1-K]]]
                 [ ecn ]
                 [ reorder PERCENT [CORRELATION] [ gap DISTANCE ]]
                 [ rate RATE [PACKETOVERHEAD] [CELLSIZE] [CELLOVERHEAD]]
                 [ slot MIN_DELAY [MAX_DELAY] [packets MAX_PACKETS] [bytes MAX_BYTES]]
                 [ slot distribution {uniform|normal|pareto|paretonormal|custom}
                   DELAY JITTER [packets MAX_PACKETS] [bytes MAX_BYTES]]
`;

/** Ends a tc command with a message. */
export class TcExit extends Error {
  override readonly name = "TcExit";
  readonly exit: number;
  readonly text: string;

  constructor(exit: number, text: string) {
    super(text);
    this.exit = exit;
    this.text = text;
  }
}

export function incomplete(): never {
  throw new TcExit(255, 'Command line is not complete. Try option "help"\n');
}

const illegal = (what: string): never => {
  throw new TcExit(1, `Illegal "${what}"\n`);
};

/** What one command sets; absent parts stay as they were when a qdisc is changed. */
export interface NetemRequest {
  readonly latencyNs: number;
  readonly jitterNs: number;
  readonly limit: number;
  readonly loss: number;
  readonly gap: number;
  readonly duplicate: number;
  readonly correlations?: { readonly delay: number; readonly loss: number; readonly duplicate: number };
  readonly reorder?: { readonly probability: number; readonly correlation: number };
  readonly corrupt?: { readonly probability: number; readonly correlation: number };
  readonly shape?: DelayShape;
  readonly lossModel: NetemLoss;
  readonly rate?: NonNullable<NetemOptions["rate"]>;
  readonly ecn: boolean;
}

const TIME_UNITS: Readonly<Record<string, number>> = { "": 1, us: 1, usec: 1, usecs: 1, ms: 1e3, msec: 1e3, msecs: 1e3, s: 1e6, sec: 1e6, secs: 1e6 };

/** get_ticks, in nanoseconds. */
function timeNs(text: string, what: string): number {
  const match = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)([a-z]*)$/i.exec(text);
  const unit = TIME_UNITS[match?.[2]?.toLowerCase() ?? "?"];
  if (match === null || unit === undefined) return illegal(what);
  const us = Math.trunc(Number(match[1]) * unit);
  const unsigned = us < 0 ? us + UINT32_MAX + 1 : us;
  if (unsigned * TICKS_PER_US > UINT32_MAX) throw new TcExit(1, `Illegal ${unsigned} time (too large)\nIllegal "${what}"\n`);
  return Math.trunc(unsigned * TICKS_PER_US) * NS_PER_TICK;
}

/** parse_percent: 0 to 1; undefined when it is none. */
function fractionOf(text: string): number | undefined {
  const match = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(%?)$/i.exec(text);
  if (match === null) return undefined;
  const fraction = Number(match[1]) / 100;
  return fraction >= 0 && fraction <= 1 ? fraction : undefined;
}

const RATE_UNITS: Readonly<Record<string, number>> = {
  bit: 1, kibit: 1024, kbit: 1e3, mibit: 1024 ** 2, mbit: 1e6, gibit: 1024 ** 3, gbit: 1e9, tibit: 1024 ** 4, tbit: 1e12,
  bps: 8, kibps: 8 * 1024, kbps: 8e3, mibps: 8 * 1024 ** 2, mbps: 8e6, gibps: 8 * 1024 ** 3, gbps: 8e9, tibps: 8 * 1024 ** 4, tbps: 8e12, "": 1,
};

/** get_rate64, in bytes a second. */
function rateOf(text: string): number {
  const match = /^(\d+\.?\d*|\.\d+)([a-z]*)$/i.exec(text);
  const unit = RATE_UNITS[match?.[2]?.toLowerCase() ?? "?"];
  const bytes = match === null || unit === undefined ? 0 : Math.trunc((Number(match[1]) * unit) / 8);
  return bytes > 0 ? bytes : illegal("rate");
}

class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** The next word; undefined at the end. */
  take(): string | undefined {
    return this.#words[this.#at++];
  }

  need(): string {
    return this.take() ?? incomplete();
  }

  /** NEXT_IS_NUMBER. */
  get isNumberNext(): boolean {
    return /^\d/.test(this.#words[this.#at] ?? "");
  }

  get isSignedNumberNext(): boolean {
    return /^[-+]?\d/.test(this.#words[this.#at] ?? "");
  }

  back(): void {
    this.#at--;
  }
}

class NetemParser {
  readonly #words: Words;
  latencyNs = 0;
  jitterNs = 0;
  limit = NETEM_LIMIT_DEFAULT;
  loss = 0;
  gap = 0;
  duplicate = 0;
  delayCorrelation = 0;
  lossCorrelation = 0;
  duplicateCorrelation = 0;
  hasCorrelations = false;
  reorder: { probability: number; correlation: number } | undefined;
  corrupt: { probability: number; correlation: number } | undefined;
  shape: DelayShape | undefined;
  lossModel: NetemLoss | undefined;
  rate: NetemRequest["rate"] | undefined;
  ecn = false;

  constructor(words: readonly string[]) {
    this.#words = new Words(words);
  }

  parse(): void {
    for (let word = this.#words.take(); word !== undefined; word = this.#words.take()) this.#option(word);
  }

  #option(word: string): void {
    const words = this.#words;
    // As matches(): latency and limit may be cut short.
    if (word !== "" && "limit".startsWith(word)) this.limit = this.#integer("limit");
    else if (word === "delay" || (word !== "" && "latency".startsWith(word))) this.#delay();
    else if (word === "loss" || word === "drop") this.#loss();
    else if (word === "ecn") this.ecn = true;
    else if (word === "reorder") this.reorder = this.#pair("reorder");
    else if (word === "corrupt") this.corrupt = this.#pair("corrupt");
    else if (word === "gap") this.gap = this.#integer("gap");
    else if (word === "duplicate") {
      this.duplicate = this.#percent(words.need(), "duplicate");
      if (words.isNumberNext) this.duplicateCorrelation = this.#percent(words.need(), "duplicate");
    } else if (word === "distribution") this.#distribution(words.need());
    else if (word === "rate") this.#rate();
    else if (word === "slot") throw new TcExit(1, "tc: netem slot is not supported by this simulator\n");
    else if (word === "help") throw new TcExit(1, NETEM_USAGE);
    else throw new TcExit(1, `What is "${word}"?\n${NETEM_USAGE}`);
  }

  #integer(what: string): number {
    const text = this.#words.need();
    return /^\d+$/.test(text) && Number(text) <= UINT32_MAX ? Number(text) : illegal(what);
  }

  #percent(text: string, what: string): number {
    const fraction = fractionOf(text);
    return fraction === undefined ? illegal(what) : netemProbability(fraction);
  }

  #delay(): void {
    const words = this.#words;
    this.latencyNs = timeNs(words.need(), "latency");
    if (!words.isNumberNext) return;
    this.jitterNs = timeNs(words.need(), "latency");
    if (!words.isNumberNext) return;
    this.hasCorrelations = true;
    this.delayCorrelation = this.#percent(words.need(), "latency");
  }

  #pair(what: string): { probability: number; correlation: number } {
    const probability = this.#percent(this.#words.need(), what);
    return { probability, correlation: this.#words.isNumberNext ? this.#percent(this.#words.need(), what) : 0 };
  }

  #loss(): void {
    const words = this.#words;
    const model = words.need();
    if (model === "state") this.lossModel = this.#stateModel();
    else if (model === "gemodel") this.lossModel = this.#gilbertModel();
    else {
      if (model !== "random") {
        if (!/^\d/.test(model)) throw new TcExit(1, `Unknown loss parameter: ${model}\n`);
        words.back();
      }
      this.lossModel = { model: "random" };
      this.loss = this.#percent(words.need(), "loss percent");
      if (!words.isNumberNext) return;
      this.hasCorrelations = true;
      this.lossCorrelation = this.#percent(words.need(), "loss correllation");
    }
  }

  #fraction(what: string): number {
    return fractionOf(this.#words.need()) ?? illegal(what);
  }

  #stateModel(): NetemLoss {
    const p13 = this.#fraction("loss p13");
    const rest = { p31: 1 - p13, p32: 0, p23: 1, p14: 0 };
    for (const name of ["p31", "p32", "p23", "p14"] as const) {
      if (!this.#words.isNumberNext) break;
      rest[name] = this.#fraction(`loss ${name}`);
    }
    return {
      model: "state",
      p13: netemProbability(p13),
      p31: netemProbability(rest.p31),
      p32: netemProbability(rest.p32),
      p23: netemProbability(rest.p23),
      p14: netemProbability(rest.p14),
    };
  }

  #gilbertModel(): NetemLoss {
    const p = this.#fraction("loss gemodel p");
    const words = this.#words;
    const r = words.isNumberNext ? this.#fraction("loss gemodel r") : 1 - p;
    const lostInBad = words.isNumberNext ? this.#fraction("loss gemodel h") : 1;
    const lostInGood = words.isNumberNext ? this.#fraction("loss gemodel k") : 0;
    return { model: "gemodel", p: netemProbability(p), r: netemProbability(r), h: netemProbability(1 - lostInBad), k1: netemProbability(lostInGood) };
  }

  #distribution(name: string): void {
    if (name === "experimental") throw new TcExit(1, "tc: distribution experimental is not supported by this simulator\n");
    if (!SHAPES.has(name)) throw new TcExit(1, `No distribution data for ${name} (${TABLES}/${name}.dist: No such file or directory)\n`);
    this.shape = name as DelayShape;
  }

  #rate(): void {
    const words = this.#words;
    const bytesPerSecond = rateOf(words.need());
    const extra = [0, 0, 0];
    for (const [i, what] of ["packet overhead", "cell size", "cell overhead"].entries()) {
      if (!words.isSignedNumberNext) break;
      const text = words.need();
      extra[i] = /^[-+]?\d+$/.test(text) ? Number(text) : illegal(what);
    }
    this.rate = { bytesPerSecond, packetOverhead: extra[0] as number, cellSize: extra[1] as number, cellOverhead: extra[2] as number };
  }
}

/** Reads the words behind `netem`. Throws TcExit with tc's message. */
export function parseNetem(words: readonly string[]): NetemRequest {
  const parser = new NetemParser(words);
  parser.parse();
  const refuse = (message: string): never => {
    throw new TcExit(1, `${message}\n${NETEM_USAGE}`);
  };
  let { gap } = parser;
  if (parser.reorder !== undefined && parser.reorder.probability > 0) {
    if (parser.latencyNs === 0) refuse("reordering not possible without specifying some delay");
    if (gap === 0) gap = 1;
  } else if (gap > 0) refuse("gap specified without reorder probability");
  if (parser.shape !== undefined && (parser.latencyNs === 0 || parser.jitterNs === 0)) refuse("distribution specified but no latency and jitter values");
  if (parser.ecn && parser.lossModel === undefined) refuse("ecn requested without loss model");
  return {
    latencyNs: parser.latencyNs,
    jitterNs: parser.jitterNs,
    limit: parser.limit,
    loss: parser.loss,
    gap,
    duplicate: parser.duplicate,
    ...(parser.hasCorrelations ? { correlations: { delay: parser.delayCorrelation, loss: parser.lossCorrelation, duplicate: parser.duplicateCorrelation } } : {}),
    ...(parser.reorder === undefined ? {} : { reorder: parser.reorder }),
    ...(parser.corrupt === undefined ? {} : { corrupt: parser.corrupt }),
    ...(parser.shape === undefined ? {} : { shape: parser.shape }),
    lossModel: parser.lossModel ?? { model: "random" },
    ...(parser.rate === undefined ? {} : { rate: parser.rate }),
    ecn: parser.ecn,
  };
}

/** netem_change: what a request says is set, attributes that it does not carry stay. A new qdisc starts from nothing. */
export function applyNetem(request: NetemRequest, before: NetemOptions = NETEM_NOTHING): NetemOptions {
  const { correlations } = request;
  return {
    latencyNs: request.latencyNs,
    jitterNs: Math.min(request.jitterNs, NETEM_JITTER_NS_MAX),
    limit: request.limit,
    loss: request.loss,
    gap: request.gap,
    duplicate: request.duplicate,
    delayCorrelation: correlations?.delay ?? before.delayCorrelation,
    lossCorrelation: correlations?.loss ?? before.lossCorrelation,
    duplicateCorrelation: correlations?.duplicate ?? before.duplicateCorrelation,
    // For the sake of old tools a gap alone means certainty.
    reorder: request.reorder?.probability ?? (request.gap > 0 ? NETEM_ONE : before.reorder),
    reorderCorrelation: request.reorder?.correlation ?? before.reorderCorrelation,
    corrupt: request.corrupt?.probability ?? before.corrupt,
    corruptCorrelation: request.corrupt?.correlation ?? before.corruptCorrelation,
    shape: request.shape ?? before.shape,
    lossModel: request.lossModel,
    rate: request.rate ?? before.rate,
    ecn: request.ecn,
  };
}

/** C's `%g`-like with `digits` significant digits. */
function general(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}

function percentText(probability: number): string {
  return `${general((100 * probability) / NETEM_ONE, 6)}%`;
}

/** sprint_time. */
function timeText(ns: number): string {
  const us = Math.trunc(Math.trunc(ns / NS_PER_TICK) / TICKS_PER_US);
  if (us >= 1e6) return `${general(us / 1e6, 3)}s`;
  if (us >= 1000) return `${general(us / 1000, 3)}ms`;
  return `${us}us`;
}

/** tc_print_rate. */
export function rateText(bytesPerSecond: number): string {
  let rate = bytesPerSecond * 8;
  const units = ["", "K", "M", "G", "T"];
  let unit = 0;
  while (unit < 4 && rate >= 1000 && !(rate % 1000 !== 0 && rate < 1_000_000)) {
    rate /= 1000;
    unit++;
  }
  return `${Math.round(rate)}${units[unit]}bit`;
}

/** The options as `tc qdisc show` prints them. */
export function netemText(options: NetemOptions): string {
  const words: string[] = [`limit ${options.limit}`];
  const withCorrelation = (name: string, probability: number, correlation: number) => {
    words.push(`${name} ${percentText(probability)}${correlation > 0 ? ` ${percentText(correlation)}` : ""}`);
  };
  if (options.latencyNs > 0) {
    const jitter = options.jitterNs > 0 ? `  ${timeText(options.jitterNs)}${options.delayCorrelation > 0 ? ` ${percentText(options.delayCorrelation)}` : ""}` : "";
    words.push(`delay ${timeText(options.latencyNs)}${jitter}`);
  }
  if (options.lossModel.model === "random" && options.loss > 0) withCorrelation("loss", options.loss, options.lossCorrelation);
  if (options.lossModel.model === "state") {
    const { p13, p31, p32, p23, p14 } = options.lossModel;
    words.push(`loss state p13 ${percentText(p13)} p31 ${percentText(p31)} p32 ${percentText(p32)} p23 ${percentText(p23)} p14 ${percentText(p14)}`);
  }
  if (options.lossModel.model === "gemodel") {
    const { p, r, h, k1 } = options.lossModel;
    words.push(`loss gemodel p ${percentText(p)} r ${percentText(r)} 1-h ${percentText(NETEM_ONE - h)} 1-k ${percentText(k1)}`);
  }
  if (options.duplicate > 0) withCorrelation("duplicate", options.duplicate, options.duplicateCorrelation);
  if (options.reorder > 0) withCorrelation("reorder", options.reorder, options.reorderCorrelation);
  if (options.corrupt > 0) withCorrelation("corrupt", options.corrupt, options.corruptCorrelation);
  if (options.rate !== undefined) {
    const { bytesPerSecond, packetOverhead, cellSize, cellOverhead } = options.rate;
    words.push(`rate ${rateText(bytesPerSecond)}`);
    if (packetOverhead !== 0) words.push(`packetoverhead ${packetOverhead}`);
    if (cellSize !== 0) words.push(`cellsize ${cellSize}`);
    if (cellOverhead !== 0) words.push(`celloverhead ${cellOverhead}`);
  }
  if (options.ecn) words.push("ecn ");
  if (options.gap > 0) words.push(`gap ${options.gap}`);
  return words.join(" ");
}
