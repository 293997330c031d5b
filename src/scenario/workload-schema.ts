/**
 * The keys that describe a load, the same in workload files and under `workload` of a scenario file: arrivals, sizes, clients.
 */

import * as v from "valibot";
import { parseIpv4Address } from "../base/ipv4-address.ts";
import type { ArrivalSpec } from "../workload/arrivals.ts";
import type { PopulationSpec } from "../workload/population.ts";
import type { SizeSpec } from "../workload/sizes.ts";
import { durationNs, integer, number, object, positiveNs, text } from "./schema-values.ts";
import type { YamlPath } from "./yaml-source.ts";

const RATE_MAX = 1_000_000;
const RATE_REMEDY = "write connections a second, such as 100";
/** Sizes without a `max` are cut here: one hour. */
const SIZE_MAX_NS = 3_600_000_000_000;
export const CLIENT_COUNT_MAX = 1_000_000;

const POPULARITY = v.optional(v.picklist(["uniform", "zipf"], "popularity is no word for one|write uniform or zipf"));
const rate = (what: string) => number(what, 0.000_001, RATE_MAX, RATE_REMEDY);

export const arrivalsSchema = v.pipe(
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.picklist(["even", "poisson"]), rate: rate("rate") }, object("arrivals", "write { kind: poisson, rate: 100 }")),
      v.strictObject(
        {
          kind: v.literal("bursty"),
          rate: number("rate", 0, RATE_MAX, RATE_REMEDY),
          peak: rate("peak"),
          burst: positiveNs("burst", "write the mean length of a burst, such as 200ms"),
          pause: positiveNs("pause", "write the mean time between bursts, such as 2s"),
        },
        object("arrivals", "write { kind: bursty, rate: 10, peak: 500, burst: 200ms, pause: 2s }"),
      ),
    ],
    "arrivals must be of a kind|write { kind: poisson, rate: 100 }; kinds: even, poisson, bursty",
  ),
  v.transform((raw): ArrivalSpec => (raw.kind === "bursty" ? { kind: raw.kind, rate: raw.rate, peak: raw.peak, burstNs: raw.burst, pauseNs: raw.pause } : raw)),
);

const sizeBase = { mean: positiveNs("mean", "write a time such as 20ms"), max: v.optional(positiveNs("max", "write a time such as 10s")) };
const SIZE_REMEDY = "write { kind: exponential, mean: 20ms }";

export const sizesSchema = v.pipe(
  v.variant(
    "kind",
    [
      v.strictObject({ kind: v.picklist(["fixed", "exponential"]), ...sizeBase }, object("sizes", SIZE_REMEDY)),
      v.strictObject({ kind: v.literal("pareto"), ...sizeBase, shape: number("shape", 1.01, 100, "1.5 is a heavy tail, 3 a light one") }, object("sizes", SIZE_REMEDY)),
      v.strictObject({ kind: v.literal("lognormal"), ...sizeBase, sigma: number("sigma", 0, 5, "1 is usual") }, object("sizes", SIZE_REMEDY)),
    ],
    `sizes must be of a kind|${SIZE_REMEDY}; kinds: fixed, exponential, pareto, lognormal`,
  ),
  v.check(({ mean, max }) => mean <= (max ?? SIZE_MAX_NS), "the mean is above `max`|raise `max`"),
  v.transform((raw): SizeSpec => {
    const base = { meanNs: raw.mean, maxNs: raw.max ?? SIZE_MAX_NS };
    if (raw.kind === "pareto") return { kind: raw.kind, ...base, shape: raw.shape };
    if (raw.kind === "lognormal") return { kind: raw.kind, ...base, sigma: raw.sigma };
    return { kind: raw.kind, ...base };
  }),
);

export const clientsSchema = v.pipe(
  v.strictObject(
    {
      count: integer("count", 1, CLIENT_COUNT_MAX, "write how many clients there are"),
      popularity: POPULARITY,
      exponent: v.optional(number("exponent", 0, 10, "1 is Zipf's law")),
    },
    object("clients", "write { count: 500, popularity: zipf }"),
  ),
  v.check(({ popularity, exponent }) => exponent === undefined || popularity === "zipf", "`exponent` belongs to `popularity: zipf`|add it or remove `exponent`"),
  v.transform(({ count, popularity, exponent }): PopulationSpec => (popularity === "zipf" ? { kind: "zipf", count, exponent: exponent ?? 1 } : { kind: "uniform", count })),
);

/** One entry under `workload` of a scenario file: connections that hosts of the scenario open. */
export const scenarioWorkloadSchema = v.pipe(
  v.strictObject(
    {
      from: v.union([text("from", "name a host or a list of hosts"), v.array(v.string("from must be a list of host names|write [client1, client2]"))], "from must be a host or a list of hosts|write client or [client1, client2]"),
      to: v.pipe(
        text("to", "write 10.0.0.100:80"),
        v.check((value) => parseEnd(value) !== undefined, "not ADDRESS:PORT|write 10.0.0.100:80"),
        v.transform((value) => parseEnd(value) ?? { address: 0, port: 0 }),
      ),
      at: v.optional(durationNs("at")),
      duration: positiveNs("duration", "write for how long connections are opened, such as 10s"),
      arrivals: arrivalsSchema,
      sizes: sizesSchema,
      send: v.optional(text("send", 'write "GET / HTTP/1.0\\r\\n\\r\\n"')),
      popularity: POPULARITY,
      exponent: v.optional(number("exponent", 0, 10, "1 is Zipf's law")),
    },
    object("a workload", "write { from: client, to: 10.0.0.100:80, duration: 10s, arrivals: ..., sizes: ... }"),
  ),
  v.check(({ popularity, exponent }) => exponent === undefined || popularity === "zipf", "`exponent` belongs to `popularity: zipf`|add it or remove `exponent`"),
);

export type RawScenarioWorkload = v.InferOutput<typeof scenarioWorkloadSchema>;

/** The keys of an entry, for messages. */
export const SCENARIO_WORKLOAD_KEYS = ["from", "to", "at", "duration", "arrivals", "sizes", "send", "popularity", "exponent"] as const;

function parseEnd(value: string): { readonly address: number; readonly port: number } | undefined {
  const match = /^([\d.]+):(\d{1,5})$/.exec(value);
  const address = parseIpv4Address(match?.[1] ?? "");
  const port = Number(match?.[2]);
  return address === undefined || port < 1 || port > 65535 ? undefined : { address, port };
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  arrivals: ["kind", "rate", "peak", "burst", "pause"],
  sizes: ["kind", "mean", "max", "shape", "sigma"],
  clients: ["count", "popularity", "exponent"],
};

/** The keys of arrivals, sizes and clients, for messages; undefined elsewhere. */
export function loadKeys(path: YamlPath): readonly string[] | undefined {
  return KEYS[String(path[path.length - 1])];
}
