/**
 * The numbers in tracked files: read at the start, and again whenever somebody has written, moved or removed them.
 *
 * keepalived v2.2.7 trackers/track_file.c (init_track_files, process_track_file, process_inotify).
 */

import { FileError } from "../file-system.ts";
import type { TrackedFile } from "./config/model.ts";
import type { ConfigReport } from "./config/report.ts";
import type { DaemonLog } from "./daemon-log.ts";
import type { DaemonProcess } from "./daemon-process.ts";

/** keepalived reads so many characters. */
const READ_MAX = 127;
const STATUS_MIN = -2_147_483_648;
const STATUS_MAX = 2_147_483_648;

export interface FileTrackingParts {
  readonly daemon: DaemonProcess;
  readonly log: DaemonLog;
  /** Called before `status` of the file changes. */
  readonly onChange: (file: TrackedFile, status: number) => void;
}

export class FileWatch {
  readonly #parts: FileTrackingParts;
  #closers: (() => void)[] = [];

  constructor(parts: FileTrackingParts) {
    this.#parts = parts;
  }

  /** `used`: files that somebody looks at; the others are forgotten. */
  start(used: readonly TrackedFile[], report: ConfigReport): void {
    this.stop();
    const { daemon } = this.#parts;
    const { files } = daemon.machine;
    for (const file of used) {
      const path = file.path as string;
      const real = files.realPath(path) ?? directoryPath(path, (folder) => (files.status(folder)?.type === "directory" ? files.realPath(folder) : undefined));
      if (real === undefined) {
        report.general(`Track file directory for ${file.name} does not exist - removing`);
        continue;
      }
      if (files.exists(real)) file.status = this.#read(file, real) ?? file.status;
      this.#closers.push(files.watchers.watch(real, () => daemon.after(0, () => this.#changed(file, real))));
    }
  }

  stop(): void {
    for (const close of this.#closers) close();
    this.#closers = [];
  }

  #changed(file: TrackedFile, path: string): void {
    const status = this.#parts.daemon.machine.files.exists(path) ? this.#read(file, path) : 0;
    if (status === undefined) return;
    if (status !== file.status) this.#parts.onChange(file, status);
    file.status = status;
  }

  /** strtol with base 0: what is no number counts as 0. */
  #read(file: TrackedFile, path: string): number | undefined {
    let text = "";
    try {
      text = this.#parts.daemon.machine.files.read(path).slice(0, READ_MAX);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
    const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)/.exec(text);
    const digits = match?.[2] ?? "0";
    const size = /^0[xX]/.test(digits) ? Number.parseInt(digits, 16) : /^0\d/.test(digits) ? Number.parseInt(digits, 8) || 0 : Number(digits);
    const value = match?.[1] === "-" ? -size : size;
    if (value >= STATUS_MIN && value <= STATUS_MAX) return value === 0 ? 0 : value;
    this.#parts.log.line(`Invalid number ${value} read from ${file.path} - ignoring`);
    return undefined;
  }
}

/** Where a file will be that is not there yet. */
function directoryPath(path: string, realDirectory: (folder: string) => string | undefined): string | undefined {
  const slash = path.lastIndexOf("/");
  const folder = realDirectory(slash <= 0 ? "/" : path.slice(0, slash));
  return folder === undefined ? undefined : `${folder === "/" ? "" : folder}/${path.slice(slash + 1)}`;
}
