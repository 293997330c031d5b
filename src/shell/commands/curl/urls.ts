/**
 * URLs as curl takes them: globs, missing schemes, ports, user names, fragments, dot segments.
 *
 * curl 7.88.1 src/tool_urlglob.c, lib/urlapi.c.
 */

const EXPANSIONS_MAX = 10_000;

export interface CurlUrl {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly hasPort: boolean;
  readonly user: string | undefined;
  /** Path and query, starting with a slash. */
  readonly target: string;
  /** As write-out shows it. */
  readonly href: string;
}

export type UrlResult = { readonly ok: true; readonly url: CurlUrl } | { readonly ok: false; readonly exit: number; readonly message: string };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ftp: 21 };

export function parseUrl(text: string, keepsDots: boolean): UrlResult {
  const trimmed = text.trim();
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(?:([^@/?#]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::([^/?#]*))?([/?#].*)?$/.exec(trimmed);
  if (match === null || trimmed === "" || /[\s]/.test(trimmed)) return { ok: false, exit: 3, message: "URL using bad/illegal format or missing URL" };
  const scheme = (match[1] ?? "http").toLowerCase();
  if (DEFAULT_PORTS[scheme] === undefined) return { ok: false, exit: 1, message: `Protocol "${scheme}" not supported or disabled in libcurl` };
  const host = match[3] ?? "";
  const portText = match[4] ?? "";
  if (host === "" || (portText !== "" && (!/^\d+$/.test(portText) || Number(portText) > 65535)))
    return { ok: false, exit: 3, message: host === "" ? "URL using bad/illegal format or missing URL" : "URL using bad/illegal format or missing URL" };
  const port = portText === "" ? (DEFAULT_PORTS[scheme] ?? 80) : Number(portText);
  let target = (match[5] ?? "/").replace(/#.*$/, "");
  if (!target.startsWith("/")) target = `/${target}`;
  if (!keepsDots) target = removeDots(target);
  const authority = portText === "" ? host : `${host}:${portText}`;
  return { ok: true, url: { scheme, host, port, hasPort: port !== DEFAULT_PORTS[scheme], user: match[2], target, href: `${scheme}://${authority}${target}` } };
}

/** RFC 3986 section 5.2.4. */
function removeDots(target: string): string {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  const out: string[] = [];
  const parts = path.split("/").slice(1);
  for (const [i, part] of parts.entries()) {
    if (part === "..") out.pop();
    else if (part !== ".") out.push(part);
    if (i === parts.length - 1 && (part === "." || part === "..")) out.push("");
  }
  return `/${out.join("/")}${query < 0 ? "" : target.slice(query)}`;
}

/** The URL that a redirect leads to. */
export function joinUrl(base: CurlUrl, location: string): string {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(location)) return location;
  const origin = `${base.scheme}://${base.host}${base.hasPort ? `:${base.port}` : ""}`;
  if (location.startsWith("//")) return `${base.scheme}:${location}`;
  if (location.startsWith("/")) return origin + location;
  const path = base.target.split("?")[0] ?? "/";
  if (location.startsWith("?")) return origin + path + location;
  return origin + path.slice(0, path.lastIndexOf("/") + 1) + location;
}

/** Expands `[1-5]`, `[a-c:2]` and `{a,b}`; an error text when the pattern is wrong. */
export function expandGlob(text: string): readonly string[] | string {
  let results = [""];
  for (let i = 0; i < text.length; ) {
    const character = text[i] ?? "";
    let options: string[];
    if (character === "\\" && i + 1 < text.length) {
      options = [text[i + 1] ?? ""];
      i += 2;
    } else if (character === "{") {
      const end = text.indexOf("}", i);
      if (end < 0) return globError("unmatched brace", text, i);
      options = text.slice(i + 1, end).split(",");
      i = end + 1;
    } else if (character === "[") {
      const range = /^\[(\d+|[a-zA-Z])-(\d+|[a-zA-Z])(?::(\d+))?\]/.exec(text.slice(i));
      const values = range === null ? undefined : rangeValues(range[1] ?? "", range[2] ?? "", Number(range[3] ?? 1));
      if (range === null || values === undefined) return globError("bad range", text, i);
      options = values;
      i += range[0].length;
    } else {
      options = [character];
      i++;
    }
    if (results.length * options.length > EXPANSIONS_MAX) return globError("range overflow", text, i);
    results = results.flatMap((prefix) => options.map((option) => prefix + option));
  }
  return results;
}

function rangeValues(low: string, high: string, step: number): string[] | undefined {
  const isNumeric = /^\d+$/.test(low);
  if (isNumeric !== /^\d+$/.test(high) || step < 1) return undefined;
  const first = isNumeric ? Number(low) : low.charCodeAt(0);
  const last = isNumeric ? Number(high) : high.charCodeAt(0);
  if (last < first || (last - first) / step > EXPANSIONS_MAX) return undefined;
  const width = isNumeric && low.startsWith("0") ? low.length : 1;
  const out: string[] = [];
  for (let value = first; value <= last; value += step) out.push(isNumeric ? String(value).padStart(width, "0") : String.fromCharCode(value));
  return out;
}

function globError(what: string, text: string, at: number): string {
  return `curl: (3) ${what} in URL position ${at + 1}:\n${text}\n${" ".repeat(at)}^\n`;
}
