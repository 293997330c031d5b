/**
 * Reading scenario files with a bound, writing results so that nothing is left half-written.
 */

import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseScenario, type Scenario } from "../scenario/scenario-file.ts";
import { checkFileSize } from "../scenario/yaml-source.ts";
import { fileErrorText, UsageError } from "./failure.ts";

/** Refuses by size before a byte is read. `-` is standard input. */
export function readText(path: string): string {
  if (path === "-") {
    const text = readFileSync(0, "utf8");
    checkFileSize("-", text.length);
    return text;
  }
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    checkFileSize(path, fstatSync(descriptor).size);
    return readFileSync(descriptor, "utf8");
  } catch (error) {
    if (error instanceof Error && error.name === "ScenarioError") throw error;
    throw new UsageError(fileErrorText(error, path));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

export function readScenario(path: string): Scenario {
  return parseScenario(readText(path), path);
}

interface OutputFile {
  readonly temporary: string;
  readonly path: string;
  /** Open while it is written piece by piece. */
  descriptor: number | undefined;
}

/** Files that appear together: written under other names, renamed when all are there. */
export class OutputFiles {
  readonly #files: OutputFile[] = [];

  add(path: string, content: string | Uint8Array): void {
    this.#begin(path, (temporary) => {
      writeFileSync(temporary, content);
      return undefined;
    });
  }

  /** A file that is written piece by piece. */
  open(path: string): (content: string | Uint8Array) => void {
    const file = this.#begin(path, (temporary) => openSync(temporary, "w"));
    return (content) => {
      try {
        writeWhole(file.descriptor as number, typeof content === "string" ? Buffer.from(content) : content);
      } catch (error) {
        this.discard();
        throw new UsageError(fileErrorText(error, path));
      }
    };
  }

  #begin(path: string, create: (temporary: string) => number | undefined): OutputFile {
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
    try {
      mkdirSync(dirname(path), { recursive: true });
      const file = { temporary, path, descriptor: create(temporary) };
      this.#files.push(file);
      return file;
    } catch (error) {
      removeIfThere(temporary);
      this.discard();
      throw new UsageError(fileErrorText(error, path));
    }
  }

  commit(): void {
    for (const file of this.#files) close(file);
    while (this.#files.length > 0) {
      const file = this.#files[0] as OutputFile;
      try {
        renameSync(file.temporary, file.path);
      } catch (error) {
        this.discard();
        throw new UsageError(fileErrorText(error, file.path));
      }
      this.#files.shift();
    }
  }

  discard(): void {
    for (const file of this.#files.splice(0)) {
      close(file);
      removeIfThere(file.temporary);
    }
  }
}

function close(file: OutputFile): void {
  if (file.descriptor !== undefined) closeSync(file.descriptor);
  file.descriptor = undefined;
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

/** For cleaning up after an error, which must not be hidden by another. */
function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its directory is not there or no directory: then neither is the file.
  }
}
