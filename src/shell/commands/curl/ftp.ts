/**
 * curl's FTP: log in, ask for a port (EPSV, then PASV), fetch a listing or a file over a second connection.
 *
 * curl 7.88.1 lib/ftp.c, lib/pingpong.c; RFC 959, RFC 2428. Not simulated, and refused: uploads, active mode (-P), quotes, more than one FTP URL.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import type { CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { latin1 } from "../../../base/bytes.ts";
import { TcpStream } from "../../tcp-stream.ts";
import { CurlConnector, deadlineOf, failure, type TransferResult, type TransferSinks } from "./connector.ts";
import type { CurlOptions } from "./options.ts";
import type { CurlUrl } from "./urls.ts";
import type { TransferReport } from "./write-out.ts";

/** Between a reply and the next command of a real curl. */
const STEP_NS = 200 * NS_PER_US;
/** How long curl waits for one reply (lib/ftp.c RESP_TIMEOUT). */
const REPLY_LIMIT_NS = 120 * NS_PER_SECOND;
const REPLY_BYTES_MAX = 64 * 1024;
const PASSIVE_NOTE = "* Connect data stream passively\n* ftp_perform ends with SECONDARY: 0\n";

interface Reply {
  readonly code: number;
  /** The last line, with its code. */
  readonly line: string;
}

/** Ends the dialogue early. */
class FtpFailure {
  readonly result: TransferResult;

  constructor(exit: number, text: string) {
    this.result = failure(exit, text);
  }
}

export class FtpTransfer {
  readonly #context: CommandContext;
  readonly #options: CurlOptions;
  readonly #startNs: number;
  readonly #deadlineNs: number;
  readonly #numbers: { next: number };
  readonly #sinks: TransferSinks;
  readonly #report: TransferReport;
  #control: TcpStream;
  #buffer = "";

  constructor(context: CommandContext, options: CurlOptions, numbers: { next: number }, report: TransferReport, sinks: TransferSinks) {
    this.#context = context;
    this.#options = options;
    this.#numbers = numbers;
    this.#startNs = context.machine.host.loop.nowNs;
    this.#deadlineNs = deadlineOf(options, this.#startNs);
    this.#report = report;
    this.#sinks = sinks;
    this.#control = new TcpStream(context);
  }

  *run(url: CurlUrl): Running<TransferResult> {
    if (this.#options.uploads.length > 0) return failure(1, "FTP uploads are not supported by the simulated curl");
    const number = this.#numbers.next;
    const connector = new CurlConnector(this.#context, this.#options, this.#numbers, this.#startNs);
    const opened = yield* connector.open(url, `ftp://${url.host}:${url.port}`, this.#report, this.#sinks);
    if ("exit" in opened) return opened;
    this.#control = opened.stream;
    this.#report.scheme = "FTP";
    const outcome = yield* this.#dialogue(url);
    this.#sinks.done(!(outcome instanceof FtpFailure));
    if (outcome instanceof FtpFailure) {
      this.#sinks.log(`* Closing connection ${number}\n`);
      this.#control.close();
      return outcome.result;
    }
    this.#sinks.log(`* Connection #${number} to host ${url.host} left intact\n`);
    this.#control.write("QUIT\r\n");
    yield* this.#control.read(this.#now() + REPLY_LIMIT_NS);
    this.#control.close();
    return { exit: 0, error: undefined, head: undefined, isReusable: false, isRefused: false };
  }

  *#dialogue(url: CurlUrl): Running<FtpFailure | undefined> {
    const failed = yield* this.#logIn(url);
    if (failed !== undefined) return failed;
    const path = decodeURIComponent(url.target.replace(/;type=[aidAID]$/, "")).slice(1);
    const folders = path.split("/").slice(0, -1);
    const file = path.slice(path.lastIndexOf("/") + 1);
    if (folders.length === 0) this.#sinks.log("* Request has same path as previous transfer\n");
    for (const folder of folders) {
      const reply = yield* this.#ask(`CWD ${folder === "" ? "/" : folder}`);
      if (reply instanceof FtpFailure) return reply;
      if (Math.trunc(reply.code / 100) !== 2) return this.#fail(9, "Server denied you to change to the given directory");
    }
    const data = yield* this.#openData();
    if (data instanceof FtpFailure) return data;
    const fetched = yield* this.#fetch(data, file, folders.length === 0 ? "" : `${folders.join("/")}/`);
    data.close();
    return fetched;
  }

  *#logIn(url: CurlUrl): Running<FtpFailure | undefined> {
    const greeting = yield* this.#reply();
    if (greeting instanceof FtpFailure) return greeting;
    if (greeting.code !== 220) return this.#fail(8, `Got a ${String(greeting.code).padStart(3, "0")} ftp-server response when 220 was expected`);
    const [user, password] = (this.#options.user ?? url.user ?? "anonymous:ftp@example.com").split(":");
    let reply = yield* this.#ask(`USER ${user}`);
    if (!(reply instanceof FtpFailure) && reply.code === 331) reply = yield* this.#ask(`PASS ${password ?? ""}`);
    if (reply instanceof FtpFailure) return reply;
    if (Math.trunc(reply.code / 100) !== 2) return this.#fail(67, `Access denied: ${String(reply.code).padStart(3, "0")}`);
    reply = yield* this.#ask("PWD");
    if (reply instanceof FtpFailure) return reply;
    const entry = /^257 [^"]*"([^"]*)"/.exec(reply.line);
    if (entry !== null) this.#sinks.log(`* Entry path is '${entry[1]}'\n`);
    return undefined;
  }

  /* ---------------------------------------------------------------------------------------------------------- data */

  /** EPSV first; when that is refused, or its port cannot be reached, PASV. */
  *#openData(): Running<TcpStream | FtpFailure> {
    if (this.#options.usesEpsv) {
      const reply = yield* this.#ask("EPSV", PASSIVE_NOTE);
      if (reply instanceof FtpFailure) return reply;
      if (reply.code === 229) {
        const port = /\((.)\1\1(\d+)\1\)/.exec(reply.line)?.[2];
        if (port === undefined) return this.#fail(13, "Weirdly formatted EPSV reply");
        const stream = yield* this.#connectData(Number(port));
        if (!(stream instanceof FtpFailure)) return stream;
        if (this.#now() >= this.#deadlineNs) return stream;
      }
      this.#sinks.log("* Failed EPSV attempt. Disabling EPSV\n");
    }
    const reply = yield* this.#ask("PASV", this.#options.usesEpsv ? undefined : PASSIVE_NOTE);
    if (reply instanceof FtpFailure) return reply;
    if (reply.code !== 227) return this.#fail(13, `Odd return code after PASV`);
    const numbers = /(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)/.exec(reply.line)?.slice(1).map(Number);
    if (numbers === undefined || numbers.some((part) => part > 255)) return this.#fail(14, "Couldn't interpret the 227-reply");
    const [a = 0, b = 0, c = 0, d = 0, high = 0, low = 0] = numbers;
    const told = `${a}.${b}.${c}.${d}`;
    const used = formatIpv4Address(this.#control.socket?.remoteAddress ?? 0);
    // Since 7.74 curl takes the port and not the address (CURLOPT_FTP_SKIP_PASV_IP).
    this.#sinks.log(`* Skip ${told} for data connection, re-use ${used} instead\n`);
    return yield* this.#connectData(high * 256 + low);
  }

  *#connectData(port: number): Running<TcpStream | FtpFailure> {
    const address = this.#control.socket?.remoteAddress ?? 0;
    const shown = formatIpv4Address(address);
    this.#sinks.log(`* Connecting to ${shown} (${shown}) port ${port}\n*   Trying ${shown}:${port}...\n`);
    const stream = new TcpStream(this.#context);
    const startNs = this.#now();
    const limitNs = Math.min(this.#deadlineNs, startNs + (this.#options.connectTimeoutNs ?? 300 * NS_PER_SECOND));
    const localAddress = this.#control.socket?.localAddress ?? 0;
    const errno = stream.start({ address, port, localAddress: this.#options.interface === undefined ? 0 : localAddress }) ?? (yield* stream.connected(limitNs));
    if (errno === undefined) {
      this.#sinks.log(`* Connected to ${shown} (${shown}) port ${this.#control.socket?.remotePort ?? 0} (#0)\n`);
      return stream;
    }
    stream.close();
    if (errno === "timeout") return this.#fail(28, `Connection timed out after ${this.#msSince(this.#startNs) + 1} milliseconds`);
    this.#sinks.log(`* connect to ${shown} port ${port} failed: ${errorText(errno)}\n`);
    const controlPort = this.#control.socket?.remotePort ?? 0;
    return this.#fail(7, `Failed to connect to ${shown} port ${controlPort} after ${this.#msSince(this.#startNs)} ms: Couldn't connect to server`);
  }

  *#fetch(data: TcpStream, file: string, folder: string): Running<FtpFailure | undefined> {
    const type = yield* this.#ask(file === "" ? "TYPE A" : "TYPE I");
    if (type instanceof FtpFailure) return type;
    if (type.code !== 200) return this.#fail(17, `Couldn't set desired mode`);
    let size = -1;
    if (file !== "") {
      const reply = yield* this.#ask(`SIZE ${file}`);
      if (reply instanceof FtpFailure) return reply;
      if (reply.code === 213) size = Number(reply.line.slice(4));
    }
    const verb = file === "" ? "LIST" : "RETR";
    const begin = yield* this.#ask(file === "" ? "LIST" : `RETR ${file}`);
    if (begin instanceof FtpFailure) return begin;
    if (begin.code !== 150 && begin.code !== 125) {
      if (verb === "LIST" && begin.code === 450) return undefined;
      return verb === "RETR" && begin.code === 550 ? this.#fail(78, "The file does not exist") : this.#fail(19, `RETR response: ${String(begin.code).padStart(3, "0")}`);
    }
    this.#sinks.log(`* Maxdownload = -1\n${verb === "RETR" ? `* Getting file with size: ${size}\n` : ""}`);
    const failed = yield* this.#receive(data, size);
    if (failed !== undefined) return failed;
    data.close();
    this.#sinks.log(`* Remembering we are in dir "${folder}"\n`);
    const end = yield* this.#reply();
    if (end instanceof FtpFailure) return end;
    return end.code === 226 || end.code === 250 ? undefined : this.#fail(18, `server did not report OK, got ${end.code}`);
  }

  *#receive(data: TcpStream, size: number): Running<FtpFailure | undefined> {
    for (;;) {
      if (size >= 0 && this.#report.bodyBytes >= size) return undefined;
      const read = yield* data.read(this.#deadlineNs);
      if (read.kind === "timeout") return this.#timedOut();
      if (read.kind === "error") return this.#fail(56, `Recv failure: ${errorText(read.errno)}`);
      if (read.kind === "end") return size < 0 ? undefined : this.#fail(18, `transfer closed with ${size - this.#report.bodyBytes} bytes remaining to read`);
      if (this.#report.startTransferNs === 0) this.#report.startTransferNs = this.#now() - this.#startNs;
      this.#report.bodyBytes += read.bytes.length;
      this.#sinks.log(`{ [${read.bytes.length} bytes data]\n`);
      if (!this.#sinks.body(latin1(read.bytes))) return this.#fail(23, "Failure writing output to destination");
    }
  }

  /* ------------------------------------------------------------------------------------------------------- control */

  *#ask(command: string, note?: string): Running<Reply | FtpFailure> {
    yield* this.#context.sleep(STEP_NS);
    this.#sinks.log(`> ${command}\r\n${note ?? ""}`);
    this.#report.requestBytes += command.length + 2;
    this.#control.write(`${command}\r\n`);
    return yield* this.#reply();
  }

  /** One reply, of several lines perhaps: the last has a blank after its code. */
  *#reply(): Running<Reply | FtpFailure> {
    const limitNs = Math.min(this.#deadlineNs, this.#now() + REPLY_LIMIT_NS);
    for (;;) {
      const end = this.#buffer.indexOf("\n");
      if (end >= 0) {
        const raw = this.#buffer.slice(0, end);
        const line = raw.replace(/\r$/, "");
        this.#buffer = this.#buffer.slice(end + 1);
        this.#sinks.log(`< ${raw}\n`);
        this.#report.headBytes += end + 1;
        if (/^\d{3} /.test(line)) {
          const code = Number(line.slice(0, 3));
          this.#report.status = code;
          return { code, line };
        }
        continue;
      }
      if (this.#buffer.length > REPLY_BYTES_MAX) return this.#fail(8, "response reading failed (errno: 0)");
      const read = yield* this.#control.read(limitNs);
      if (read.kind === "timeout") return this.#now() >= this.#deadlineNs ? this.#timedOut() : this.#fail(28, "FTP response timeout");
      if (read.kind === "error") return this.#fail(56, "response reading failed (errno: 104)");
      if (read.kind === "end") return this.#fail(56, "response reading failed (errno: 0)");
      this.#buffer += latin1(read.bytes);
    }
  }

  #timedOut(): FtpFailure {
    return this.#fail(28, `Operation timed out after ${this.#msSince(this.#startNs) + 1} milliseconds with ${this.#report.bodyBytes} bytes received`);
  }

  #fail(exit: number, text: string): FtpFailure {
    this.#sinks.log(`* ${text}\n`);
    return new FtpFailure(exit, text);
  }

  #now(): number {
    return this.#context.machine.host.loop.nowNs;
  }

  #msSince(startNs: number): number {
    return Math.trunc((this.#now() - startNs) / NS_PER_MS);
  }
}
