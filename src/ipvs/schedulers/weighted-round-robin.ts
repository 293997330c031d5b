/**
 * wrr: passes over the list with a falling weight limit, so that a server of weight 3 is met in three passes of a cycle.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_wrr.c.
 */
import {
  NO_DESTINATION,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerFigures,
  type SchedulerService,
  type SchedulerState,
} from "./scheduler.ts";
import { greatestCommonDivisor } from "./greatest-common-divisor.ts";

/** wrr: as often as the weight says. Linux 6.1 net/netfilter/ipvs/ip_vs_wrr.c. */
export const weightedRoundRobin: Scheduler = {
  name: "wrr",
  flags: [],
  init: (service, context) => new WeightedRoundRobin(service, context),
};

/** Stands for the list head, where a pass begins. */
const HEAD = -1;
const ALL_OVERLOADED = `${NO_DESTINATION}: all destinations are overloaded`;

class WeightedRoundRobin<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  /** Place of the server chosen last (the kernel's `cl`). Every change of the list sets it back to HEAD. */
  private current = HEAD;
  /** The weight a server needs in this pass (`cw`). */
  private currentWeight: number;
  /** Where the limit starts a cycle (`mw`): the greatest weight, lowered so that the last pass asks for exactly 1. */
  private maximumWeight = 0;
  /** How far the limit falls from pass to pass (`di`). */
  private step = 1;

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.measureWeights();
    this.currentWeight = this.maximumWeight;
  }

  /**
   * ip_vs_wrr_schedule. The search ends when every server was asked for weight 1: either one whole pass from the head
   * did, or a pass begun behind `last` and another up to `last`.
   */
  schedule(): D | undefined {
    if (this.maximumWeight === 0) return this.fail(this.current, NO_DESTINATION);
    const { dests } = this.service;
    const last = this.current;
    let index = last;
    let isLastPass = false;
    let isRestarted = false;
    let stop = HEAD;
    for (;;) {
      for (index += 1; index < dests.length; index += 1) {
        const dest = dests[index] as D;
        if (!dest.overloaded && dest.weight >= this.currentWeight) {
          this.current = index;
          return dest;
        }
        if (index === stop) return this.fail(index, ALL_OVERLOADED);
      }
      index = HEAD;
      this.currentWeight -= this.step;
      if (this.currentWeight <= 0) {
        this.currentWeight = this.maximumWeight;
        if (isLastPass || last === HEAD) return this.fail(HEAD, ALL_OVERLOADED);
        isRestarted = true;
      }
      isLastPass = this.currentWeight <= this.step;
      if (isLastPass && isRestarted) stop = last;
    }
  }

  destAdded(): void {
    this.listChanged();
  }

  destDeleted(): void {
    this.listChanged();
  }

  destUpdated(): void {
    this.listChanged();
  }

  explain(): SchedulerFigures {
    return {
      after: this.current === HEAD ? "head" : this.current,
      cw: this.currentWeight,
      mw: this.maximumWeight,
      di: this.step,
    };
  }

  /**
   * ip_vs_wrr_dest_changed. A limit once lowered is not raised again: a service filled server by server begins with one
   * pass over all, since its limit was set when the first one stood alone.
   */
  private listChanged(): void {
    this.current = HEAD;
    this.measureWeights();
    if (this.currentWeight > this.maximumWeight || this.currentWeight === 0) {
      this.currentWeight = this.maximumWeight;
    } else if (this.step > 1) {
      this.currentWeight = Math.floor(this.currentWeight / this.step) * this.step + 1;
    }
  }

  /** ip_vs_wrr_gcd_weight, ip_vs_wrr_max_weight. */
  private measureWeights(): void {
    let divisor = 0;
    let greatest = 0;
    for (const { weight } of this.service.dests) {
      if (weight <= 0) continue;
      divisor = greatestCommonDivisor(divisor, weight);
      if (weight > greatest) greatest = weight;
    }
    this.step = divisor === 0 ? 1 : divisor;
    this.maximumWeight = greatest - (this.step - 1);
  }

  private fail(current: number, reason: string): undefined {
    this.current = current;
    this.context.nothingChosen(reason);
    return undefined;
  }
}
