/**
 * Who hears of changes of files: inotify(7) with IN_CLOSE_WRITE, IN_DELETE and IN_MOVE. A file that somebody has open for writing counts as
 * changed when the last of them closes it.
 */

export class FileWatchers {
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #writers = new Map<string, number>();

  /** Returns how to stop. `path` is absolute, without links. */
  watch(path: string, listener: () => void): () => void {
    const set = this.#listeners.get(path) ?? new Set();
    set.add(listener);
    this.#listeners.set(path, set);
    return () => {
      set.delete(listener);
      if (set.size === 0 && this.#listeners.get(path) === set) this.#listeners.delete(path);
    };
  }

  /** Somebody opened it for writing; the result closes it. */
  opened(path: string): () => void {
    this.#writers.set(path, (this.#writers.get(path) ?? 0) + 1);
    return () => {
      const left = (this.#writers.get(path) ?? 1) - 1;
      if (left > 0) this.#writers.set(path, left);
      else {
        this.#writers.delete(path);
        this.#tell(path);
      }
    };
  }

  changed(path: string): void {
    if (!this.#writers.has(path)) this.#tell(path);
  }

  #tell(path: string): void {
    for (const listener of [...(this.#listeners.get(path) ?? [])]) listener();
  }
}
