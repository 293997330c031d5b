/**
 * What Apache answers to a request: static files below /var/www/html, byte for byte as httpd 2.4.71 with mpm_event, mod_dir and mod_authz_core.
 *
 * There is no mod_mime (files have no Content-Type), no mod_autoindex (a directory without index is not found) and no access control.
 */

import { utf8Bytes } from "../../base/bytes.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import { httpDate, parseHttpDate } from "../http-message.ts";
import type { Machine } from "../machine.ts";

export const DOCUMENT_ROOT = "/var/www/html";
export const APACHE = "Apache/2.4.71 (Debian)";
/** With mod_ssl loaded. */
export const APACHE_WITH_TLS = `${APACHE} OpenSSL/3.0.19`;
const ALLOWED = "HEAD,GET,POST,OPTIONS,TRACE";
/** Methods that Apache knows and the default handler refuses. */
const REFUSED_METHODS = new Set([
  "PUT",
  "DELETE",
  "PATCH",
  "CONNECT",
  "PROPFIND",
  "PROPPATCH",
  "MKCOL",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "VERSION-CONTROL",
  "CHECKOUT",
  "UNCHECKOUT",
  "CHECKIN",
  "UPDATE",
  "LABEL",
  "REPORT",
  "MKWORKSPACE",
  "MKACTIVITY",
  "BASELINE-CONTROL",
  "MERGE",
]);

export interface HttpRequest {
  readonly method: string;
  readonly target: string;
  /** 9, 10 or 11. */
  readonly version: number;
  readonly head: string;
  field(name: string): string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly reason: string;
  /** Fields between Server and the connection's own. */
  readonly fields: readonly string[];
  /** Fields after the connection's own: Apache puts the type of its error pages last. */
  readonly lastFields: readonly string[];
  readonly body: Uint8Array;
  /** The connection must not be used again. */
  readonly mustClose: boolean;
  readonly isChunked: boolean;
}

/** A page for a request that could not even be read. */
export function badRequest(): HttpResponse {
  return errorPage(400, "Bad Request", "Your browser sent a request that this server could not understand.<br />\n", [], true);
}

/** A page for a request that stopped half-way. */
export function requestTimeout(): HttpResponse {
  return errorPage(408, "Request Timeout", "Server timeout waiting for the HTTP request from the client.", [], true);
}

/** A bad request as well: that of a client that speaks no TLS on a port that does (mod_ssl). */
export function plainOnTls(): HttpResponse {
  return errorPage(
    400,
    "Bad Request",
    "Your browser sent a request that this server could not understand.<br />\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS scheme to access this URL, please.<br />\n",
    [],
    true,
  );
}

export function respond(machine: Machine, request: HttpRequest): HttpResponse {
  const { method } = request;
  const path = resolveTarget(request.target);
  if (path === undefined) return badRequest();
  if (request.version >= 11 && request.field("host") === undefined) return badRequest();
  if (method === "TRACE") return page(200, "OK", [], `${request.head}\r\n\r\n`, ["Content-Type: message/http"], true);
  if (method === "OPTIONS") return { ...page(200, "OK", [`Allow: ${ALLOWED}`], "", [], false) };
  if (REFUSED_METHODS.has(method))
    return errorPage(405, "Method Not Allowed", `The requested method ${escapeHtml(method)} is not allowed for this URL.`, [`Allow: ${ALLOWED}`], false);
  if (method !== "GET" && method !== "HEAD" && method !== "POST")
    return errorPage(501, "Not Implemented", `${escapeHtml(method)} not supported for current URL.<br />\n`, [`Allow: ${ALLOWED}`], true);
  return respondWithFile(machine, request, path);
}

function respondWithFile(machine: Machine, request: HttpRequest, path: string): HttpResponse {
  const file = DOCUMENT_ROOT + path;
  const status = path.includes("\0") ? undefined : machine.files.status(file === `${DOCUMENT_ROOT}/` ? DOCUMENT_ROOT : file.replace(/\/$/, ""));
  if (status === undefined) return notFound();
  if (status.type === "directory") {
    if (!path.endsWith("/")) {
      const host = request.field("host") ?? "localhost";
      const location = `http://${host}${request.target.split("?")[0]}/`;
      return errorPage(301, "Moved Permanently", `The document has moved <a href="${escapeHtml(location)}">here</a>.`, [`Location: ${location}`], false);
    }
    const index = machine.files.status(`${file}index.html`);
    return index?.type === "file" ? serve(machine, request, `${file}index.html`, index) : notFound();
  }
  return path.endsWith("/") ? notFound() : serve(machine, request, file, status);
}

function serve(machine: Machine, request: HttpRequest, file: string, status: { readonly modifiedAtNs: number }): HttpResponse {
  let text: string;
  try {
    text = machine.files.read(file);
  } catch {
    return errorPage(403, "Forbidden", "You don't have permission to access this resource.", [], false);
  }
  const body = utf8Bytes(text);
  const modified = machine.epochSeconds + Math.floor(status.modifiedAtNs / NS_PER_SECOND);
  const tag = entityTag(machine, status.modifiedAtNs, body.length);
  const fields = [`Last-Modified: ${httpDate(modified)}`, `ETag: ${tag}`, "Accept-Ranges: bytes"];
  if (isUnmodified(request, tag, modified))
    return { status: 304, reason: "Not Modified", fields: fields.slice(0, 2), lastFields: [], body: utf8Bytes(""), mustClose: false, isChunked: false };
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.field("range") ?? "");
  if (range !== null && request.method !== "HEAD" && (range[1] !== "" || range[2] !== "")) return servePart(fields, body, range[1] ?? "", range[2] ?? "");
  return { status: 200, reason: "OK", fields: [...fields, `Content-Length: ${body.length}`], lastFields: [], body, mustClose: false, isChunked: false };
}

function servePart(fields: readonly string[], body: Uint8Array, first: string, last: string): HttpResponse {
  const start = first === "" ? Math.max(body.length - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? body.length - 1 : Math.min(Number(last), body.length - 1);
  if (start >= body.length || end < start) {
    const text = "None of the range-specifier values in the Range\nrequest-header field overlap the current extent\nof the selected resource.";
    const answer = errorPage(416, "Requested Range Not Satisfiable", text, [], false);
    return { ...answer, fields: [], isChunked: true };
  }
  const part = body.subarray(start, end + 1);
  return {
    status: 206,
    reason: "Partial Content",
    fields: [...fields, `Content-Length: ${part.length}`, `Content-Range: bytes ${start}-${end}/${body.length}`],
    lastFields: [],
    body: part,
    mustClose: false,
    isChunked: false,
  };
}

/**
 * Size and modification time in microseconds; weak while the file could still change within the same second (ap_make_etag). Commands here take
 * no time where real ones take some tenths of a second, so that half a second is as long as a second there.
 */
function entityTag(machine: Machine, modifiedAtNs: number, size: number): string {
  const microseconds = BigInt(machine.epochSeconds) * 1_000_000n + BigInt(Math.floor(modifiedAtNs / 1000));
  const age = machine.host.loop.nowNs - modifiedAtNs;
  const isWeak = age <= NS_PER_SECOND / 2;
  return `${isWeak ? "W/" : ""}"${size.toString(16)}-${microseconds.toString(16)}"`;
}

function isUnmodified(request: HttpRequest, tag: string, modified: number): boolean {
  if (request.method !== "GET" && request.method !== "HEAD") return false;
  const match = request.field("if-none-match");
  if (match !== undefined) return match.trim() === "*" || match.split(",").some((part) => part.trim().replace(/^W\//, "") === tag.replace(/^W\//, ""));
  const since = parseHttpDate(request.field("if-modified-since") ?? "");
  return since !== undefined && since >= modified;
}

function notFound(): HttpResponse {
  return errorPage(404, "Not Found", "The requested URL was not found on this server.", [], false);
}

function errorPage(status: number, reason: string, text: string, fields: readonly string[], mustClose: boolean): HttpResponse {
  const body = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n<html><head>\n<title>${status} ${reason}</title>\n</head><body>\n<h1>${reason}</h1>\n<p>${text}</p>\n</body></html>\n`;
  return { ...page(status, reason, fields, body, ["Content-Type: text/html; charset=iso-8859-1"], false), mustClose };
}

function page(status: number, reason: string, fields: readonly string[], text: string, lastFields: readonly string[], isChunked: boolean): HttpResponse {
  const body = utf8Bytes(text);
  return { status, reason, fields: isChunked ? fields : [...fields, `Content-Length: ${body.length}`], lastFields, body, mustClose: false, isChunked };
}

/** The decoded path of a request target; undefined when Apache calls the request bad (ap_unescape_url, ap_normalize_path). */
function resolveTarget(target: string): string | undefined {
  const path = target.replace(/^http:\/\/[^/]*/i, "").split("?")[0] ?? "";
  if (path === "*") return "/";
  if (!path.startsWith("/") || /%(?![0-9a-fA-F]{2})/.test(path)) return undefined;
  // An encoded slash is never a separator here (AllowEncodedSlashes Off): such a name is not found.
  if (/%2f/i.test(path) || /%00/.test(path)) return "/\0";
  const decoded = path.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const out: string[] = [];
  const parts = decoded.split("/").slice(1);
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1;
    if (part === "..") {
      if (out.length === 0) return undefined;
      out.pop();
    } else if (part !== "." && part !== "") out.push(part);
    if (isLast && (part === "" || part === "." || part === "..")) return `/${out.join("/")}${out.length > 0 ? "/" : ""}`;
  }
  return `/${out.join("/")}`;
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** The whole answer as bytes. `connectionFields` are what keep-alive adds, `atNs` is when the request came. */
export function encodeResponse(
  machine: Machine,
  response: HttpResponse,
  options: { readonly connectionFields: readonly string[]; readonly isHead: boolean; readonly server: string; readonly atNs: number },
): Uint8Array {
  const now = machine.epochSeconds + Math.floor(options.atNs / NS_PER_SECOND);
  // A HEAD request for an error page is answered without a length.
  const fields = options.isHead && response.status >= 300 ? response.fields.filter((field) => !field.startsWith("Content-Length:")) : response.fields;
  const lines = [`HTTP/1.1 ${response.status} ${response.reason}`, `Date: ${httpDate(now)}`, `Server: ${options.server}`, ...fields];
  if (response.isChunked && !options.isHead) lines.push(...options.connectionFields, "Transfer-Encoding: chunked");
  else lines.push(...options.connectionFields);
  lines.push(...response.lastFields);
  const head = utf8Bytes(`${lines.join("\r\n")}\r\n\r\n`);
  if (options.isHead || response.body.length === 0) return head;
  const parts = response.isChunked
    ? [head, utf8Bytes(`${response.body.length.toString(16)}\r\n`), response.body, utf8Bytes("\r\n0\r\n\r\n")]
    : [head, response.body];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
