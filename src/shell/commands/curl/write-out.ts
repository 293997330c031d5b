/**
 * curl's `--write-out`: variables and escapes.
 *
 * curl 7.88.1 src/tool_writeout.c, tool_writeout_json.c.
 */

/** What is known after one transfer. Times in nanoseconds since its start. */
export interface TransferReport {
  urlNumber: number;
  url: string;
  effectiveUrl: string;
  method: string;
  scheme: string;
  status: number;
  httpVersion: string;
  contentType: string | undefined;
  redirectUrl: string | undefined;
  referer: string | undefined;
  redirects: number;
  connects: number;
  fields: number;
  /** What the server says it will send, once it has. */
  expectedBytes: number | undefined;
  bodyBytes: number;
  headBytes: number;
  requestBytes: number;
  uploadBytes: number;
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
  exit: number;
  error: string | undefined;
  output: string | undefined;
  lookupNs: number;
  connectNs: number;
  /** The handshake of TLS was done. */
  secureNs: number;
  preTransferNs: number;
  startTransferNs: number;
  redirectNs: number;
  totalNs: number;
}

function fixed6(ns: number): string {
  const us = Math.trunc(ns / 1000);
  return `${Math.trunc(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, "0")}`;
}

function perSecond(bytes: number, ns: number): string {
  return ns > 0 ? String(Math.trunc((bytes * 1e9) / ns)) : "0";
}

type Value = { readonly text: string; readonly isText: boolean; readonly isAbsent?: boolean };

const asText = (text: string | undefined): Value => ({ text: text ?? "", isText: true, isAbsent: text === undefined });
const asNumber = (value: number | string): Value => ({ text: String(value), isText: false });

const VARIABLES: Readonly<Record<string, (r: TransferReport) => Value>> = {
  certs: () => ({ text: "", isText: true }),
  content_type: (r) => asText(r.contentType),
  errormsg: (r) => asText(r.error),
  exitcode: (r) => asNumber(r.exit),
  filename_effective: (r) => asText(r.output),
  ftp_entry_path: () => asText(undefined),
  http_code: (r) => asNumber(r.status),
  http_connect: () => asNumber(0),
  http_version: (r) => ({ text: r.httpVersion, isText: true }),
  local_ip: (r) => ({ text: r.localAddress, isText: true }),
  local_port: (r) => asNumber(r.localPort),
  method: (r) => ({ text: r.method, isText: true }),
  num_certs: () => asNumber(0),
  num_connects: (r) => asNumber(r.connects),
  num_headers: (r) => asNumber(r.fields),
  num_redirects: (r) => asNumber(r.redirects),
  proxy_ssl_verify_result: () => asNumber(0),
  redirect_url: (r) => asText(r.redirectUrl),
  referer: (r) => asText(r.referer),
  remote_ip: (r) => ({ text: r.remoteAddress, isText: true }),
  remote_port: (r) => asNumber(r.remotePort),
  response_code: (r) => asNumber(r.status),
  scheme: (r) => ({ text: r.scheme, isText: true }),
  size_download: (r) => asNumber(r.bodyBytes),
  size_header: (r) => asNumber(r.headBytes),
  size_request: (r) => asNumber(r.requestBytes),
  size_upload: (r) => asNumber(r.uploadBytes),
  speed_download: (r) => asNumber(perSecond(r.bodyBytes, r.totalNs)),
  speed_upload: (r) => asNumber(perSecond(r.uploadBytes, r.totalNs)),
  ssl_verify_result: () => asNumber(0),
  time_appconnect: (r) => asNumber(fixed6(r.secureNs)),
  time_connect: (r) => asNumber(fixed6(r.connectNs)),
  time_namelookup: (r) => asNumber(fixed6(r.lookupNs)),
  time_pretransfer: (r) => asNumber(fixed6(r.preTransferNs)),
  time_redirect: (r) => asNumber(fixed6(r.redirectNs)),
  time_starttransfer: (r) => asNumber(fixed6(r.startTransferNs)),
  time_total: (r) => asNumber(fixed6(r.totalNs)),
  url: (r) => ({ text: r.url, isText: true }),
  url_effective: (r) => ({ text: r.effectiveUrl, isText: true }),
  urlnum: (r) => asNumber(r.urlNumber),
};

const JSON_VERSION =
  "libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13 brotli/1.0.9 zstd/1.5.4 libidn2/2.3.3 libpsl/0.21.2 (+libidn2/2.3.3) libssh2/1.10.0 nghttp2/1.52.0 librtmp/2.3 OpenLDAP/2.5.13";

/** Fills in a format; text meant for standard error comes apart. */
export function formatWriteOut(
  format: string,
  report: TransferReport,
  field: (name: string) => string | undefined,
): { readonly stdout: string; readonly stderr: string } {
  const out = { stdout: "", stderr: "" };
  let stream: "stdout" | "stderr" = "stdout";
  const pattern = /%%|%header\{([^}]*)\}|%\{([^}]*)\}|\\([rnt])|\\(.)|[^%\\]+|[%\\]/gs;
  for (const match of format.matchAll(pattern)) {
    const [whole, header, name, escaped] = match;
    if (whole === "%%") out[stream] += "%";
    else if (header !== undefined) out[stream] += field(header.toLowerCase()) ?? "";
    else if (name === "stderr" || name === "stdout") stream = name;
    else if (name === "json") out[stream] += json(report);
    else if (name === "onerror") {
      if (report.exit === 0) break;
    } else if (name !== undefined) {
      const variable = VARIABLES[name];
      if (variable === undefined) out.stderr += `curl: unknown --write-out variable: '${name}'\n`;
      else {
        const text = variable(report).text;
        out[stream] += name === "http_code" || name === "response_code" || name === "http_connect" ? text.padStart(3, "0") : text;
      }
    } else if (escaped !== undefined) out[stream] += escaped === "n" ? "\n" : escaped === "t" ? "\t" : "\r";
    else out[stream] += whole;
  }
  return out;
}

function json(report: TransferReport): string {
  const parts = Object.entries(VARIABLES).map(([name, read]) => {
    const value = read(report);
    return `"${name}":${value.isAbsent === true ? "null" : value.isText ? JSON.stringify(value.text) : value.text}`;
  });
  return `{${parts.join(",")},"curl_version":"${JSON_VERSION}"}`;
}
