/**
 * When a server counts as overloaded: the flag that `ipvsadm -x` and `-y` govern. Two sets of rules, since Linux
 * replaced them in 6.1.183; the director calls one of them at the three moments that matter.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c:ip_vs_bind_dest, ip_vs_unbind_dest; ip_vs_ctl.c:__ip_vs_update_dest,
 * __ip_vs_dest_update_overload (6.1.183 and later).
 */
import type { SchedulerDest } from "./scheduler.ts";

/** Bounds of `ipvsadm -x` and `-y`, in connections; 0: none. */
export interface Thresholds {
  readonly upper: number;
  readonly lower: number;
}

/** Each function sets `dest.overloaded`; nothing else is touched but the thresholds by `thresholdsSet`. */
export interface OverloadRules {
  /** After a connection or template was bound to `dest` and its counters were raised. */
  connBound(dest: SchedulerDest, isTemplate: boolean): void;
  /** After a connection or template left `dest` and its counters were lowered. */
  connUnbound(dest: SchedulerDest, isTemplate: boolean): void;
  /** At `-a` (also of a server from the trash) and `-e`: compares with the stored thresholds, then stores the new ones. */
  thresholdsSet(dest: SchedulerDest, thresholds: Thresholds): void;
}

/** Linux up to 6.1.182: reaching the limit sets the flag; only leaving connections or a higher limit clear it. */
export const overloadByEvent: OverloadRules = {
  connBound(dest) {
    if (dest.upperThreshold !== 0 && connCount(dest) >= dest.upperThreshold) dest.overloaded = true;
  },
  connUnbound(dest) {
    if (dest.lowerThreshold !== 0) {
      if (connCount(dest) < dest.lowerThreshold) dest.overloaded = false;
    } else if (dest.upperThreshold !== 0) {
      if (connCount(dest) * 4 < dest.upperThreshold * 3) dest.overloaded = false;
    } else {
      dest.overloaded = false;
    }
  },
  thresholdsSet(dest, thresholds) {
    if (thresholds.upper === 0 || thresholds.upper > dest.upperThreshold) dest.overloaded = false;
    store(dest, thresholds);
  },
};

/** Linux 6.1.183 and later: judged again whenever the total crosses a threshold, and at every change of a threshold. */
export const overloadByTotal: OverloadRules = {
  connBound(dest, isTemplate) {
    if (!isTemplate && dest.totalConns === dest.upperThreshold) judge(dest, 1);
  },
  connUnbound(dest, isTemplate) {
    if (!isTemplate && dest.totalConns + 1 === lowerValue(dest)) judge(dest, -1);
  },
  thresholdsSet(dest, thresholds) {
    const changed = thresholds.upper !== dest.upperThreshold || thresholds.lower !== dest.lowerThreshold;
    store(dest, thresholds);
    if (changed) judge(dest, 0);
  },
};

function connCount(dest: SchedulerDest): number {
  return dest.activeConns + dest.inactConns;
}

function store(dest: SchedulerDest, thresholds: Thresholds): void {
  dest.upperThreshold = thresholds.upper;
  dest.lowerThreshold = thresholds.lower;
}

/** The threshold under which the flag goes: without a lower one three quarters of the upper one, rounded up. */
function lowerValue(dest: SchedulerDest): number {
  return dest.lowerThreshold !== 0 ? dest.lowerThreshold : dest.upperThreshold - (dest.upperThreshold >>> 2);
}

/** `direction`: 1 the total rose, -1 it fell, 0 the thresholds changed. Between the thresholds the flag stays as it is. */
function judge(dest: SchedulerDest, direction: -1 | 0 | 1): void {
  const { totalConns, upperThreshold } = dest;
  const lower = lowerValue(dest);
  if (upperThreshold === 0) dest.overloaded = false;
  else if (totalConns >= (direction > 0 ? lower : upperThreshold)) dest.overloaded = true;
  else if (totalConns < (direction < 0 ? upperThreshold : lower)) dest.overloaded = false;
}
