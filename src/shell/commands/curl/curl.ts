/**
 * curl: transfers one URL after the other, over one connection where it can.
 *
 * curl 7.88.1 (Debian 12) src/tool_operate.c.
 */

import { utf8Bytes, utf8Text } from "../../../base/bytes.ts";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { latin1 } from "../../../base/bytes.ts";
import { type CurlOptions, parseCurl } from "./options.ts";
import { closeConnection, type CurlConnection, type TransferResult, type TransferSinks } from "./connector.ts";
import { FtpTransfer } from "./ftp.ts";
import { ProgressMeter } from "./progress-meter.ts";
import { CurlTransfer } from "./transfer.ts";
import { type CurlUrl, expandGlob, joinUrl, parseUrl } from "./urls.ts";
import { formatWriteOut, type TransferReport } from "./write-out.ts";

/** curl loads many libraries: it is slower to start than other programs. */
const STARTUP_NS = 20 * NS_PER_MS;
const CLOSE_DELAY_NS = 500 * NS_PER_US;
/** What stdio gathers of an output that is a pipe. */
const STDIO_BLOCK = 4096;
const RETRY_STATUS = new Set([408, 429, 500, 502, 503, 504]);

const VERSION = `curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13 brotli/1.0.9 zstd/1.5.4 libidn2/2.3.3 libpsl/0.21.2 (+libidn2/2.3.3) libssh2/1.10.0 nghttp2/1.52.0 librtmp/2.3 OpenLDAP/2.5.13
Release-Date: 2023-02-20, security patched: 7.88.1-10+deb12u15
Protocols: dict file ftp ftps gopher gophers http https imap imaps ldap ldaps mqtt pop3 pop3s rtmp rtsp scp sftp smb smbs smtp smtps telnet tftp
Features: alt-svc AsynchDNS brotli GSS-API HSTS HTTP2 HTTPS-proxy IDN IPv6 Kerberos Largefile libz NTLM NTLM_WB PSL SPNEGO SSL threadsafe TLS-SRP UnixSockets zstd
`;

const HELP = `Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
`;

function* run(context: CommandContext): Running<number> {
  const stdin = context.args.some((argument) => argument === "@-" || argument.endsWith("@-")) ? yield* context.stdin.readAll() : "";
  const parsed = parseCurl(context.args, (path) => readDataFile(context, path, stdin));
  switch (parsed.kind) {
    case "help":
      context.stdout.write(HELP);
      return 0;
    case "version":
      context.stdout.write(VERSION);
      return 0;
    case "error":
      context.stderr.write(parsed.text);
      return 2;
    case "run":
      return yield* new Curl(context, parsed.options).run();
  }
}

function readDataFile(context: CommandContext, path: string, stdin: string): string | undefined {
  if (path === "-") return stdin;
  try {
    return context.machine.files.read(context.machine.files.resolve(context.cwd, path));
  } catch {
    return undefined;
  }
}

/** Standard output as stdio keeps it when it is no terminal: whole blocks go out at once, the rest at the end of a transfer. */
class BufferedOutput {
  readonly #context: CommandContext;
  readonly #isUnbuffered: boolean;
  #text = "";

  constructor(context: CommandContext, isUnbuffered: boolean) {
    this.#context = context;
    this.#isUnbuffered = isUnbuffered;
  }

  /** False when nobody reads any more. */
  write(text: string): boolean {
    this.#text += text;
    const whole = this.#isUnbuffered ? this.#text.length : this.#text.length - (this.#text.length % STDIO_BLOCK);
    if (whole === 0) return true;
    const out = this.#text.slice(0, whole);
    this.#text = this.#text.slice(whole);
    return this.#context.stdout.write(out);
  }

  /** False when the rest could not be written. */
  flush(): boolean {
    const text = this.#text;
    this.#text = "";
    return text === "" || this.#context.stdout.write(text);
  }
}

class Curl {
  readonly #context: CommandContext;
  readonly #options: CurlOptions;
  readonly #connections = new Map<string, CurlConnection>();
  readonly #numbers = { next: 0 };
  #outputText = "";
  #meter: ProgressMeter | undefined;
  readonly #buffered: BufferedOutput;
  #hasToldOfData = false;

  constructor(context: CommandContext, options: CurlOptions) {
    this.#context = context;
    this.#options = options;
    this.#buffered = new BufferedOutput(context, options.isUnbuffered);
  }

  *run(): Running<number> {
    // curl ignores SIGPIPE: it hears of a reader that is gone from write(2).
    this.#context.onSignal("PIPE", () => {});
    this.#context.onExit(() => {
      for (const connection of this.#connections.values()) connection.stream.close();
    });
    yield* this.#context.sleep(STARTUP_NS);
    let exit = 0;
    let urlNumber = 0;
    for (const [index, text] of this.#options.urls.entries()) {
      const expanded = this.#options.isGlobOff ? [text] : expandGlob(text);
      if (typeof expanded === "string") {
        this.#error(expanded);
        return 3;
      }
      for (const url of expanded) {
        const upload = this.#options.uploads[index];
        const file = upload === undefined ? undefined : this.#readUpload(upload);
        if (file === "unreadable") return 26;
        exit = yield* this.#withRetries(upload === undefined ? url : withFileName(url, upload), this.#options.outputs[index], urlNumber++, file);
        if (exit !== 0 && this.#options.failsEarly) return exit;
      }
    }
    if (this.#connections.size > 0) yield* this.#context.sleep(CLOSE_DELAY_NS);
    for (const connection of this.#connections.values()) yield* closeConnection(connection);
    return exit;
  }

  #readUpload(path: string): Uint8Array | "unreadable" {
    const { files } = this.#context.machine;
    try {
      return utf8Bytes(files.read(files.resolve(this.#context.cwd, path)));
    } catch {
      this.#context.stderr.write(`curl: Can't open '${path}'!\ncurl: try 'curl --help' or 'curl --manual' for more information\n`);
      return "unreadable";
    }
  }

  #error(text: string): void {
    if (!this.#options.isSilent || this.#options.showsError) this.#context.stderr.write(text);
  }

  *#withRetries(text: string, output: string | undefined, urlNumber: number, upload: Uint8Array | undefined): Running<number> {
    let left = this.#options.retries;
    let delay = this.#options.retryDelaySeconds ?? 1;
    for (;;) {
      const result = yield* this.#one(text, output, urlNumber, upload);
      const why = this.#retryReason(result);
      if (why === undefined || left === 0) return result.exit;
      if (!this.#options.isSilent)
        this.#context.stderr.write(
          `Warning: Problem: ${why}. Will retry in ${delay} second${delay === 1 ? "" : "s"}. ${left} \nWarning: retr${left === 1 ? "y" : "ies"} left.\n`,
        );
      left--;
      yield* this.#context.sleep(delay * NS_PER_SECOND);
      if (this.#options.retryDelaySeconds === undefined) delay = Math.min(delay * 2, 600);
    }
  }

  #retryReason(result: TransferResult): string | undefined {
    if (result.exit === 28 || result.exit === 6) return "timeout";
    if (result.isRefused) return this.#options.retriesRefused ? "connection refused" : undefined;
    const status = result.head?.status ?? 0;
    if ((result.exit === 0 || result.exit === 22) && RETRY_STATUS.has(status)) return "HTTP error";
    return undefined;
  }

  *#one(text: string, output: string | undefined, urlNumber: number, upload: Uint8Array | undefined): Running<TransferResult> {
    const startNs = this.#context.machine.host.loop.nowNs;
    const report = newReport(text, urlNumber);
    const parsed = parseUrl(text, this.#options.isPathAsIs);
    let result: TransferResult;
    if (!parsed.ok) result = { exit: parsed.exit, error: parsed.message, head: undefined, isReusable: false, isRefused: false };
    else if (parsed.url.scheme === "ftp") result = yield* this.#fetchFtp(parsed.url, output, report);
    else if (parsed.url.scheme !== "http" && parsed.url.scheme !== "https")
      result = {
        exit: 1,
        error: `Protocol "${parsed.url.scheme}" is not supported by the simulated curl`,
        head: undefined,
        isReusable: false,
        isRefused: false,
      };
    else result = yield* this.#transfer(parsed.url, output, upload, report);
    report.totalNs = this.#context.machine.host.loop.nowNs - startNs;
    // A name that cannot be looked up ends the transfer before its last row.
    this.#meter?.stop();
    this.#meter = undefined;
    if (!this.#buffered.flush() && result.exit === 0) result = { ...result, exit: 23, error: "Failed writing body" };
    report.exit = result.exit;
    report.error = result.error;
    this.#finish(report, result);
    return result;
  }

  *#fetchFtp(url: CurlUrl, output: string | undefined, report: TransferReport): Running<TransferResult> {
    if (this.#options.urls.filter((text) => text.startsWith("ftp:")).length > 1)
      return { exit: 1, error: "More than one FTP URL is not supported by the simulated curl", head: undefined, isReusable: false, isRefused: false };
    const path = this.#options.usesRemoteName && output === undefined ? url.target.split("/").pop() : output;
    this.#outputText = "";
    report.output = path;
    const result = yield* new FtpTransfer(this.#context, this.#options, this.#numbers, report, this.#sinks(path, report)).run(url);
    return path !== undefined && path !== "-" && (result.exit === 0 || report.bodyBytes > 0) ? this.#store(path, result) : result;
  }

  /** Follows redirects when asked to. */
  *#transfer(first: CurlUrl, output: string | undefined, upload: Uint8Array | undefined, report: TransferReport): Running<TransferResult> {
    const options = this.#options;
    const path = options.usesRemoteName && output === undefined ? (first.target.split("?")[0] ?? "").split("/").pop() : output;
    if (options.usesRemoteName && output === undefined && (path === undefined || path === "")) {
      return { exit: 23, error: "Remote file name has no length!", head: undefined, isReusable: false, isRefused: false };
    }
    report.output = path;
    this.#outputText = "";
    let url = first;
    let method = options.method;
    let hasBody = true;
    for (;;) {
      report.effectiveUrl = url.href;
      const transfer = new CurlTransfer(this.#context, options, this.#connections, this.#numbers);
      const follows = (status: number): boolean => options.follows && status >= 300 && status < 400 && status !== 304;
      const result = yield* transfer.run(
        url,
        { method, hasBody, upload, ignoresBody: (head) => follows(head.status) && head.field("location") !== undefined },
        report,
        this.#sinks(path, report),
      );
      const location = result.head?.field("location");
      if (result.exit === 0 && location !== undefined && result.head !== undefined) {
        const next = joinUrl(url, location);
        if (follows(result.head.status)) {
          const target = parseUrl(next, options.isPathAsIs);
          if (report.redirects >= options.maxRedirects) return { ...result, exit: 47, error: `Maximum (${options.maxRedirects}) redirects followed` };
          if (!target.ok) return { ...result, exit: target.exit, error: target.message };
          this.#log(`* Issue another request to this URL: '${next}'\n`);
          report.redirects++;
          report.bodyBytes = 0;
          if (result.head.status <= 303 && hasBody && options.data !== undefined && result.head.status !== 300) {
            hasBody = false;
            if (result.head.status === 303) method = undefined;
          }
          url = target.url;
          continue;
        }
        report.redirectUrl = next;
      }
      if (path !== undefined && path !== "-" && (result.exit === 0 || report.bodyBytes > 0)) return this.#store(path, result);
      return result;
    }
  }

  #sinks(path: string | undefined, report: TransferReport): TransferSinks {
    const toFile = path !== undefined && path !== "-";
    const write = (text: string): boolean => {
      if (!toFile) return this.#buffered.write(text);
      this.#outputText += text;
      return true;
    };
    return {
      head: (text) => {
        if (this.#options.dumpHead === "-") this.#buffered.write(text);
        else if (this.#options.dumpHead !== undefined) this.#append(this.#options.dumpHead, text);
        if (this.#options.includesHead || this.#options.isHead) write(text);
      },
      body: (text) => write(printable(text)),
      log: (text) => this.#log(text),
      begin: () => {
        if (!this.#options.isSilent) this.#meter ??= new ProgressMeter(this.#context, report);
      },
      done: (isComplete) => this.#meter?.finish(isComplete),
    };
  }

  #append(path: string, text: string): void {
    try {
      this.#context.machine.files.write(this.#context.machine.files.resolve(this.#context.cwd, path), text);
    } catch {
      this.#error(`Warning: Failed to open ${path}\n`);
    }
  }

  /** Of data in a row only the first piece is told of (src/tool_cb_dbg.c). */
  #log(text: string): void {
    if (!this.#options.isVerbose) return;
    const isData = /^[{}] \[/.test(text);
    if (!isData || !this.#hasToldOfData) this.#context.stderr.write(text);
    this.#hasToldOfData = isData;
  }

  #store(path: string, result: TransferResult): TransferResult {
    try {
      const files = this.#context.machine.files;
      const absolute = files.resolve(this.#context.cwd, path);
      if (absolute !== "/dev/null") files.write(absolute, this.#outputText);
      return result;
    } catch {
      if (!this.#options.isSilent) this.#context.stderr.write(`Warning: Failed to open the file ${path}: No such file or directory\n`);
      return { ...result, exit: 23, error: "Failure writing output to destination" };
    }
  }

  #finish(report: TransferReport, result: TransferResult): void {
    const options = this.#options;
    if (result.error !== undefined) this.#error(`curl: (${result.exit}) ${result.error}\n`);
    if (options.writeOut === undefined) return;
    const format = options.writeOut.startsWith("@") ? (readDataFile(this.#context, options.writeOut.slice(1), "") ?? "") : options.writeOut;
    const out = formatWriteOut(format, report, (name) => result.head?.field(name));
    if (out.stdout !== "") this.#context.stdout.write(out.stdout);
    if (out.stderr !== "") this.#context.stderr.write(out.stderr);
  }
}

/** A URL that names no file gets the name of the local one (src/tool_operhlp.c:add_file_name_to_url). */
function withFileName(url: string, path: string): string {
  if (/[?#]/.test(url)) return url;
  const match = /^((?:[A-Za-z][A-Za-z0-9+.-]*:\/\/)?[^/]*)(\/(?:.*\/)?)?([^/]*)$/.exec(url);
  if (match === null || (match[2] !== undefined && match[3] !== "")) return url;
  return `${match[1]}${match[2] ?? "/"}${path.slice(path.lastIndexOf("/") + 1)}`;
}

/** UTF-8 becomes text again; bytes that are no UTF-8 stay one character each, as files keep them. */
function printable(text: string): string {
  if (!/[\x80-\xff]/.test(text)) return text;
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const decoded = utf8Text(bytes);
  return latin1(utf8Bytes(decoded)) === text ? decoded : text;
}

function newReport(url: string, urlNumber: number): TransferReport {
  return {
    urlNumber,
    url,
    effectiveUrl: url,
    method: "GET",
    scheme: /^https:/i.test(url) ? "HTTPS" : "HTTP",
    status: 0,
    httpVersion: "0",
    contentType: undefined,
    redirectUrl: undefined,
    referer: undefined,
    redirects: 0,
    connects: 0,
    fields: 0,
    expectedBytes: undefined,
    bodyBytes: 0,
    headBytes: 0,
    requestBytes: 0,
    uploadBytes: 0,
    localAddress: "",
    localPort: 0,
    remoteAddress: "",
    remotePort: 0,
    exit: 0,
    error: undefined,
    output: undefined,
    lookupNs: 0,
    connectNs: 0,
    secureNs: 0,
    preTransferNs: 0,
    startTransferNs: 0,
    redirectNs: 0,
    totalNs: 0,
  };
}

export const curlCommand: Command = { path: "/usr/bin/curl", run };
