/**
 * Files of one machine: a tree in memory, with parts of /proc and /sys answered by code.
 *
 * Paths are absolute and normalised by the callers of `resolve`. Failures throw FileError with the errno that the system call returns.
 */

import type { FileWatchers } from "./file-watchers.ts";

export class FileError extends Error {
  override readonly name = "FileError";
  readonly errno: string;
  readonly path: string;

  constructor(errno: string, path: string) {
    super(`${errno}: ${path}`);
    this.errno = errno;
    this.path = path;
  }
}

export interface FileStatus {
  readonly type: "file" | "directory" | "symlink" | "device";
  readonly mode: number;
  readonly sizeBytes: number;
  readonly modifiedAtNs: number;
  readonly inode: number;
}

/** Answers a part of the tree. Paths are relative to the mount, without a leading slash (`net/ipv4/ip_forward`). */
export interface FileProvider {
  /** undefined: no such file. */
  status(path: string): { readonly type: "file" | "directory"; readonly mode: number } | undefined;
  list(path: string): readonly string[];
  read(path: string): string;
  /** Errno or undefined. Gets the whole text of one write. */
  write(path: string, text: string): string | undefined;
}

export interface FileSystem {
  mount(path: string, provider: FileProvider): void;
  resolve(cwd: string, path: string): string;
  /** stat(2): follows symbolic links. */
  status(path: string): FileStatus | undefined;
  /** lstat(2). */
  linkStatus(path: string): FileStatus | undefined;
  /** Where a symbolic link points; undefined when it is none. */
  readLink(path: string): string | undefined;
  /** realpath(3): every symbolic link resolved; undefined when a part is missing. */
  realPath(path: string): string | undefined;
  exists(path: string): boolean;
  /** What opening for writing would meet: EROFS, EISDIR, ENOENT (no such directory), EACCES. Nothing is changed. */
  writeError(path: string): string | undefined;
  read(path: string): string;
  write(path: string, text: string): void;
  append(path: string, text: string): void;
  makeDirectory(path: string, options?: { readonly parents?: boolean }): void;
  list(path: string): readonly string[];
  remove(path: string, options?: { readonly recursive?: boolean }): void;
  rename(from: string, to: string): void;
  link(target: string, path: string): void;
  setMode(path: string, mode: number): void;
  touch(path: string): void;
  readonly watchers: FileWatchers;
}
