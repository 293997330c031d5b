/**
 * The packet filter of instances that do not accept (no_accept, vrrp_strict): what is for their virtual addresses, or from them, is dropped.
 * keepalived puts it into nftables, table `ip keepalived`, chains `in` and `out` of priority -1; there it stays when the process is killed.
 *
 * keepalived v2.2.7 vrrp/vrrp_nftables.c (nft_setup_ipv4, nft_update_addresses).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import type { Host } from "../../../host/host.ts";
import { NF_LOCAL_IN, NF_LOCAL_OUT, NF_PRIORITY_FILTER, type Verdict } from "../../../host/netfilter/hooks.ts";
import type { SkBuff } from "../../../host/skb.ts";
import type { VirtualAddress } from "../config/model.ts";

const PRIORITY = NF_PRIORITY_FILTER - 1;

export class AcceptFilter {
  static readonly #byHost = new WeakMap<Host, AcceptFilter>();
  readonly #host: Host;
  readonly #addresses = new Set<number>();
  #undo: (() => void)[] = [];

  private constructor(host: Host) {
    this.#host = host;
  }

  /** The kernel's: there is one on each host. */
  static of(host: Host): AcceptFilter {
    let filter = AcceptFilter.#byHost.get(host);
    if (filter === undefined) {
      filter = new AcceptFilter(host);
      AcceptFilter.#byHost.set(host, filter);
    }
    return filter;
  }

  add(addresses: readonly VirtualAddress[]): void {
    for (const one of addresses) this.#addresses.add(one.address);
    if (this.#undo.length > 0 || this.#addresses.size === 0) return;
    const { hooks } = this.#host;
    this.#undo = [
      hooks.register(NF_LOCAL_IN, PRIORITY, (skb) => this.#judge(skb, skb.ip.dst, "in ip daddr @vips drop")),
      hooks.register(NF_LOCAL_OUT, PRIORITY, (skb) => this.#judge(skb, skb.ip.src, "out ip saddr @vips drop")),
    ];
  }

  remove(addresses: readonly VirtualAddress[]): void {
    for (const one of addresses) this.#addresses.delete(one.address);
    if (this.#addresses.size === 0) this.clear();
  }

  clear(): void {
    this.#addresses.clear();
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  #judge(skb: SkBuff, address: number, rule: string): Verdict {
    if (!this.#addresses.has(address)) return "ACCEPT";
    const detail = `nft table keepalived, ${rule} (${formatIpv4Address(address)})`;
    skb.cause = this.#host.trace.emit({ kind: "packet-dropped", host: this.#host.name, cause: skb.cause, reason: "NETFILTER_DROP", packet: skb.ip, detail });
    return "DROP";
  }
}
