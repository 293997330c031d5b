/**
 * The request that curl sends, byte for byte.
 *
 * curl 7.88.1 lib/http.c:Curl_http, Curl_add_custom_headers.
 */

import { utf8Bytes } from "../../../base/bytes.ts";
import type { CurlOptions } from "./options.ts";
import type { CurlUrl } from "./urls.ts";

const EXPECT_THRESHOLD_BYTES = 1024 * 1024;
/** A form of this size or more leaves after the head, not with it (MAX_INITIAL_POST_SIZE). */
const INITIAL_POST_BYTES = 64 * 1024;

export interface CurlRequest {
  readonly method: string;
  readonly head: string;
  readonly body: Uint8Array | undefined;
  readonly expectsContinue: boolean;
  /** Head and body leave in one write. */
  readonly isOneWrite: boolean;
}

/** `method` and `hasBody` differ from the options' after a redirect. */
export function buildRequest(
  options: CurlOptions,
  url: CurlUrl,
  how: { readonly method: string | undefined; readonly hasBody: boolean; readonly isFirst: boolean; readonly upload: Uint8Array | undefined },
): CurlRequest {
  const custom = customFields(options.fields);
  const isPost = how.hasBody && options.data !== undefined && !options.isGet;
  const method = how.method ?? (options.isHead ? "HEAD" : how.upload !== undefined ? "PUT" : isPost ? "POST" : "GET");
  let target = url.target;
  if (options.isGet && options.data !== undefined) target += `${target.includes("?") ? "&" : "?"}${options.data}`;
  const lines = [`${method} ${target} HTTP/${options.isHttp10 ? "1.0" : "1.1"}`];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && !custom.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  };
  const host = custom.get("host");
  if (host === undefined) lines.push(`Host: ${url.host}${url.hasPort ? `:${url.port}` : ""}`);
  else if (host !== null) lines.push(`Host: ${host}`);
  const user = options.user ?? url.user;
  if (user !== undefined) add("Authorization", `Basic ${base64(utf8Bytes(user.includes(":") ? user : `${user}:`))}`);
  if (options.range !== undefined) add("Range", `bytes=${options.range}`);
  if (options.userAgent !== "") add("User-Agent", options.userAgent ?? "curl/7.88.1");
  add("Accept", "*/*");
  if (options.referer !== undefined) add("Referer", options.referer);
  if (options.cookie?.includes("=") === true) add("Cookie", options.cookie);
  for (const field of options.fields) {
    const line = customLine(field);
    if (line !== undefined && !/^host:/i.test(line)) lines.push(line);
  }
  let body: Uint8Array | undefined;
  let expectsContinue = false;
  const mayExpect = !options.isHttp10 && !custom.has("expect");
  if (how.upload !== undefined) {
    body = how.upload;
    add("Content-Length", String(body.length));
    expectsContinue = body.length > 0 && mayExpect;
  } else if (isPost) {
    body = utf8Bytes(options.data ?? "");
    add("Content-Length", String(body.length));
    add("Content-Type", "application/x-www-form-urlencoded");
    expectsContinue = body.length > EXPECT_THRESHOLD_BYTES && mayExpect;
  }
  if (expectsContinue) lines.push("Expect: 100-continue");
  const isOneWrite = how.upload === undefined && !expectsContinue && (body?.length ?? 0) < INITIAL_POST_BYTES;
  return { method, head: `${lines.join("\r\n")}\r\n\r\n`, body, expectsContinue, isOneWrite };
}

/** Lower-case names to values; null removes a field that curl would send. */
function customFields(fields: readonly string[]): Map<string, string | null> {
  const map = new Map<string, string | null>();
  for (const field of fields) {
    const match = /^([^:;]+)([:;])\s*(.*)$/.exec(field);
    if (match === null) continue;
    map.set((match[1] ?? "").toLowerCase(), match[2] === ":" && match[3] === "" ? null : (match[3] ?? ""));
  }
  return map;
}

function customLine(field: string): string | undefined {
  const match = /^([^:;]+)([:;])\s*(.*)$/.exec(field);
  if (match === null) return undefined;
  if (match[2] === ";") return match[3] === "" ? `${match[1]}:` : undefined;
  return match[3] === "" ? undefined : field;
}

function base64(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i] ?? 0;
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    out += alphabet.charAt(a >> 2) + alphabet.charAt(((a & 3) << 4) | ((b ?? 0) >> 4));
    out += b === undefined ? "==" : alphabet.charAt(((b & 15) << 2) | ((c ?? 0) >> 6)) + (c === undefined ? "=" : alphabet.charAt(c & 63));
  }
  return out;
}
