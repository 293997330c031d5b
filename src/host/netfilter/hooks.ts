/**
 * Netfilter's five hooks for IPv4: functions by priority, run for each packet that passes.
 *
 *   device ▶ PREROUTING ▶ route ─┬─▶ LOCAL_IN ▶ socket           socket ▶ LOCAL_OUT ▶ POSTROUTING ▶ device
 *                                └─▶ FORWARD ▶ POSTROUTING ▶ device
 *
 * Linux v6.1 net/netfilter/core.c, include/uapi/linux/netfilter_ipv4.h.
 */

import type { NetDevice } from "../device.ts";
import type { SkBuff } from "../skb.ts";

export const NF_PREROUTING = 0;
export const NF_LOCAL_IN = 1;
export const NF_FORWARD = 2;
export const NF_LOCAL_OUT = 3;
export const NF_POSTROUTING = 4;
export type HookNumber = 0 | 1 | 2 | 3 | 4;

export const NF_PRIORITY_CONNTRACK_DEFRAG = -400;
export const NF_PRIORITY_RAW = -300;
export const NF_PRIORITY_CONNTRACK = -200;
export const NF_PRIORITY_MANGLE = -150;
export const NF_PRIORITY_NAT_DST = -100;
export const NF_PRIORITY_FILTER = 0;
export const NF_PRIORITY_NAT_SRC = 100;
export const NF_PRIORITY_CONNTRACK_HELPER = 300;
export const NF_PRIORITY_CONNTRACK_CONFIRM = 2147483647;

/** ACCEPT: go on. DROP: the hook's caller drops (the hook has traced why). STOLEN: the hook has taken the packet over. */
export type Verdict = "ACCEPT" | "DROP" | "STOLEN";

export interface HookState {
  readonly hook: HookNumber;
  readonly input: NetDevice | undefined;
  readonly output: NetDevice | undefined;
}

export type HookFunction = (skb: SkBuff, state: HookState) => Verdict;

interface HookEntry {
  readonly priority: number;
  readonly order: number;
  readonly run: HookFunction;
}

/** The hooks of one host. A hook without functions costs one look at a bit. */
export class NetfilterHooks {
  readonly #entries: HookEntry[][] = [[], [], [], [], []];
  /** A bit for each hook that has functions. */
  #used = 0;
  #order = 0;

  /** Registers; functions of equal priority run in order of registration. Returns the undo. */
  register(hook: HookNumber, priority: number, run: HookFunction): () => void {
    const entry: HookEntry = { priority, order: this.#order++, run };
    this.#set(hook, [...this.#listOf(hook), entry].sort((a, b) => a.priority - b.priority || a.order - b.order));
    return () => this.#set(hook, this.#listOf(hook).filter((e) => e !== entry));
  }

  isEmpty(hook: HookNumber): boolean {
    return this.#listOf(hook).length === 0;
  }

  /** Runs a hook; true when the packet goes on. */
  run(hook: HookNumber, skb: SkBuff, input: NetDevice | undefined, output: NetDevice | undefined): boolean {
    return (this.#used & (1 << hook)) === 0 || this.verdict(hook, skb, input, output) === "ACCEPT";
  }

  /** Runs a hook, for callers to whom dropped and stolen are not the same. */
  verdict(hook: HookNumber, skb: SkBuff, input: NetDevice | undefined, output: NetDevice | undefined): Verdict {
    if ((this.#used & (1 << hook)) === 0) return "ACCEPT";
    const entries = this.#listOf(hook);
    const state: HookState = { hook, input, output };
    for (const entry of entries) {
      const verdict = entry.run(skb, state);
      if (verdict !== "ACCEPT") return verdict;
    }
    return "ACCEPT";
  }

  #set(hook: HookNumber, entries: HookEntry[]): void {
    this.#entries[hook] = entries;
    this.#used = entries.length > 0 ? this.#used | (1 << hook) : this.#used & ~(1 << hook);
  }

  #listOf(hook: HookNumber): HookEntry[] {
    return this.#entries[hook] as HookEntry[];
  }
}
