/**
 * Tests a cluster that keeps its artifacts in a real S3-compatible server. The test kills the coordinator during a
 * sweep, downloads artifacts with and without a coordinator, and backs up and restores the cluster.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { isSkipped } from '../support/requirements.ts';
import { S3_CREDENTIALS, s3ServerMissing, startS3Server } from '../support/s3-server.ts';
import { trawl } from '../support/trawl.ts';

const MODEL_BYTES = 3_000_000;
/** A program that writes a small artifact, and a large artifact that the agent sends directly to the S3 server. */
const PROGRAM = `
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const x = process.argv[2];
writeFileSync(join(process.env.TRAWL_ARTIFACTS, 'result.txt'), 'the result of ' + x);
writeFileSync(join(process.env.TRAWL_ARTIFACTS, 'model.bin'), Buffer.alloc(${MODEL_BYTES}, x));
setTimeout(() => console.log(JSON.stringify({ loss: Number(x) })), 500);
`;

test.skipIf(isSkipped(s3ServerMissing()))(
  'the artifacts of a cluster are stored only in an S3-compatible server, even if the coordinator is killed',
  async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'work'), { recursive: true });
    writeFileSync(join(folder, 'work', 'train.cjs'), PROGRAM);
    const server = await startS3Server(join(folder, 's3'));
    const location = `s3://trawl/sweeps?endpoint=${server.url}&direct=true`;
    const environment = { ...S3_CREDENTIALS, TRAWL_ARTIFACT_STORE: location };
    Object.assign(process.env, environment);
    onTestFinished(async () => {
      for (const name of Object.keys(environment)) delete process.env[name];
      await server.stop();
    });
    const cluster = await Cluster.start(folder);
    await cluster.startAgent('agent', 2, undefined, 1, ['--workdir', join(folder, 'work')]);
    const file = (name: string) =>
      sweepFile(
        join(folder, 'work'),
        `name: ${name}\ncode: .\ncommand: [node, train.cjs, "\${param:x}"]\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 2, 3, 4]}}\n`,
      );
    const { sweep } = await cluster.json<{ sweep: string }>('submit', file('first'));
    await cluster.coordinator.killNow();
    await cluster.startCoordinator();
    expect((await cluster.run('wait', sweep)).code).toBe(EXIT.done);
    const stored = readdirSync(server.folder, { recursive: true, encoding: 'utf8' });
    expect(stored.filter((name) => /result\.txt\/[0-9a-f]{64}$/.test(name)).length).toBeGreaterThanOrEqual(4);
    expect(stored.filter((name) => /model\.bin\/[0-9a-f]{64}$/.test(name)).length).toBeGreaterThanOrEqual(4);
    expect(stored.filter((name) => /\/code\/[0-9a-f]{64}\.tar$/.test(name))).toHaveLength(1);
    const atCoordinator = existsSync(join(cluster.dir, 'artifacts'))
      ? readdirSync(join(cluster.dir, 'artifacts'), { recursive: true, withFileTypes: true }).filter((entry) =>
          entry.isFile(),
        )
      : [];
    expect(atCoordinator).toEqual([]);
    expect(await cluster.page('/metrics')).toContain('trawl_artifact_store_up 1');

    const ranked = await cluster.json<{ trial: string; metrics: { loss: number } }[]>('trials', sweep);
    const trial =
      ranked.find(({ metrics }) => metrics.loss === 1)?.trial ?? expect.unreachable(JSON.stringify(ranked[0]));
    const out = join(folder, 'out');
    expect((await cluster.run('artifacts', 'get', trial, '--out', out)).code).toBe(EXIT.done);
    expect(readFileSync(join(out, 'result.txt'), 'utf8')).toBe('the result of 1');
    expect(readFileSync(join(out, 'model.bin'))).toEqual(Buffer.alloc(MODEL_BYTES, '1'));

    await cluster.coordinator.stop();
    // The data folder records the location of the artifacts, so commands find them without TRAWL_ARTIFACT_STORE.
    delete process.env.TRAWL_ARTIFACT_STORE;
    const offline = join(folder, 'offline');
    expect((await trawl('artifacts', 'get', trial, '--out', offline, '--dir', cluster.dir)).code).toBe(EXIT.done);
    expect(readFileSync(join(offline, 'result.txt'), 'utf8')).toBe('the result of 1');
    const backup = join(folder, 'backup');
    const restored = join(folder, 'restored');
    expect((await trawl('backup', '--out', backup, '--dir', cluster.dir)).code).toBe(EXIT.done);
    expect((await trawl('restore', backup, '--dir', restored)).code).toBe(EXIT.done);
    await server.stop();
    // The restored artifacts are in the data folder. A coordinator that uses a bucket would not find these artifacts,
    // so the coordinator must not start.
    const elsewhere = await trawl('coordinator', '--dir', restored, '--artifacts', location);
    expect(elsewhere.code).toBe(EXIT.rejected);
    expect(elsewhere.stderr).toMatch(
      /--artifacts names s3:\/\/trawl\/sweeps\/, but \d+ artifacts of this store are in the/,
    );
    const again = join(folder, 'again');
    expect((await trawl('artifacts', 'get', trial, '--out', again, '--dir', restored)).code).toBe(EXIT.done);
    expect(readFileSync(join(again, 'result.txt'), 'utf8')).toBe('the result of 1');
  },
);
