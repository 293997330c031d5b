/**
 * Outputs of commands without what two runs of one kernel never share.
 */

/** What two runs of the kernel never agree on in outputs. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/time[=:] ?[\d.]+ ?ms|, time \d+ms/g, "time"],
  [/^rtt .*$/gm, "rtt"],
  [/^\d+: (\S+?)(@\S+)?:/gm, "N: $1:"],
  [/ link-netnsid \d+/g, ""],
  [/(\w)@if\d+/g, "$1"],
  [/bytes \d+ \([^)]*\)/g, "bytes"],
  [/(?<=:)(3[3-9]\d{3}|32[89]\d\d|327[789]\d|3276[89]|[45]\d{4}|60\d{3})\b/g, "EPHEMERAL"],
  [/(?<![\d.:])\d\d:\d\d(?= +\S)/g, "EXPIRE"],
  [/\b\d+\/(apache2|httpd|nginx|busybox)\b/g, "PID/httpd"],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/g, "DATE"],
  [/^ETag: (W\/)?"[^"]*"/gm, "ETag"],
  [/qdisc \S+ /g, ""],
  [/valid_lft .*$/gm, ""],
  [/ipvsadm v[\d.]+.*$/gm, "ipvsadm version"],
];

/** An output without times, ports, order of rows and amount of blanks. */
export function normalOutput(text: string, command: string): string {
  let masked = text;
  for (const [pattern, replacement] of MASKS) masked = masked.replace(pattern, replacement);
  if (command.includes("--stats") || command.includes("--rate")) masked = masked.replace(/(?<= )\d+(?= |$)/gm, "#");
  return masked
    .split("\n")
    .map((line) => line.split(/\s+/).filter((word) => word !== "").join(" "))
    .filter((line) => line !== "")
    .sort()
    .join("\n");
}

/** Each line once, in no order: logs of processes that run side by side. */
export function linesOf(text: string): string {
  return [...new Set(text.split("\n"))].sort().join("\n");
}
