/**
 * wget: fetches URLs over HTTP and tells about it on standard error.
 *
 * GNU Wget 1.21.3. Simulated: -q -nv -O -P -S -t -T -U --spider --header and redirects; everything else is refused by name.
 */

import { utf8Bytes, utf8Text } from "../../base/bytes.ts";
import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND, NS_PER_US } from "../../base/time.ts";
import type { Command, CommandContext, Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { civilTime, type HttpHead, HttpResponseReader, pad2 } from "../http-message.ts";
import { parseLooseAddress, resolveHost } from "../names.ts";
import { NEVER_NS, TcpStream } from "../tcp-stream.ts";
import { type CurlUrl, joinUrl, parseUrl } from "./curl/urls.ts";

const REDIRECTS_MAX = 20;
const STEP_NS = 500 * NS_PER_US;
const USAGE = "wget: missing URL\nUsage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n";

interface WgetOptions {
  isQuiet: boolean;
  isBrief: boolean;
  output: string | undefined;
  folder: string;
  showsHead: boolean;
  tries: number;
  timeoutNs: number;
  agent: string;
  isSpider: boolean;
  fields: string[];
  /** What --post-data sends. */
  body: string | undefined;
  urls: string[];
}

function* run(context: CommandContext): Running<number> {
  const options: WgetOptions = {
    isQuiet: false,
    isBrief: false,
    output: undefined,
    folder: "",
    showsHead: false,
    tries: 20,
    timeoutNs: 900 * NS_PER_SECOND,
    agent: "Wget/1.21.3",
    isSpider: false,
    fields: [],
    body: undefined,
    urls: [],
  };
  const early = parse(context, options);
  if (early !== undefined) return early;
  if (options.urls.length === 0) {
    context.stderr.write(USAGE);
    return 1;
  }
  // What -O names is opened before anything is asked for.
  const { files } = context.machine;
  const output = options.output ?? "-";
  const errno = output === "-" ? undefined : files.writeError(files.resolve(context.cwd, output));
  if (errno !== undefined) {
    context.stderr.write(`${output}: ${errorText(errno)}\n`);
    return 1;
  }
  let exit = 0;
  for (const text of options.urls) exit = (yield* new Fetch(context, options).run(text)) || exit;
  return exit;
}

function parse(context: CommandContext, options: WgetOptions): number | undefined {
  const { args } = context;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] ?? "";
    const long = /^--([a-z-]+)(?:=(.*))?$/.exec(argument);
    const value = (): string => long?.[2] ?? args[++i] ?? "";
    if (!argument.startsWith("-") || argument === "-") options.urls.push(argument);
    else if (argument === "-nv" || argument === "--no-verbose") options.isBrief = true;
    else if (argument === "-q" || argument === "--quiet") options.isQuiet = true;
    else if (argument === "-S" || argument === "--server-response") options.showsHead = true;
    else if (argument === "--spider") options.isSpider = true;
    else if (argument === "--version" || argument === "-V") {
      context.stdout.write("GNU Wget 1.21.3 built on linux-gnu.\n");
      return 0;
    } else if (long?.[1] === "output-document") options.output = value();
    else if (long?.[1] === "directory-prefix") options.folder = value();
    else if (long?.[1] === "tries") options.tries = Number.parseInt(value(), 10) || Number.MAX_SAFE_INTEGER;
    else if (long?.[1] === "timeout" || long?.[1] === "connect-timeout" || long?.[1] === "read-timeout") options.timeoutNs = Number(value()) * NS_PER_SECOND;
    else if (long?.[1] === "user-agent") options.agent = value();
    else if (long?.[1] === "header") options.fields.push(value());
    else if (long?.[1] === "post-data") options.body = value();
    else if (/^-q?O/.test(argument)) {
      if (argument.startsWith("-q")) options.isQuiet = true;
      const rest = argument.replace(/^-q?O/, "");
      options.output = rest === "" ? args[++i] : rest;
    } else if (/^-[tTUP]/.test(argument)) {
      const text = argument.length > 2 ? argument.slice(2) : (args[++i] ?? "");
      if (argument[1] === "t") options.tries = Number.parseInt(text, 10) || Number.MAX_SAFE_INTEGER;
      else if (argument[1] === "T") options.timeoutNs = Number(text) * NS_PER_SECOND;
      else if (argument[1] === "P") options.folder = text;
      else options.agent = text;
    } else {
      context.stderr.write(`wget: ${argument} is not supported by the simulated wget\n`);
      return 2;
    }
  }
  return undefined;
}

class Fetch {
  readonly #context: CommandContext;
  readonly #options: WgetOptions;
  #stream: TcpStream | undefined;

  constructor(context: CommandContext, options: WgetOptions) {
    this.#context = context;
    this.#options = options;
    context.onExit(() => this.#stream?.close());
  }

  *run(text: string): Running<number> {
    let url = text;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const parsed = parseUrl(url, false);
      if (!parsed.ok || parsed.url.scheme !== "http") {
        this.#context.stderr.write(`${url}: ${parsed.ok ? "Unsupported scheme" : "Invalid host name"}.\n`);
        return 1;
      }
      const next = yield* this.#withTries(parsed.url);
      if (typeof next === "number") return next;
      url = next;
    }
    this.#log(`${REDIRECTS_MAX} redirections exceeded.\n`);
    return 8;
  }

  *#withTries(url: CurlUrl): Running<number | string> {
    for (let attempt = 1; ; attempt++) {
      if (this.#options.isSpider) this.#log("Spider mode enabled. Check if remote file exists.\n");
      const count = attempt > 1 ? `(try:${String(attempt).padStart(2)}) ` : "";
      this.#log(`--${this.#clock()}--  ${count}${url.href}\n`);
      const result = yield* this.#once(url);
      if (result !== "retry") return result;
      if (attempt >= this.#options.tries) {
        this.#log("Giving up.\n\n");
        return 4;
      }
      this.#log("Retrying.\n\n");
      yield* this.#context.sleep(Math.min(attempt, 10) * NS_PER_SECOND);
    }
  }

  *#once(url: CurlUrl): Running<number | string> {
    const address = resolveHost(this.#context.machine, url.host);
    const isName = parseLooseAddress(url.host) === undefined;
    if (isName) this.#log(`Resolving ${url.host} (${url.host})... `);
    if (address === undefined) {
      this.#log("failed: Temporary failure in name resolution.\n");
      if (!this.#options.isQuiet) this.#context.stderr.write(`wget: unable to resolve host address '${url.host}'\n`);
      return 4;
    }
    const shown = formatIpv4Address(address);
    if (isName) this.#log(`${shown}\n`);
    this.#log(`Connecting to ${url.host}${isName ? ` (${url.host})|${shown}|` : ""}:${url.port}... `);
    const { loop } = this.#context.machine.host;
    const stream = new TcpStream(this.#context);
    this.#stream = stream;
    yield* this.#context.sleep(STEP_NS);
    const deadline = (): number => (this.#options.timeoutNs === 0 ? NEVER_NS : loop.nowNs + this.#options.timeoutNs);
    const failed = stream.start({ address, port: url.port }) ?? (yield* stream.connected(deadline()));
    if (failed !== undefined) {
      stream.close();
      this.#log(`failed: ${errorText(failed === "timeout" ? "ETIMEDOUT" : failed)}.\n`);
      return failed === "ECONNREFUSED" || failed === "ENETUNREACH" || failed === "EHOSTUNREACH" ? 4 : "retry";
    }
    this.#log("connected.\n");
    const fields = [
      `Host: ${url.host}${url.hasPort ? `:${url.port}` : ""}`,
      `User-Agent: ${this.#options.agent}`,
      "Accept: */*",
      "Accept-Encoding: identity",
      "Connection: Keep-Alive",
      ...this.#options.fields,
    ];
    yield* this.#context.sleep(STEP_NS);
    const { body } = this.#options;
    if (body !== undefined) fields.push("Content-Type: application/x-www-form-urlencoded", `Content-Length: ${utf8Bytes(body).length}`);
    const method = this.#options.isSpider ? "HEAD" : body === undefined ? "GET" : "POST";
    stream.write(`${method} ${url.target} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n${body ?? ""}`);
    this.#log(`${this.#options.isSpider ? "HTTP request sent, awaiting response... " : "HTTP request sent, awaiting response... "}`);
    return yield* this.#receive(url, stream, deadline);
  }

  *#receive(url: CurlUrl, stream: TcpStream, deadline: () => number): Running<number | string> {
    const reader = new HttpResponseReader(() => !this.#options.isSpider);
    const { loop } = this.#context.machine.host;
    let text = "";
    const startNs = loop.nowNs;
    let isHeadShown = false;
    while (!reader.isComplete) {
      const read = yield* stream.read(deadline());
      if (read.kind === "timeout" || read.kind === "error" || (read.kind === "end" && reader.head === undefined)) {
        stream.close();
        const why =
          read.kind === "timeout" ? "Connection timed out" : read.kind === "error" ? errorText(read.errno === "EPIPE" ? "ECONNRESET" : read.errno) : undefined;
        this.#log(why === undefined ? "No data received.\n" : `Read error (${why}) in headers.\n`);
        return "retry";
      }
      if (read.kind === "end") {
        reader.end();
        break;
      }
      text += utf8Text(reader.feed(read.bytes));
      if (reader.head !== undefined && !isHeadShown) {
        isHeadShown = true;
        this.#showHead(reader.head);
      }
    }
    yield* this.#context.sleep(STEP_NS);
    stream.close();
    return this.#finish(url, reader, text, loop.nowNs - startNs);
  }

  #showHead(head: HttpHead): void {
    if (this.#options.showsHead) this.#log(`\n${head.lines.map((line) => `  ${line}\n`).join("")}`);
    else this.#log(`${head.status} ${head.reason}\n`);
  }

  #finish(url: CurlUrl, reader: HttpResponseReader, text: string, elapsedNs: number): number | string {
    const head = reader.head;
    if (head === undefined) return 8;
    const location = head.field("location");
    if (head.status >= 300 && head.status < 400 && location !== undefined) {
      this.#log(`Location: ${location} [following]\n`);
      return joinUrl(url, location);
    }
    if (head.status >= 400) {
      const line = this.#options.isSpider ? "Remote file does not exist -- broken link!!!" : `${this.#clock()} ERROR ${head.status}: ${head.reason}.`;
      this.#tellBriefly(`${url.href}:\n${line}\n`);
      this.#log(`${line}\n\n`);
      return 8;
    }
    const size = reader.contentLength ?? reader.bodyBytes;
    this.#log(
      `Length: ${reader.contentLength === undefined ? "unspecified" : `${size}${size >= 1024 ? ` (${shortSize(size)})` : ""}`}${head.field("content-type") === undefined ? "" : ` [${head.field("content-type")?.split(";")[0]}]`}\n`,
    );
    if (this.#options.isSpider) {
      // What says nothing of its type counts as a page.
      const isPage = /^(?:text\/html|text\/css|application\/xhtml\+xml)/i.test(head.field("content-type") ?? "text/html");
      this.#log(`Remote file exists${isPage ? " and could contain further links,\nbut recursion is disabled -- not retrieving" : ""}.\n\n`);
      this.#tellBriefly(`${this.#clock()} URL: ${url.href} ${head.status} ${head.reason}\n`);
      return 0;
    }
    return this.#store(url, reader, text, elapsedNs);
  }

  #store(url: CurlUrl, reader: HttpResponseReader, text: string, elapsedNs: number): number {
    const { files } = this.#context.machine;
    const name = (url.target.split("?")[0] ?? "").split("/").pop() || "index.html";
    const folder = this.#options.folder.replace(/\/+$/, "");
    const path = this.#options.output ?? this.#freeName(this.#options.folder === "" ? name : `${folder}/${name}`);
    const shown = path === "-" ? "STDOUT" : path;
    if (path === "-") {
      this.#log("Saving to: 'STDOUT'\n\n");
      this.#context.stdout.write(text);
    } else {
      try {
        if (path !== "/dev/null") files.write(files.resolve(this.#context.cwd, path), text);
      } catch {
        this.#log(`${path}: No such file or directory\n\nCannot write to '${path}' (No such file or directory).\n`);
        return 3;
      }
      this.#log(`Saving to: '${path}'\n\n`);
    }
    const speed = shortSpeed(reader.bodyBytes, elapsedNs);
    const amount = reader.contentLength === undefined ? String(reader.bodyBytes) : `${reader.bodyBytes}/${reader.contentLength}`;
    this.#tellBriefly(`${this.#clock()} URL:${url.href} [${amount}] -> "${path}" [1]\n`);
    this.#log(`${dotRows(reader.bodyBytes, reader.contentLength, rowSpeed(reader.bodyBytes, elapsedNs))}\n\n`);
    this.#log(`${this.#clock()} (${speed}) - ${path === "-" ? "written to stdout" : `'${shown}' saved`} [${amount}]\n\n`);
    return 0;
  }

  /** wget never overwrites: index.html.1 and so on. */
  #freeName(name: string): string {
    const { files } = this.#context.machine;
    if (!files.exists(files.resolve(this.#context.cwd, name))) return name;
    for (let i = 1; i < 10_000; i++) if (!files.exists(files.resolve(this.#context.cwd, `${name}.${i}`))) return `${name}.${i}`;
    return name;
  }

  #log(text: string): void {
    if (!this.#options.isQuiet && !this.#options.isBrief) this.#context.stderr.write(text);
  }

  #tellBriefly(text: string): void {
    if (this.#options.isBrief && !this.#options.isQuiet) this.#context.stderr.write(text);
  }

  #clock(): string {
    const { machine } = this.#context;
    const t = civilTime(machine.epochSeconds + Math.floor(machine.host.loop.nowNs / NS_PER_SECOND));
    return `${t.year}-${pad2(t.month + 1)}-${pad2(t.day)} ${pad2(t.hour)}:${pad2(t.minute)}:${pad2(t.second)}`;
  }
}

const DOT_BYTES = 1024;
const DOTS_IN_ROW = 50;
const DOTS_IN_CLUSTER = 10;

/** The progress of a download that is over: a dot for each KiB, fifty in a row (src/progress.c, style "default"). */
function dotRows(bytes: number, total: number | undefined, speed: string): string {
  const dots = Math.floor(bytes / DOT_BYTES);
  const rows: string[] = [];
  for (let row = 0; ; row++) {
    const filled = Math.min(DOTS_IN_ROW, dots - row * DOTS_IN_ROW);
    let line = `${String((row * DOTS_IN_ROW * DOT_BYTES) / 1024).padStart(6)}K`;
    for (let i = 0; i < DOTS_IN_ROW; i++) line += `${i % DOTS_IN_CLUSTER === 0 ? " " : ""}${i < filled ? "." : " "}`;
    const isLast = filled < DOTS_IN_ROW;
    const shown = isLast ? bytes : (row + 1) * DOTS_IN_ROW * DOT_BYTES;
    const percent = total === undefined || total === 0 ? "" : `${Math.trunc((shown * 100) / total)}%`.padStart(4);
    rows.push(`${line}${percent} ${speed}${isLast ? "=0s" : total === undefined ? "" : " 0s"}`);
    if (isLast) return rows.join("\n");
  }
}

/** Bytes per second in four places and a unit. */
function rowSpeed(bytes: number, elapsedNs: number): string {
  return shortSpeed(bytes, elapsedNs)
    .replace(/ ([KM]?)B\/s$/, (_, unit: string) => (unit === "" ? " " : unit))
    .padStart(5);
}

function shortSize(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${(bytes / 1024 / 1024).toFixed(1)}M` : `${Math.round(bytes / 1024)}K`;
}

function shortSpeed(bytes: number, elapsedNs: number): string {
  const perSecond = elapsedNs > 0 ? (bytes * NS_PER_SECOND) / elapsedNs : 0;
  if (perSecond >= 1024 * 1024) return `${digits(perSecond / 1024 / 1024)} MB/s`;
  return perSecond >= 1024 ? `${digits(perSecond / 1024)} KB/s` : `${digits(perSecond)} B/s`;
}

function digits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

export const wgetCommand: Command = { path: "/usr/bin/wget", run };
