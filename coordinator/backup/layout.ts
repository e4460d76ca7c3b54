/**
 * A backup is a folder: the store in one file, the artifacts as they lie in the coordinator's folder, and a manifest,
 * written last, without which it is none. The store's rows say what each artifact must be.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';

/** Not called store.db: a coordinator must not be started on a backup, which would not be one any more. */
export const BACKUP_STORE = 'store.sqlite';
export const MANIFEST = 'backup.json';
export const ARTIFACTS = 'artifacts';

export const manifest = z.object({
  format: z.literal(1),
  /** Of trawl. */
  version: z.string(),
  /** Of the store. */
  schema: z.number().int(),
  created_at: z.string(),
  store: z.object({ bytes: z.number().int(), sha256: z.string() }),
  artifacts: z.object({ files: z.number().int(), bytes: z.number().int() }),
  /** Artifacts that the store names and the coordinator's folder did not have. */
  missing: z.array(z.string()),
});

export type Manifest = z.infer<typeof manifest>;

/** An artifact that the store names, and where it is below the artifacts' folder. */
export interface NamedArtifact {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export const NAMED_ARTIFACTS = `
select sweep_id || '/' || trial_id || '/' || attempt || '/' || name as path, size, sha256 from artifacts order by path`;

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}
