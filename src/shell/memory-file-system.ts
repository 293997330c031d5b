/**
 * The files of one machine, in memory: a tree of nodes, parts of it answered by providers (/proc, /sys), most of it read-only as in the lab.
 *
 * Until `seal` everything may be written, which is how a machine gets its standard files and those of its scenario; afterwards only what lies
 * below the writable places (/tmp, /var, /run, ...) may change, the rest is EROFS.
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import { FileError, type FileProvider, type FileStatus, type FileSystem } from "./file-system.ts";
import { FileWatchers } from "./file-watchers.ts";

const LINKS_MAX = 40;
const NAME_MAX = 255;
const FILE_COUNT_MAX = 100_000;

interface FileNode {
  kind: "file" | "device";
  text: string;
  mode: number;
  modifiedAtNs: number;
  readonly inode: number;
}

interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
  mode: number;
  modifiedAtNs: number;
  readonly inode: number;
}

interface LinkNode {
  readonly kind: "symlink";
  readonly target: string;
  readonly mode: number;
  modifiedAtNs: number;
  readonly inode: number;
}

type Node = FileNode | DirectoryNode | LinkNode;

interface Provided {
  readonly provider: FileProvider;
  /** The path inside the provider. */
  readonly inner: string;
}

/** Where a path leads: the real path (links resolved but perhaps for the last part), and what is there. */
interface Place {
  readonly path: string;
  readonly parent: DirectoryNode | undefined;
  readonly name: string;
  readonly node: Node | undefined;
  readonly provided: Provided | undefined;
}

/** The tree of a file system at one time. */
export interface FileSnapshot {
  readonly root: unknown;
  readonly characters: number;
  readonly count: number;
}

function copyOfDirectory(node: DirectoryNode): DirectoryNode {
  const entries = new Map<string, Node>();
  for (const [name, child] of node.entries) entries.set(name, child.kind === "directory" ? copyOfDirectory(child) : { ...child });
  return { ...node, entries };
}

/** Joins and removes `.`, `..` and empty parts, as text. */
export function normalisePath(cwd: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export class MemoryFileSystem implements FileSystem {
  readonly watchers = new FileWatchers();
  readonly #clock: Pick<EventLoop, "nowNs">;
  readonly #charactersMax: number;
  readonly #writable: readonly string[];
  readonly #mounts = new Map<string, FileProvider>();
  readonly #devices = new Map<string, () => string>();
  #lastInode = 1;
  #root: DirectoryNode;
  #characters = 0;
  #count = 0;
  #isSealed = false;

  constructor(options: { readonly clock: Pick<EventLoop, "nowNs">; readonly charactersMax: number; readonly writable: readonly string[] }) {
    this.#clock = options.clock;
    this.#charactersMax = options.charactersMax;
    this.#writable = options.writable;
    this.#root = this.#newDirectory();
  }

  /** Everything that is stored, as it is now. What providers answer is not stored. */
  snapshot(): FileSnapshot {
    return { root: copyOfDirectory(this.#root), characters: this.#characters, count: this.#count };
  }

  /** Back to an earlier state; a snapshot serves once. */
  restore(snapshot: FileSnapshot): void {
    this.#root = snapshot.root as DirectoryNode;
    this.#characters = snapshot.characters;
    this.#count = snapshot.count;
  }

  /** Empties directories that live in memory only. */
  clear(paths: readonly string[]): void {
    for (const path of paths) {
      const node = this.#tryFind(path, true)?.node;
      if (node?.kind !== "directory") continue;
      for (const [name, child] of node.entries) {
        this.#forget(child);
        node.entries.delete(name);
      }
    }
  }

  /** From now on only the writable places can be changed. */
  seal(): void {
    this.#isSealed = true;
  }

  mount(path: string, provider: FileProvider): void {
    const wasSealed = this.#isSealed;
    this.#isSealed = false;
    if (this.#providedFor(path) === undefined) this.makeDirectory(path, { parents: true });
    this.#isSealed = wasSealed;
    this.#mounts.set(path, provider);
  }

  resolve(cwd: string, path: string): string {
    return normalisePath(cwd, path);
  }

  status(path: string): FileStatus | undefined {
    return this.#statusOf(this.#tryFind(path, true));
  }

  linkStatus(path: string): FileStatus | undefined {
    return this.#statusOf(this.#tryFind(path, false));
  }

  readLink(path: string): string | undefined {
    const node = this.#tryFind(path, false)?.node;
    return node?.kind === "symlink" ? node.target : undefined;
  }

  realPath(path: string): string | undefined {
    const place = this.#tryFind(path, true);
    return place === undefined || this.#statusOf(place) === undefined ? undefined : place.path;
  }

  exists(path: string): boolean {
    return this.status(path) !== undefined;
  }

  read(path: string): string {
    const place = this.#find(path, true);
    if (place.provided !== undefined) {
      const status = place.provided.provider.status(place.provided.inner);
      if (status === undefined) throw new FileError("ENOENT", path);
      if (status.type === "directory") throw new FileError("EISDIR", path);
      return place.provided.provider.read(place.provided.inner);
    }
    if (place.node === undefined) throw new FileError("ENOENT", path);
    if (place.node.kind === "directory") throw new FileError("EISDIR", path);
    if (place.node.kind === "device") return this.#devices.get(place.path)?.() ?? "";
    return place.node.kind === "symlink" ? "" : place.node.text;
  }

  write(path: string, text: string): void {
    this.#store(path, text, false);
  }

  /** Makes a file with its mode in one step, unless something has the name already. Its directory must exist. */
  addFile(path: string, text: string, mode: number): void {
    const place = this.#find(path, false);
    if (place.provided !== undefined || place.node !== undefined) return;
    const { entries } = this.#mayCreate(place, path);
    const file = this.#newFile(text, path);
    file.mode = mode;
    entries.set(place.name, file);
  }

  append(path: string, text: string): void {
    this.#store(path, text, true);
  }

  makeDirectory(path: string, options: { readonly parents?: boolean } = {}): void {
    const normal = normalisePath("/", path);
    if (options.parents === true) {
      const slash = normal.lastIndexOf("/");
      const status = this.status(normal);
      if (status?.type === "directory") return;
      if (slash > 0) this.makeDirectory(normal.slice(0, slash), options);
    }
    const place = this.#find(normal, true);
    if (this.#statusOf(place) !== undefined) throw new FileError("EEXIST", path);
    this.#mayCreate(place, path).entries.set(place.name, this.#newDirectory());
  }

  list(path: string): readonly string[] {
    const place = this.#find(path, true);
    const names = new Set<string>();
    if (place.provided !== undefined) {
      const status = place.provided.provider.status(place.provided.inner);
      if (status === undefined) throw new FileError("ENOENT", path);
      if (status.type !== "directory") throw new FileError("ENOTDIR", path);
      for (const name of place.provided.provider.list(place.provided.inner)) names.add(name);
    } else if (place.node === undefined) throw new FileError("ENOENT", path);
    else if (place.node.kind !== "directory") throw new FileError("ENOTDIR", path);
    if (place.node?.kind === "directory") for (const name of place.node.entries.keys()) names.add(name);
    return [...names].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  remove(path: string, options: { readonly recursive?: boolean } = {}): void {
    const place = this.#find(path, false);
    if (place.provided !== undefined) throw new FileError(place.provided.provider.status(place.provided.inner) === undefined ? "ENOENT" : "EACCES", path);
    if (place.node === undefined) throw new FileError("ENOENT", path);
    if (place.parent === undefined || this.#mounts.has(place.path) || this.#writable.includes(place.path)) throw new FileError("EBUSY", path);
    this.#mayChange(place.path, path);
    if (place.node.kind === "directory" && place.node.entries.size > 0 && options.recursive !== true) throw new FileError("ENOTEMPTY", path);
    this.#forget(place.node);
    place.parent.entries.delete(place.name);
    place.parent.modifiedAtNs = this.#clock.nowNs;
    this.watchers.changed(place.path);
  }

  rename(from: string, to: string): void {
    const source = this.#find(from, false);
    if (source.provided !== undefined) throw new FileError("EXDEV", from);
    if (source.node === undefined || source.parent === undefined) throw new FileError("ENOENT", from);
    this.#mayChange(source.path, from);
    const target = this.#find(to, false);
    if (target.provided !== undefined) throw new FileError("EXDEV", to);
    this.#mayChange(target.path, to);
    if (target.path === source.path) return;
    if (`${target.path}/`.startsWith(`${source.path}/`)) throw new FileError("EINVAL", to);
    if (target.parent === undefined) throw new FileError("ENOENT", to);
    if (target.node?.kind === "directory" && source.node.kind !== "directory") throw new FileError("EISDIR", to);
    if (target.node?.kind === "directory" && target.node.entries.size > 0) throw new FileError("ENOTEMPTY", to);
    if (target.node !== undefined && target.node.kind !== "directory" && source.node.kind === "directory") throw new FileError("ENOTDIR", to);
    if (target.node !== undefined) this.#forget(target.node);
    source.parent.entries.delete(source.name);
    target.parent.entries.set(target.name, source.node);
    this.watchers.changed(source.path);
    this.watchers.changed(target.path);
  }

  link(target: string, path: string): void {
    const place = this.#find(path, false);
    if (place.node !== undefined || this.#statusOf(place) !== undefined) throw new FileError("EEXIST", path);
    this.#mayCreate(place, path).entries.set(place.name, { kind: "symlink", target, mode: 0o777, modifiedAtNs: this.#clock.nowNs, inode: this.#nextInode() });
  }

  setMode(path: string, mode: number): void {
    const place = this.#find(path, true);
    if (place.provided !== undefined) throw new FileError("EPERM", path);
    if (place.node === undefined) throw new FileError("ENOENT", path);
    this.#mayChange(place.path, path);
    if (place.node.kind !== "symlink") place.node.mode = mode & 0o7777;
  }

  touch(path: string): void {
    const place = this.#find(path, true);
    if (place.provided !== undefined) {
      if (this.#statusOf(place) === undefined) throw new FileError("ENOENT", path);
      return;
    }
    if (place.node === undefined) {
      this.#store(path, "", false);
      return;
    }
    this.#mayChange(place.path, path);
    place.node.modifiedAtNs = this.#clock.nowNs;
  }

  /** A device node: what is written goes nowhere, `read` gives what one reading of it by path may see. */
  addDevice(path: string, read?: () => string): void {
    this.#store(path, "", false);
    const node = this.#find(path, true).node;
    if (node?.kind === "file") node.kind = "device";
    if (read !== undefined) this.#devices.set(path, read);
  }

  /** A mistake of permissions that a write would meet, before anything is changed. */
  writeError(path: string): string | undefined {
    try {
      const place = this.#find(path, true);
      if (place.provided !== undefined) {
        const status = place.provided.provider.status(place.provided.inner);
        if (status === undefined) return "ENOENT";
        return status.type === "directory" ? "EISDIR" : (status.mode & 0o222) === 0 ? "EACCES" : undefined;
      }
      if (place.node?.kind === "directory") return "EISDIR";
      if (place.node?.kind === "device") return undefined;
      if (place.parent === undefined) return "ENOENT";
      this.#mayChange(place.path, path);
      return undefined;
    } catch (error) {
      if (error instanceof FileError) return error.errno;
      throw error;
    }
  }

  #newDirectory(): DirectoryNode {
    return { kind: "directory", entries: new Map(), mode: 0o755, modifiedAtNs: this.#clock.nowNs, inode: this.#nextInode() };
  }

  #nextInode(): number {
    return ++this.#lastInode;
  }

  #mayChange(realPath: string, asked: string): void {
    if (!this.#isSealed) return;
    for (const place of this.#writable) if (realPath === place || realPath.startsWith(`${place}/`)) return;
    throw new FileError("EROFS", asked);
  }

  #mayCreate(place: Place, asked: string): DirectoryNode {
    if (place.provided !== undefined || place.parent === undefined) throw new FileError("ENOENT", asked);
    if (place.name.length > NAME_MAX) throw new FileError("ENAMETOOLONG", asked);
    this.#mayChange(place.path, asked);
    if (this.#count >= FILE_COUNT_MAX) throw new FileError("ENOSPC", asked);
    this.#count++;
    place.parent.modifiedAtNs = this.#clock.nowNs;
    return place.parent;
  }

  #forget(node: Node): void {
    this.#count--;
    if (node.kind === "file") this.#characters -= node.text.length;
    if (node.kind === "directory") for (const child of node.entries.values()) this.#forget(child);
  }

  #store(path: string, text: string, appends: boolean): void {
    const place = this.#find(path, true);
    if (place.provided !== undefined) {
      const { provider, inner } = place.provided;
      const status = provider.status(inner);
      if (status === undefined) throw new FileError("ENOENT", path);
      if (status.type === "directory") throw new FileError("EISDIR", path);
      if ((status.mode & 0o222) === 0) throw new FileError("EACCES", path);
      const errno = provider.write(inner, text);
      if (errno !== undefined) throw new FileError(errno, path);
      return;
    }
    const { node } = place;
    if (node?.kind === "directory") throw new FileError("EISDIR", path);
    if (node?.kind === "device") return;
    if (node === undefined) {
      this.#mayCreate(place, path).entries.set(place.name, this.#newFile(text, path));
      this.watchers.changed(place.path);
      return;
    }
    if (node.kind === "symlink") throw new FileError("ENOENT", path);
    this.#mayChange(place.path, path);
    const grownBy = appends ? text.length : text.length - node.text.length;
    if (this.#characters + grownBy > this.#charactersMax) throw new FileError("ENOSPC", path);
    this.#characters += grownBy;
    node.text = appends ? node.text + text : text;
    node.modifiedAtNs = this.#clock.nowNs;
    this.watchers.changed(place.path);
  }

  #newFile(text: string, path: string): FileNode {
    if (this.#characters + text.length > this.#charactersMax) throw new FileError("ENOSPC", path);
    this.#characters += text.length;
    return { kind: "file", text, mode: 0o644, modifiedAtNs: this.#clock.nowNs, inode: this.#nextInode() };
  }

  #statusOf(place: Place | undefined): FileStatus | undefined {
    if (place === undefined) return undefined;
    if (place.provided !== undefined) {
      const status = place.provided.provider.status(place.provided.inner);
      return status === undefined ? undefined : { ...status, sizeBytes: 0, modifiedAtNs: 0, inode: inodeOfPath(place.path) };
    }
    const { node } = place;
    if (node === undefined) return undefined;
    const sizeBytes = node.kind === "directory" ? 4096 : node.kind === "symlink" ? node.target.length : node.text.length;
    return { type: node.kind, mode: node.mode, sizeBytes, modifiedAtNs: node.modifiedAtNs, inode: node.inode };
  }

  #tryFind(path: string, followsLast: boolean): Place | undefined {
    try {
      return this.#find(path, followsLast);
    } catch (error) {
      if (error instanceof FileError) return undefined;
      throw error;
    }
  }

  #providedFor(path: string): Provided | undefined {
    let best: string | undefined;
    for (const point of this.#mounts.keys()) {
      if ((path === point || path.startsWith(`${point}/`)) && (best === undefined || point.length > best.length)) best = point;
    }
    const provider = best === undefined ? undefined : this.#mounts.get(best);
    return provider === undefined || best === undefined ? undefined : { provider, inner: path.slice(best.length + 1) };
  }

  /** Walks the tree. Throws ENOENT, ENOTDIR, ELOOP; a missing last part gives a place without node. */
  #find(path: string, followsLast: boolean): Place {
    let todo = path.split("/").filter((part) => part !== "" && part !== ".");
    const wantsDirectory = path.endsWith("/") && todo.length > 0;
    let trail: { readonly name: string; readonly node: DirectoryNode }[] = [{ name: "", node: this.#root }];
    let links = 0;
    for (let i = 0; i < todo.length; i++) {
      const name = todo[i] as string;
      if (name === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const here = trail.at(-1) as { readonly name: string; readonly node: DirectoryNode };
      const hereReal = `${trail.map((step) => step.name).join("/")}/${name}`;
      const rest = todo.slice(i + 1);
      const provided = this.#providedFor(hereReal);
      if (provided !== undefined && !this.#isOnTheWay(hereReal, rest)) return this.#providedPlace(hereReal, rest, path);
      const node = here.node.entries.get(name);
      const isLast = i === todo.length - 1;
      if (node === undefined) {
        if (!isLast) throw new FileError("ENOENT", path);
        return { path: hereReal, parent: here.node, name, node, provided: undefined };
      }
      if (node.kind === "symlink" && (!isLast || followsLast || wantsDirectory)) {
        if (++links > LINKS_MAX) throw new FileError("ELOOP", path);
        todo = [...node.target.split("/").filter((part) => part !== "" && part !== "."), ...rest];
        if (node.target.startsWith("/")) trail = [{ name: "", node: this.#root }];
        i = -1;
        continue;
      }
      if (isLast && (node.kind !== "directory" || !wantsDirectory)) {
        if (wantsDirectory) throw new FileError("ENOTDIR", path);
        return { path: hereReal, parent: here.node, name, node, provided: undefined };
      }
      if (node.kind !== "directory") throw new FileError("ENOTDIR", path);
      trail.push({ name, node });
    }
    const last = trail.at(-1) as { readonly name: string; readonly node: DirectoryNode };
    const real = trail.map((step) => step.name).join("/") || "/";
    return { path: real, parent: trail.at(-2)?.node, name: last.name, node: last.node, provided: undefined };
  }

  /** True when a mount deeper on this path answers instead (/proc/sys below /proc). */
  #isOnTheWay(path: string, rest: readonly string[]): boolean {
    if (rest.length === 0) return false;
    const whole = normalisePath(path, rest.join("/"));
    for (const point of this.#mounts.keys())
      if (point.length > path.length && (whole === point || whole.startsWith(`${point}/`)) && point.startsWith(`${path}/`)) return true;
    return false;
  }

  #providedPlace(path: string, rest: readonly string[], asked: string): Place {
    const whole = normalisePath(path, rest.join("/"));
    const provided = this.#providedFor(whole);
    if (provided === undefined) return this.#find(whole, true);
    const slash = whole.lastIndexOf("/");
    const parent = slash > 0 ? this.#providedFor(whole.slice(0, slash)) : undefined;
    if (provided.inner !== "" && parent !== undefined && parent.provider.status(parent.inner) === undefined) throw new FileError("ENOENT", asked);
    const mounted = provided.inner === "" ? this.#nodeAt(whole) : undefined;
    return { path: whole, parent: undefined, name: whole.slice(slash + 1), node: mounted, provided };
  }

  /** The directory under a mount point, for the names of mounts inside it. */
  #nodeAt(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of path.split("/").slice(1)) node = node?.kind === "directory" ? node.entries.get(part) : undefined;
    return node;
  }
}

/** A stable number for files that have no node. */
function inodeOfPath(path: string): number {
  let hash = 0;
  for (let i = 0; i < path.length; i++) hash = (Math.imul(hash, 31) + path.charCodeAt(i)) >>> 0;
  return 0x10000000 + (hash >>> 5);
}
