/**
 * Keywords of virtual servers, their groups and real servers.
 *
 * keepalived v2.2.7 check/check_parser.c, check/check_data.c (alloc_vs, alloc_rs, alloc_ssvr, alloc_vsg_entry).
 */

import { parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import { parseSocketAddress, portOrNone } from "./addresses.ts";
import { type CheckerScope, checkerKeywords } from "./checker-keywords.ts";
import type { Keyword, KeywordStream } from "./keyword-stream.ts";
import { type Forwarding, type GroupEntry, NO_FORWARDING, RealServer, type Script, type SocketAddress, VirtualServer, type VirtualServerGroup } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import { notifyScript } from "./scripts.ts";
import { parseTrueFalse, parseUnsigned, Words } from "./words.ts";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];
const WEIGHT_MAX = 2_147_483_647;
const UINT_MAX = 4_294_967_295;
const PERSISTENCE_DEFAULT_SECONDS = 360;
const PERSISTENCE_MAX_SECONDS = 86400 * 31;
const ENGINE_NAME_MAX = 16;

export class CheckKeywords {
  readonly #scope: CheckerScope;
  readonly #report: ConfigReport;

  constructor(scope: Omit<CheckerScope, "server" | "real">, report: ConfigReport) {
    this.#report = report;
    this.#scope = {
      ...scope,
      server: () => scope.config.servers.at(-1) as VirtualServer,
      real: () => scope.config.servers.at(-1)?.realServers.at(-1) as RealServer,
    };
  }

  list(): Keyword[] {
    return [
      { name: "SSL", sub: ["password", "ca", "certificate", "key"].map((name) => ({ name })) },
      { name: "virtual_server_group", handle: (words, stream) => this.#group(words, stream) },
      { name: "virtual_server", handle: (words, stream) => this.#server(words, stream), sub: this.#serverKeywords(), close: () => this.#serverEnd() },
    ];
  }

  /* ------------------------------------------------------------------------------------------------------------- groups */

  #group(words: Words, stream: KeywordStream): void {
    const group: VirtualServerGroup = { name: words.at(1), entries: [] };
    const { groups } = this.#scope.config;
    groups.push(group);
    // keepalived looks at the line without its first word.
    stream.valueBlock(new Words(["(null)", ...words.list.slice(2)], words.line, words.report), (row) => {
      const entry = parseGroupEntry(row, group.name);
      if (entry !== undefined) group.entries.push(entry);
    });
    if (group.entries.length > 0) return;
    words.report.general(`virtual server group ${group.name} has no entries - removing`);
    groups.pop();
  }

  /* ----------------------------------------------------------------------------------------------------- virtual servers */

  #server(words: Words, stream: KeywordStream): void {
    const first = words.at(1);
    const second = words.length >= 3 ? words.at(2) : undefined;
    const { servers } = this.#scope.config;
    if (first === "group") servers.push(new VirtualServer({ groupName: second ?? "" }));
    else if (first === "fwmark") {
      const mark = parseUnsigned(second ?? "", 0, UINT_MAX, true, words.report);
      if (mark !== undefined) servers.push(new VirtualServer({ mark }));
      else {
        words.report.general(`virtual server fwmark '${second}' must be in [0, ${UINT_MAX}] - ignoring`);
        stream.skipBlock();
      }
    } else {
      const port = portOrNone(second);
      const address = parseSocketAddress(first, port, words.report);
      if (address === undefined) {
        words.report.general(`Invalid virtual server IP address${port === undefined ? "" : "/port"} ${first}${port === undefined ? "" : `/${port}`} - skipping`);
        stream.skipBlock();
        return;
      }
      if (address.family === 6) words.report.refuse("a virtual server with an IPv6 address");
      servers.push(new VirtualServer({ address }));
    }
  }

  #serverEnd(): void {
    const server = this.#scope.server();
    const sorry = server.sorryServer;
    if (sorry !== undefined && sorry.forwarding.method !== "TUN") {
      if (server.family === 0) server.family = sorry.address.family;
      else if (server.family !== sorry.address.family) {
        this.#report.general(`Address family of virtual server and sorry server ${sorry.address.text} don't match - skipping sorry server.`);
        server.sorryServer = undefined;
      }
    }
    if (server.family === 0 && server.groupName === undefined) server.family = 4;
  }

  #serverKeywords(): Keyword[] {
    const set = (name: string, handle: (words: Words, server: VirtualServer) => void): Keyword => ({ name, handle: (words) => handle(words, this.#scope.server()) });
    return [
      set("ip_family", setFamily),
      set("retry", (words, server) => {
        const value = words.unsigned(1, 1, UINT_MAX, false);
        if (value === undefined) words.report.general(`retry value invalid - ${words.at(1)}`);
        else server.retry = value;
      }),
      set("delay_before_retry", (words, server) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`virtual server delay before retry '${words.at(1)}' invalid - ignoring`);
        else server.delayBeforeRetryUs = value;
      }),
      set("warmup", (words, server) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`virtual server warmup '${words.at(1)}' invalid - ignoring`);
        else server.warmupUs = value;
      }),
      set("connect_timeout", (words, server) => {
        const value = words.timer(1, 1, UINT_MAX, true);
        if (value === undefined) words.report.general(`virtual server connect_timeout ${words.at(1)} invalid - ignoring`);
        else server.connectTimeoutUs = value;
      }),
      set("delay_loop", (words, server) => {
        const value = words.timer(1, 1, undefined, true);
        if (value === undefined) words.report.general(`virtual server delay loop '${words.at(1)}' invalid - ignoring`);
        else server.delayLoopUs = value;
      }),
      set("inhibit_on_failure", (_words, server) => {
        server.inhibits = true;
      }),
      ...["lb_algo", "lvs_sched"].map((name) => set(name, setScheduler)),
      ...["hashed", "ops", "flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback"].map((name) => set(name, setSchedulerFlag)),
      ...["lb_kind", "lvs_method"].map((name) => set(name, (words, server) => setForwarding(words, server.forwarding, "virtual"))),
      set("persistence_engine", (words, server) => {
        const name = words.at(1);
        if (name.length >= ENGINE_NAME_MAX) words.report.general(`persistence_name too long, truncating - ${name}`);
        server.persistenceEngine = name.slice(0, ENGINE_NAME_MAX - 1);
      }),
      set("persistence_timeout", (words, server) => {
        if (words.length < 2) {
          server.persistenceTimeoutSeconds = PERSISTENCE_DEFAULT_SECONDS;
          return;
        }
        const value = words.unsigned(1, 1, PERSISTENCE_MAX_SECONDS, false);
        if (value === undefined) words.report.general("persistence_timeout invalid");
        else server.persistenceTimeoutSeconds = value;
      }),
      set("persistence_granularity", setGranularity),
      set("protocol", (words, server) => {
        const protocols: Readonly<Record<string, 6 | 17 | 132>> = { TCP: 6, UDP: 17, SCTP: 132 };
        const protocol = protocols[words.at(1).toUpperCase()];
        if (protocol === undefined) words.report.general(`Unknown protocol ${words.at(1)} - ignoring`);
        else server.protocol = protocol;
      }),
      set("ha_suspend", (_words, server) => {
        server.suspendsWithAddress = true;
      }),
      set("smtp_alert", (words, server) => {
        server.alerts = smtpAlert(words, "virtual_server") ?? server.alerts;
      }),
      set("virtualhost", (words, server) => {
        if (words.length < 2) words.report.general("virtual server virtualhost missing");
        else server.virtualHost = words.value();
      }),
      set("snmp_name", (words) => {
        if (words.length !== 2) words.report.general("virtual server snmp_name missing or extra parameters");
      }),
      set("alpha", (_words, server) => {
        server.isAlpha = true;
      }),
      set("omega", (_words, server) => {
        server.isOmega = true;
      }),
      set("quorum_up", (words, server) => {
        server.notifyQuorumUp = this.#script(words, server.notifyQuorumUp, "quorum_up", "quorum", server);
      }),
      set("quorum_down", (words, server) => {
        server.notifyQuorumDown = this.#script(words, server.notifyQuorumDown, "quorum_down", "quorum", server);
      }),
      set("quorum", (words, server) => {
        const value = words.unsigned(1, 1, UINT_MAX, true);
        if (value === undefined) words.report.general(`Quorum ${words.at(1)} must be in [1, ${UINT_MAX}]. Setting to 1.`);
        server.quorum = value ?? 1;
      }),
      set("hysteresis", (words, server) => {
        const value = words.unsigned(1, 0, UINT_MAX, true);
        if (value === undefined) words.report.general(`Hysteresis ${words.at(1)} must be in [0, ${UINT_MAX}] - ignoring`);
        else server.hysteresis = value;
      }),
      set("weight", (words, server) => {
        const value = words.unsigned(1, 1, WEIGHT_MAX, true);
        if (value === undefined) words.report.general(`Virtual server weight ${words.at(1)} is outside range 1-${WEIGHT_MAX}`);
        else server.weight = value;
      }),
      set("sorry_server", (words, server) => {
        const address = parseSocketAddress(words.at(1), portOrNone(words.length >= 3 ? words.at(2) : undefined), words.report);
        if (address === undefined) words.report.general(`Invalid sorry server IP address ${words.at(1)} - skipping`);
        else {
          server.sorryServer = new RealServer(address, server.forwarding);
          server.sorryServer.weight = 1;
        }
      }),
      set("sorry_server_inhibit", (words, server) => {
        if (server.sorryServer !== undefined) server.sorryServer.inhibits = true;
        else words.report.general("Ignoring sorry_server inhibit used before or without sorry_server");
      }),
      set("sorry_server_lvs_method", (words, server) => {
        if (server.sorryServer !== undefined) setForwarding(words, server.sorryServer.forwarding, "sorry");
        else words.report.general("sorry_server forwarding used without sorry_server");
      }),
      {
        name: "real_server",
        handle: (words, stream) => this.#real(words, stream),
        sub: [...this.#realKeywords(), ...checkerKeywords(this.#scope, this.#report)],
        close: () => this.#realEnd(),
      },
    ];
  }

  #script(words: Words, present: Script | undefined, keyword: string, kind: string, server: VirtualServer): Script | undefined {
    if (present === undefined) return notifyScript(words, kind, this.#scope.files, this.#scope.global);
    words.report.general(`(${server.groupName ?? "(null)"}) ${keyword} script already specified - ignoring ${words.at(1)}`);
    return present;
  }

  /* -------------------------------------------------------------------------------------------------------- real servers */

  #real(words: Words, stream: KeywordStream): void {
    const server = this.#scope.server();
    const port = words.length >= 3 ? words.at(2) : undefined;
    const address = parseSocketAddress(words.at(1), portOrNone(port), words.report);
    if (address === undefined) {
      words.report.general(`Invalid real server ip address/port ${words.at(1)}/${port ?? "(null)"} - skipping`);
      stream.skipBlock();
      return;
    }
    if (address.family === 6) words.report.refuse("a real server with an IPv6 address");
    server.realServers.push(new RealServer(address, server.forwarding));
  }

  #realEnd(): void {
    const server = this.#scope.config.servers.at(-1);
    const real = server?.realServers.at(-1);
    if (server === undefined || real === undefined || real.forwarding.method === "TUN") return;
    if (server.family === 0) server.family = real.address.family;
    else if (server.family !== real.address.family) {
      this.#report.general(`Address family of virtual server and real server ${real.address.text} don't match - skipping real server.`);
      server.realServers.pop();
    }
  }

  #realKeywords(): Keyword[] {
    const set = (name: string, handle: (words: Words, real: RealServer) => void): Keyword => ({ name, handle: (words) => handle(words, this.#scope.real()) });
    const boolean = (words: Words, name: string): boolean | undefined => {
      if (words.length < 2) return true;
      const value = parseTrueFalse(words.at(1));
      if (value === undefined) words.report.general(`Invalid ${name} parameter ${words.at(1)}`);
      return value;
    };
    return [
      set("weight", (words, real) => {
        const value = words.unsigned(1, 0, WEIGHT_MAX, true);
        if (value === undefined) words.report.general(`Real server weight ${words.at(1)} is outside range 0-${WEIGHT_MAX}`);
        else real.weight = value;
      }),
      set("lvs_method", (words, real) => setForwarding(words, real.forwarding, "real")),
      set("uthreshold", (words, real) => {
        const value = words.unsigned(1, 0, UINT_MAX, true);
        if (value === undefined) words.report.general(`Invalid real_server uthreshold '${words.at(1)}' - ignoring`);
        else real.upperThreshold = value;
      }),
      set("lthreshold", (words, real) => {
        const value = words.unsigned(1, 0, UINT_MAX, true);
        if (value === undefined) words.report.general(`Invalid real_server lthreshold '${words.at(1)}' - ignoring`);
        else real.lowerThreshold = value;
      }),
      set("inhibit_on_failure", (words, real) => {
        real.inhibits = boolean(words, "inhibit_on_failure") ?? real.inhibits;
      }),
      set("notify_up", (words, real) => {
        real.notifyUp = this.#script(words, real.notifyUp, "notify_up", "notify", this.#scope.server());
      }),
      set("notify_down", (words, real) => {
        real.notifyDown = this.#script(words, real.notifyDown, "notify_down", "notify", this.#scope.server());
      }),
      set("alpha", (words, real) => {
        real.isAlpha = boolean(words, "alpha") ?? real.isAlpha;
      }),
      set("retry", (words, real) => {
        const value = words.unsigned(1, 1, UINT_MAX, false);
        if (value === undefined) words.report.general(`retry value invalid - ${words.at(1)}`);
        else real.retry = value;
      }),
      set("delay_before_retry", (words, real) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`real server delay_before_retry '${words.at(1)}' invalid - ignoring`);
        else real.delayBeforeRetryUs = value;
      }),
      set("warmup", (words, real) => {
        const value = words.timer(1, 0, undefined, true);
        if (value === undefined) words.report.general(`real server warmup '${words.at(1)}' invalid - ignoring`);
        else real.warmupUs = value;
      }),
      set("connect_timeout", (words, real) => {
        const value = words.timer(1, 1, UINT_MAX, true);
        if (value === undefined) words.report.general(`real server connect_timeout ${words.at(1)} invalid - ignoring`);
        else real.connectTimeoutUs = value;
      }),
      set("delay_loop", (words, real) => {
        const value = words.timer(1, 1, undefined, true);
        if (value === undefined) words.report.general(`real server delay_loop '${words.at(1)}' invalid - ignoring`);
        else real.delayLoopUs = value;
      }),
      set("smtp_alert", (words, real) => {
        real.alerts = smtpAlert(words, "real_server") ?? real.alerts;
      }),
      set("virtualhost", (words, real) => {
        if (words.length < 2) words.report.general("real server virtualhost missing");
        else real.virtualHost = words.value();
      }),
      set("snmp_name", (words) => {
        if (words.length !== 2) words.report.general("real server snmp_name missing or extra parameters");
      }),
    ];
  }
}

function smtpAlert(words: Words, where: string): boolean | undefined {
  const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
  if (value === undefined) words.report.general(`Invalid ${where} smtp_alert parameter ${words.at(1)}`);
  return value;
}

function setFamily(words: Words, server: VirtualServer): void {
  const name = words.at(1);
  const family = name === "inet" ? 4 : name === "inet6" ? 6 : undefined;
  if (family === undefined) words.report.general(`unknown address family ${name}`);
  else if (server.family !== 0 && server.family !== family) words.report.general(`Virtual server specified family ${name} conflicts with server family`);
  else server.family = family;
}

function setScheduler(words: Words, server: VirtualServer): void {
  const name = words.at(1);
  if (SCHEDULERS.includes(name)) server.scheduler = name;
  else words.report.general(`Invalid lvs_scheduler '${name}' - ignoring`);
}

function setSchedulerFlag(words: Words, server: VirtualServer): void {
  const flag = words.at(0);
  const add = (): void => {
    if (!server.schedulerFlags.includes(flag)) server.schedulerFlags.push(flag);
  };
  if (flag === "ops") server.isOnePacket = true;
  else if (flag.startsWith("flag-")) add();
  else if (server.scheduler === "sh") {
    if (flag === "sh-port" || flag === "sh-fallback") add();
  } else if (server.scheduler === "mh") {
    if (flag === "mh-port" || flag === "mh-fallback") add();
  } else words.report.general(`${flag} only applies to sh scheduler - ignoring`);
}

function setForwarding(words: Words, forwarding: Forwarding, kind: string): void {
  const { report } = words;
  const method = words.at(1);
  if (method !== "NAT" && method !== "DR" && method !== "TUN") {
    report.general(`PARSER : unknown [${method}] routing method for ${kind} server.`);
    return;
  }
  forwarding.method = method;
  const found: Forwarding = { ...NO_FORWARDING, method };
  for (let i = 2; i < words.length; i++) {
    const word = words.at(i);
    if (word === "type") {
      const type = words.list[++i];
      if (type === undefined) return report.general(`Missing tunnel type for ${kind} server.`);
      if (type !== "ipip" && type !== "gue" && type !== "gre") return report.general(`Unknown tunnel type ${type} for ${kind} server.`);
      found.tunnelType = type;
    } else if (word === "port") {
      const text = words.list[++i];
      if (text === undefined) return report.general(`Missing port for ${kind} server gue tunnel.`);
      const port = parseUnsigned(text, 1, 65535, false, report);
      if (port === undefined) return report.general(`Invalid gue tunnel port ${text} for ${kind} server.`);
      found.tunnelPort = port;
    } else if (word === "nocsum") found.checksum = "none";
    else if (word === "csum") found.checksum = "full";
    else if (word === "remcsum") found.checksum = "remote";
    else return report.general(`Invalid tunnel option ${word} for ${kind} server.`);
  }
  if ((found.tunnelType === "gue") !== (found.tunnelPort !== 0)) return report.general("gue tunnels require port, otherwise cannot have port.");
  if (found.tunnelType === "ipip" && found.checksum !== "none") return report.general("ipip tunnels do not support checksum option.");
  if (found.tunnelType === "gre" && found.checksum === "remote") return report.general("gre tunnels do not support remote checksum option.");
  Object.assign(forwarding, found);
}

function setGranularity(words: Words, server: VirtualServer): void {
  const text = words.at(1);
  const family = server.family === 0 ? (text.includes(".") ? 4 : 6) : server.family;
  if (family === 6) {
    const value = words.unsigned(1, 1, 128, false);
    if (value === undefined) return words.report.general(`Invalid IPv6 persistence_granularity specified - ${text}`);
    server.netmask = value;
  } else {
    const mask = parseIpv4Address(text);
    if (mask === undefined) return words.report.general(`Invalid IPv4 persistence_granularity specified - ${text}`);
    server.netmask = mask;
  }
  if (server.family === 0) server.family = family;
  if (server.persistenceTimeoutSeconds === 0) server.persistenceTimeoutSeconds = PERSISTENCE_DEFAULT_SECONDS;
}

/** `ADDRESS[-LAST|/MASK] [PORT]` or `fwmark N [inet|inet6]`. */
function parseGroupEntry(words: Words, group: string): GroupEntry | undefined {
  const { report } = words;
  const text = words.at(0);
  const entry = (address: SocketAddress, last: number): GroupEntry => ({ kind: "address", address, last, mark: 0, users: new Map(), isReloaded: false });
  const refuse = (what: string): undefined => {
    report.general(what);
    return undefined;
  };
  if (text === "fwmark") {
    const mark = words.unsigned(1, 0, UINT_MAX, true);
    if (mark === undefined) return refuse(`(${group}): fwmark '${words.at(1)}' must be in [0, ${UINT_MAX}] - ignoring`);
    const family = words.list[2];
    if (family !== undefined && family !== "inet" && family !== "inet6") return refuse(`(${group}): fwmark '${mark}' family ${family} unknown - ignoring`);
    if (family === "inet6") report.refuse("a firewall mark for IPv6");
    return { kind: "fwmark", address: undefined, last: 0, mark, users: new Map(), isReloaded: false };
  }
  const port = portOrNone(words.list[1]);
  const address = parseSocketAddress(text, port, report);
  if (address === undefined)
    return refuse(`Invalid virtual server group IP address ${text} ${port === undefined ? "" : "/port"}${port === undefined ? "" : "/"}${port ?? ""} - skipping`);
  if (address.family === 6) {
    report.refuse("a virtual server group with an IPv6 address");
    return entry(address, 0);
  }
  const slash = text.indexOf("/");
  if (slash >= 0) {
    const mask = Number(text.slice(slash + 1));
    if (!/^\d+$/.test(text.slice(slash + 1)) || mask < 1 || mask > 32) return refuse(`Invalid netmask - ${text} - skipping`);
    const host = ~prefixMask(mask) >>> 0;
    if ((address.address & host) !== 0) return refuse(`Address mask bits not empty - ${text} - skipping`);
    return entry(address, (address.address | host) >>> 0);
  }
  const dash = text.indexOf("-");
  if (dash < 0) return entry(address, address.address);
  const end = text.slice(dash + 1);
  if (end.includes(".")) {
    const last = parseSocketAddress(end, port, report);
    if (last === undefined) return refuse(`Invalid range end ${text} - skipping`);
    if (address.address > last.address) return refuse(`Address range end is less than address range start - ${text} - skipping`);
    return entry(address, last.address);
  }
  const number = /^(\d*)(.*)$/s.exec(end) as RegExpExecArray;
  if (number[2] !== "") return refuse(`Virtual server group range '${text}' has extra characters at end '${number[2]}'`);
  const range = Number(number[1]);
  if (range > 255) return refuse(`Virtual server group range '${text}' end '${end}' too large`);
  if ((address.address & 255) >= range) return refuse(`Address range end is not greater than address range start - ${text} - skipping`);
  return entry(address, (((address.address & ~255) >>> 0) | range) >>> 0);
}
