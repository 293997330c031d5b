/**
 * Whether a checker of a new configuration is one of the old: then it keeps what that one found.
 *
 * keepalived v2.2.7: the compare functions of check/check_tcp.c, check_http.c, check_misc.c, check_ping.c, check_udp.c.
 */

import { sameAddress } from "../config/addresses.ts";
import type { Checker, CheckKind, ConnectOptions, HttpUrl } from "../config/model.ts";

type HttpKind = Extract<CheckKind, { readonly type: "HTTP_GET" }>;

export function sameChecker(a: Checker, b: Checker): boolean {
  return sameKind(a.kind, b.kind) && sameConnection(a.connect, b.connect);
}

function sameConnection(a: ConnectOptions | undefined, b: ConnectOptions | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (!sameAddress(a.destination, b.destination) || a.mark !== b.mark) return false;
  if (a.bindTo === undefined || b.bindTo === undefined) return a.bindTo === b.bindTo;
  return sameAddress(a.bindTo, b.bindTo);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function sameKind(a: CheckKind, b: CheckKind): boolean {
  if (a.type === "MISC_CHECK" && b.type === "MISC_CHECK") return a.isDynamic === b.isDynamic && JSON.stringify(a.script?.args) === JSON.stringify(b.script?.args);
  if (a.type === "UDP_CHECK" && b.type === "UDP_CHECK")
    return sameBytes(a.payload, b.payload) && a.requiresReply === b.requiresReply && sameBytes(a.reply, b.reply) && sameBytes(a.replyMask, b.replyMask);
  if (a.type === "HTTP_GET" && b.type === "HTTP_GET") return sameHttp(a, b);
  if (a.type === "SMTP_CHECK" && b.type === "SMTP_CHECK") return a.helo === b.helo;
  if (a.type === "DNS_CHECK" && b.type === "DNS_CHECK") return a.recordType === b.recordType && a.name === b.name;
  // Each file is read anew.
  return a.type === b.type && a.type !== "FILE_CHECK";
}

function sameHttp(a: HttpKind, b: HttpKind): boolean {
  if (a.isSsl !== b.isSsl || a.virtualHost !== b.virtualHost || a.protocol !== b.protocol || a.urls.length !== b.urls.length) return false;
  return a.urls.every((url, i) => sameUrl(url, b.urls[i] as HttpUrl));
}

function sameUrl(a: HttpUrl, b: HttpUrl): boolean {
  return (
    a.path === b.path &&
    a.digest === b.digest &&
    a.virtualHost === b.virtualHost &&
    a.regex?.source === b.regex?.source &&
    a.regexMustNotMatch === b.regexMustNotMatch &&
    JSON.stringify(a.statusRanges) === JSON.stringify(b.statusRanges)
  );
}
