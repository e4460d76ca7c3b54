/** Tests coordinators that are killed and lose part of their store. */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl } from '../support/trawl.ts';

const SWEEP = `
command: [sh, -c, 'echo weights > $TRAWL_ARTIFACTS/model.bin; echo "{\\"epoch\\":1,\\"loss\\":1}"']
metric: {name: loss, goal: minimize}
parameters:
  x: {values: [1, 2, 3, 4]}
`;

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

test('a coordinator whose write-ahead log is lost, cut or altered does not start, and deletes nothing', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  await cluster.agent('agent').stop();
  await cluster.coordinator.killNow();
  const { dir, natsUrl } = cluster;
  const artifacts = filesIn(join(dir, 'artifacts'));
  expect(artifacts).toHaveLength(4);
  const log = join(dir, 'store.db-wal');
  const kept = join(folder, 'wal');
  copyFileSync(log, kept);
  const original = readFileSync(kept);
  const { size } = statSync(log);

  const start = () =>
    trawl('coordinator', '--dir', dir, '--nats', natsUrl, '--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0');
  const damages: [string, () => void][] = [
    ['lost', () => rmSync(log)],
    ['empty', () => truncateSync(log, 0)],
    ['cut in the middle', () => truncateSync(log, Math.floor(size / 2))],
    [
      'altered',
      () =>
        writeFileSync(
          log,
          original.map((byte, at) => (at === Math.floor(size / 3) ? byte ^ 1 : byte)),
        ),
    ],
  ];
  for (const [name, damage] of damages) {
    copyFileSync(kept, log);
    damage();
    const refused = await start();
    expect(refused.code, name).toBe(4);
    expect(refused.stderr, name).toMatch(/lost data: it holds \d+ of \d+ transactions/);
    expect(filesIn(join(dir, 'artifacts'))).toEqual(artifacts);
    expect(existsSync(join(dir, 'orphans'))).toBe(false);
  }

  copyFileSync(kept, log);
  await cluster.startCoordinator();
  expect((await cluster.sweep(sweep))?.counts?.succeeded).toBe(4);
  expect(filesIn(join(dir, 'artifacts'))).toEqual(artifacts);
});
