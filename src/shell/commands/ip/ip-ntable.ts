/**
 * ip ntable: the parameters of the neighbour tables, shown and changed.
 *
 * iproute2 6.1 ip/ipntable.c (ipntable_show, print_ntable, ipntable_modify); Linux v6.1 net/core/neighbour.c:neightbl_set.
 */

import { NS_PER_MS } from "../../../base/time.ts";
import type { NetDevice } from "../../../host/device.ts";
import type { NeighbourFamily, NeighbourParameterSet } from "../../../host/neighbour-parameter-sets.ts";
import type { NeighbourParameters } from "../../../host/neighbour-parameters.ts";
import { writeJson } from "./ip-link-format.ts";
import { Arguments, chosenOf, deviceNamed, findDevice, IpExit, type IpSession, netlinkFailure, unsupported, wrongArgument } from "./ip-output.ts";

const USAGE = `Usage: ip ntable change name NAME [ dev DEV ]
        [ thresh1 VAL ] [ thresh2 VAL ] [ thresh3 VAL ] [ gc_int MSEC ]
        [ PARMS ]
Usage: ip ntable show [ dev DEV ] [ name NAME ]
PARMS := [ base_reachable MSEC ] [ retrans MSEC ] [ gc_stale MSEC ]
         [ delay_probe MSEC ] [ queue LEN ]
         [ app_probes VAL ] [ ucast_probes VAL ] [ mcast_probes VAL ]
         [ anycast_delay MSEC ] [ proxy_delay MSEC ] [ proxy_queue LEN ]
         [ locktime MSEC ]
`;

const FAMILIES: readonly NeighbourFamily[] = ["inet", "inet6"];
const TABLE_NAMES: Readonly<Record<NeighbourFamily, string>> = { inet: "arp_cache", inet6: "ndisc_cache" };
/** Limits of the table itself. Namespaces share them, and only the first may change them. */
const LIMITS = { thresh1: 128, thresh2: 512, thresh3: 1024, gc_int: 30000 } as const;
/** Times are kept in ticks of HZ=100. */
const TICK_MS = 10;

/** One parameter by its name here: its field, and how many ms (0: it is no time) one unit of the field is. */
interface Parameter {
  readonly field: Exclude<keyof NeighbourParameters, `${string}Ns`>;
  readonly unitMs: number;
}

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  base_reachable: { field: "base_reachable_time_ms", unitMs: 1 },
  retrans: { field: "retrans_time_ms", unitMs: 1 },
  gc_stale: { field: "gc_stale_time", unitMs: 1000 },
  delay_probe: { field: "delay_first_probe_time", unitMs: 1000 },
  queue: { field: "unres_qlen", unitMs: 0 },
  app_probes: { field: "app_solicit", unitMs: 0 },
  ucast_probes: { field: "ucast_solicit", unitMs: 0 },
  mcast_probes: { field: "mcast_solicit", unitMs: 0 },
  anycast_delay: { field: "anycast_delay", unitMs: 10 },
  proxy_delay: { field: "proxy_delay", unitMs: 10 },
  proxy_queue: { field: "proxy_qlen", unitMs: 0 },
  locktime: { field: "locktime", unitMs: 10 },
};
/** How they are laid out in lines. */
const ROWS: readonly (readonly string[])[] = [
  ["refcnt", "reachable", "base_reachable", "retrans"],
  ["gc_stale", "delay_probe", "queue"],
  ["app_probes", "ucast_probes", "mcast_probes"],
  ["anycast_delay", "proxy_delay", "proxy_queue", "locktime"],
];

export function runIpNtable(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  switch (chosenOf(verb, ["change", "chg", "show", "lst", "list", "help"])) {
    case "change":
    case "chg":
      return change(session, words.slice(1));
    case "show":
    case "lst":
    case "list":
      return show(session, words.slice(1));
    case "help":
      session.err(USAGE);
      return 255;
    default:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip ntable help".\n`);
  }
}

/* ----------------------------------------------------------------------------------------------------------------- show */

function show(session: IpSession, words: readonly string[]): number {
  const { host, flags } = session;
  const args = new Arguments(words);
  let device: NetDevice | undefined;
  let name: string | undefined;
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "dev") {
      const text = args.take();
      device = findDevice(session, text) ?? wrongArgument(text, '"DEV" is invalid');
    } else if (word === "name") name = args.take();
    else wrongArgument(word, "unknown");
  }
  const sets = FAMILIES.filter((family) => (flags.family === undefined || flags.family === family) && (name === undefined || name === TABLE_NAMES[family]))
    .flatMap((family) => host.neighbours.parameterSets(family))
    .filter((set) => device === undefined || set.device === device);
  if (flags.statistics > 0 && sets.some((set) => set.device === undefined)) unsupported("the statistics of a neighbour table");
  if (flags.isJson) writeJson(session, sets.map(jsonOf));
  else for (const set of sets) session.out(`${linesOf(set).join(` ${session.nl}`)} ${session.nl}\n`);
  return 0;
}

function valuesOf(set: NeighbourParameterSet): ReadonlyMap<string, number> {
  const values = new Map([
    ["refcnt", set.referenceCount],
    ["reachable", inTicks(set.reachableTimeNs / NS_PER_MS)],
  ]);
  for (const [name, { field, unitMs }] of Object.entries(PARAMETERS)) {
    const value = set.parameters[field];
    values.set(name, unitMs === 0 ? value : inTicks(value * unitMs));
  }
  return values;
}

function inTicks(ms: number): number {
  return Math.ceil(ms / TICK_MS) * TICK_MS;
}

function linesOf(set: NeighbourParameterSet): string[] {
  const values = valuesOf(set);
  const own = Object.entries(LIMITS).map(([name, value]) => `${name} ${value}`);
  return [
    `${set.family} ${TABLE_NAMES[set.family]}`,
    `    ${set.device === undefined ? own.join(" ") : `dev ${set.device.name}`}`,
    ...ROWS.map((row) => `    ${row.map((name) => `${name} ${values.get(name)}`).join(" ")}`),
  ];
}

function jsonOf(set: NeighbourParameterSet): Record<string, string | number> {
  const { gc_int, ...thresholds } = LIMITS;
  const values = valuesOf(set);
  return {
    family: set.family,
    name: TABLE_NAMES[set.family],
    ...(set.device === undefined ? { ...thresholds, gc_interval: gc_int } : { dev: set.device.name }),
    ...Object.fromEntries(ROWS.flat().map((name) => [name, values.get(name) ?? 0])),
  };
}

/* --------------------------------------------------------------------------------------------------------------- change */

function change(session: IpSession, words: readonly string[]): number {
  const args = new Arguments(words);
  let tableName: string | undefined;
  let deviceName: string | undefined;
  let changesLimits = false;
  const wanted: (readonly [Parameter, number])[] = [];
  while (!args.isAtEnd) {
    const word = args.take();
    const parameter = Object.hasOwn(PARAMETERS, word) ? PARAMETERS[word] : undefined;
    if (word === "name") tableName = args.take();
    else if (word === "dev") deviceName = args.take();
    else if (parameter !== undefined) wanted.push([parameter, takeValue(args, word)]);
    else if (word in LIMITS) {
      takeValue(args, word);
      changesLimits = true;
    } else wrongArgument(word, "unknown");
  }
  if (tableName === undefined) throw new IpExit(255, 'Error: argument "NAME" is required\n');
  if (wanted.length === 0 && !changesLimits) throw new IpExit(255, "Not enough information: changeable attributes required.\n");
  const device = deviceName === undefined ? undefined : deviceNamed(session, deviceName);
  const family = FAMILIES.find((one) => TABLE_NAMES[one] === tableName);
  // The parameters and limits of the table itself belong to the first namespace.
  const set = family === undefined ? undefined : session.host.neighbours.parameterSets(family).find((one) => one.device === device);
  if (set === undefined || device === undefined) netlinkFailure("ENOENT", "");
  for (const [parameter, value] of wanted) apply(session, set, parameter, value);
  if (changesLimits) netlinkFailure("ENOENT", "");
  return 0;
}

/** Those of IPv4 are what /proc/sys shows, too. */
function apply(session: IpSession, { family, device, parameters }: NeighbourParameterSet, { field, unitMs }: Parameter, value: number): void {
  const amount = unitMs === 0 ? value : inTicks(value) / unitMs;
  const isSetting = family === "inet" && device !== undefined;
  if (isSetting && session.host.sysctl.write(`net.ipv4.neigh.${device.name}.${field}`, String(amount)) === undefined) return;
  parameters[field] = amount;
}

function takeValue(args: Arguments, name: string): number {
  const text = args.take();
  const value = /^(0[xX][\da-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffffffff)) wrongArgument(text, `"${name}" value is invalid`);
  return value;
}
