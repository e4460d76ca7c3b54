import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { artifactKind } from '../../proto/names.ts';
import { isoTime } from './time-text.ts';

/** An artifact as JSON: `epoch` is null where it is of none, `bytes` its size. */
export function artifactJson({ attempt, name, kind, epoch, size, sha256, atMs }: Artifact) {
  return {
    name,
    kind: artifactKind.of(kind),
    attempt,
    epoch: epoch === 0 ? null : epoch,
    bytes: size,
    sha256,
    at: isoTime(atMs) ?? null,
  };
}
