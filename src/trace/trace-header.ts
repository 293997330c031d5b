/**
 * The first line of a trace: what it is of, and which version of the format it has.
 */

import { objectOf, readText, TraceFormatError } from "./packet-reader.ts";

export const TRACE_FORMAT = "lvsim-trace";
export const TRACE_VERSION = 1;

/** One interface of the world that a trace is of. */
export interface TraceInterface {
  readonly name: string;
  readonly link: string;
  readonly mac: string;
}

/** The first line: what the trace is of. Nothing of the machine that wrote it. */
export interface TraceHeader {
  readonly format: typeof TRACE_FORMAT;
  readonly version: number;
  /** frames, packets or full. */
  readonly level: string;
  readonly title: string;
  readonly seed: string;
  readonly hosts: readonly { readonly name: string; readonly interfaces: readonly TraceInterface[] }[];
  readonly links: readonly string[];
  /** The scenario file, when the trace is of one. */
  readonly scenario: string | null;
}

export function headerLine(header: Omit<TraceHeader, "format" | "version">): string {
  return JSON.stringify({ format: TRACE_FORMAT, version: TRACE_VERSION, ...header });
}

/** The header in a line; a TraceFormatError says what is wrong: no trace, or a version that this program does not know. */
export function readHeader(line: string): TraceHeader {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new TraceFormatError(`this is no trace: its first line is not the JSON of a header ("format":"${TRACE_FORMAT}")`);
  }
  const { format, version } = objectOf(json, "header");
  if (format !== TRACE_FORMAT) throw new TraceFormatError(`this is no trace: the first line does not say "format":"${TRACE_FORMAT}"`);
  if (version !== TRACE_VERSION)
    throw new TraceFormatError(`the trace has version ${JSON.stringify(version)}, this program reads version ${TRACE_VERSION}: write it again, or use the program that wrote it`);
  const header = json as TraceHeader;
  for (const field of ["level", "title", "seed"] as const) readText(json as Record<string, unknown>, field);
  if (!Array.isArray(header.hosts) || !Array.isArray(header.links)) throw new TraceFormatError("`hosts` and `links` of the header must be lists");
  return header;
}
