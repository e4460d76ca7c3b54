import type { OFFICIAL, Variant, WHEEL } from './pinned.mjs';

/** What can be fetched, with its checksums. */
export interface Pinned {
  readonly official: typeof OFFICIAL;
  readonly wheel: typeof WHEEL;
}

/** Something that a libtensorflow can come from. */
export interface Source {
  /** For a person. */
  readonly title: string;
  /** Names what it gives, in the cache; a different library has a different key. */
  readonly key: string;
  /** It is used where it lies. */
  readonly folder?: string;
  /** Puts it into a folder. */
  readonly fill?: (folder: string) => Promise<void>;
}

export function sourcesFor(
  options: { readonly from?: string; readonly variant: Variant },
  pinned?: Pinned,
): Promise<readonly Source[]>;

export function obtain(
  sources: readonly Source[],
  cache: string,
  say: (line: string) => void,
): Promise<{ readonly source: Source; readonly folder: string }>;
