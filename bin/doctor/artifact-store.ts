/** Checks the S3-compatible store in which a coordinator on this machine would keep artifacts. */
import { randomUUID } from 'node:crypto';
import { checkBucket } from '../../coordinator/artifacts/check-bucket.ts';
import { S3Bucket } from '../../coordinator/artifacts/s3-bucket.ts';
import { S3UnavailableError } from '../../coordinator/artifacts/s3-errors.ts';
import type { S3Location } from '../../coordinator/artifacts/s3-location.ts';
import { TrawlError } from '../../proto/errors.ts';
import type { Finding } from './finding.ts';

/**
 * A warning is given if the clocks of this machine and of the store differ by more than this time. S3 servers reject
 * requests if the clocks differ by more than 15 minutes.
 */
const MAX_CLOCK_DIFFERENCE_MS = 60_000;
const URL_EXPIRES_S = 60;

/** Facts about a store in which the check could write, read, list and delete an object. */
export interface ArtifactStoreFacts {
  /** The location, such as `s3://bucket/ at https://s3.example`. */
  readonly where: string;
  readonly verifiesChecksums: boolean;
  /** The server's clock minus the clock of this machine, in milliseconds. Undefined if the server sent no date. */
  readonly clockDifferenceMs: number | undefined;
  /** The HTTP status of a read with a presigned URL. Undefined if the server did not answer, or with `direct=false`. */
  readonly presignedStatus: number | undefined;
}

/** Returns the findings for a store in which the check could write, read, list and delete an object. */
export function artifactStoreFindings({
  where,
  verifiesChecksums,
  clockDifferenceMs = 0,
  presignedStatus,
}: ArtifactStoreFacts): readonly Finding[] {
  const findings: Finding[] = [
    { name: 'artifact store', state: 'ok', detail: `${where}: an object was written, read and deleted`, needed: true },
  ];
  if (Math.abs(clockDifferenceMs) > MAX_CLOCK_DIFFERENCE_MS) {
    const seconds = Math.round(Math.abs(clockDifferenceMs) / 1_000);
    findings.push({
      name: 'artifact store, clock',
      state: 'warning',
      detail: `the clock of this machine is ${seconds} s ${clockDifferenceMs > 0 ? 'behind' : 'ahead of'} the clock of the server`,
      fix: 'synchronize both with NTP: S3 servers reject requests if the clocks differ by more than 15 minutes',
      needed: false,
    });
  }
  const name = 'artifact store, direct transfers';
  const about = { name, state: 'warning', needed: false } as const;
  if (!verifiesChecksums) {
    const detail = 'the server does not verify SHA-256 checksums, so all transfers pass through the coordinator';
    findings.push({ ...about, detail });
  } else if (presignedStatus !== undefined && presignedStatus !== 200) {
    findings.push({
      ...about,
      detail: `the server answers a presigned request with status ${presignedStatus}`,
      fix: 'permit presigned requests, or add direct=false to the location',
    });
  }
  return findings;
}

/**
 * Writes, reads, lists and deletes an object at a location, with the credentials of this process.
 * @returns the findings. The first finding states whether a coordinator can use the location.
 */
export async function checkArtifactStore(location: S3Location): Promise<readonly Finding[]> {
  const bucket = await S3Bucket.open(location, { onRequest: () => {} });
  const key = `${location.prefix}.trawl-doctor-${randomUUID()}`;
  let clockDifferenceMs: number | undefined;
  let presignedStatus: number | undefined;
  try {
    const { verifiesChecksums } = await checkBucket(bucket, key, async () => {
      const { url } = await bucket.presignGet(key, URL_EXPIRES_S);
      const response = await fetch(url).catch(() => undefined);
      if (response === undefined) return;
      await response.body?.cancel();
      const date = Date.parse(response.headers.get('date') ?? '');
      if (!Number.isNaN(date)) clockDifferenceMs = date - Date.now();
      if (location.direct) presignedStatus = response.status;
    });
    return artifactStoreFindings({ where: bucket.where, verifiesChecksums, clockDifferenceMs, presignedStatus });
  } catch (error) {
    if (!(error instanceof TrawlError)) throw error;
    const about = { name: 'artifact store', state: 'missing', detail: error.message, needed: true } as const;
    if (!(error instanceof S3UnavailableError && error.needsPerson)) return [about];
    return [
      { ...about, fix: 'the check uses the credentials of this command: run it in the environment of the coordinator' },
    ];
  } finally {
    bucket.close();
  }
}
