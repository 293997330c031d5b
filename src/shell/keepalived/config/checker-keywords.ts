/**
 * Keywords of the checkers inside a real server.
 *
 * keepalived v2.2.7 check/check_api.c, check_tcp.c, check_http.c, check_misc.c, check_ping.c, check_udp.c, check_dns.c, check_smtp.c,
 * check_file.c, check_bfd.c.
 */

import type { FileSystem } from "../../file-system.ts";
import { parseSocketAddress } from "./addresses.ts";
import type { Keyword } from "./keyword-stream.ts";
import { Checker, type CheckConfig, type CheckKind, type ConnectOptions, type GlobalConfig, type HttpUrl, type RealServer, type VirtualServer } from "./model.ts";
import { addStatusCodes, freshConnection, isUntouched, parseHex, regexOffset, setDigest, setFileWeight } from "./checker-values.ts";
import { checkScriptUser, defaultScriptUser, scriptWords } from "./scripts.ts";
import { parseTrueFalse, type Words } from "./words.ts";

const UINT_MAX = 4_294_967_295;
const US = 1_000_000;
const SMTP_DEFAULT_HELO = "smtpchecker.keepalived.org";
const DNS_TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, RRSIG: 46, DNSKEY: 48 } as const;

/** What the handlers of one reading share. */
export interface CheckerScope {
  readonly files: FileSystem;
  readonly global: GlobalConfig;
  readonly config: CheckConfig;
  /** The block that is being read. */
  server(): VirtualServer;
  real(): RealServer;
}

function booleanOf(words: Words, complaint: string): boolean | undefined {
  if (words.length < 2) return true;
  const value = parseTrueFalse(words.at(1));
  if (value === undefined) words.report.general(`${complaint} ${words.at(1)}`);
  return value;
}

class CheckerKeywords {
  readonly #scope: CheckerScope;
  #hasScriptUser = false;
  #regex: { pattern: string; options: Set<string> } | undefined;
  #isRemoved = false;

  constructor(scope: CheckerScope) {
    this.#scope = scope;
  }

  #queue(kind: CheckKind, connects: boolean, defaults: { readonly defaultRetry?: number; readonly defaultDelayBeforeRetryUs?: number } = {}): void {
    this.#scope.config.checkers.push(new Checker({ server: this.#scope.server(), real: this.#scope.real(), kind, connects, ...defaults }));
  }

  #current(): Checker {
    return this.#scope.config.checkers.at(-1) as Checker;
  }

  #connect(): ConnectOptions {
    return this.#current().connect as ConnectOptions;
  }

  #dequeue(): void {
    this.#scope.config.checkers.pop();
  }

  /** Options that all checkers have. */
  common(hasConnection: boolean): Keyword[] {
    const setting = (name: string, handle: (words: Words, checker: Checker) => void): Keyword => ({ name, handle: (words) => handle(words, this.#current()) });
    const list = [
      setting("retry", (words, checker) => {
        const value = words.unsigned(1, 0, UINT_MAX, true);
        if (value === undefined) words.report.general(`Invalid retry connection value '${words.at(1)}'`);
        else checker.retry = value;
      }),
      setting("delay_before_retry", (words, checker) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`Invalid delay_before_retry connection value '${words.at(1)}'`);
        else checker.delayBeforeRetryUs = value;
      }),
      setting("warmup", (words, checker) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`Invalid warmup connection value '${words.at(1)}'`);
        else checker.warmupUs = value;
      }),
      setting("delay_loop", (words, checker) => {
        const value = words.timer(1, 1, undefined, true);
        if (value === undefined) words.report.general(`delay_loop '${words.at(1)}' is invalid - ignoring`);
        else checker.delayLoopUs = value;
      }),
      setting("alpha", (words, checker) => {
        checker.isAlpha = booleanOf(words, "Invalid alpha parameter") ?? checker.isAlpha;
      }),
      setting("log_all_failures", (words, checker) => {
        checker.logsAllFailures = booleanOf(words, "Invalid log_all_failures parameter") ?? checker.logsAllFailures;
      }),
    ];
    return hasConnection ? [...this.#connection(), ...list] : list;
  }

  #connection(): Keyword[] {
    return [
      {
        name: "connect_ip",
        handle: (words) => {
          const connect = this.#connect();
          const address = parseSocketAddress(words.at(1), undefined, words.report);
          if (address === undefined) words.report.general(`Invalid connect_ip address ${words.at(1)} - ignoring`);
          else if (connect.bindTo !== undefined && connect.bindTo.family !== address.family)
            words.report.general(`connect_ip address ${words.at(1)} does not match address family of bindto - skipping`);
          else connect.destination = { ...address, port: connect.destination.port };
        },
      },
      {
        name: "connect_port",
        handle: (words) => {
          const port = words.unsigned(1, 1, 65535, true);
          if (port === undefined) words.report.general(`Invalid checker connect_port '${words.at(1)}'`);
          else this.#connect().destination = { ...this.#connect().destination, port };
        },
      },
      {
        name: "bindto",
        handle: (words) => {
          const connect = this.#connect();
          const address = parseSocketAddress(words.at(1), undefined, words.report);
          if (address === undefined) words.report.general(`Invalid bindto address ${words.at(1)} - ignoring`);
          else if (connect.destination.family !== address.family)
            words.report.general(`bindto address ${words.at(1)} does not match address family of connect_ip - skipping`);
          else connect.bindTo = address;
        },
      },
      {
        name: "bind_port",
        handle: (words) => {
          const port = words.unsigned(1, 1, 65535, true);
          if (port === undefined) words.report.general(`Invalid checker bind_port '${words.at(1)}'`);
          else this.#connect().bindPort = port;
        },
      },
      {
        name: "bind_if",
        handle: (words) => {
          if (words.at(1).length > 15) words.report.general(`Interface name ${words.at(1)} is too long - ignoring`);
          else this.#connect().bindDevice = words.at(1);
        },
      },
      {
        name: "connect_timeout",
        handle: (words) => {
          const value = words.timer(1, 1, UINT_MAX, true);
          if (value === undefined) words.report.general(`connect_timeout ${words.at(1)} invalid - ignoring`);
          else this.#connect().connectTimeoutUs = value;
        },
      },
      {
        name: "fwmark",
        handle: (words) => {
          const value = words.unsigned(1, 0, UINT_MAX, true);
          if (value === undefined) words.report.general(`Invalid fwmark connection value '${words.at(1)}'`);
          else this.#connect().mark = value;
        },
      },
    ];
  }

  tcp(): Keyword {
    return { name: "TCP_CHECK", handle: () => this.#queue({ type: "TCP_CHECK" }, true), sub: this.common(true) };
  }

  ping(): Keyword {
    return { name: "PING_CHECK", handle: () => this.#queue({ type: "PING_CHECK" }, true), sub: this.common(true) };
  }

  /* ---------------------------------------------------------------------------------------------------------- SMTP_CHECK */

  smtp(): Keyword {
    const kind = (): CheckKind & { type: "SMTP_CHECK" } => this.#current().kind as CheckKind & { type: "SMTP_CHECK" };
    let hosts: ConnectOptions[] = [];
    let saved: ConnectOptions | undefined;
    const fresh = (): ConnectOptions => freshConnection(this.#scope.real());
    return {
      name: "SMTP_CHECK",
      handle: () => {
        hosts = [];
        this.#queue({ type: "SMTP_CHECK", helo: undefined }, true);
      },
      sub: [
        {
          name: "helo_name",
          handle: (words) => {
            if (words.length < 2) words.report.general("SMTP_CHECK helo name missing");
            else kind().helo = words.value();
          },
        },
        ...this.common(true),
        {
          name: "host",
          handle: () => {
            saved = this.#current().connect;
            this.#current().connect = fresh();
          },
          sub: this.common(true),
          close: () => {
            hosts.push(this.#connect());
            this.#current().connect = saved;
          },
        },
      ],
      close: () => {
        kind().helo ??= SMTP_DEFAULT_HELO;
        if (hosts.length > 0) this.report?.log("The SMTP_CHECK host block is deprecated. Please define additional checkers.");
        const own = this.#connect();
        const first = this.#current();
        // Without a word about the connection itself, the first host takes its place.
        if (hosts.length > 0 && isUntouched(own, fresh())) first.connect = hosts.shift() as ConnectOptions;
        for (const connect of hosts) {
          this.#queue({ type: "SMTP_CHECK", helo: kind().helo }, true);
          const { isEnabled, isAlpha, retry, delayLoopUs, delayBeforeRetryUs, warmupUs, logsAllFailures } = first;
          Object.assign(this.#current(), { connect, isEnabled, isAlpha, retry, delayLoopUs, delayBeforeRetryUs, warmupUs, logsAllFailures });
        }
      },
    };
  }

  /* ----------------------------------------------------------------------------------------------------------- DNS_CHECK */

  dns(): Keyword {
    const kind = (): CheckKind & { type: "DNS_CHECK" } => this.#current().kind as CheckKind & { type: "DNS_CHECK" };
    return {
      name: "DNS_CHECK",
      handle: () => this.#queue({ type: "DNS_CHECK", recordType: DNS_TYPES.SOA, name: undefined }, true, { defaultRetry: 3, defaultDelayBeforeRetryUs: 0 }),
      sub: [
        ...this.common(true),
        {
          name: "type",
          handle: (words) => {
            const type = (DNS_TYPES as Readonly<Record<string, number>>)[words.at(1).toUpperCase()];
            if (type === undefined) words.report.general(`Unknown DNS check type ${words.at(1)} - ignoring`);
            else kind().recordType = type;
          },
        },
        {
          name: "name",
          handle: (words) => {
            const name = words.at(1);
            if (kind().name !== undefined) words.report.general("DNS_CHECK name already specified - ignoring");
            else if ((name.startsWith(".") && name !== ".") || name.includes("..")) words.report.general(`DNS_CHECK name '${name}' has empty label - ignoring`);
            else kind().name = name;
          },
        },
      ],
      close: () => {
        kind().name ??= "";
      },
    };
  }

  /* ---------------------------------------------------------------------------------------------------------- FILE_CHECK */

  file(): Keyword {
    const tracked = (): RealServer["trackFiles"] => this.#scope.real().trackFiles;
    return {
      name: "FILE_CHECK",
      handle: () => {
        tracked().push({ file: undefined, weight: undefined, isReversed: false });
      },
      sub: [
        {
          name: "track_file",
          handle: (words) => {
            const file = this.#scope.config.trackFiles.find((one) => one.name === words.at(1));
            const one = tracked().at(-1);
            if (file === undefined) words.report.general(`track_file ${words.at(1)} not found`);
            else if (one !== undefined) one.file = file;
          },
        },
        { name: "weight", handle: (words) => setFileWeight(words, tracked().at(-1)) },
      ],
      close: () => {
        const one = tracked().at(-1);
        if (one?.file === undefined) {
          this.report?.general("FILE_CHECK has no track_file specified - ignoring");
          tracked().pop();
        } else if (one.weight === undefined) Object.assign(one, { weight: one.file.weight, isReversed: one.file.isReversed });
      },
    };
  }

  /* ---------------------------------------------------------------------------------------------------------- MISC_CHECK */

  misc(): Keyword {
    const kind = (): CheckKind & { type: "MISC_CHECK" } => this.#current().kind as CheckKind & { type: "MISC_CHECK" };
    return {
      name: "MISC_CHECK",
      handle: () => {
        this.#hasScriptUser = false;
        this.#isRemoved = false;
        this.#queue({ type: "MISC_CHECK", script: undefined, timeoutUs: 0, isDynamic: false, lastExit: 0, lastRanNs: 0 }, false, { defaultRetry: 0 });
      },
      sub: [
        ...this.common(false),
        {
          name: "misc_path",
          handle: (words) => {
            if (this.#isRemoved) return;
            const args = scriptWords(words);
            if (args !== undefined) kind().script = { args, user: kind().script?.user ?? "root", hasInterpreter: true };
          },
        },
        {
          name: "misc_timeout",
          handle: (words) => {
            if (this.#isRemoved) return;
            const value = words.unsigned(1, 0, Math.floor(UINT_MAX / US), true);
            if (value === undefined) words.report.general(`Invalid misc_timeout value '${words.at(1)}'`);
            else kind().timeoutUs = value * US;
          },
        },
        {
          name: "misc_dynamic",
          handle: () => {
            if (!this.#isRemoved) kind().isDynamic = true;
          },
        },
        { name: "user", handle: (words) => this.#miscUser(words) },
      ],
      close: () => this.#miscEnd(),
    };
  }

  #miscUser(words: Words): void {
    if (this.#isRemoved) return;
    const { kind } = this.#current();
    const name = kind.type === "MISC_CHECK" ? (kind.script?.args.map((one) => `'${one}'`).join(" ") ?? "") : "";
    if (words.length < 2) {
      words.report.general(`No user specified for misc checker script ${name}`);
      return;
    }
    if (checkScriptUser(this.#scope.files, words.at(1), words.report)) {
      this.#hasScriptUser = true;
      return;
    }
    words.report.general(`Failed to set uid/gid for misc checker script ${name} - removing`);
    this.#dequeue();
    this.#isRemoved = true;
  }

  #miscEnd(): void {
    if (this.#isRemoved) return;
    const { kind } = this.#current();
    const { report } = this;
    if (kind.type !== "MISC_CHECK" || kind.script === undefined) {
      report?.general("No script path has been specified for MISC_CHECKER - skipping");
      this.#dequeue();
      return;
    }
    if (this.#hasScriptUser || report === undefined) return;
    if (defaultScriptUser(this.#scope.files, this.#scope.global, report) !== undefined) return;
    report.general(`Unable to set default user for misc script ${kind.script.args.map((one) => `'${one}'`).join(" ")} - removing`);
    this.#dequeue();
  }

  /** Set by whoever builds the keywords: block ends have no words to complain through. */
  report: Words["report"] | undefined;

  /* ----------------------------------------------------------------------------------------------------------- UDP_CHECK */

  udp(): Keyword {
    const kind = (): CheckKind & { type: "UDP_CHECK" } => this.#current().kind as CheckKind & { type: "UDP_CHECK" };
    return {
      name: "UDP_CHECK",
      handle: () =>
        this.#queue({ type: "UDP_CHECK", payload: undefined, requiresReply: false, reply: undefined, replyMask: undefined, replyMin: 0, replyMax: 255 }, true),
      sub: [
        ...this.common(true),
        {
          name: "payload",
          handle: (words) => {
            if (words.length === 1) words.report.general("UDP_CHECK payload requires a payload");
            else {
              const hex = parseHex(words.list.slice(1).join(" "), false);
              if (hex === undefined) words.report.general("Invalid hex string for UDP_CHECK payload");
              else kind().payload = hex.bytes;
            }
          },
        },
        {
          name: "require_reply",
          handle: (words) => {
            kind().requiresReply = true;
            if (words.length === 1) return;
            const hex = parseHex(words.list.slice(1).join(" "), true);
            if (hex === undefined) words.report.general("Invalid hex string for UDP_CHECK reply");
            else Object.assign(kind(), { reply: hex.bytes, replyMask: hex.mask });
          },
        },
        {
          name: "min_reply_length",
          handle: (words) => {
            const value = words.unsigned(1, 0, 65535, false);
            if (value === undefined) words.report.general(`UDP_CHECK min length ${words.at(1)} not valid - must be between 0 & 65535`);
            else kind().replyMin = value;
          },
        },
        {
          name: "max_reply_length",
          handle: (words) => {
            const value = words.unsigned(1, 0, 65535, false);
            if (value === undefined) words.report.general(`UDP_CHECK max length ${words.at(1)} not valid - must be between 0 & 65535`);
            else kind().replyMax = value;
          },
        },
      ],
      close: () => {
        const { replyMin, replyMax } = kind();
        if (replyMin > replyMax) this.report?.general(`UDP_CHECK min_reply length ${replyMin} > max_reply_length ${replyMax} - will always fail`);
      },
    };
  }

  /* ------------------------------------------------------------------------------------------------------------ HTTP_GET */

  http(name: "HTTP_GET" | "SSL_GET"): Keyword {
    const kind = (): CheckKind & { type: "HTTP_GET" } => this.#current().kind as CheckKind & { type: "HTTP_GET" };
    return {
      name,
      handle: () =>
        this.#queue(
          { type: "HTTP_GET", isSsl: name === "SSL_GET", protocol: "1.0", virtualHost: undefined, hasSni: false, isFastRecovery: false, urls: [] },
          true,
          { defaultDelayBeforeRetryUs: 3_000_000 },
        ),
      sub: [
        ...this.common(true),
        {
          name: "nb_get_retry",
          handle: (words) => {
            words.report.general("nb_get_retry is deprecated - please use 'retry'");
            const value = words.unsigned(1, 0, UINT_MAX, true);
            if (value === undefined) words.report.general(`Invalid nb_get_retry value '${words.at(1)}'`);
            else this.#current().retry = value;
          },
        },
        {
          name: "virtualhost",
          handle: (words) => {
            if (words.length < 2) words.report.general("HTTP_GET virtualhost name missing");
            else kind().virtualHost = words.value();
          },
        },
        {
          name: "http_protocol",
          handle: (words) => {
            const version = words.list[1];
            if (version === undefined) words.report.general("Missing http_protocol version");
            else if (version === "1.0" || version === "1.1") kind().protocol = version;
            else if (version === "1.0C" || version === "1.0c") kind().protocol = "1.0C";
            else words.report.general(`Invalid http_protocol version ${version}`);
          },
        },
        {
          name: "enable_sni",
          handle: (words) => {
            kind().hasSni = booleanOf(words, "Invalid enable_sni parameter") ?? kind().hasSni;
          },
        },
        {
          name: "fast_recovery",
          handle: (words) => {
            kind().isFastRecovery = booleanOf(words, "Invalid fast_recovery parameter") ?? kind().isFastRecovery;
          },
        },
        this.#url(),
      ],
      close: () => {
        if (kind().urls.length > 0) return;
        this.report?.general("HTTP/SSL_GET checker has no urls specified - ignoring");
        this.#dequeue();
      },
    };
  }

  #url(): Keyword {
    const kind = (): CheckKind & { type: "HTTP_GET" } => this.#current().kind as CheckKind & { type: "HTTP_GET" };
    const url = (): HttpUrl => kind().urls.at(-1) as HttpUrl;
    return {
      name: "url",
      handle: () => {
        this.#regex = undefined;
        kind().urls.push({
          path: undefined,
          digest: undefined,
          statusRanges: [],
          virtualHost: undefined,
          regex: undefined,
          regexMustNotMatch: false,
          regexMinOffset: 0,
          regexMaxOffset: 0,
          lengthMismatch: 0,
        });
      },
      sub: [
        {
          name: "path",
          handle: (words) => {
            url().path = words.value();
          },
        },
        { name: "digest", handle: (words) => setDigest(words, url()) },
        { name: "status_code", handle: (words) => addStatusCodes(words, url()) },
        {
          name: "virtualhost",
          handle: (words) => {
            if (words.length < 2) words.report.general("Missing HTTP_GET virtualhost name");
            else url().virtualHost = words.value();
          },
        },
        {
          name: "regex",
          handle: (words) => {
            const parts = words.quotedEscaped();
            if (parts?.length !== 2) words.report.log("regex missing or too many fields");
            else this.#regex = { pattern: parts[1] as string, options: this.#regex?.options ?? new Set() };
          },
        },
        {
          name: "regex_no_match",
          handle: () => {
            url().regexMustNotMatch = true;
          },
        },
        {
          name: "regex_options",
          handle: (words) => {
            this.#regex ??= { pattern: "", options: new Set() };
            for (const word of words.list.slice(1)) this.#regex.options.add(word);
          },
        },
        {
          name: "regex_min_offset",
          handle: (words) => {
            url().regexMinOffset = regexOffset(words, "min");
          },
        },
        {
          name: "regex_max_offset",
          handle: (words) => {
            url().regexMaxOffset = regexOffset(words, "max") + 1;
          },
        },
        // The stack of PCRE's compiler has no counterpart here.
        { name: "regex_stack" },
      ],
      close: () => this.#urlEnd(kind().urls),
    };
  }

  #urlEnd(urls: HttpUrl[]): void {
    const url = urls.at(-1) as HttpUrl;
    if (url.path === undefined) {
      this.report?.general("HTTP/SSL_GET checker url has no path - ignoring");
      urls.pop();
      return;
    }
    if (url.statusRanges.length === 0) url.statusRanges.push({ first: 200, last: 299 });
    if (this.#regex !== undefined && this.#regex.pattern !== "") url.regex = this.#compile(this.#regex.pattern, this.#regex.options);
    if (url.regexMaxOffset > 0 && url.regexMinOffset >= url.regexMaxOffset) url.regexMinOffset = url.regexMaxOffset = 0;
  }

  /** PCRE by JavaScript's engine: what both know alike. */
  #compile(pattern: string, options: ReadonlySet<string>): RegExp | undefined {
    const flags = `g${options.has("caseless") ? "i" : ""}${options.has("multiline") ? "m" : ""}${options.has("dotall") ? "s" : ""}`;
    for (const option of options)
      if (!["caseless", "multiline", "dotall", "no_auto_possess", "no_start_optimize", "no_dotstar_anchor", "dollar_endonly"].includes(option))
        this.report?.refuse(`regex_options ${option}`);
    try {
      return new RegExp(pattern, flags);
    } catch {
      this.report?.refuse(`regex "${pattern}"`);
      return undefined;
    }
  }
}

/** In the order in which keepalived has them. */
export function checkerKeywords(scope: CheckerScope, report: Words["report"]): Keyword[] {
  const keywords = new CheckerKeywords(scope);
  keywords.report = report;
  const ignored = (...names: string[]): Keyword[] => names.map((name) => ({ name }));
  return [
    keywords.misc(),
    keywords.smtp(),
    keywords.tcp(),
    keywords.ping(),
    keywords.udp(),
    keywords.http("HTTP_GET"),
    keywords.http("SSL_GET"),
    keywords.dns(),
    keywords.file(),
    { name: "BFD_CHECK", handle: (words) => words.report.refuse("BFD_CHECK"), sub: ignored("name", "alpha") },
  ];
}
