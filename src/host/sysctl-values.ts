/**
 * How /proc/sys files read and parse their text.
 *
 * Linux v6.1 kernel/sysctl.c (proc_get_long, __do_proc_dointvec, do_proc_dointvec_conv, proc_dostring).
 */

import type { Errno, SysctlCell, SysctlLeaf } from "./host.ts";

export const INT_MIN = -2147483648;
export const INT_MAX = 2147483647;

export interface IntegerBounds {
  readonly min?: number;
  readonly max?: number;
}

/** The kernel parses at most 22 characters of one number (TMPBUFLEN). */
const NUMBER_CHARACTERS_MAX = 22;

/** One number at `start` of `text`, which must end there or be followed by white space; undefined when there is none. */
export function parseSysctlNumber(text: string, start: number): { readonly value: number; readonly end: number } | undefined {
  const match = /^(-?)(0[xX][0-9a-fA-F]+|\d+)/.exec(text.slice(start, start + NUMBER_CHARACTERS_MAX));
  if (match === null) return undefined;
  const digits = match[2] as string;
  const end = start + match[0].length;
  const next = text[end];
  if (next !== undefined && next !== " " && next !== "\t" && next !== "\n" && next !== "\0") return undefined;
  const isOctal = digits.length > 1 && digits[0] === "0" && /^[0-7]+$/.test(digits);
  if (digits.length > 1 && digits[0] === "0" && !isOctal && !/^0[xX]/.test(digits)) return undefined;
  const magnitude = isOctal ? Number.parseInt(digits, 8) : Number(digits);
  return { value: match[1] === "-" ? -magnitude : magnitude, end };
}

/**
 * As many of `count` numbers as `text` holds; an errno when not even one is there. Numbers before a bad one are taken and the bad one is an
 * error, as in the kernel, which stores each as it goes.
 */
export function parseSysctlVector(text: string, count: number, store: (index: number, value: number) => Errno | undefined): Errno | undefined {
  let at = 0;
  for (let index = 0; index < count; index++) {
    while (at < text.length && /\s/.test(text[at] as string)) at++;
    if (at >= text.length) return index === 0 ? "EINVAL" : undefined;
    const number = parseSysctlNumber(text, at);
    if (number === undefined) return "EINVAL";
    const errno = store(index, number.value);
    if (errno !== undefined) return errno;
    at = number.end;
  }
  return undefined;
}

function isWithin(value: number, bounds: IntegerBounds): boolean {
  return value >= (bounds.min ?? INT_MIN) && value <= (bounds.max ?? INT_MAX);
}

/** A leaf over one integer. `afterWrite` runs also when the value stays the same. */
export function integerLeaf(cell: SysctlCell, bounds: IntegerBounds, afterWrite?: () => void): SysctlLeaf {
  return {
    read: () => String(cell.value),
    write(text) {
      const errno = parseSysctlVector(text, 1, (_, value) => {
        if (!isWithin(value, bounds)) return "EINVAL";
        cell.value = value;
        return undefined;
      });
      if (errno === undefined) afterWrite?.();
      return errno;
    },
  };
}

/** A leaf over several integers, separated by tabs when read. `accept` sees the whole new vector and may refuse it. */
export function vectorLeaf(values: number[], bounds: IntegerBounds, accept?: (values: readonly number[]) => Errno | undefined): SysctlLeaf {
  return {
    read: () => values.join("\t"),
    write(text) {
      const next = [...values];
      const errno = parseSysctlVector(text, values.length, (index, value) => {
        if (!isWithin(value, bounds)) return "EINVAL";
        next[index] = value;
        if (accept === undefined) values[index] = value;
        return undefined;
      });
      if (errno !== undefined || accept === undefined) return errno;
      const refusal = accept(next);
      if (refusal !== undefined) return refusal;
      for (let index = 0; index < values.length; index++) values[index] = next[index] as number;
      return undefined;
    },
  };
}

/** A leaf over one word; `accept` may refuse or do the work. */
export function stringLeaf(initial: string, accept?: (text: string) => Errno | undefined): SysctlLeaf {
  let current = initial;
  return {
    read: () => current,
    write(text) {
      const word = (/^[^\n\0]*/.exec(text) as RegExpExecArray)[0];
      const errno = accept?.(word);
      if (errno === undefined) current = word;
      return errno;
    },
  };
}

export function readOnlyLeaf(read: () => string): SysctlLeaf {
  return { read, write: () => "EPERM" };
}
