/**
 * The command line of keepalived 2.2.7 (core/main.c:parse_cmdline), as Debian builds it.
 */

export interface KeepalivedOptions {
  readonly configPath: string;
  readonly isTest: boolean;
  /** Where `-t` writes; standard error without it. */
  readonly testLog: string | undefined;
  readonly forks: boolean;
  readonly logsToConsole: boolean;
  readonly detail: number;
  readonly usesSyslog: boolean;
  readonly runsVrrp: boolean;
  readonly runsCheckers: boolean;
  readonly runsAll: boolean;
  readonly respawns: boolean;
  readonly releasesVips: boolean;
  readonly keepsVips: boolean;
  readonly keepsIpvs: boolean;
  readonly includesAll: boolean;
  readonly configId: string | undefined;
  readonly pidFile: string | undefined;
  readonly vrrpPidFile: string | undefined;
  readonly checkersPidFile: string | undefined;
}

/** Either options, or what to print and how to end. */
export type ParsedCommandLine =
  | { readonly kind: "run"; readonly options: KeepalivedOptions; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "end"; readonly exit: number; readonly stdout: string; readonly stderr: string };

export const DEFAULT_CONFIG = "/etc/keepalived/keepalived.conf";

const LONG: Readonly<Record<string, readonly [letter: string, value: "none" | "required" | "optional"]>> = {
  "use-file": ["f", "required"],
  vrrp: ["P", "none"],
  check: ["C", "none"],
  no_bfd: ["B", "none"],
  all: ["all", "none"],
  "log-console": ["l", "none"],
  "log-detail": ["D", "none"],
  "log-facility": ["S", "required"],
  "log-file": ["g", "optional"],
  "all-config": ["e", "none"],
  "no-syslog": ["G", "none"],
  umask: ["u", "required"],
  "release-vips": ["X", "none"],
  "dont-release-vrrp": ["V", "none"],
  "dont-release-ipvs": ["I", "none"],
  "dont-respawn": ["R", "none"],
  "dont-fork": ["n", "none"],
  "dump-conf": ["d", "none"],
  pid: ["p", "required"],
  vrrp_pid: ["r", "required"],
  genhash: ["T", "none"],
  checkers_pid: ["c", "required"],
  "address-monitoring": ["a", "none"],
  bfd_pid: ["b", "required"],
  snmp: ["x", "none"],
  "snmp-agent-socket": ["A", "required"],
  "core-dump": ["m", "none"],
  "core-dump-pattern": ["M", "optional"],
  namespace: ["s", "required"],
  "config-id": ["i", "required"],
  signum: ["signum", "required"],
  "config-test": ["t", "optional"],
  version: ["v", "none"],
  help: ["h", "none"],
};
const SHORT = ":vhlndu:DRS:f:p:i:es:mM::g::Gt::PCr:VXac:ITBb:xA:";
const SIGNALS: Readonly<Record<string, number>> = { STOP: 15, RELOAD: 1, DATA: 10, STATS: 12, STATS_CLEAR: 34, JSON: 36 };
const FACILITIES = new Set(["user", "daemon", ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [String(n), `local${n}`])]);

/** Facilities, core dumps, umask and BFD change nothing that is visible here. */
const WITHOUT_EFFECT = new Set(["B", "u", "b", "m", "M"]);

interface Seen {
  readonly letter: string;
  readonly value: string | undefined;
}

class CommandLineEnd extends Error {
  readonly exit: number;

  constructor(exit: number) {
    super();
    this.exit = exit;
  }
}

export function parseCommandLine(args: readonly string[], programName: string): ParsedCommandLine {
  const out = { stdout: "", stderr: "" };
  let isBad = false;
  const seen: Seen[] = [];
  const operands: string[] = [];
  const complain = (text: string): void => {
    out.stderr += `${text}\n`;
    isBad = true;
  };
  const take = (letter: string, value: string | undefined): void => {
    if (letter === "v") {
      out.stderr += VERSION_TEXT;
      throw new CommandLineEnd(0);
    }
    if (letter === "h") {
      out.stderr += `Usage: ${programName} [OPTION...]\n${HELP_TEXT}`;
      throw new CommandLineEnd(0);
    }
    if (letter === "signum") {
      const number = SIGNALS[value ?? ""];
      if (number === undefined) out.stderr += `Unknown sigfunc ${value}\n`;
      else out.stdout += `${number}\n`;
      throw new CommandLineEnd(number === undefined ? 1 : 0);
    }
    if (letter === "g") complain("-g requires configure option --enable-log-file");
    else if (letter === "S" && !FACILITIES.has(value ?? "")) out.stderr += `Invalid log facility '${value}'\n`;
    else if (["s", "T", "x", "A", "d", "a"].includes(letter)) complain(`${programName}: option -${letter} is not simulated`);
    else if (!WITHOUT_EFFECT.has(letter)) seen.push({ letter, value });
  };
  try {
    readArguments(args, { take, complain, operands });
  } catch (error) {
    if (error instanceof CommandLineEnd) return { kind: "end", exit: error.exit, ...out };
    throw error;
  }
  if (operands.length > 0) out.stdout += `Unexpected argument(s): ${operands.map((one) => `${one} `).join("")}\n`;
  if (isBad) return { kind: "end", exit: 1, ...out };
  return { kind: "run", options: optionsOf(seen), ...out };
}

function readArguments(
  args: readonly string[],
  sink: { readonly take: (letter: string, value: string | undefined) => void; readonly complain: (text: string) => void; readonly operands: string[] },
): void {
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--") {
      sink.operands.push(...args.slice(i + 1));
      return;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const typed = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const candidates = typed in LONG ? [typed] : Object.keys(LONG).filter((name) => name.startsWith(typed));
      const option = candidates.length === 1 ? LONG[candidates[0] as string] : undefined;
      if (option === undefined) {
        sink.complain(`Unknown option ${word}`);
        continue;
      }
      const [letter, kind] = option;
      let value = equals < 0 ? undefined : word.slice(equals + 1);
      if (kind === "required" && value === undefined && i + 1 < args.length) value = args[++i];
      if (kind === "required" && (value === undefined || value === "")) sink.complain(`Missing parameter for option --${candidates[0]}`);
      else sink.take(letter, value === "" ? undefined : value);
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      sink.operands.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] as string;
      const found = letter === ":" ? -1 : SHORT.indexOf(letter, 1);
      if (found < 0) {
        sink.complain(`Unknown option -${letter}`);
        continue;
      }
      if (SHORT[found + 1] !== ":") {
        sink.take(letter, undefined);
        continue;
      }
      let value: string | undefined = word.slice(at + 1) === "" ? undefined : word.slice(at + 1);
      const isOptional = SHORT[found + 2] === ":";
      if (value === undefined && !isOptional && i + 1 < args.length) value = args[++i];
      if (value === undefined && !isOptional) sink.complain(`Missing parameter for option -${letter}`);
      else sink.take(letter, value);
      break;
    }
  }
}

function optionsOf(seen: readonly Seen[]): KeepalivedOptions {
  const has = (letter: string): boolean => seen.some((one) => one.letter === letter);
  const last = (letter: string): string | undefined => seen.findLast((one) => one.letter === letter)?.value;
  const isTest = has("t");
  return {
    configPath: last("f") ?? DEFAULT_CONFIG,
    isTest,
    testLog: last("t"),
    forks: !has("n") && !isTest,
    logsToConsole: has("l"),
    detail: seen.filter((one) => one.letter === "D").length,
    usesSyslog: !has("G") && !isTest,
    runsVrrp: !has("C") || has("all"),
    runsCheckers: !has("P") || has("all"),
    runsAll: has("all"),
    respawns: !has("R"),
    releasesVips: has("X"),
    keepsVips: has("V"),
    keepsIpvs: has("I"),
    includesAll: has("e"),
    configId: last("i"),
    pidFile: last("p"),
    vrrpPidFile: last("r"),
    checkersPidFile: last("c"),
  };
}

export const VERSION = "Keepalived v2.2.7 (01/16,2022)";

const VERSION_TEXT = `Keepalived v2.2.7 (01/16,2022)

Copyright(C) 2001-2022 Alexandre Cassen, <acassen@gmail.com>

Built with kernel headers for Linux 5.19.11
Running on Linux 6.1.0 #1 SMP Debian 6.1.176-1 (2026-11-05)
Distro: Debian GNU/Linux 12 (bookworm)

configure options: --build=x86_64-linux-gnu --prefix=/usr --includedir=\${prefix}/include --mandir=\${prefix}/share/man --infodir=\${prefix}/share/info --sysconfdir=/etc --localstatedir=/var --disable-option-checking --disable-silent-rules --libdir=\${prefix}/lib/x86_64-linux-gnu --runstatedir=/run --disable-maintainer-mode --disable-dependency-tracking --enable-snmp --enable-sha1 --enable-snmp-rfcv2 --enable-snmp-rfcv3 --enable-dbus --enable-json --enable-bfd --enable-regex --with-init=systemd build_alias=x86_64-linux-gnu CFLAGS=-g -O2 -ffile-prefix-map=/build/keepalived-m8ENAG/keepalived-2.2.7=. -fstack-protector-strong -Wformat -Werror=format-security LDFLAGS=-Wl,-z,relro CPPFLAGS=-Wdate-time -D_FORTIFY_SOURCE=2

Config options:  NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD OLD_CHKSUM_COMPAT SNMP_V3_FOR_V2 SNMP_VRRP SNMP_CHECKER SNMP_RFCV2 SNMP_RFCV3 DBUS INIT=systemd SYSTEMD_NOTIFY

System options:  VSYSLOG MEMFD_CREATE IPV6_MULTICAST_ALL IPV4_DEVCONF LIBNL3 RTA_ENCAP RTA_EXPIRES RTA_NEWDST RTA_PREF FRA_SUPPRESS_PREFIXLEN FRA_SUPPRESS_IFGROUP FRA_TUN_ID RTAX_CC_ALGO RTAX_QUICKACK RTEXT_FILTER_SKIP_STATS FRA_L3MDEV FRA_UID_RANGE RTAX_FASTOPEN_NO_COOKIE RTA_VIA FRA_PROTOCOL FRA_IP_PROTO FRA_SPORT_RANGE FRA_DPORT_RANGE RTA_TTL_PROPAGATE IFA_FLAGS LWTUNNEL_ENCAP_MPLS LWTUNNEL_ENCAP_ILA NET_LINUX_IF_H_COLLISION LIBIPVS_NETLINK IPVS_DEST_ATTR_ADDR_FAMILY IPVS_SYNCD_ATTRIBUTES IPVS_64BIT_STATS IPVS_TUN_TYPE IPVS_TUN_CSUM IPVS_TUN_GRE VRRP_IPVLAN IFLA_LINK_NETNSID GLOB_BRACE GLOB_ALTDIRFUNC INET6_ADDR_GEN_MODE VRF SO_MARK
`;

const HELP_TEXT = `  -f, --use-file=FILE          Use the specified configuration file
                                default '/etc/keepalived/keepalived.conf'
  -P, --vrrp                   Only run with VRRP subsystem
  -C, --check                  Only run with Health-checker subsystem
  -B, --no_bfd                 Don't run BFD subsystem
      --all                    Force all child processes to run, even if have no configuration
  -l, --log-console            Log messages to local console
  -D, --log-detail             Detailed log messages
  -S, --log-facility=([0-7]|local[0-7]|user|daemon)
                               Set syslog facility to LOG_LOCAL[0-7], user or daemon (default)
  -G, --no-syslog              Don't log via syslog
  -u, --umask=MASK             umask for file creation (in numeric form)
  -X, --release-vips           Drop VIP on transition from signal.
  -V, --dont-release-vrrp      Don't remove VRRP VIPs and VROUTEs on daemon stop
  -I, --dont-release-ipvs      Don't remove IPVS topology on daemon stop
  -R, --dont-respawn           Don't respawn child processes
  -n, --dont-fork              Don't fork the daemon process
  -d, --dump-conf              Dump the configuration data
  -p, --pid=FILE               Use specified pidfile for parent process
  -r, --vrrp_pid=FILE          Use specified pidfile for VRRP child process
  -T, --genhash                Enter into genhash utility mode (this should be the first option used).
  -c, --checkers_pid=FILE      Use specified pidfile for checkers child process
  -a, --address-monitoring     Report all address additions/deletions notified via netlink
  -b, --bfd_pid=FILE           Use specified pidfile for BFD child process
  -x, --snmp                   Enable SNMP subsystem
  -A, --snmp-agent-socket=FILE Use the specified socket for master agent
  -s, --namespace=NAME         Run in network namespace NAME (overrides config)
  -m, --core-dump              Produce core dump if terminate abnormally
  -M, --core-dump-pattern=PATN Also set /proc/sys/kernel/core_pattern to PATN (default 'core')
  -e, --all-config             Error if any configuration file missing (same as includet)
  -i, --config-id id           Skip any configuration lines beginning '@' that don't match id
                                or any lines beginning @^ that do match.
                                The config-id defaults to the node name if option not used
      --signum=SIGFUNC         Return signal number for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON
  -t, --config-test[=LOG_FILE] Check the configuration for obvious errors, output to
                                stderr by default
  -v, --version                Display the version number
  -h, --help                   Display this help message
`;
