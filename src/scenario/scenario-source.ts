/**
 * Where a scenario's data came from, so that every problem can name its place: a YAML file, or an object of the program that uses the library.
 */

import type { FilePlace, ScenarioProblem } from "./scenario-error.ts";
import type { YamlPath } from "./yaml-source.ts";

/** The data of a scenario with the place of everything in it. */
export interface ScenarioSource {
  readonly file: string;
  /** The scenario as a file would have it. */
  readonly text: string;
  readonly value: unknown;
  /** The place of a value, or with `isKey` of its key; of the nearest thing around it when it is not there. */
  place(path: YamlPath, isKey?: boolean): FilePlace;
  /** The line on which a text starts. */
  textLine(path: YamlPath): number;
  problem(path: YamlPath, message: string, remedy: string, isKey?: boolean): ScenarioProblem;
}

/** An object of a program: there are no lines, so a place is the way to the value, `hosts.rs1.interfaces.eth0.address`. */
export class ObjectSource implements ScenarioSource {
  readonly file: string;
  readonly value: unknown;
  /** JSON is YAML. */
  readonly text: string;

  constructor(value: unknown, file: string) {
    this.file = file;
    this.value = value;
    this.text = JSON.stringify(value, undefined, 1);
  }

  place(path: YamlPath): FilePlace {
    const way = path.reduce<string>((text, key) => (typeof key === "number" ? `${text}[${key}]` : `${text}${text === "" ? "" : "."}${key}`), "");
    return { file: way === "" ? this.file : way, line: 0, column: 0 };
  }

  /** Lines of a script count from its own first one. */
  textLine(): number {
    return 1;
  }

  problem(path: YamlPath, message: string, remedy: string): ScenarioProblem {
    return { ...this.place(path), message, remedy };
  }
}
