/**
 * The kernel modules of the lab's machines, all loaded at boot, in the order of lsmod.
 */

export interface KernelModule {
  readonly name: string;
  readonly sizeBytes: number;
  /** Use count as lsmod shows it; may be more than the modules that are named. */
  readonly useCount: number;
  readonly users: readonly string[];
}

const TABLE = `sch_tbf 7178 0
sch_netem 11618 0
ip_vs_ftp 7795 0
ip_vs_mh 5503 0
ip_vs_ovf 1625 0
ip_vs_fo 1623 0
ip_vs_nq 1751 0
ip_vs_sed 1753 0
ip_vs_sh 3995 0
ip_vs_dh 2882 0
ip_vs_lblcr 7265 0
ip_vs_lblc 5448 0
ip_vs_wlc 1753 0
ip_vs_lc 1687 0
ip_vs_wrr 2703 0
ip_vs_rr 2029 0
ip_vs 162529 31 ip_vs_wlc,ip_vs_rr,ip_vs_dh,ip_vs_lblcr,ip_vs_sh,ip_vs_ovf,ip_vs_fo,ip_vs_nq,ip_vs_lblc,ip_vs_wrr,ip_vs_lc,ip_vs_mh,ip_vs_sed,ip_vs_ftp
xt_REDIRECT 1666 0
xt_state 1501 0
xt_conntrack 3354 0
xt_tcpudp 2466 0
nf_conntrack_netlink 29440 0
ipt_REJECT 1654 0
nf_reject_ipv4 5105 1 ipt_REJECT
xt_mark 1514 0
xt_nat 3480 0
nft_compat 8742 0
nf_tables 195670 1 nft_compat
nfnetlink 7869 3 nft_compat,nf_conntrack_netlink,nf_tables
xt_MASQUERADE 1676 0
iptable_mangle 1853 0
iptable_filter 1729 0
iptable_nat 2180 0
ip_tables 11777 3 iptable_filter,iptable_nat,iptable_mangle
nf_nat 24546 5 xt_nat,iptable_nat,xt_MASQUERADE,xt_REDIRECT,ip_vs_ftp
x_tables 20561 13 xt_conntrack,iptable_filter,nft_compat,xt_state,xt_tcpudp,xt_nat,ipt_REJECT,ip_tables,iptable_nat,xt_MASQUERADE,iptable_mangle,xt_REDIRECT,xt_mark
nf_conntrack 99163 8 xt_conntrack,nf_nat,xt_state,xt_nat,nf_conntrack_netlink,xt_MASQUERADE,ip_vs,xt_REDIRECT
nf_defrag_ipv6 7483 2 nf_conntrack,ip_vs
nf_defrag_ipv4 2018 1 nf_conntrack
dummy 3619 0
tun 39662 0
fou 10780 0
ip6_udp_tunnel 2402 1 fou
udp_tunnel 11991 1 fou
ip_gre 19919 0
gre 2715 1 ip_gre
ipip 6706 0
tunnel4 3351 1 ipip
ip_tunnel 15916 2 ipip,ip_gre
veth 18706 0
bridge 221530 0
stp 1785 1 bridge
llc 4052 2 bridge,stp
ipv6 429085 39 bridge,ip_gre,ip_vs
crc_ccitt 2086 1 ipv6`;

export const MODULES: readonly KernelModule[] = TABLE.split("\n").map((line) => {
  const [name = "", size, count, users = ""] = line.split(" ");
  return { name, sizeBytes: Number(size), useCount: Number(count), users: users === "" ? [] : users.split(",") };
});

/** Modules that a Debian kernel 6.1 has but that are not loaded: modprobe finds them. */
export const MORE_MODULES: ReadonlySet<string> = new Set([
  "ip_vs_twos",
  "8021q",
  "bonding",
  "br_netfilter",
  "macvlan",
  "vxlan",
  "nf_conntrack_ftp",
  "nf_nat_ftp",
  "nf_conntrack_ipv4",
  "iptable_raw",
  "iptable_security",
  "arp_tables",
  "arptable_filter",
  "ip_set",
  "xt_multiport",
  "xt_comment",
  "xt_limit",
  "xt_recent",
  "xt_LOG",
  "xt_TCPMSS",
  "xt_connmark",
  "xt_set",
  "xt_addrtype",
  "xt_mac",
  "xt_statistic",
  "xt_ipvs",
  "loop",
  "ext4",
  "overlay",
  "ipt_ECN",
  "tcp_bbr",
  "sch_htb",
  "ip_vs_pe_sip",
  "nf_log_syslog",
]);

export function isKnownModule(name: string): boolean {
  const plain = name.replaceAll("-", "_");
  return MODULES.some((module) => module.name === plain) || MORE_MODULES.has(plain);
}

/** What lsmod prints. */
export function formatModules(): string {
  const rows = MODULES.map(
    ({ name, sizeBytes, useCount, users }) =>
      `${name.padEnd(19)} ${String(sizeBytes).padStart(8)}  ${useCount}${users.length === 0 ? "" : ` ${users.join(",")}`}\n`,
  );
  return `Module                  Size  Used by\n${rows.join("")}`;
}
