/**
 * What a match or target extension of iptables is: its options, how they become data, how the data is printed.
 *
 * iptables v1.8.9 libxtables/xtoptions.c: options are read one by one as they come, checked for use and inversion, and put together at the end.
 */

import type { MatchSpec, TargetSpec } from "../../../host/netfilter/rule.ts";
import type { Names } from "./names.ts";

/** A mistake in the words of a command. `kind`: with the program's name before it, or as it is ("Bad argument"). */
export class XtablesError extends Error {
  override readonly name = "XtablesError";
  readonly status: number;
  readonly isBare: boolean;
  readonly hasHint: boolean;

  constructor(message: string, options: { readonly status?: number; readonly isBare?: boolean; readonly hasHint?: boolean } = {}) {
    super(message);
    this.status = options.status ?? 2;
    this.isBare = options.isBare ?? false;
    this.hasHint = options.hasHint ?? true;
  }
}

export interface ReadContext {
  readonly names: Names;
  /** The rule's protocol so far, 0 for none. */
  readonly protocol: number;
  readonly isInverted: boolean;
  /** Takes the next word of the command line; undefined when there is none (--tcp-flags has two arguments). */
  nextWord(): string | undefined;
  /** A line for standard error that stops nothing. */
  warn(text: string): void;
}

export interface ExtensionOption {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly hasArgument: boolean;
  readonly canInvert?: boolean;
  readonly isMulti?: boolean;
  readonly isMandatory?: boolean;
  readonly excludes?: readonly string[];
  readonly requires?: string;
  /** Replaces the usual words when the option comes twice. */
  readonly onceError?: string;
  /** Several options that share one value (`--syn` and `--tcp-flags`). */
  readonly storesAs?: string;
  read?(text: string, context: ReadContext): unknown;
}

export interface OptionValue {
  readonly value: unknown;
  readonly isInverted: boolean;
}

/** The options of one use of an extension. */
export class OptionValues {
  readonly #values = new Map<string, OptionValue>();

  has(name: string): boolean {
    return this.#values.has(name);
  }

  isInverted(name: string): boolean {
    return this.#values.get(name)?.isInverted ?? false;
  }

  /** The value as its option's `read` gave it. */
  get<T>(name: string): T | undefined {
    return this.#values.get(name)?.value as T | undefined;
  }

  set(name: string, value: OptionValue): void {
    this.#values.set(name, value);
  }
}

export interface PrintContext {
  readonly isNumeric: boolean;
  readonly names: Names;
  readonly protocol: number;
}

export interface MatchExtension {
  readonly name: string;
  readonly options: readonly ExtensionOption[];
  build(values: OptionValues, context: { readonly protocol: number; readonly isProtocolInverted: boolean }): MatchSpec;
  /** After `-m NAME`, with a blank before each word. */
  save(spec: MatchSpec): string;
  /** In a listing, with a blank before each word. */
  print(spec: MatchSpec, context: PrintContext): string;
}

export interface TargetExtension {
  readonly name: string;
  readonly options: readonly ExtensionOption[];
  build(values: OptionValues, context: { readonly protocol: number; readonly isProtocolInverted: boolean }): TargetSpec;
  save(spec: TargetSpec): string;
  print(spec: TargetSpec, context: PrintContext): string;
}

/** One extension on a command line with what has been read for it. */
export class ExtensionUse<E extends MatchExtension | TargetExtension> {
  readonly extension: E;
  readonly values = new OptionValues();

  constructor(extension: E) {
    this.extension = extension;
  }

  accept(option: ExtensionOption, text: string, context: ReadContext): void {
    const { name } = this.extension;
    const key = option.storesAs ?? option.name;
    if (option.isMulti !== true && this.values.has(key))
      throw new XtablesError(option.onceError ?? `${name}: option "--${option.name}" can only be used once.\n`);
    if (context.isInverted && option.canInvert !== true) throw new XtablesError(`${name}: option "--${option.name}" cannot be inverted.\n`);
    const value = option.read === undefined ? text : option.read(text, context);
    this.values.set(key, { value, isInverted: context.isInverted });
  }

  /** Mandatory options, exclusions, dependencies. */
  check(): void {
    const { name, options } = this.extension;
    for (const option of options) {
      const key = option.storesAs ?? option.name;
      if (option.isMandatory === true && !this.values.has(key)) throw new XtablesError(`${name}: option "--${option.name}" must be specified\n`);
      if (!this.values.has(key)) continue;
      if (option.requires !== undefined && !this.values.has(option.requires))
        throw new XtablesError(`${name}: option "--${option.name}" also requires "--${option.requires}".\n`);
      for (const other of option.excludes ?? []) {
        if (this.values.has(other)) throw new XtablesError(`${name}: option "--${option.name}" cannot be used together with "--${other}".\n`);
      }
    }
  }
}
