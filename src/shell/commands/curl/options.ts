/**
 * curl's command line: short options in bunches, long options in any unique beginning, `--no-` forms.
 *
 * curl 7.88.1 src/tool_getparam.c. What the simulator cannot do (proxies, client certificates, other protocols, configuration files) is refused by name.
 */

export interface CurlOptions {
  urls: string[];
  outputs: string[];
  usesRemoteName: boolean;
  isSilent: boolean;
  showsError: boolean;
  fails: boolean;
  failsWithBody: boolean;
  isVerbose: boolean;
  includesHead: boolean;
  /** -N: the output is not gathered. */
  isUnbuffered: boolean;
  isHead: boolean;
  method: string | undefined;
  fields: string[];
  data: string | undefined;
  /** Files of -T, one for each URL. */
  uploads: string[];
  /** Data goes into the query (-G). */
  isGet: boolean;
  writeOut: string | undefined;
  follows: boolean;
  maxRedirects: number;
  maxTimeNs: number | undefined;
  connectTimeoutNs: number | undefined;
  interface: string | undefined;
  localPort: { readonly low: number; readonly high: number } | undefined;
  retries: number;
  retryDelaySeconds: number | undefined;
  retriesRefused: boolean;
  userAgent: string | undefined;
  referer: string | undefined;
  user: string | undefined;
  range: string | undefined;
  cookie: string | undefined;
  isHttp10: boolean;
  isHttp09Allowed: boolean;
  isGlobOff: boolean;
  isPathAsIs: boolean;
  keepAliveSeconds: number | undefined;
  usesNoDelay: boolean;
  resolves: { readonly host: string; readonly port: string; readonly address: string }[];
  failsEarly: boolean;
  dumpHead: string | undefined;
  /** FTP: EPSV before PASV. */
  usesEpsv: boolean;
  /** -k: every certificate will do. */
  isInsecure: boolean;
}

/** How an option is stored. `value`: it takes one. */
type Rule =
  | {
      readonly name: string;
      readonly short?: string;
      readonly value: (options: CurlOptions, value: string, read: (path: string) => string | undefined) => string | undefined;
    }
  | { readonly name: string; readonly short?: string; readonly flag: (options: CurlOptions, isOn: boolean) => void }
  | { readonly name: string; readonly short?: string; readonly unsupported: "flag" | "value" };

/** An error that ends curl with exit status 2, in curl's words; `help` and `version` end it with 0. */
export type ParseResult =
  | { readonly kind: "run"; readonly options: CurlOptions }
  | { readonly kind: "error"; readonly text: string }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

const TRY_HELP = "curl: try 'curl --help' or 'curl --manual' for more information\n";

function seconds(value: string): number | undefined {
  return /^\d+(\.\d*)?$|^\.\d+$/.test(value) ? Math.round(Number(value) * 1e9) : undefined;
}

function joinData(options: CurlOptions, part: string): void {
  options.data = options.data === undefined ? part : `${options.data}&${part}`;
}

function dataFrom(value: string, read: (path: string) => string | undefined, isBinary: boolean): string | undefined {
  if (!value.startsWith("@")) return value;
  const text = read(value.slice(1));
  return text === undefined || isBinary ? text : text.replace(/[\r\n\0]/g, "");
}

function countOf(store: (options: CurlOptions, count: number) => void): (options: CurlOptions, value: string) => string | undefined {
  return (options, value) => {
    if (!/^\d+$/.test(value)) return "expected a proper numerical parameter";
    store(options, Number(value));
    return undefined;
  };
}

function timeOf(store: (options: CurlOptions, ns: number) => void): (options: CurlOptions, value: string) => string | undefined {
  return (options, value) => {
    const ns = seconds(value);
    if (ns === undefined) return "expected a proper numerical parameter";
    store(options, ns);
    return undefined;
  };
}

function text(store: (options: CurlOptions, value: string) => void): (options: CurlOptions, value: string) => undefined {
  return (options, value) => {
    store(options, value);
    return undefined;
  };
}

const RULES: readonly Rule[] = [
  { name: "url", value: text((o, v) => o.urls.push(v)) },
  { name: "output", short: "o", value: text((o, v) => o.outputs.push(v)) },
  { name: "remote-name", short: "O", flag: (o, on) => (o.usesRemoteName = on) },
  { name: "silent", short: "s", flag: (o, on) => (o.isSilent = on) },
  { name: "show-error", short: "S", flag: (o, on) => (o.showsError = on) },
  { name: "fail", short: "f", flag: (o, on) => (o.fails = on) },
  { name: "fail-with-body", flag: (o, on) => (o.failsWithBody = on) },
  { name: "fail-early", flag: (o, on) => (o.failsEarly = on) },
  { name: "verbose", short: "v", flag: (o, on) => (o.isVerbose = on) },
  { name: "include", short: "i", flag: (o, on) => (o.includesHead = on) },
  {
    name: "upload-file",
    short: "T",
    value: (o, v) => {
      if (v === "-" || v === "." || /[{}[\]]/.test(v)) return "the simulated curl uploads plain files only";
      o.uploads.push(v);
      return undefined;
    },
  },
  { name: "head", short: "I", flag: (o, on) => (o.isHead = on) },
  { name: "get", short: "G", flag: (o, on) => (o.isGet = on) },
  { name: "request", short: "X", value: text((o, v) => (o.method = v)) },
  { name: "header", short: "H", value: text((o, v) => o.fields.push(v)) },
  {
    name: "data",
    short: "d",
    value: (o, v, read) => {
      const part = dataFrom(v, read, false);
      if (part === undefined) return `FILE ${v.slice(1)}`;
      joinData(o, part);
      return undefined;
    },
  },
  { name: "data-ascii", value: text((o, v) => joinData(o, v)) },
  { name: "data-raw", value: text((o, v) => joinData(o, v)) },
  {
    name: "data-binary",
    value: (o, v, read) => {
      const part = dataFrom(v, read, true);
      if (part === undefined) return `FILE ${v.slice(1)}`;
      joinData(o, part);
      return undefined;
    },
  },
  { name: "write-out", short: "w", value: text((o, v) => (o.writeOut = v)) },
  { name: "location", short: "L", flag: (o, on) => (o.follows = on) },
  { name: "max-redirs", value: countOf((o, n) => (o.maxRedirects = n)) },
  { name: "max-time", short: "m", value: timeOf((o, ns) => (o.maxTimeNs = ns)) },
  { name: "connect-timeout", value: timeOf((o, ns) => (o.connectTimeoutNs = ns)) },
  { name: "interface", value: text((o, v) => (o.interface = v)) },
  {
    name: "local-port",
    value: (o, v) => {
      const match = /^(\d+)(?:-(\d+))?$/.exec(v);
      if (match === null || Number(match[1]) > 65535) return "expected a proper numerical parameter";
      o.localPort = { low: Number(match[1]), high: Number(match[2] ?? match[1]) };
      return undefined;
    },
  },
  { name: "retry", value: countOf((o, n) => (o.retries = n)) },
  { name: "retry-delay", value: countOf((o, n) => (o.retryDelaySeconds = n)) },
  { name: "retry-max-time", value: countOf(() => undefined) },
  { name: "retry-connrefused", flag: (o, on) => (o.retriesRefused = on) },
  { name: "user-agent", short: "A", value: text((o, v) => (o.userAgent = v)) },
  { name: "referer", short: "e", value: text((o, v) => (o.referer = v)) },
  { name: "user", short: "u", value: text((o, v) => (o.user = v)) },
  { name: "range", short: "r", value: text((o, v) => (o.range = v)) },
  { name: "cookie", short: "b", value: text((o, v) => (o.cookie = v)) },
  { name: "http1.0", short: "0", flag: (o) => (o.isHttp10 = true) },
  { name: "http1.1", flag: (o) => (o.isHttp10 = false) },
  { name: "http0.9", flag: (o, on) => (o.isHttp09Allowed = on) },
  { name: "globoff", short: "g", flag: (o, on) => (o.isGlobOff = on) },
  { name: "path-as-is", flag: (o, on) => (o.isPathAsIs = on) },
  { name: "keepalive", flag: (o, on) => (o.keepAliveSeconds = on ? 60 : undefined) },
  { name: "keepalive-time", value: countOf((o, n) => (o.keepAliveSeconds = n)) },
  { name: "tcp-nodelay", flag: (o, on) => (o.usesNoDelay = on) },
  {
    name: "resolve",
    value: (o, v) => {
      const match = /^\+?([^:]+):(\d+):(.+)$/.exec(v);
      if (match !== null) o.resolves.push({ host: match[1] ?? "", port: match[2] ?? "", address: match[3] ?? "" });
      return undefined;
    },
  },
  { name: "dump-header", short: "D", value: text((o, v) => (o.dumpHead = v)) },
  // Accepted, and without effect here: there is only IPv4, no TLS, no proxy, no terminal, and a run starts without a configuration.
  {
    name: "insecure",
    short: "k",
    flag: (options, isOn) => {
      options.isInsecure = isOn;
    },
  },
  { name: "ipv4", short: "4", flag: () => undefined },
  { name: "no-buffer", short: "N", flag: (o, on) => (o.isUnbuffered = on) },
  { name: "buffer", flag: () => undefined },
  { name: "disable", short: "q", flag: () => undefined },
  { name: "epsv", flag: (o, on) => (o.usesEpsv = on) },
  { name: "disable-epsv", flag: (o, on) => (o.usesEpsv = !on) },
  { name: "ftp-pasv", flag: () => undefined },
  { name: "ftp-skip-pasv-ip", flag: () => undefined },
  { name: "ftp-port", short: "P", unsupported: "value" },
  { name: "noproxy", value: text(() => undefined) },
  { name: "compressed", flag: () => undefined },
  { name: "progress-meter", flag: () => undefined },
  { name: "styled-output", flag: () => undefined },
  { name: "raw", flag: () => undefined },
  { name: "limit-rate", unsupported: "value" },
  { name: "ipv6", short: "6", unsupported: "flag" },
  { name: "parallel", short: "Z", unsupported: "flag" },
  { name: "config", short: "K", unsupported: "value" },
  { name: "proxy", short: "x", unsupported: "value" },
  { name: "form", short: "F", unsupported: "value" },
  { name: "continue-at", short: "C", unsupported: "value" },
  { name: "cookie-jar", short: "c", unsupported: "value" },
  { name: "progress-bar", short: "#", unsupported: "flag" },
  { name: "cacert", unsupported: "value" },
  { name: "cert", short: "E", unsupported: "value" },
  { name: "unix-socket", unsupported: "value" },
  { name: "trace", unsupported: "value" },
  { name: "trace-ascii", unsupported: "value" },
  { name: "data-urlencode", unsupported: "value" },
  { name: "json", unsupported: "value" },
  { name: "http2", unsupported: "flag" },
  { name: "http3", unsupported: "flag" },
  { name: "quote", short: "Q", unsupported: "value" },
  { name: "speed-limit", short: "Y", unsupported: "value" },
  { name: "speed-time", short: "y", unsupported: "value" },
  { name: "time-cond", short: "z", unsupported: "value" },
  { name: "create-dirs", unsupported: "flag" },
];

export function newOptions(): CurlOptions {
  return {
    urls: [],
    outputs: [],
    usesRemoteName: false,
    isSilent: false,
    showsError: false,
    fails: false,
    failsWithBody: false,
    isVerbose: false,
    includesHead: false,
    isUnbuffered: false,
    isHead: false,
    method: undefined,
    fields: [],
    data: undefined,
    uploads: [],
    isGet: false,
    writeOut: undefined,
    follows: false,
    maxRedirects: 50,
    maxTimeNs: undefined,
    connectTimeoutNs: undefined,
    interface: undefined,
    localPort: undefined,
    retries: 0,
    retryDelaySeconds: undefined,
    retriesRefused: false,
    userAgent: undefined,
    referer: undefined,
    user: undefined,
    range: undefined,
    cookie: undefined,
    isHttp10: false,
    isHttp09Allowed: false,
    isGlobOff: false,
    isPathAsIs: false,
    keepAliveSeconds: 60,
    usesNoDelay: true,
    resolves: [],
    failsEarly: false,
    dumpHead: undefined,
    usesEpsv: true,
    isInsecure: false,
  };
}

export function parseCurl(args: readonly string[], read: (path: string) => string | undefined): ParseResult {
  if (args.length === 0) return { kind: "error", text: TRY_HELP };
  const options = newOptions();
  let onlyUrls = false;
  for (let i = 0; i < args.length; i++) {
    const argument = args[i] ?? "";
    if (onlyUrls || !argument.startsWith("-") || argument === "-") {
      options.urls.push(argument);
      continue;
    }
    if (argument === "--") {
      onlyUrls = true;
      continue;
    }
    if (argument === "--help" || argument === "-h") return { kind: "help" };
    if (argument === "--version" || argument === "-V") return { kind: "version" };
    const outcome = argument.startsWith("--") ? parseLong(options, argument, args[i + 1], read) : parseShort(options, argument, args[i + 1], read);
    if (typeof outcome === "string") return { kind: "error", text: outcome };
    if (outcome) i++;
  }
  if (options.urls.length === 0) return { kind: "error", text: `curl: no URL specified!\n${TRY_HELP}` };
  const rival = options.isHead ? "HEAD (-I, --head)" : options.isGet ? "GET (-G, --get)" : options.data !== undefined ? "POST (-d, --data)" : undefined;
  if (options.uploads.length > 0 && rival !== undefined) {
    const text = `Warning: You can only select one HTTP request method! You asked for both PUT \nWarning: (-T, --upload-file) and ${rival}.\n`;
    return { kind: "error", text: options.isSilent ? "" : text };
  }
  if (options.isHead && options.data !== undefined && !options.isGet) {
    return {
      kind: "error",
      text: "Warning: You can only select one HTTP request method! You asked for both POST \nWarning: (-d, --data) and HEAD (-I, --head).\n",
    };
  }
  return { kind: "run", options };
}

/** True when the next argument was used up; a string is the error. */
function parseLong(options: CurlOptions, argument: string, next: string | undefined, read: (path: string) => string | undefined): boolean | string {
  let name = argument.slice(2);
  let isOn = true;
  let rule = findLong(name);
  if (rule === undefined && name.startsWith("no-")) {
    name = name.slice(3);
    isOn = false;
    rule = findLong(name);
  }
  if (rule === undefined) return `curl: option ${argument}: is unknown\n${TRY_HELP}`;
  if (rule === "ambiguous") return `curl: option ${argument}: is ambiguous\n${TRY_HELP}`;
  return apply(options, rule, argument, isOn, next, true, read);
}

function findLong(name: string): Rule | "ambiguous" | undefined {
  const exact = RULES.find((rule) => rule.name === name);
  if (exact !== undefined) return exact;
  const matches = RULES.filter((rule) => rule.name.startsWith(name));
  return matches.length > 1 ? "ambiguous" : matches[0];
}

function parseShort(options: CurlOptions, argument: string, next: string | undefined, read: (path: string) => string | undefined): boolean | string {
  for (let i = 1; i < argument.length; i++) {
    const letter = argument[i] ?? "";
    const rule = RULES.find((candidate) => candidate.short === letter);
    if (rule === undefined) return `curl: option -${letter}: is unknown\n${TRY_HELP}`;
    const takesValue = "value" in rule || ("unsupported" in rule && rule.unsupported === "value");
    const rest = argument.slice(i + 1);
    if (takesValue) return apply(options, rule, argument, true, rest !== "" ? rest : next, rest === "", read);
    const outcome = apply(options, rule, `-${letter}`, true, undefined, false, read);
    if (typeof outcome === "string") return outcome;
  }
  return false;
}

function apply(
  options: CurlOptions,
  rule: Rule,
  shown: string,
  isOn: boolean,
  value: string | undefined,
  isNext: boolean,
  read: (path: string) => string | undefined,
): boolean | string {
  if ("flag" in rule) {
    rule.flag(options, isOn);
    return false;
  }
  const takesValue = "value" in rule || rule.unsupported === "value";
  if (takesValue && value === undefined) return `curl: option ${shown}: requires parameter\n${TRY_HELP}`;
  if ("unsupported" in rule) return `curl: option ${shown}: the simulated curl does not support this\n`;
  const error = rule.value(options, value ?? "", read);
  if (error?.startsWith("FILE ") === true) return `Warning: Couldn't read data from file "${error.slice(5)}", this makes an empty POST.\n`;
  if (error !== undefined) return `curl: option ${shown}: ${error}\n${TRY_HELP}`;
  return isNext;
}
