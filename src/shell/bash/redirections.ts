/**
 * Redirections: opening files, duplicating descriptors, here-documents (bash manual 3.6).
 */

import type { HereDoc, HereString, Redirect, Redirection } from "unbash";
import type { Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { DeviceFile, FileHandle, type OpenFile, TextInput } from "../streams.ts";
import { ExpansionFailure, ShellExit } from "./control-flow.ts";
import { expandHereDocument, expandText, expandWord } from "./expansion.ts";
import { openNetwork } from "./network-file.ts";
import type { Shell } from "./shell.ts";

const FIRST_FREE_FD = 10;

/** What to put back after a command with redirections. */
export class SavedFiles {
  readonly #shell: Shell;
  readonly #saved: { readonly fd: number; readonly file: OpenFile | undefined }[] = [];

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Puts a file (or nothing) at a descriptor and remembers what was there. */
  replace(fd: number, file: OpenFile | undefined): void {
    const { fds } = this.#shell;
    this.#saved.push({ fd, file: fds.get(fd) });
    if (file === undefined) fds.delete(fd);
    else fds.set(fd, file.retain());
  }

  undo(): void {
    const { fds } = this.#shell;
    for (const { fd, file } of this.#saved.reverse()) {
      fds.get(fd)?.release();
      if (file === undefined) fds.delete(fd);
      else fds.set(fd, file);
    }
    this.#saved.length = 0;
  }

  /** exec: the new files stay. */
  keep(): void {
    for (const { file } of this.#saved) file?.release();
    this.#saved.length = 0;
  }
}

/** Applies redirections in order; undefined (after a message) when one failed, with everything put back. */
export function* applyRedirections(shell: Shell, redirections: readonly Redirection[]): Running<SavedFiles | undefined> {
  const saved = new SavedFiles(shell);
  for (const redirection of redirections) {
    let isGood: boolean;
    try {
      isGood = yield* applyOne(shell, saved, redirection);
    } catch (error) {
      if (error instanceof ExpansionFailure || error instanceof ShellExit) saved.undo();
      throw error;
    }
    if (!isGood) {
      saved.undo();
      return undefined;
    }
  }
  return saved;
}

function* applyOne(shell: Shell, saved: SavedFiles, redirection: Redirection): Running<boolean> {
  const { descriptor } = redirection;
  let fd = descriptor?.type === "FileDescriptor" ? descriptor.value : redirection.type === "Redirect" && !redirection.operator.startsWith("<") ? 1 : 0;
  const variable = descriptor?.type === "FileDescriptorVariable" ? descriptor.name : undefined;
  if (variable !== undefined) {
    fd = FIRST_FREE_FD;
    while (shell.fds.has(fd)) fd++;
    shell.assignText(variable, String(fd));
  }
  if (redirection.type === "HereDoc") {
    saved.replace(fd, new TextInput(yield* hereText(shell, redirection)));
    return true;
  }
  if (redirection.type === "HereString") {
    saved.replace(fd, new TextInput(`${yield* hereString(shell, redirection)}\n`));
    return true;
  }
  return yield* applyFile(shell, saved, redirection, fd);
}

function* hereText(shell: Shell, here: HereDoc): Running<string> {
  if (here.closing === undefined && shell.unit !== undefined) {
    const end = shell.unit.lineAt(shell.unit.text.replace(/\n$/, "").length);
    shell.errorOutput(
      `${shell.errorName}: line ${end}: warning: here-document at line ${shell.unit.lineAt(here.pos)} delimited by end-of-file (wanted \`${here.delimiter?.value ?? ""}')\n`,
    );
  }
  const raw = here.operator === "<<-" ? here.body.text.replace(/^\t+/gm, "") : here.body.text;
  const isMissingNewline = here.closing === undefined && raw !== "" && !raw.endsWith("\n");
  if (here.delimiter?.quoted === true || here.body.parts === undefined) return raw + (isMissingNewline ? "\n" : "");
  const text = yield* expandHereDocument(shell, here.body.parts);
  return (here.operator === "<<-" ? text.replace(/^\t+/gm, "") : text) + (isMissingNewline ? "\n" : "");
}

function* hereString(shell: Shell, here: HereString): Running<string> {
  return yield* expandText(shell, here.target);
}

function* applyFile(shell: Shell, saved: SavedFiles, redirect: Redirect, fd: number): Running<boolean> {
  const { operator } = redirect;
  const raw = redirect.target?.text ?? "";
  const words = redirect.target === undefined ? [""] : yield* expandWord(shell, redirect.target);
  if (words.length !== 1) {
    shell.complain(`${raw}: ambiguous redirect`);
    return false;
  }
  const target = words[0] as string;
  if (operator === "<&" || (operator === ">&" && /^(?:\d+-?|-)$/.test(target))) return duplicate(shell, saved, { fd, target, raw });
  const isBoth = operator === "&>" || operator === "&>>" || operator === ">&";
  const opened = (yield* openNetwork(shell, target)) ?? openPath(shell, target, {
    reads: operator === "<" || operator === "<>",
    writes: operator !== "<",
    appends: operator === ">>" || operator === "&>>",
    truncates: operator !== "<" && operator !== "<>" && operator !== ">>" && operator !== "&>>",
    overrides: operator === ">|",
  });
  if (typeof opened === "string") {
    shell.complain(
      shell.dialect === "dash"
        ? `cannot ${operator === "<" ? "open" : "create"} ${target}: ${opened === "No such file or directory" && operator === "<" ? "No such file" : opened === "No such file or directory" ? "Directory nonexistent" : opened}`
        : `${target}: ${opened}`,
    );
    return false;
  }
  saved.replace(isBoth ? 1 : fd, opened);
  if (isBoth) saved.replace(2, opened);
  return true;
}

function duplicate(shell: Shell, saved: SavedFiles, asked: { readonly fd: number; readonly target: string; readonly raw: string }): boolean {
  const { fd, target } = asked;
  if (target === "-") {
    saved.replace(fd, undefined);
    return true;
  }
  const match = /^(\d+)(-?)$/.exec(target);
  if (match === null) {
    shell.complain(`${asked.raw}: ambiguous redirect`);
    return false;
  }
  const from = Number(match[1]);
  const file = shell.fds.get(from);
  if (file === undefined) {
    shell.complain(`${from}: ${errorText("EBADF")}`);
    return false;
  }
  saved.replace(fd, file);
  if (match[2] === "-" && from !== fd) saved.replace(from, undefined);
  return true;
}

interface OpenMode {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly appends: boolean;
  readonly truncates: boolean;
  readonly overrides: boolean;
}

/** open(2) as the shell does it; the text of the error when it fails. */
export function openPath(shell: Shell, target: string, mode: OpenMode): OpenFile | string {
  const { files, host } = shell.machine;
  if (target === "") return errorText("ENOENT");
  const standard = /^\/dev\/(?:std(in|out|err)|fd\/(\d+))$/.exec(target);
  if (standard !== null && !files.exists(target)) {
    const fd = standard[2] === undefined ? ["in", "out", "err"].indexOf(standard[1] as string) : Number(standard[2]);
    return shell.fds.get(fd) ?? errorText("ENXIO");
  }
  const path = shell.path(target);
  const status = files.status(path);
  if (status?.type === "device") {
    const kind = /^\/dev\/(null|zero|full|u?random)$/.exec(files.realPath(path) ?? path)?.[1];
    if (kind === undefined) return errorText("ENXIO");
    if (kind.endsWith("random")) return new DeviceFile(host.loop, kind as "random", () => host.random("dev/urandom").next32());
    return new DeviceFile(host.loop, kind as "null" | "zero" | "full");
  }
  if (mode.writes) {
    if (shell.options.has("noclobber") && mode.truncates && !mode.overrides && status?.type === "file") return "cannot overwrite existing file";
    const errno = files.writeError(target.endsWith("/") ? `${path}/` : path);
    if (errno !== undefined) return errorText(errno);
    // Who watches the file hears of it when it is closed.
    const close = files.watchers.opened(files.realPath(path) ?? path);
    const failure = shell.fileError(() => {
      if (status === undefined) {
        files.write(path, "");
        files.setMode(path, 0o666 & ~shell.umask);
      } else if (mode.truncates && !path.startsWith("/proc/")) files.write(path, "");
    });
    const opened = failure ?? new FileHandle(files, files.realPath(path) ?? path, mode);
    close();
    return opened;
  }
  if (status === undefined) return errorText("ENOENT");
  return new FileHandle(files, files.realPath(path) ?? path, mode);
}
