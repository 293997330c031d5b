/**
 * One transfer of curl: connect or use a connection again, send, receive, and say what went wrong in curl's words.
 *
 * curl 7.88.1 lib/multi.c, lib/connect.c, lib/http.c, lib/transfer.c. The small delays are those between a real curl's system calls.
 */

import { latin1 } from "../../../base/bytes.ts";
import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import type { CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { type HttpHead, HttpResponseReader } from "../../http-message.ts";
import type { TcpStream } from "../../tcp-stream.ts";
import { closeConnection, type CurlConnection, CurlConnector, deadlineOf, failure, type TransferResult, type TransferSinks } from "./connector.ts";
import type { CurlOptions } from "./options.ts";
import { buildRequest, type CurlRequest } from "./request.ts";
import type { CurlUrl } from "./urls.ts";
import type { TransferReport } from "./write-out.ts";

const SEND_DELAY_NS = 500 * NS_PER_US;
/** The server has closed: so long curl needs to make something of that and to close its own side. */
const END_DELAY_NS = 500 * NS_PER_US;
const EXIT_WRITE_ERROR = 23;
const CONTINUE_WAIT_NS = NS_PER_SECOND;

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
    this.#deadlineNs = deadlineOf(options, this.#startNs);
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
      const opened = yield* new CurlConnector(this.#context, this.#options, this.#numbers, this.#startNs).open(url, key, report, sinks, url.scheme === "https" ? url : undefined);
      if ("exit" in opened) return opened;
      connection = opened;
      this.#connections.set(key, connection);
    } else {
      sinks.log(
        `* Found bundle for host: 0x55d6a9c0f3a0 [serially]\n* Can not multiplex, even if we wanted to\n* Re-using existing connection #${connection.number} with host ${url.host}\n`,
      );
      sinks.begin();
    }
    const socket = connection.stream.socket;
    report.localAddress = formatIpv4Address(socket?.localAddress ?? 0);
    report.localPort = socket?.localPort ?? 0;
    report.remoteAddress = formatIpv4Address(socket?.remoteAddress ?? 0);
    report.remotePort = socket?.remotePort ?? 0;
    const request = buildRequest(this.#options, url, { ...how, isFirst: true });
    report.method = request.method;
    report.preTransferNs = this.#elapsed();
    const result = yield* this.#exchange(connection, request, how.ignoresBody, report, sinks);
    sinks.done(result.exit === 0 || result.exit === 22);
    if (!result.isReusable) {
      this.#connections.delete(key);
      sinks.log(`* Closing connection ${connection.number}\n`);
      // What is still to come is not read any more: the kernel answers it with a reset.
      if (result.exit === EXIT_WRITE_ERROR) connection.stream.abort();
      else yield* closeConnection(connection);
    } else sinks.log(`* Connection #${connection.number} to host ${url.host} left intact\n`);
    return result;
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
        .map((line) => `> ${line}\r\n`)
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
        sinks.log("< HTTP/1.1 100 Continue\r\n");
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
        if (!isIgnored && !sinks.body(latin1(body))) return { ...failure(EXIT_WRITE_ERROR, "Failure writing output to destination"), head: reader.head };
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
    report.expectedBytes = reader.contentLength;
    report.fields += head.lines.length - 1;
    report.headBytes += reader.headBytes;
    const isFailure = head.status >= 400 && this.#options.fails;
    sinks.log(head.lines.map((line) => `< ${line}\r\n`).join(""));
    if (isFailure) {
      const text = `The requested URL returned error: ${head.status}`;
      sinks.log(`* ${text}\n`);
      return { ...failure(22, text), head };
    }
    sinks.log("< \r\n");
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

function joinHead(head: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + body.length);
  for (let i = 0; i < head.length; i++) out[i] = head.charCodeAt(i) & 255;
  out.set(body, head.length);
  return out;
}
