/**
 * Splits ipvsadm's words into options as the popt library does: bundles (`-Ln`), attached values (`-p5`, `--persistent=7`), values in the
 * next word, a value that may be missing (`-p`).
 */

import type { CommandName } from "./options.ts";

/** A mistake in the command line, with the program's message and exit status. */
export class UsageError extends Error {
  readonly status: number;
  /** `ipvsadm -R` goes on with the next line. */
  readonly endsLineOnly: boolean;

  constructor(message: string, status: number, endsLineOnly = false) {
    super(message);
    this.status = status;
    this.endsLineOnly = endsLineOnly;
  }
}

interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  readonly value?: "required" | "optional";
  readonly command?: CommandName;
}

const OPTIONS: readonly OptionSpec[] = [
  { name: "add-service", short: "A", command: "add-service" },
  { name: "edit-service", short: "E", command: "edit-service" },
  { name: "delete-service", short: "D", command: "delete-service" },
  { name: "clear", short: "C", command: "flush" },
  { name: "list", short: "L", command: "list" },
  { name: "list", short: "l", command: "list" },
  { name: "zero", short: "Z", command: "zero" },
  { name: "add-server", short: "a", command: "add-server" },
  { name: "edit-server", short: "e", command: "edit-server" },
  { name: "delete-server", short: "d", command: "delete-server" },
  { name: "set", value: "required", command: "set" },
  { name: "start-daemon", value: "required", command: "start-daemon" },
  { name: "stop-daemon", value: "required", command: "stop-daemon" },
  { name: "restore", short: "R", command: "restore" },
  { name: "save", short: "S", command: "save" },
  { name: "help", short: "h", command: "help" },
  { name: "version", short: "v", command: "version" },
  { name: "tcp-service", short: "t", value: "required" },
  { name: "udp-service", short: "u", value: "required" },
  { name: "sctp-service", value: "required" },
  { name: "fwmark-service", short: "f", value: "required" },
  { name: "ipv6", short: "6" },
  { name: "scheduler", short: "s", value: "required" },
  { name: "persistent", short: "p", value: "optional" },
  { name: "netmask", short: "M", value: "required" },
  { name: "pe", value: "required" },
  { name: "ops", short: "o" },
  { name: "sched-flags", short: "b", value: "required" },
  { name: "real-server", short: "r", value: "required" },
  { name: "masquerading", short: "m" },
  { name: "ipip", short: "i" },
  { name: "gatewaying", short: "g" },
  { name: "weight", short: "w", value: "required" },
  { name: "u-threshold", short: "x", value: "required" },
  { name: "l-threshold", short: "y", value: "required" },
  { name: "numeric", short: "n" },
  { name: "connection", short: "c" },
  { name: "timeout" },
  { name: "daemon" },
  { name: "stats" },
  { name: "rate" },
  { name: "thresholds" },
  { name: "persistent-conn" },
  { name: "tun-info" },
  { name: "nosort" },
  { name: "sort" },
  { name: "exact", short: "X" },
  { name: "mcast-interface", value: "required" },
  { name: "syncid", value: "required" },
  { name: "sync-maxlen", value: "required" },
  { name: "mcast-group", value: "required" },
  { name: "mcast-port", value: "required" },
  { name: "mcast-ttl", value: "required" },
  { name: "tun-type", value: "required" },
  { name: "tun-port", value: "required" },
  { name: "tun-nocsum" },
  { name: "tun-csum" },
  { name: "tun-remcsum" },
];

export interface FoundOption {
  readonly name: string;
  /** As it was typed, for messages. */
  readonly spelling: string;
  readonly value: string | undefined;
  readonly command: CommandName | undefined;
}

export class OptionReader {
  readonly #args: readonly string[];
  #index = 0;
  /** What is left of a bundle of short options. */
  #bundle = "";
  /** The word that holds the option read last: complaints name it whole. */
  #word = "";
  #isFirst = true;
  /** Words that are no options. */
  readonly rest: string[] = [];

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** The next option; undefined at the end. */
  next(): FoundOption | undefined {
    if (this.#bundle !== "") return this.#short();
    for (;;) {
      const word = this.#args[this.#index];
      if (word === undefined) return undefined;
      this.#index++;
      if (word === "--") {
        this.rest.push(...this.#args.slice(this.#index));
        this.#index = this.#args.length;
        return undefined;
      }
      this.#word = word;
      if (word.startsWith("--")) return this.#long(word.slice(2));
      if (word.startsWith("-") && word.length > 1) {
        this.#bundle = word.slice(1);
        return this.#short();
      }
      if (this.#isFirst) throw unknownFirst();
      this.rest.push(word);
    }
  }

  /** The next word that is no option (the second and third value of --set). */
  word(): string | undefined {
    const word = this.#args[this.#index];
    if (word === undefined || word.startsWith("-")) return undefined;
    this.#index++;
    return word;
  }

  #long(text: string): FoundOption {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const spec = OPTIONS.find((option) => option.name === name);
    if (spec === undefined) throw this.#unknown();
    return this.#found(spec, `--${name}`, equals < 0 ? undefined : text.slice(equals + 1));
  }

  #short(): FoundOption {
    const letter = this.#bundle[0] as string;
    this.#bundle = this.#bundle.slice(1);
    const spec = OPTIONS.find((option) => option.short === letter);
    if (spec === undefined) throw this.#unknown();
    let attached: string | undefined;
    if (spec.value !== undefined && this.#bundle !== "") {
      attached = this.#bundle.startsWith("=") ? this.#bundle.slice(1) : this.#bundle;
      this.#bundle = "";
    }
    return this.#found(spec, `-${letter}`, attached);
  }

  #found(spec: OptionSpec, spelling: string, attached: string | undefined): FoundOption {
    let value = attached;
    if (value === undefined && spec.value !== undefined) {
      const word = this.#args[this.#index];
      if (word !== undefined && (spec.value === "required" || !word.startsWith("-"))) {
        value = word;
        this.#index++;
      } else if (spec.value === "required") {
        throw this.#isFirst ? unknownFirst() : new UsageError(`${this.#word}: missing argument`, 255, true);
      }
    }
    this.#isFirst = false;
    return { name: spec.name, spelling, value, command: spec.command };
  }

  #unknown(): UsageError {
    return this.#isFirst ? unknownFirst() : new UsageError(`${this.#word}: unknown option`, 255, true);
  }
}

function unknownFirst(): UsageError {
  return new UsageError("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255);
}
