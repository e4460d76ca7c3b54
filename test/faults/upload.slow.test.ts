import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

/** With this size and rate, an upload takes about four seconds, so a process can be killed during the upload. */
const BYTES = 8_000_000;
const BYTES_PER_SECOND = 2_000_000;

const PROGRAM = `
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
const folder = process.env.TRAWL_ARTIFACTS;
const blocks = Array.from({ length: ${BYTES} / 32 }, (_, i) => createHash('sha256').update(String(i)).digest());
const large = Buffer.concat(blocks);
writeFileSync(join(folder, 'large.bin'), large);
writeFileSync(join(folder, 'large.sum'), createHash('sha256').update(large).digest('hex'));
for (let epoch = 1; epoch <= 3; epoch++) console.log(JSON.stringify({ epoch, loss: 1 / epoch }));
`;

interface Shown extends TrialJson {
  readonly reports: readonly { readonly epoch: number }[];
  readonly artifacts: readonly { readonly name: string; readonly size: number }[];
}

test.each(['coordinator', 'agent'] as const)(
  'if the %s is killed during an upload, the upload resumes after the restart and repeats no stored bytes',
  {
    timeout: 300_000,
  },
  async (victim) => {
    const folder = testFolder();
    writeFileSync(join(folder, 'leave.mjs'), PROGRAM);
    const text = `command: [node, ${JSON.stringify(join(folder, 'leave.mjs'))}]\nmetric: {name: loss}\nparameters: {}\n`;
    const cluster = await Cluster.start(folder, { lease: '60s' });
    const proxy = await startProxy(cluster.address, BYTES_PER_SECOND);
    await cluster.startAgent('agent', 1, proxy.address);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));

    const attempt = await until('the attempt has a folder at the coordinator', () => attemptFolder(cluster, sweep));
    const arrived = () => sizeOfPart(attempt);
    await until('a fifth of the file has arrived', () => arrived() > BYTES / 5);
    await (victim === 'agent' ? cluster.agent('agent') : cluster.coordinator).killNow();
    const before = { here: arrived(), carried: proxy.carried() };
    expect(before.here).toBeGreaterThan(BYTES / 5);
    expect(before.here).toBeLessThan(BYTES);
    expect(existsSync(join(attempt, 'large.bin'))).toBe(false);

    await (victim === 'agent' ? cluster.startAgent('agent', 1, proxy.address) : cluster.startCoordinator());
    expect((await cluster.run('wait', sweep)).code).toBe(0);
    // The upload resumed instead of restarting: bytes that had arrived were not sent again.
    expect(proxy.carried() - before.carried).toBeLessThan(BYTES - before.here + 500_000);

    const [trial] = await cluster.json<TrialJson[]>('trials', sweep);
    expect(trial).toMatchObject({ state: 'succeeded', attempts: 1 });
    const shown = await cluster.json<Shown>('show', trial?.trial ?? '');
    expect(shown.reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(shown.artifacts.map(({ name }) => name)).toEqual(['large.bin', 'large.sum']);
    const sum = createHash('sha256')
      .update(readFileSync(join(attempt, 'large.bin')))
      .digest('hex');
    expect(readFileSync(join(attempt, 'large.sum'), 'utf8')).toBe(sum);
    expect(readdirSync(join(attempt, '.parts'))).toEqual([]);
  },
);

function attemptFolder({ dir }: Cluster, sweep: string): string | undefined {
  const trials = join(dir, 'artifacts', sweep);
  const [trial] = existsSync(trials) ? readdirSync(trials) : [];
  const attempt = join(trials, trial ?? '', '1');
  return trial !== undefined && existsSync(attempt) ? attempt : undefined;
}

function sizeOfPart(attempt: string): number {
  const parts = join(attempt, '.parts');
  const [name] = existsSync(parts) ? readdirSync(parts) : [];
  return name === undefined ? 0 : statSync(join(parts, name)).size;
}
