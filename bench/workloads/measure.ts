/**
 * What every workload needs: its options, the processor's time, the memory, one line of JSON.
 */

/** Options as `--name=value`, with defaults that say which there are and whether they are numbers. */
export function options<T extends Record<string, string | number>>(defaults: T): { [K in keyof T]: T[K] extends number ? number : string } {
  const values: Record<string, string | number> = { ...defaults };
  for (const argument of process.argv.slice(2)) {
    const [, name = "", text = ""] = /^--([\w-]+)=(.*)$/.exec(argument) ?? [];
    const standard = defaults[name];
    if (standard === undefined) throw new Error(`what is ${argument}? Options: ${Object.keys(defaults).map((one) => `--${one}=`).join(" ")}`);
    const value = typeof standard === "number" ? Number(text) : text;
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`${argument}: a number is needed`);
    values[name] = value;
  }
  return values as { [K in keyof T]: T[K] extends number ? number : string };
}

/** Processor time of this process: a machine that is shared takes wall time away, this less so. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function peakMegabytes(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Collects garbage: what one run leaves is not paid for by the next. Needs --expose-gc. */
export function collectGarbage(): void {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error("run with --expose-gc");
  collect();
}

/** Bytes of live heap; needs --expose-gc. */
export function liveHeapBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export function print(result: Record<string, string | number>): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
