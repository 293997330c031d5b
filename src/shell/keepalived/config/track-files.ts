/**
 * Keywords of track_file blocks, and of those that say who looks at which file.
 *
 * keepalived v2.2.7 trackers/track_file.c.
 */

import { FileError, type FileSystem } from "../../file-system.ts";
import type { Keyword } from "./keyword-stream.ts";
import { type FileTracking, TrackedFile } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import { parseInteger, type Words } from "./words.ts";

const WEIGHT_MAX = 254;
const INT_MIN = -2_147_483_648;
const INT_MAX = 2_147_483_647;

export interface TrackFileScope {
  readonly files: FileSystem;
  readonly list: TrackedFile[];
  /** Files get their first numbers: not when a configuration is only looked at. */
  readonly writes: boolean;
  readonly isReload: boolean;
}

interface Initial {
  value: number;
  overwrites: boolean;
}

export function trackFileKeywords(scope: TrackFileScope, report: ConfigReport): Keyword[] {
  let current: TrackedFile | undefined;
  let initial: Initial | undefined;
  const block = (name: string, onBegin: (words: Words) => void): Keyword => ({
    name,
    handle: (words) => {
      onBegin(words);
      current = new TrackedFile(words.at(1));
      initial = undefined;
    },
    sub: [
      { name: "file", handle: (words) => setPath(words, current) },
      { name: "weight", handle: (words) => setWeight(words, current) },
      {
        name: "init_file",
        handle: (words) => {
          initial = readInitial(words, current);
        },
      },
    ],
    close: () => {
      const file = current;
      current = undefined;
      if (file === undefined) return;
      if (file.path === undefined) return report.general(`No file set for track_file ${file.name} - ignoring`);
      scope.list.push(file);
      if (initial !== undefined) initialise(file, file.path, initial, scope, report);
    },
  });
  return [block("track_file", () => {}), block("vrrp_track_file", (words) => words.report.log('"vrrp_track_file" is deprecated, please use "track_file"'))];
}

function setPath(words: Words, file: TrackedFile | undefined): void {
  if (words.length < 2) return words.report.general("track file file name missing");
  if (file === undefined) return;
  if (file.path === undefined) file.path = words.value();
  else words.report.general(`File already set for track file ${file.name} - ignoring ${words.at(1)}`);
}

function setWeight(words: Words, file: TrackedFile | undefined): void {
  if (file === undefined) return;
  if (words.length < 2) return words.report.general(`No weight specified for track file ${file.name} - ignoring`);
  if (file.weight !== 1) return words.report.general(`Weight already set for track file ${file.name} - ignoring ${words.at(1)}`);
  const value = words.int(1, -WEIGHT_MAX, WEIGHT_MAX, true);
  if (value === undefined) words.report.general(`Weight (${words.at(1)}) for track_file ${file.name} must be between [-254..254] inclusive. Ignoring...`);
  file.weight = value ?? 1;
  if (words.length < 3) return;
  if (words.at(2) === "reverse") file.isReversed = true;
  else words.report.general(`track_file ${file.name} unknown weight option ${words.at(2)}`);
}

function readInitial(words: Words, file: TrackedFile | undefined): Initial | undefined {
  if (file === undefined) return undefined;
  const initial: Initial = { value: 0, overwrites: false };
  for (const text of words.list.slice(1)) {
    const word = text.trimStart();
    if (/^[-\d]/.test(word)) {
      const value = parseInteger(word, INT_MIN, INT_MAX, false, words.report);
      if (value === undefined) words.report.general(`Track file ${file.name} init value ${word} is invalid`);
      else if (value < -WEIGHT_MAX || value > WEIGHT_MAX)
        words.report.general(`Track file ${file.name} init value ${value} is outside sensible range [${-WEIGHT_MAX}, ${WEIGHT_MAX}]`);
      initial.value = value ?? 0;
    } else if (word === "overwrite") initial.overwrites = true;
    else words.report.general(`Unknown track file init option ${word}`);
  }
  return initial;
}

function initialise(file: TrackedFile, path: string, initial: Initial, scope: TrackFileScope, report: ConfigReport): void {
  const status = scope.files.status(path);
  if (status !== undefined) {
    if (!initial.overwrites) return;
    if (status.type !== "file") return report.general(`Cannot initialise track file ${file.name} - it is not a regular file`);
    if (scope.isReload) return;
  }
  if (!scope.writes) return;
  try {
    scope.files.write(path, `${initial.value}\n`);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    report.general(`Unable to initialise track file ${file.name}`);
  }
}

/** One line of an instance's or a group's `track_file` block: `NAME [weight N [reverse|noreverse]]`. */
export function trackFile(words: Words, owner: string, list: FileTracking[], files: readonly TrackedFile[]): void {
  const { report } = words;
  const name = words.at(0);
  const file = files.find((one) => one.name === name);
  if (file === undefined) return report.general(`(${owner}) track file ${name} not found, ignoring...`);
  if (list.some((one) => one.file === file)) return report.general(`(${owner}) duplicate track_file ${name} - ignoring`);
  let { weight, isReversed } = file;
  if (words.length >= 2) {
    if (words.at(1) !== "weight") return report.general(`(${owner}) unknown track file option ${words.at(1)} - ignoring`);
    if (words.length === 2) return report.general(`(${owner}) weight without value specified for track file ${name} - ignoring`);
    const value = words.int(2, -WEIGHT_MAX, WEIGHT_MAX, true);
    if (value === undefined) report.general(`(${owner}) weight for track file ${name} must be in [-254..254] inclusive. Ignoring...`);
    else weight = value;
    const option = words.list[3];
    if (option === "reverse" || option === "noreverse") isReversed = option === "reverse";
    else if (option !== undefined) return report.general(`(${owner}) unknown track file ${name} weight option ${option} - ignoring`);
  }
  list.push({ file, weight, isReversed });
}
