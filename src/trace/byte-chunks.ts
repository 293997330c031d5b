/**
 * Bytes collected into pieces of about 64 KiB and handed on: what sinks of binary files write through.
 */

const CHUNK_BYTES = 65_536;

export class ByteChunks {
  readonly #write: (bytes: Uint8Array) => void;
  #chunk = new Uint8Array(0);
  #used = 0;

  /** The bytes that `write` gets are its own: nobody changes them later. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** Room for so many bytes, to be filled at once: the array and where in it they begin. */
  reserve(lengthBytes: number): { readonly bytes: Uint8Array; readonly at: number } {
    if (this.#used + lengthBytes > this.#chunk.length) {
      this.flush();
      this.#chunk = new Uint8Array(Math.max(lengthBytes, CHUNK_BYTES));
    }
    const at = this.#used;
    this.#used += lengthBytes;
    return { bytes: this.#chunk, at };
  }

  add(bytes: Uint8Array): void {
    const room = this.reserve(bytes.length);
    room.bytes.set(bytes, room.at);
  }

  /** Hands on what is there. Call it at the end. */
  flush(): void {
    if (this.#used > 0) this.#write(this.#chunk.subarray(0, this.#used));
    this.#chunk = new Uint8Array(0);
    this.#used = 0;
  }
}
