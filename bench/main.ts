/**
 * The benchmarks: ours and the peers that are installed, in turn, each run in a process of its own, medians of some rounds.
 *
 *   npm run bench                                   everything, as a table; one line more in bench/history.jsonl
 *   npm run --silent bench -- lan-tcp --json        one of them; its result as one line of JSON, printed last
 *
 * Nothing here passes or fails by time: a machine that others use is off by 30 %. Ratios of runs taken in turn are what counts.
 */

import { appendFileSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BENCHES, type BenchResult } from "./benches.ts";
import { Peers } from "./peers.ts";
import { Processes } from "./processes.ts";
import { formatResult } from "./table.ts";

const USAGE = `usage: npm run bench -- [NAME...] [options]

  --json          print each result as one line of JSON, the tables to standard error
  --rounds N      runs of each program (default 3; the median counts)
  --tiny          as small as can be: does it work at all? Figures mean nothing
  --no-peers      ours alone
  --no-history    leave bench/history.jsonl as it is

Names: ${BENCHES.map(({ name }) => name).join(", ")}
`;

/** Where the sources of the benchmarks lie, and where they were compiled to. */
export interface Places {
  readonly here: string;
  readonly output: string;
}

export async function main(words: readonly string[], places: Places): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      tiny: { type: "boolean", default: false },
      peers: { type: "boolean", default: true },
      "no-peers": { type: "boolean", default: false },
      "no-history": { type: "boolean", default: false },
      help: { type: "boolean", default: false, short: "h" },
    },
  });
  const unknown = positionals.filter((name) => BENCHES.every((bench) => bench.name !== name));
  const rounds = Number(values.rounds);
  if (values.help || unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
    for (const name of unknown) process.stderr.write(`no benchmark ${name}\n`);
    process[values.help ? "stdout" : "stderr"].write(USAGE);
    return values.help ? 0 : 2;
  }
  const note = (text: string) => {
    process.stderr.write(text);
  };
  const processes = new Processes(places);
  const peers = values["no-peers"] ? Peers.none() : Peers.installed(places, note);
  const chosen = BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const results: BenchResult[] = [];
  for (const bench of chosen) {
    const result = { bench: bench.name, ...bench.run({ processes, peers, rounds: values.tiny ? 1 : rounds, isTiny: values.tiny, note }) };
    results.push(result);
    const table = `${formatResult(bench, result)}\n`;
    if (!values.json) process.stdout.write(table);
    else note(table);
  }
  if (!values.tiny && !values["no-history"]) appendFileSync(join(places.here, "history.jsonl"), `${JSON.stringify(historyLine(places, results))}\n`);
  if (values.json) for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
  return 0;
}

/** What later readers need to know about a run; which machine it was is nobody's business. */
function historyLine(places: Places, results: readonly BenchResult[]): object {
  const { version } = JSON.parse(readFileSync(join(places.here, "..", "package.json"), "utf8")) as { readonly version: string };
  return { date: new Date().toISOString().slice(0, 10), version, node: process.version, processor: cpus()[0]?.model ?? "unknown", processors: cpus().length, results };
}
