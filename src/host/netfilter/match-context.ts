/**
 * What compiled matches and targets get from the host, and the results that they give.
 */

import type { Host } from "../host.ts";
import type { SkBuff } from "../skb.ts";
import type { Conntrack } from "./conntrack.ts";
import type { HookState } from "./hooks.ts";
import type { Nat } from "./nat.ts";
import type { RecentLists } from "./recent.ts";
import type { IpvsTest } from "./rule.ts";

/** Answers -m ipvs: does the IPVS connection of this packet pass the test? The IPVS module provides it. */
export type IpvsMatcher = (skb: SkBuff, test: IpvsTest) => boolean;

export interface MatchContext {
  readonly host: Host;
  readonly conntrack: Conntrack;
  readonly nat: Nat;
  readonly recent: RecentLists;
  readonly ipvs: () => IpvsMatcher | undefined;
}

/** NO, YES, or DROP: the packet is so broken that it is dropped at once (hotdrop). */
export const NO = 0;
export const YES = 1;
export const HOT_DROP = 2;
export type MatchResult = 0 | 1 | 2;

export type MatchFunction = (skb: SkBuff, state: HookState) => MatchResult;
