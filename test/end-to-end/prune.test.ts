/** Tests how old sweeps are pruned: by `trawl prune`, and by a coordinator with --retain. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withConnection } from '../../bin/client/connect.ts';
import { unary } from '../../bin/client/rpc.ts';
import { BadInputError, EXIT } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { startDaemon } from '../support/daemon.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

interface Sweep {
  readonly sweep: string;
}

test('prune removes ended sweeps and keeps active sweeps; a coordinator with --retain prunes automatically', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 2);
  const submit = async (name: string, more = '') => {
    const text = `name: ${name}\ntrainer: noop\nparameters: {x: {values: [1, 2]}}\n${more}`;
    return (await cluster.json<Sweep>('submit', sweepFile(folder, text))).sweep;
  };
  const listed = async () => (await cluster.json<Sweep[]>('ls')).map(({ sweep }) => sweep);
  const over = await submit('over');
  expect((await cluster.run('wait', over)).code).toBe(EXIT.done);
  const paused = await submit('waits', 'resources: {labels: {zone: moon}}\n');
  const second = await submit('second');
  expect((await cluster.run('wait', second)).code).toBe(EXIT.done);
  const newest = await submit('newest');
  expect((await cluster.run('wait', newest)).code).toBe(EXIT.done);

  for (const [args, reason] of [
    [['--older-than', '0s'], /--older-than 0 selects every ended sweep/],
    [['--older-than', '0d', '--orphans'], /--older-than 0 selects every ended sweep/],
    [['--all'], /--all needs a confirmation, and there is no terminal: add -y to confirm/],
    [['--all', '--keep', '1', '-y'], /cannot be used with option/],
  ] as const) {
    const { code, stderr } = await cluster.run('prune', ...args);
    expect(code, args.join(' ')).toBe(EXIT.badInput);
    expect(stderr).toMatch(reason);
  }
  await withConnection({ server: cluster.address }, async (connection) => {
    const nothing = { olderThanMs: 0, keep: 0, orphans: false, dryRun: false, all: false };
    for (const request of [nothing, { ...nothing, orphans: true }, { ...nothing, keep: 1, all: true }]) {
      await expect(unary(connection, connection.operations.prune, request)).rejects.toThrow(BadInputError);
    }
  });
  expect(await listed()).toEqual([over, paused, second, newest]);

  expect((await cluster.run('prune')).stdout).toBe('nothing to prune\n');
  const dry = await cluster.run('prune', '--older-than', '0s', '--keep', '2', '--dry-run');
  expect(dry.stdout).toMatch(
    /^sweep 1 \(over\) finished .*: 2 trials, .*\n1 sweep and .* of artifacts would be deleted\n$/,
  );
  expect(await cluster.json('prune', '--older-than', '0s', '--keep', '2')).toMatchObject([{ sweep: over, trials: 2 }]);
  expect(await listed()).toEqual([paused, second, newest]);
  expect(existsSync(join(cluster.dir, 'artifacts', over))).toBe(false);
  expect((await cluster.run('show', over)).code).toBe(EXIT.badInput);

  expect(await cluster.coordinator.stop()).toBe(0);
  const again = await startDaemon(
    cluster.logOf('again'),
    ...['coordinator', '--dir', cluster.dir, '--nats', cluster.natsUrl, '--retain', '1ms'],
    ...['--listen', cluster.address, '--metrics', '127.0.0.1:0', '--log-format', 'json'],
  );
  await until('the second sweep is pruned', async () => {
    const shown = await cluster.run('ls', '-q');
    return shown.code === EXIT.done && shown.stdout === `${paused}\n${newest}\n`;
  });
  expect(await again.stop()).toBe(0);

  expect(await trawlJson('prune', '--all', '-y', '--dir', cluster.dir)).toEqual([]);
});
