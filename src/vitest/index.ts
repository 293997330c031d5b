/**
 * Public entry point `lvsim/vitest`: importing it gives vitest's `expect` matchers for labs, commands and schedulers.
 */

import { expect } from "vitest";
import type { DropReason } from "../trace/index.ts";
import { type BalanceOptions, type ReachOptions, toAnswerArp, toBalance, toDrop, toFollow, toHaveNeighbour, toMeetExpectations, toReach } from "./lab-matchers.ts";
import { type PickOptions, toExit, toPickLike, toPrint } from "./script-matchers.ts";

export type { BalanceOptions, PickOptions, ReachOptions };

/** The matchers, for `expect.extend` of another instance; importing this module extends vitest's own. */
export const lvsimMatchers = { toAnswerArp, toBalance, toDrop, toExit, toFollow, toHaveNeighbour, toMeetExpectations, toPickLike, toPrint, toReach };

/** What `expect(...)` can do besides. A wrong kind of subject or argument is a TypeError that says what to write. */
export interface LvsimMatchers {
  /**
   * A Lab: ARP requests for `address` were answered by exactly these hosts. Negated: none of these hosts answered one.
   *
   * @example expect(lab).toAnswerArp("10.0.0.100", "director");
   */
  toAnswerArp(address: string, ...hosts: string[]): void;
  /**
   * A Lab: its directors gave connections to real servers in these shares; keys are hosts, addresses, or `address:port`. A list of names:
   * they occur in these shares. Exact within one connection, or within `tolerance` of all.
   *
   * @example expect(lab).toBalance({ rs1: 2, rs2: 1 });
   */
  toBalance(shares: Readonly<Record<string, number>>, options?: BalanceOptions): void;
  /**
   * A Lab: a frame or packet was dropped, for this reason (DropReason of lvsim/trace, the kernel's names) and on this host or link, where given.
   *
   * @example expect(lab).toDrop("IP_RPFILTER", { host: "rs1" });
   */
  toDrop(reason?: DropReason, options?: { readonly host?: string }): void;
  /** What `lab.run` gave: its exit status, 0 when absent. */
  toExit(exit?: number): void;
  /**
   * A Lab, or some of its packets: one went from the first host to the last over exactly these, and was received there.
   *
   * @example expect(lab.packets({ to: "10.0.0.100:80" })).toFollow("client", "director", "rs1");
   */
  toFollow(...hosts: string[]): void;
  /**
   * A Lab: now the host has a usable neighbour (ARP) entry for the address, with the MAC address of `owner` (a host or a MAC) where given.
   *
   * @example expect(lab).toHaveNeighbour("client", "10.0.0.100", "director");
   */
  toHaveNeighbour(host: string, address: string, owner?: string): void;
  /** A Lab, which is run to the end of its timeline, or a RunResult: everything holds that the steps `expect`. */
  toMeetExpectations(): void;
  /**
   * A scheduler (or the name of one of Linux's): in this script (that of `runSchedScript`) it picks the servers that are expected: `picks`; or what each
   * `open` line says behind `# ->`; or what Linux's scheduler picks that the script names. The scheduler serves under its name where the script
   * names it, or else in the place of whatever the script names.
   *
   * @example expect(mine).toPickLike("service tcp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nopen c1 from 10.1.0.1:4001  # -> 10.2.0.1:80");
   */
  toPickLike(script: string, options?: PickOptions): void;
  /** What `lab.run` gave: its standard output is this text, or matches. */
  toPrint(expected: string | RegExp): void;
  /**
   * A Lab: from this host the target answers, now: `10.0.0.100` is pinged, `10.0.0.100:80` is connected to, an `http://` URL is fetched.
   * Simulated time passes.
   *
   * @example expect(lab).toReach("client", "10.0.0.100:80");
   */
  toReach(from: string, target: string, options?: ReachOptions): void;
}

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: an interface can be extended only with the type parameters that it has
  interface Matchers<T = any> extends LvsimMatchers {}
}

expect.extend(lvsimMatchers);
