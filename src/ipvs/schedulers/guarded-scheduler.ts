/**
 * A user's scheduler at work under watch: what it throws, and servers it returns that are none of the service's, become one clear error
 * instead of a wrong table.
 */
import type { Scheduler, SchedulerContext, SchedulerDest, SchedulerService, SchedulerState } from "./scheduler.ts";

/** A scheduler that a user wrote has failed. The message names scheduler and hook. */
export class SchedulerFault extends Error {
  override readonly name = "SchedulerFault";
  /** The scheduler's name. */
  readonly scheduler: string;
  /** `init`, `schedule`, `destAdded`, `destDeleted`, `destUpdated`, `done` or `explain`. */
  readonly hook: string;

  constructor(scheduler: string, hook: string, what: string, cause?: unknown) {
    super(`scheduler ${scheduler}: ${hook}() ${what}`, cause === undefined ? {} : { cause });
    this.scheduler = scheduler;
    this.hook = hook;
  }
}

/**
 * The same scheduler, whose mistakes come out as a SchedulerFault. Costs one look through the servers a choice; the director puts it around
 * every scheduler that is not the kernel's.
 */
export function guardScheduler(scheduler: Scheduler): Scheduler {
  if (guarded.has(scheduler)) return scheduler;
  const { name } = scheduler;
  const result: Scheduler = {
    name,
    flags: scheduler.flags,
    ...(scheduler.destCountMax === undefined ? {} : { destCountMax: scheduler.destCountMax }),
    init: (service, context) => new Guard(name, service, watched(name, "init", () => scheduler.init(service, context)), context),
  };
  guarded.add(result);
  return result;
}

/** Guards put up, so that none is put around another. Holds nothing alive. */
const guarded = new WeakSet<Scheduler>();

class Guard<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly name: string;
  private readonly service: SchedulerService<D>;
  private readonly state: SchedulerState<D>;
  private readonly context: SchedulerContext;

  constructor(name: string, service: SchedulerService<D>, state: SchedulerState<D>, context: SchedulerContext) {
    this.name = name;
    this.service = service;
    this.state = state;
    this.context = context;
  }

  schedule(packet: Parameters<SchedulerState<D>["schedule"]>[0]): D | undefined {
    const dest: unknown = watched(this.name, "schedule", () => this.state.schedule(packet)) ?? undefined;
    if (dest === undefined) return undefined;
    if (!this.service.dests.includes(dest as D)) throw new SchedulerFault(this.name, "schedule", `at ${this.context.nowNs()} ns returned ${describe(dest)}, which is not in the service`);
    return dest as D;
  }

  destAdded(dest: D): void {
    watched(this.name, "destAdded", () => this.state.destAdded?.(dest));
  }

  destDeleted(dest: D): void {
    watched(this.name, "destDeleted", () => this.state.destDeleted?.(dest));
  }

  destUpdated(dest: D): void {
    watched(this.name, "destUpdated", () => this.state.destUpdated?.(dest));
  }

  done(): void {
    watched(this.name, "done", () => this.state.done?.());
  }

  explain(packet: Parameters<SchedulerState<D>["schedule"]>[0]): ReturnType<NonNullable<SchedulerState<D>["explain"]>> {
    return watched(this.name, "explain", () => this.state.explain?.(packet) ?? {});
  }
}

function watched<T>(name: string, hook: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof SchedulerFault) throw error;
    throw new SchedulerFault(name, hook, `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`, error);
  }
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `${typeof value} ${String(value)}`;
  const { address, port } = value as Partial<SchedulerDest>;
  if (typeof address !== "number" || typeof port !== "number") return "an object that is no server";
  return `the server ${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}:${port}`;
}
