/**
 * Names of TOS values and DSCP classes. iptables v1.8.9 extensions/tos_values.c, dscp_helper.c.
 */

import { XtablesError } from "./extension.ts";
import { parseInteger } from "./values.ts";

export interface TosValue {
  readonly value: number;
  readonly mask: number;
}

const TOS_MASK = 0x3f;

export const TOS_NAMES: ReadonlyMap<number, string> = new Map([
  [0x10, "Minimize-Delay"],
  [0x08, "Maximize-Throughput"],
  [0x04, "Maximize-Reliability"],
  [0x02, "Minimize-Cost"],
  [0x00, "Normal-Service"],
]);

/** `value[/mask]` or a name; a name means the six TOS bits. */
export function parseTos(text: string, extension: string, option: string): TosValue {
  for (const [value, name] of TOS_NAMES) if (name.toLowerCase() === text.toLowerCase()) return { value, mask: TOS_MASK };
  const [valueText = "", maskText] = text.split("/");
  if (!/^\d/.test(text)) throw new XtablesError(`Symbolic name "${text}" is unknown`);
  const value = parseInteger(valueText, 255);
  const mask = maskText === undefined ? 255 : parseInteger(maskText, 255);
  if (value === undefined || mask === undefined) throw new XtablesError(`${extension}: bad value for option "--${option}", or out of range.\n`);
  return { value, mask };
}

const DSCP_CLASSES: ReadonlyMap<string, number> = new Map([
  ["CS0", 0x00],
  ["CS1", 0x08],
  ["CS2", 0x10],
  ["CS3", 0x18],
  ["CS4", 0x20],
  ["CS5", 0x28],
  ["CS6", 0x30],
  ["CS7", 0x38],
  ["BE", 0x00],
  ["AF11", 0x0a],
  ["AF12", 0x0c],
  ["AF13", 0x0e],
  ["AF21", 0x12],
  ["AF22", 0x14],
  ["AF23", 0x16],
  ["AF31", 0x1a],
  ["AF32", 0x1c],
  ["AF33", 0x1e],
  ["AF41", 0x22],
  ["AF42", 0x24],
  ["AF43", 0x26],
  ["EF", 0x2e],
]);

export function parseDscpClass(text: string): number {
  const value = DSCP_CLASSES.get(text.toUpperCase());
  if (value === undefined) throw new XtablesError(`Invalid DSCP value \`${text}'`);
  return value;
}

export function formatDscp(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
