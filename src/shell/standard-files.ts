/**
 * The files that every machine has: Debian 12 as far as scripts look at it.
 */

import { servicesFileText } from "../wire/service-names.ts";
import type { Command } from "./command.ts";
import type { MemoryFileSystem } from "./memory-file-system.ts";

/** What may be written once a machine runs: settings and data, so that they outlast a reboot. The system itself is read-only, as on the machines of the lab. */
export const WRITABLE_PLACES: readonly string[] = ["/dev", "/etc", "/home", "/root", "/run", "/srv", "/tmp", "/var"];

const DIRECTORIES = [
  "/boot",
  "/dev",
  "/dev/fd",
  "/dev/shm",
  "/etc",
  "/etc/keepalived",
  "/etc/rc.d",
  "/etc/sysctl.d",
  "/home",
  "/media",
  "/mnt",
  "/opt",
  "/proc",
  "/root",
  "/run",
  "/run/lock",
  "/srv",
  "/sys",
  "/tmp",
  "/usr/bin",
  "/usr/lib",
  "/usr/local/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/usr/share",
  "/var/lib",
  "/var/log",
  "/var/run",
  "/var/www/html",
];
const LINKS: readonly (readonly [string, string])[] = [
  ["usr/bin", "/bin"],
  ["usr/sbin", "/sbin"],
  ["usr/lib", "/lib"],
  ["/usr/bin/bash", "/usr/bin/rbash"],
  ["rc.d/rc.local", "/etc/rc.local"],
  ["../sysctl.conf", "/etc/sysctl.d/99-sysctl.conf"],
];

/** As Red Hat ships it, executable. */
const RC_LOCAL = `#!/bin/sh
#
# This script will be executed *after* all the other init scripts.
# You can put your own initialization stuff in here if you don't
# want to do the full Sys V style init stuff.

`;
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "console", "kmsg"];

const ENDLESS_CHARACTERS = 1_048_576;

const OS_RELEASE = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
`;

const PASSWD = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;

const GROUP = "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n";

const PROTOCOLS = `ip	0	IP		# internet protocol, pseudo protocol number
icmp	1	ICMP		# internet control message protocol
igmp	2	IGMP		# Internet Group Management
ipencap	4	IP-ENCAP	# IP encapsulated in IP (officially \`\`IP'')
tcp	6	TCP		# transmission control protocol
egp	8	EGP		# exterior gateway protocol
udp	17	UDP		# user datagram protocol
ipv6	41	IPv6		# Internet Protocol, version 6
gre	47	GRE		# General Routing Encapsulation
esp	50	IPSEC-ESP	# Encap Security Payload [RFC2406]
ah	51	IPSEC-AH	# Authentication Header [RFC2402]
ospf	89	OSPFIGP		# Open Shortest Path First IGP
vrrp	112	VRRP		# Virtual Router Redundancy Protocol [RFC5798]
sctp	132	SCTP		# Stream Control Transmission Protocol
`;

const RT_TABLES = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n#\n# local\n#\n#1\tinr.ruhep\n";

/** Puts everything in place. Programs become executable files, so that `ls`, `which` and `[ -x ]` see them. */
export function addStandardFiles(
  files: MemoryFileSystem,
  options: { readonly hostname: string; readonly randomText: () => string; readonly commands: Iterable<Command> },
): void {
  for (const path of DIRECTORIES) files.makeDirectory(path, { parents: true });
  for (const [target, path] of LINKS) files.link(target, path);
  for (const name of DEVICES) files.addDevice(`/dev/${name}`);
  // Endless devices give this much to those who read all of a file; a redirection reads them piece by piece.
  files.addDevice("/dev/zero", () => "\0".repeat(ENDLESS_CHARACTERS));
  for (const name of ["random", "urandom"]) files.addDevice(`/dev/${name}`, options.randomText);
  const texts: Readonly<Record<string, string>> = {
    "/etc/debian_version": "12.11\n",
    "/etc/group": GROUP,
    "/etc/hostname": `${options.hostname}\n`,
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/os-release": OS_RELEASE,
    "/etc/passwd": PASSWD,
    "/etc/protocols": PROTOCOLS,
    "/etc/resolv.conf": "",
    "/etc/services": servicesFileText(),
    "/etc/shells": "# /etc/shells: valid login shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash\n/usr/bin/dash\n",
    "/etc/rc.d/rc.local": RC_LOCAL,
    "/etc/sysctl.conf": "",
    "/etc/iproute2/rt_tables": RT_TABLES,
  };
  for (const [path, text] of Object.entries(texts)) {
    files.makeDirectory(path.slice(0, path.lastIndexOf("/")), { parents: true });
    files.write(path, text);
  }
  files.setMode("/etc/rc.d/rc.local", 0o755);
  files.setMode("/tmp", 0o1777);
  files.setMode("/run", 0o1777);
  files.setMode("/var", 0o1777);
  files.setMode("/root", 0o700);
  files.setMode("/etc/keepalived", 0o1777);
  const folders = new Set<string>();
  for (const { path } of options.commands) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!folders.has(folder)) files.makeDirectory(folder, { parents: true });
    folders.add(folder);
    files.addFile(path, "\x7fELF\x02\x01\x01", 0o755);
  }
}
