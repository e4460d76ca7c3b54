/** Artifacts in a real S3-compatible server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { testArtifactStore } from '../../test/support/coordinator/artifact-contract.ts';
import { isSkipped } from '../../test/support/requirements.ts';
import { S3_CREDENTIALS, type S3Server, s3ServerMissing, startS3Server } from '../../test/support/s3-server.ts';
import { S3Artifacts } from './s3-artifacts.ts';
import { S3Bucket } from './s3-bucket.ts';
import { parseS3Location } from './s3-location.ts';

const folder = mkdtempSync(join(tmpdir(), 'trawl-s3-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe.skipIf(isSkipped(s3ServerMissing()))('artifacts in an S3-compatible server', () => {
  let server: S3Server;
  let next = 0;
  beforeAll(async () => {
    Object.assign(process.env, S3_CREDENTIALS);
    server = await startS3Server(join(folder, 's3'));
    return () => server.stop();
  });

  async function openStore() {
    const dir = mkdtempSync(join(folder, 'coordinator-'));
    const cluster = `c${next++}`;
    const location = parseS3Location(`s3://trawl/sweeps?endpoint=${server.url}`);
    const bucket = await S3Bucket.open(location, { onRequest: () => {} });
    const opened = () => new S3Artifacts(bucket, dir, cluster);
    return { dir, cluster, bucket, store: opened(), restarted: opened };
  }

  testArtifactStore(openStore);
});
