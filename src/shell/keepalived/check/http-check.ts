/**
 * HTTP_GET and SSL_GET: asks a web server for pages and looks at status, digest and text.
 *
 * keepalived v2.2.7 check/check_http.c, check/check_ssl.c, lib/html.c.
 */

import { md5 } from "../../commands/system/digests.ts";
import { formatReal, formatServer } from "../config/addresses.ts";
import type { Checker, CheckKind, HttpUrl } from "../config/model.ts";
import { CheckConnection } from "./check-connection.ts";
import { checkTimes, type CheckContext, type CheckRunner, type CheckTimes, connectOf } from "./check-context.ts";
import { TlsSession } from "../../tls/tls-session.ts";

type HttpKind = Extract<CheckKind, { readonly type: "HTTP_GET" }>;

/** How a request ended: the page was right, it was not, or the server is known to be down. */
type Outcome = "next" | "retry" | "known-failed";

const HANDSHAKE_FAILED = "SSL handshake/communication error connecting to";
/** Bound on what is kept of an answer. */
const ANSWER_MAX = 4_000_000;

export class HttpCheck implements CheckRunner {
  readonly #checker: Checker;
  readonly #kind: HttpKind;
  readonly #context: CheckContext;
  readonly #times: CheckTimes;
  #urlIndex = 0;
  #failedUrl: HttpUrl | undefined;
  #connection: CheckConnection | undefined;
  #answer = "";
  #isTooLong = false;

  constructor(checker: Checker, kind: HttpKind, context: CheckContext) {
    this.#checker = checker;
    this.#kind = kind;
    this.#context = context;
    this.#times = checkTimes(checker);
  }

  get #url(): HttpUrl | undefined {
    return this.#kind.urls[this.#urlIndex];
  }

  get #name(): string {
    return formatReal(this.#checker.real, this.#checker.server);
  }

  begin(): void {
    const { daemon, log } = this.#context;
    if (!this.#checker.isEnabled) {
      daemon.after(this.#times.delayLoopUs, () => this.begin());
      return;
    }
    if (this.#url === undefined) {
      this.#epilog("next");
      return;
    }
    this.#answer = "";
    this.#isTooLong = false;
    let isHandshaking = this.#kind.isSsl;
    const { connectTimeoutUs } = this.#times;
    const session = this.#kind.isSsl ? this.#session(() => connection, () => (isHandshaking = false)) : undefined;
    const connection: CheckConnection = new CheckConnection(this.#context, connectOf(this.#checker), connectTimeoutUs, {
      connected: () => {
        connection.wait(connectTimeoutUs);
        if (session !== undefined) session.start();
        else if (!connection.send(this.#request())) this.#failed("Cannot send get request to");
      },
      failed: (why, isAtOnce) => {
        if (!isAtOnce) this.#failed(why === "timeout" ? "Timeout connecting" : why === "fail" ? "Connection failed" : "Error connecting");
        else if (why === "fail") this.#failed("HTTP_CHECK - network unreachable");
        else {
          log.line("WEB socket bind failed. Rescheduling");
          daemon.after(this.#times.delayLoopUs, () => this.begin());
        }
      },
      data: (bytes) => {
        if (session !== undefined) session.receive(bytes);
        else this.#take(bytes);
        if (!isHandshaking) connection.wait(connectTimeoutUs);
      },
      end: () => {
        if (isHandshaking) this.#failed(HANDSHAKE_FAILED);
        else this.#complete();
      },
      broken: () => this.#failed(isHandshaking ? HANDSHAKE_FAILED : "Read error with"),
      timeout: () => this.#failed(isHandshaking ? "Timeout connecting" : this.#answer === "" ? "Timeout WEB read" : session === undefined ? "Timeout HTTP read" : "Timeout SSL read"),
    });
    this.#connection = connection;
  }

  /** SSL_GET: the request goes out when the handshake is done, close_notify ends the answer. Any certificate will do. */
  #session(connection: () => CheckConnection, onEstablished: () => void): TlsSession {
    const { random } = this.#context;
    const session: TlsSession = TlsSession.client(
      { random, serverName: this.#serverName(), protocols: [], isPadded: false, offersOldVersions: true, accepts: () => true },
      {
        transmit: (bytes) => void connection().sendBytes(bytes),
        established: () => {
          onEstablished();
          session.send(Uint8Array.from(this.#request(), (character) => character.charCodeAt(0) & 255));
        },
        data: (bytes) => this.#take(bytes),
        closed: () => this.#complete(),
        failed: (failure) => {
          // What is no TLS was not read beyond the header of a record.
          if (failure.kind === "not-tls") connection().abort();
          this.#failed(HANDSHAKE_FAILED);
        },
      },
    );
    return session;
  }

  #serverName(): string | undefined {
    if (!this.#kind.hasSni) return undefined;
    return this.#url?.virtualHost ?? this.#kind.virtualHost ?? this.#checker.server.virtualHost;
  }

  #request(): string {
    const { protocol } = this.#kind;
    const { destination } = connectOf(this.#checker);
    const host =
      this.#url?.virtualHost ?? this.#kind.virtualHost ?? this.#checker.real.virtualHost ?? this.#checker.server.virtualHost ?? `${destination.text}:${destination.port}`;
    const connection = protocol === "1.0" ? "" : "Connection: close\r\n";
    return `GET ${this.#url?.path} HTTP/1.${protocol === "1.1" ? 1 : 0}\r\nUser-Agent: KeepAliveClient\r\n${connection}Host: ${host}\r\n\r\n`;
  }

  #take(bytes: Uint8Array): void {
    if (this.#answer.length + bytes.length > ANSWER_MAX) {
      this.#isTooLong = true;
      return;
    }
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    this.#answer += text;
  }

  #complete(): void {
    const { log } = this.#context;
    const checker = this.#checker;
    const url = this.#url as HttpUrl;
    const headEnd = this.#answer.indexOf("\r\n\r\n");
    if (headEnd < 0) {
      this.#failed("Read, no data received from ");
      return;
    }
    const status = Number(/^[^ \r]* (\d{3}) /.exec(this.#answer)?.[1] ?? 0);
    if (!url.statusRanges.some((range) => status >= range.first && status <= range.last)) {
      this.#failed("HTTP status code error to");
      return;
    }
    const body = this.#answer.slice(headEnd + 4);
    const length = Number(/Content-Length:\s*(\d+)[\r\n]/.exec(this.#answer)?.[1] ?? Number.NaN);
    if (!Number.isNaN(length) && length !== body.length && !this.#isTooLong) {
      if (url.lengthMismatch !== length - body.length)
        log.line(
          `http_check for RS ${this.#name} VS ${formatServer(checker.server)} url ${url.virtualHost ?? ""}${url.path}: content_length (${length}) does not match received bytes (${body.length})`,
        );
      url.lengthMismatch = length - body.length;
    } else url.lengthMismatch = 0;
    let what = "HTTP status code";
    if (url.digest !== undefined) {
      const counted = Number.isNaN(length) ? body : body.slice(0, length);
      if (md5(Uint8Array.from(counted, (character) => character.charCodeAt(0))) !== url.digest) {
        this.#failed("MD5 digest error to");
        return;
      }
      what = "MD5 digest";
    }
    if (url.regex !== undefined) {
      if (matches(url, body) === url.regexMustNotMatch) {
        this.#failed("Regex match failed");
        return;
      }
      what = "Regex match";
    }
    if (!checker.isUp) log.line(`${what} success to ${this.#name} url(${url.path})`);
    this.#epilog("next");
  }

  #failed(text: string): void {
    const checker = this.#checker;
    if (!checker.isUp && checker.hasRun) {
      this.#epilog("known-failed");
      return;
    }
    if (this.#context.global.logsAllCheckerFailures || checker.logsAllFailures) this.#context.log.line(`${text} server ${this.#name}.`);
    checker.hasRun = true;
    this.#epilog("retry");
  }

  #epilog(outcome: Outcome): void {
    const checker = this.#checker;
    const { log, states, daemon } = this.#context;
    const { retry } = this.#times;
    if (outcome === "next") {
      this.#urlIndex++;
      checker.retries = 0;
    } else if (outcome === "retry") checker.retries++;
    const isLast = this.#url === undefined;
    if (outcome === "next" && isLast && this.#failedUrl === undefined) {
      if (!checker.isUp || !checker.hasRun) {
        log.line(`Remote Web server ${this.#name} succeed on service.`);
        states.checked(true, checker, "=> CHECK succeed on service <=");
        checker.hasRun = true;
      }
      this.#urlIndex = 0;
      checker.retries = 0;
    } else if (outcome === "retry" && checker.retries > retry) {
      if (checker.isUp || !checker.hasRun) {
        log.line(`HTTP_CHECK on service ${this.#name} failed${checker.hasRun && retry > 0 ? ` after ${checker.retries - 1} retries` : ""}.`);
        states.checked(false, checker, "=> CHECK failed on service : HTTP request failed <=");
      }
      this.#failedUrl = this.#url;
    } else if (outcome === "next" && this.#failedUrl !== undefined) {
      // What had failed works again: now all pages from the first.
      this.#failedUrl = undefined;
      this.#urlIndex = 0;
      checker.retries = 0;
    }
    let delayUs = this.#times.delayBeforeRetryUs;
    if (outcome === "next") {
      delayUs = this.#times.delayLoopUs;
      if (!checker.hasRun) checker.retries = retry;
    } else if (this.#failedUrl !== undefined) delayUs = Math.max(delayUs, this.#times.delayLoopUs);
    this.#connection?.close();
    this.#connection = undefined;
    const isFast = this.#kind.isFastRecovery && (!checker.hasRun || (!checker.isUp && this.#failedUrl === undefined));
    daemon.after(isFast ? 0 : delayUs, () => this.begin());
  }
}

function matches(url: HttpUrl, body: string): boolean {
  const regex = new RegExp(url.regex as RegExp, `${(url.regex as RegExp).flags.replace("g", "")}g`);
  regex.lastIndex = url.regexMinOffset;
  const found = regex.exec(body);
  return found !== null && (url.regexMaxOffset === 0 || found.index < url.regexMaxOffset);
}
