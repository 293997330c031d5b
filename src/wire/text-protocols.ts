/**
 * Lines of text in TCP payloads, as tcpdump shows them for HTTP, FTP and SMTP. The port alone decides.
 *
 * tcpdump 4.99.3 print.c (txtproto_print, print_txt_line), print-http.c, print-ftp.c, print-smtp.c, print-ssh.c.
 */

import type { TcpSegment } from "./packet.ts";
import type { PrintOptions } from "./print.ts";

interface TextProtocol {
  readonly name: string;
  /** First words of requests; undefined: every line is shown. */
  readonly commands: readonly string[] | undefined;
  /** The number of a response is its second word (HTTP) instead of its first. */
  readonly isCodeSecond: boolean;
}

const HTTP: TextProtocol = {
  name: "HTTP",
  commands: [
    "GET",
    "PUT",
    "COPY",
    "HEAD",
    "LOCK",
    "MOVE",
    "POLL",
    "POST",
    "BCOPY",
    "BMOVE",
    "MKCOL",
    "TRACE",
    "LABEL",
    "MERGE",
    "DELETE",
    "SEARCH",
    "UNLOCK",
    "REPORT",
    "UPDATE",
    "NOTIFY",
    "BDELETE",
    "CONNECT",
    "OPTIONS",
    "CHECKIN",
    "PROPFIND",
    "CHECKOUT",
    "CCM_POST",
    "SUBSCRIBE",
    "PROPPATCH",
    "BPROPFIND",
    "BPROPPATCH",
    "UNCHECKOUT",
    "MKACTIVITY",
    "MKWORKSPACE",
    "UNSUBSCRIBE",
    "RPC_CONNECT",
    "VERSION-CONTROL",
    "BASELINE-CONTROL",
  ],
  isCodeSecond: true,
};

const FTP: TextProtocol = {
  name: "FTP",
  commands: [
    "ACCT",
    "ALLO",
    "APPE",
    "CWD",
    "DELE",
    "EPRT",
    "EPSV",
    "HELP",
    "LIST",
    "MDTM",
    "MKD",
    "MLSD",
    "MLST",
    "MODE",
    "NLST",
    "NOOP",
    "PASS",
    "PASV",
    "PORT",
    "PWD",
    "QUIT",
    "REIN",
    "REST",
    "RETR",
    "RMD",
    "RNFR",
    "RNTO",
    "SITE",
    "SIZE",
    "SMNT",
    "STAT",
    "STOR",
    "STOU",
    "STRU",
    "SYST",
    "TYPE",
    "USER",
  ],
  isCodeSecond: false,
};

const SMTP: TextProtocol = { name: "SMTP", commands: undefined, isCodeSecond: false };

const SSH: TextProtocol = { name: "SSH", commands: undefined, isCodeSecond: false };

const BY_PORT: ReadonlyMap<number, TextProtocol> = new Map([
  [21, FTP],
  [25, SMTP],
  [22, SSH],
  [80, HTTP],
  [8080, HTTP],
  [3128, HTTP],
]);
const TOKEN_MAX = 32;

/** `: HTTP: GET / HTTP/1.1`, or with -v all the lines; empty for other ports. */
export function formatTcpText(segment: TcpSegment, options: PrintOptions): string {
  const protocol = BY_PORT.get(segment.srcPort) ?? BY_PORT.get(segment.dstPort);
  if (protocol === undefined) return "";
  if (protocol === SSH) return formatSsh(segment.payload);
  const { payload } = segment;
  const bytes = payload.subarray(0, Math.max(payload.length - (options.cutBytes ?? 0), 0));
  if (!isRequestOrResponse(bytes, protocol)) return `: ${protocol.name}`;
  if (options.verbosity === 0) {
    const line = textLine(bytes, 0, protocol.name);
    return line === undefined ? `: ${protocol.name}` : `: ${protocol.name}: ${line.text}`;
  }
  let text = `: ${protocol.name}, length: ${payload.length}`;
  for (let at = 0; at < bytes.length; ) {
    const line = textLine(bytes, at, protocol.name);
    if (line === undefined) break;
    if (line.isLast && bytes.length < payload.length) return `${text}\n\t [|${protocol.name.toLowerCase()}]`;
    text += `\n\t${line.text}`;
    at = line.next;
  }
  return text;
}

/** print-ssh.c: the version line only. */
function formatSsh(bytes: Uint8Array): string {
  const line = textLine(bytes, 0, "ssh");
  return line !== undefined && /^SSH-/.test(line.text) ? `: SSH: ${line.text}` : "";
}

function isRequestOrResponse(bytes: Uint8Array, protocol: TextProtocol): boolean {
  if (protocol.commands === undefined) return true;
  const first = token(bytes, 0);
  if (first === undefined) return false;
  if (protocol.commands.includes(first.text.toUpperCase())) return true;
  const code = protocol.isCodeSecond ? token(bytes, first.next) : first;
  return code !== undefined && /^\d{3}$/.test(code.text);
}

/** print.c:parse_token: printable characters up to a blank, then the blanks behind. */
function token(bytes: Uint8Array, from: number): { readonly text: string; readonly next: number } | undefined {
  let text = "";
  let at = from;
  while (at < bytes.length && !isSpace(bytes[at] as number)) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    if (text.length < TOKEN_MAX) text += String.fromCharCode(byte);
    at++;
  }
  if (text === "") return undefined;
  while (at < bytes.length && isSpace(bytes[at] as number)) at++;
  return { text, next: at };
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13);
}

/** print.c:print_txt_line: one printable line without its end; undefined when something else comes before the end. */
function textLine(bytes: Uint8Array, from: number, name: string): { readonly text: string; readonly next: number; readonly isLast: boolean } | undefined {
  let text = "";
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 10) return { text, next: at + 1, isLast: false };
    if (byte === 13) {
      if (at + 1 >= bytes.length) return { text, next: at + 1, isLast: true };
      return bytes[at + 1] === 10 ? { text, next: at + 2, isLast: false } : undefined;
    }
    if ((byte < 0x20 || byte > 0x7e) && byte !== 9) return undefined;
    text += String.fromCharCode(byte);
  }
  return { text: `${text} [|${name.toLowerCase()}]`, next: bytes.length, isLast: true };
}
