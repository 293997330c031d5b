/**
 * One transfer of curl: connect or use a connection again, send, receive, and say what went wrong in curl's words.
 *
 * curl 7.88.1 lib/multi.c, lib/connect.c, lib/http.c, lib/transfer.c. The small delays are those between a real curl's system calls.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import type { CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { type HttpHead, HttpResponseReader, latin1 } from "../../http-message.ts";
import { resolveHost } from "../../names.ts";
import { NEVER_NS, TcpStream } from "../../tcp-stream.ts";
import type { CurlOptions } from "./options.ts";
import { buildRequest, type CurlRequest } from "./request.ts";
import { CurlTls } from "./secure.ts";
import type { CurlUrl } from "./urls.ts";
import type { TransferReport } from "./write-out.ts";

const SEND_DELAY_NS = 500 * NS_PER_US;
/** The server has closed: so long curl needs to make something of that and to close its own side. */
const END_DELAY_NS = 500 * NS_PER_US;
const CONTINUE_WAIT_NS = NS_PER_SECOND;

export interface CurlConnection {
  readonly stream: TcpStream;
  readonly number: number;
  readonly key: string;
  readonly host: string;
  readonly tls: CurlTls | undefined;
}

/** Ends a connection, with a goodbye where TLS has one. */
export function* closeConnection(connection: CurlConnection): Running<void> {
  if (connection.tls !== undefined) yield* connection.tls.close();
  connection.stream.close();
}

export interface TransferSinks {
  /** Head lines with their line ends, when they are wanted. */
  head(text: string): void;
  body(text: string): boolean;
  log(text: string): void;
}

export interface TransferResult {
  readonly exit: number;
  readonly error: string | undefined;
  readonly head: HttpHead | undefined;
  /** Left open for the next transfer. */
  readonly isReusable: boolean;
  readonly isRefused: boolean;
}

export class CurlTransfer {
  readonly #context: CommandContext;
  readonly #options: CurlOptions;
  readonly #connections: Map<string, CurlConnection>;
  readonly #numbers: { next: number };
  readonly #startNs: number;
  readonly #deadlineNs: number;

  constructor(context: CommandContext, options: CurlOptions, connections: Map<string, CurlConnection>, numbers: { next: number }) {
    this.#context = context;
    this.#options = options;
    this.#connections = connections;
    this.#numbers = numbers;
    this.#startNs = this.#now();
    this.#deadlineNs = options.maxTimeNs === undefined || options.maxTimeNs === 0 ? NEVER_NS : this.#startNs + options.maxTimeNs;
  }

  *run(
    url: CurlUrl,
    how: { readonly method: string | undefined; readonly hasBody: boolean; readonly upload: Uint8Array | undefined; readonly ignoresBody: (head: HttpHead) => boolean },
    report: TransferReport,
    sinks: TransferSinks,
  ): Running<TransferResult> {
    const key = `${url.scheme}://${url.host}:${url.port}`;
    let connection = this.#connections.get(key);
    if (connection !== undefined && (connection.stream.isEnded || connection.stream.errno !== undefined)) {
      sinks.log(`* Connection ${connection.number} seems to be dead\n* Closing connection ${connection.number}\n`);
      connection.stream.close();
      this.#connections.delete(key);
      connection = undefined;
    }
    if (connection === undefined) {
      const opened = yield* this.#connect(url, key, report, sinks);
      if ("exit" in opened) return opened;
      connection = opened;
      this.#connections.set(key, connection);
    } else
      sinks.log(
        `* Found bundle for host: 0x55d6a9c0f3a0 [serially]\n* Can not multiplex, even if we wanted to\n* Re-using existing connection #${connection.number} with host ${url.host}\n`,
      );
    const socket = connection.stream.socket;
    report.localAddress = formatIpv4Address(socket?.localAddress ?? 0);
    report.localPort = socket?.localPort ?? 0;
    report.remoteAddress = formatIpv4Address(socket?.remoteAddress ?? 0);
    report.remotePort = socket?.remotePort ?? 0;
    const request = buildRequest(this.#options, url, { ...how, isFirst: true });
    report.method = request.method;
    report.preTransferNs = this.#elapsed();
    const result = yield* this.#exchange(connection, request, how.ignoresBody, report, sinks);
    if (!result.isReusable) {
      this.#connections.delete(key);
      sinks.log(`* Closing connection ${connection.number}\n`);
      yield* closeConnection(connection);
    } else sinks.log(`* Connection #${connection.number} to host ${url.host} left intact\n`);
    return result;
  }

  *#connect(url: CurlUrl, key: string, report: TransferReport, sinks: TransferSinks): Running<CurlConnection | TransferResult> {
    const options = this.#options;
    const override = options.resolves.find((entry) => entry.host === url.host && entry.port === String(url.port));
    const address = override === undefined ? resolveHost(this.#context.machine, url.host) : parseIpv4Address(override.address);
    if (address === undefined) {
      sinks.log(`* Could not resolve host: ${url.host}\n* Closing connection ${this.#numbers.next++}\n`);
      return failure(6, `Could not resolve host: ${url.host}`);
    }
    report.lookupNs = this.#elapsed();
    const number = this.#numbers.next++;
    const shown = formatIpv4Address(address);
    sinks.log(`*   Trying ${shown}:${url.port}...\n`);
    const stream = new TcpStream(this.#context);
    const startNs = this.#now();
    const refused = this.#start(stream, address, url, sinks);
    if (refused !== undefined) {
      sinks.log(
        `* Failed to connect to ${url.host} port ${url.port} after ${this.#msSince(startNs)} ms: ${refused.exit === 45 ? "Failed binding local connection end" : "Couldn't connect to server"}\n* Closing connection ${number}\n`,
      );
      return refused;
    }
    const limitNs = Math.min(
      this.#deadlineNs,
      options.connectTimeoutNs === undefined || options.connectTimeoutNs === 0 ? startNs + 300 * NS_PER_SECOND : startNs + options.connectTimeoutNs,
    );
    const errno = yield* stream.connected(limitNs);
    if (errno === "timeout") {
      stream.close();
      const text = `Connection timed out after ${this.#msSince(this.#startNs) + 1} milliseconds`;
      sinks.log(`* ${text}\n* Closing connection ${number}\n`);
      return failure(28, text);
    }
    if (errno !== undefined) {
      stream.close();
      const text = `Failed to connect to ${url.host} port ${url.port} after ${this.#msSince(startNs)} ms: Couldn't connect to server`;
      sinks.log(`* connect to ${shown} port ${url.port} failed: ${errorText(errno)}\n* ${text}\n* Closing connection ${number}\n`);
      return { ...failure(errno === "ETIMEDOUT" ? 28 : 7, text), isRefused: errno === "ECONNREFUSED" };
    }
    report.connects++;
    report.connectNs = this.#elapsed();
    sinks.log(`* Connected to ${url.host} (${shown}) port ${url.port} (#${number})\n`);
    const tls = url.scheme === "https" ? new CurlTls(this.#context, stream, url, options, sinks.log) : undefined;
    const failed = yield* this.#secure(tls, url, number, limitNs, report, sinks);
    return failed ?? { stream, number, key, host: url.host, tls };
  }

  *#secure(tls: CurlTls | undefined, url: CurlUrl, number: number, limitNs: number, report: TransferReport, sinks: TransferSinks): Running<TransferResult | undefined> {
    if (tls === undefined) return undefined;
    const result = yield* tls.handshake(url.host, limitNs);
    if (result === undefined) {
      report.secureNs = this.#elapsed();
      return undefined;
    }
    const failed = result === "timeout" ? { exit: 28, error: "SSL connection timeout" } : result;
    sinks.log(`* Closing connection ${number}\n`);
    return failure(failed.exit, failed.error);
  }

  /** Binds and starts to connect; a result when that fails at once. */
  #start(stream: TcpStream, address: Ipv4Address, url: CurlUrl, sinks: TransferSinks): TransferResult | undefined {
    const options = this.#options;
    const host = this.#context.machine.host;
    let localAddress = 0;
    if (options.interface !== undefined) {
      const name = options.interface.replace(/^(if|host)!/, "");
      const device = host.devices.byName(name);
      const found = device === undefined ? resolveHost(this.#context.machine, name) : (device.addresses[0]?.address ?? undefined);
      if (found === undefined) {
        sinks.log(`* Could not resolve host: ${name}\n* Couldn't bind to '${name}'\n`);
        return failure(45, `Couldn't bind to '${name}'`);
      }
      if (device === undefined) sinks.log(`* Name '${name}' family 2 resolved to '${formatIpv4Address(found)}' family 2\n`);
      else sinks.log(`* Local Interface ${name} is ip ${formatIpv4Address(found)} using address family 2\n`);
      localAddress = found;
    }
    const first = options.localPort?.low ?? 0;
    const last = options.localPort?.high ?? 0;
    for (let port = first; port <= last; port++) {
      const errno = stream.start({ address, port: url.port, localAddress, localPort: port, noDelay: options.usesNoDelay });
      if (errno === undefined) {
        if (port !== 0 || localAddress !== 0) sinks.log(`* Local port: ${port}\n`);
        if (options.keepAliveSeconds !== undefined) {
          const intervalNs = options.keepAliveSeconds * NS_PER_SECOND;
          stream.socket?.setKeepAlive({ idleNs: intervalNs, intervalNs, probes: 9 });
        }
        return undefined;
      }
      const isBinding = errno === "EADDRINUSE" || (errno === "EADDRNOTAVAIL" && localAddress !== 0 && !host.addresses.isOwn(localAddress));
      if (isBinding && port < last) continue;
      if (isBinding) {
        const text = `bind failed with errno ${errno === "EADDRINUSE" ? 98 : 99}: ${errorText(errno)}`;
        sinks.log(`* ${text}\n`);
        return failure(45, text);
      }
      sinks.log(`* Immediate connect fail for ${formatIpv4Address(address)}: ${errorText(errno)}\n`);
      return failure(7, `Failed to connect to ${url.host} port ${url.port} after ${this.#msSince(this.#startNs)} ms: Couldn't connect to server`);
    }
    return failure(45, "bind failed with errno 98: Address already in use");
  }

  *#exchange(
    connection: CurlConnection,
    request: CurlRequest,
    ignoresBody: (head: HttpHead) => boolean,
    report: TransferReport,
    sinks: TransferSinks,
  ): Running<TransferResult> {
    const { stream } = connection;
    yield* this.#context.sleep(SEND_DELAY_NS);
    sinks.log(
      request.head
        .slice(0, -2)
        .split("\r\n")
        .map((line) => `> ${line}\n`)
        .join(""),
    );
    report.requestBytes += request.head.length;
    if (request.body === undefined || request.expectsContinue) stream.write(request.head);
    else if (request.isOneWrite) {
      stream.write(joinHead(request.head, request.body));
      this.#logUpload(request, report, sinks);
    } else {
      stream.write(request.head);
      yield* this.#context.sleep(SEND_DELAY_NS);
      stream.write(request.body);
      this.#logUpload(request, report, sinks);
    }
    const reader = new HttpResponseReader(() => request.method !== "HEAD");
    let hasSentBody = !request.expectsContinue;
    let isReported = false;
    const continueNs = this.#now() + CONTINUE_WAIT_NS;
    for (;;) {
      const read = yield* stream.read(hasSentBody ? this.#deadlineNs : Math.min(this.#deadlineNs, continueNs));
      if (read.kind === "timeout" && !hasSentBody && this.#now() < this.#deadlineNs) {
        sinks.log("* Done waiting for 100-continue\n");
        hasSentBody = true;
        stream.write(request.body ?? "");
        this.#logUpload(request, report, sinks);
        continue;
      }
      if (read.kind === "timeout") return this.#timedOut(reader, report, sinks);
      if (read.kind === "error") {
        const text = `Recv failure: ${errorText(read.errno === "EPIPE" ? "ECONNRESET" : read.errno)}`;
        sinks.log(`* ${text}\n`);
        return { ...failure(56, text), head: reader.head };
      }
      if (read.kind === "end") {
        yield* this.#context.sleep(END_DELAY_NS);
        return this.#ended(reader, report, sinks);
      }
      if (report.startTransferNs === 0) report.startTransferNs = this.#elapsed();
      const body = reader.feed(read.bytes);
      if (reader.isGarbage && !this.#options.isHttp09Allowed) {
        sinks.log("* Received HTTP/0.9 when not allowed\n");
        return failure(1, "Received HTTP/0.9 when not allowed");
      }
      if (reader.head?.status === 100) {
        sinks.log("< HTTP/1.1 100 Continue\n");
        reader.restart();
        if (!hasSentBody) {
          hasSentBody = true;
          stream.write(request.body ?? "");
          this.#logUpload(request, report, sinks);
        }
        continue;
      }
      if (reader.head !== undefined && !isReported) {
        isReported = true;
        const stop = this.#reportHead(reader, reader.head, report, sinks);
        if (stop !== undefined) return stop;
        if (ignoresBody(reader.head)) sinks.log("* Ignoring the response-body\n");
      }
      if (body.length > 0) {
        report.bodyBytes += body.length;
        sinks.log(`{ [${body.length} bytes data]\n`);
        const isIgnored = reader.head !== undefined && ignoresBody(reader.head);
        if (!isIgnored && !sinks.body(latin1(body))) return { ...failure(23, "Failure writing output to destination"), head: reader.head };
      }
      if (reader.isComplete) return this.#done(reader, stream);
    }
  }

  #done(reader: HttpResponseReader, stream: TcpStream): TransferResult {
    const head = reader.head;
    const wish = head?.field("connection") ?? "";
    const isKept =
      head !== undefined &&
      (head.version === "1.1" ? !/\bclose\b/i.test(wish) : /\bkeep-alive\b/i.test(wish)) &&
      !this.#options.isHttp10 &&
      stream.errno === undefined;
    return { exit: 0, error: undefined, head, isReusable: isKept, isRefused: false };
  }

  #reportHead(reader: HttpResponseReader, head: HttpHead, report: TransferReport, sinks: TransferSinks): TransferResult | undefined {
    report.status = head.status;
    report.httpVersion = head.version.endsWith(".0") ? head.version.replace(/\.0$/, "") || "1" : head.version;
    if (head.version === "1.0") report.httpVersion = "1";
    report.contentType = head.field("content-type");
    report.fields += head.lines.length - 1;
    report.headBytes += reader.headBytes;
    const isFailure = head.status >= 400 && this.#options.fails;
    sinks.log(head.lines.map((line) => `< ${line}\n`).join(""));
    if (isFailure) {
      const text = `The requested URL returned error: ${head.status}`;
      sinks.log(`* ${text}\n`);
      return { ...failure(22, text), head };
    }
    sinks.log("< \n");
    sinks.head(`${head.lines.join("\r\n")}\r\n\r\n`);
    return undefined;
  }

  #ended(reader: HttpResponseReader, report: TransferReport, sinks: TransferSinks): TransferResult {
    if (reader.head === undefined && !reader.isGarbage) {
      sinks.log("* Empty reply from server\n");
      return failure(52, "Empty reply from server");
    }
    if (reader.end()) return { exit: 0, error: undefined, head: reader.head, isReusable: false, isRefused: false };
    const text =
      reader.contentLength === undefined
        ? "transfer closed with outstanding read data remaining"
        : `transfer closed with ${reader.contentLength - report.bodyBytes} bytes remaining to read`;
    sinks.log(`* ${text}\n`);
    return { ...failure(18, text), head: reader.head };
  }

  #timedOut(reader: HttpResponseReader, report: TransferReport, sinks: TransferSinks): TransferResult {
    const known = reader.contentLength === undefined ? "" : `out of ${reader.contentLength} `;
    const text = `Operation timed out after ${this.#msSince(this.#startNs) + 1} milliseconds with ${report.bodyBytes} ${known}bytes received`;
    sinks.log(`* ${text}\n`);
    return { ...failure(28, text), head: reader.head };
  }

  #logUpload(request: CurlRequest, report: TransferReport, sinks: TransferSinks): void {
    const size = request.body?.length ?? 0;
    report.uploadBytes += size;
    report.requestBytes += size;
    if (size > 0) sinks.log(`} [${size} bytes data]\n`);
  }

  #now(): number {
    return this.#context.machine.host.loop.nowNs;
  }

  #elapsed(): number {
    return this.#now() - this.#startNs;
  }

  #msSince(startNs: number): number {
    return Math.trunc((this.#now() - startNs) / NS_PER_MS);
  }
}

function failure(exit: number, error: string): TransferResult {
  return { exit, error, head: undefined, isReusable: false, isRefused: false };
}

function joinHead(head: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + body.length);
  for (let i = 0; i < head.length; i++) out[i] = head.charCodeAt(i) & 255;
  out.set(body, head.length);
  return out;
}
