/**
 * Schedulers that users write: taken as a `Scheduler` object or as a class whose methods have the names of the kernel's hooks, checked before
 * they are used.
 *
 * Linux 6.1 include/net/ip_vs.h: struct ip_vs_scheduler (init_service, done_service, add_dest, del_dest, upd_dest, schedule).
 */
import {
  NO_DESTINATION,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerFigures,
  type SchedulerPacket,
  type SchedulerService,
  type SchedulerState,
} from "./scheduler.ts";

/**
 * The methods of a scheduler class: the kernel's hooks, with the kernel's arguments. Only `schedule` must be there.
 *
 * One instance is made for each service, so that fields of the instance are what the kernel keeps in `svc->sched_data`.
 */
export interface SchedulerHooks<D extends SchedulerDest = SchedulerDest> {
  /** The service gets this scheduler; it may have servers already. */
  init_service?(service: SchedulerService<D>): void;
  /** The server for a new connection, one of `service.dests`; undefined (or null) when there is none. */
  schedule(service: SchedulerService<D>, packet: SchedulerPacket): D | null | undefined;
  /** `dest` was added: it stands first in `service.dests`. */
  add_dest?(service: SchedulerService<D>, dest: D): void;
  /** `dest` was deleted: it is no longer in `service.dests`. */
  del_dest?(service: SchedulerService<D>, dest: D): void;
  /** Weight or thresholds of `dest` were edited. Counters change without a call. */
  upd_dest?(service: SchedulerService<D>, dest: D): void;
  /** The service goes, or takes another scheduler. */
  done_service?(service: SchedulerService<D>): void;
  /** Figures behind the choice for a packet, for traces. Must change nothing. */
  explain?(service: SchedulerService<D>, packet: SchedulerPacket): SchedulerFigures;
}

/**
 * A scheduler as a class. `new` gets the context: simulated time, random numbers, settings.
 *
 * @example
 * class Oldest {
 *   static schedulerName = "oldest";
 *   schedule(service) {
 *     return service.dests.findLast((dest) => dest.weight > 0 && !dest.overloaded);
 *   }
 * }
 */
export interface SchedulerClass {
  /** The word after `ipvsadm -s`: 1 to 15 lower-case letters, digits, `_` and `-`. */
  readonly schedulerName: string;
  /** The words after `ipvsadm -b` that it heeds; none when absent. */
  readonly flags?: readonly string[];
  /** A service with more servers cannot take it; no limit when absent. */
  readonly destCountMax?: number;
  new (context: SchedulerContext): SchedulerHooks;
}

/** What may be handed in wherever a scheduler of one's own is asked for. */
export type SchedulerDefinition = Scheduler | SchedulerClass;

/** What is handed in as a scheduler is none. The message says what is missing. */
export class SchedulerDefinitionError extends Error {
  override readonly name = "SchedulerDefinitionError";
}

/** IP_VS_SCHEDNAME_MAXLEN is 16 with the closing zero. */
const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,14}$/;

/**
 * A `Scheduler` from an object or a class that a user wrote. Throws a SchedulerDefinitionError that says what is missing.
 *
 * @example
 * const scheduler = defineScheduler(class { static schedulerName = "first"; schedule(service) { return service.dests[0]; } });
 */
export function defineScheduler(definition: unknown): Scheduler {
  if (isSchedulerClass(definition)) return fromClass(definition);
  if (typeof definition === "function") {
    throw new SchedulerDefinitionError("a scheduler class needs `static schedulerName` and a method `schedule(service, packet)`");
  }
  if (typeof definition !== "object" || definition === null) throw new SchedulerDefinitionError("a scheduler is a class or an object, see docs/SCHEDULERS.md");
  const { name, flags = [], init, destCountMax } = definition as Partial<Scheduler>;
  checkName(name, "name");
  checkParts(name, flags, destCountMax);
  if (typeof init !== "function") throw new SchedulerDefinitionError(`scheduler ${name}: \`init(service, context)\` is missing`);
  return {
    name,
    flags,
    ...(destCountMax === undefined ? {} : { destCountMax }),
    init: (service, context) => checkState(name, (definition as Scheduler).init(service, context)),
  };
}

/** Whether a value looks like a scheduler: of a module's exports those are taken. */
export function isSchedulerDefinition(value: unknown): boolean {
  return isSchedulerClass(value) || (typeof value === "object" && value !== null && "name" in value && typeof (value as { init?: unknown }).init === "function");
}

function isSchedulerClass(value: unknown): value is SchedulerClass {
  if (typeof value !== "function" || !("schedulerName" in value)) return false;
  const { prototype } = value as { prototype?: { schedule?: unknown } };
  return typeof prototype?.schedule === "function";
}

function fromClass(definition: SchedulerClass): Scheduler {
  const { schedulerName: name, flags = [], destCountMax } = definition;
  checkName(name, "static schedulerName");
  checkParts(name, flags, destCountMax);
  return {
    name,
    flags,
    ...(destCountMax === undefined ? {} : { destCountMax }),
    init: (service, context) => new HookedState(new definition(context) as unknown as SchedulerHooks<(typeof service.dests)[number]>, service, context),
  };
}

/** An instance of a scheduler class as the state of a service. */
class HookedState<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly hooks: SchedulerHooks<D>;
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;

  constructor(hooks: SchedulerHooks<D>, service: SchedulerService<D>, context: SchedulerContext) {
    this.hooks = hooks;
    this.service = service;
    this.context = context;
    hooks.init_service?.(service);
  }

  schedule(packet: SchedulerPacket): D | undefined {
    const dest = this.hooks.schedule(this.service, packet) ?? undefined;
    if (dest === undefined) this.context.nothingChosen(NO_DESTINATION);
    return dest;
  }

  destAdded(dest: D): void {
    this.hooks.add_dest?.(this.service, dest);
  }

  destDeleted(dest: D): void {
    this.hooks.del_dest?.(this.service, dest);
  }

  destUpdated(dest: D): void {
    this.hooks.upd_dest?.(this.service, dest);
  }

  done(): void {
    this.hooks.done_service?.(this.service);
  }

  explain(packet: SchedulerPacket): SchedulerFigures {
    return this.hooks.explain?.(this.service, packet) ?? {};
  }
}

function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== "string") throw new SchedulerDefinitionError(`a scheduler needs \`${what}\`, the word after \`ipvsadm -s\``);
  if (!NAME_PATTERN.test(name)) {
    throw new SchedulerDefinitionError(`"${name}" is no name for a scheduler: 1 to 15 lower-case letters, digits, \`_\` and \`-\``);
  }
}

function checkParts(name: string, flags: unknown, destCountMax: unknown): void {
  if (!Array.isArray(flags) || flags.some((flag) => typeof flag !== "string" || !/^[a-z0-9-]+$/.test(flag))) {
    throw new SchedulerDefinitionError(`scheduler ${name}: \`flags\` must be a list of words of lower-case letters, digits and \`-\``);
  }
  if (destCountMax !== undefined && (!Number.isInteger(destCountMax) || (destCountMax as number) < 0)) {
    throw new SchedulerDefinitionError(`scheduler ${name}: \`destCountMax\` must be a whole number`);
  }
}

function checkState<D extends SchedulerDest>(name: string, state: SchedulerState<D> | undefined): SchedulerState<D> {
  if (typeof state?.schedule === "function") return state;
  throw new SchedulerDefinitionError(`scheduler ${name}: what \`init\` returns has no \`schedule(packet)\``);
}
