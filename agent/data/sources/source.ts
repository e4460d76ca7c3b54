/** A place that a data set can be had from. */

export interface Source {
  /** For error messages: `Debian's package dataset-fashion-mnist`. */
  readonly name: string;
  /**
   * Gives `use` a way to read the files by name, decompressed; what was unpacked for that is gone when it returns.
   * Nothing is verified here.
   * @throws {Error} when this place has them not; its message says why.
   */
  open<T>(use: (read: ReadFile) => Promise<T>): Promise<T>;
}

/** @param maxBytes a file that grows beyond when decompressed is refused. */
export type ReadFile = (name: string, maxBytes: number) => Promise<Buffer>;
