/**
 * Complaints about a configuration: how bad they are, where they are, who hears of them.
 *
 * keepalived v2.2.7 lib/parser.c (report_config_error), lib/parser.h (config_err_t).
 */

/** How bad a complaint is: the worst decides the exit status of `keepalived -t`. In keepalived's order. */
export const CONFIG_ERROR = {
  ok: 0,
  fileNotFound: 1,
  badInterface: 2,
  fatal: 3,
  multipleFiles: 4,
  unknownKeyword: 5,
  unexpectedBegin: 6,
  missingBegin: 7,
  unexpectedEnd: 8,
  missingEnd: 9,
  unmatchedQuote: 10,
  missingParameter: 11,
  invalidNumber: 12,
  general: 13,
  warning: 14,
  deprecated: 15,
  security: 16,
} as const;

export type ConfigErrorLevel = (typeof CONFIG_ERROR)[keyof typeof CONFIG_ERROR];

/** Something that keepalived can do and this program does not imitate. */
export interface Unsupported {
  /** `(Line 3) ` or empty. */
  readonly place: string;
  readonly what: string;
}

export interface ConfigReportOptions {
  /** `keepalived -t`: complaints are all that is wanted, and bad numbers are refused. */
  readonly isTest: boolean;
  /** Takes a complaint without newline. */
  readonly say: (text: string) => void;
  /** Takes what is logged, not complained of: silent in a test. */
  readonly log: (text: string) => void;
}

export class ConfigReport {
  worst: ConfigErrorLevel = CONFIG_ERROR.ok;
  /** `(Line 3) ` while a file is read, else empty. */
  place = "";
  readonly isTest: boolean;
  readonly unsupported: Unsupported[] = [];
  readonly #say: (text: string) => void;
  readonly #log: (text: string) => void;

  constructor(options: ConfigReportOptions) {
    this.isTest = options.isTest;
    this.#say = options.say;
    this.#log = options.log;
  }

  error(level: ConfigErrorLevel, text: string): void {
    if (level > this.worst) this.worst = level;
    this.#say(this.place + text);
  }

  general(text: string): void {
    this.error(CONFIG_ERROR.general, text);
  }

  log(text: string): void {
    if (!this.isTest) this.#log(text);
  }

  /** Notes what the daemons cannot do; they refuse to start with it. */
  refuse(what: string): void {
    this.unsupported.push({ place: this.place, what });
  }
}

const CHECK_EXIT_CONFIG = 4;
const CHECK_EXIT_TEST = 5;
const CHECK_EXIT_SECURITY = 6;

/** keepalived/core/main.c:config_test_exit. */
export function configTestExit(worst: ConfigErrorLevel): number {
  switch (worst) {
    case CONFIG_ERROR.ok:
      return 0;
    case CONFIG_ERROR.fileNotFound:
    case CONFIG_ERROR.badInterface:
    case CONFIG_ERROR.fatal:
      return CHECK_EXIT_CONFIG;
    case CONFIG_ERROR.security:
      return CHECK_EXIT_SECURITY;
    default:
      return CHECK_EXIT_TEST;
  }
}

/** A keyword without the parameter that it needs: keepalived ends at once. */
export class MissingParameter extends Error {
  override readonly name = "MissingParameter";
}
