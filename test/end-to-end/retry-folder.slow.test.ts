/** Tests retries of failed trials in a data folder: without a coordinator, and while a coordinator uses the folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { failingSweep, type Retried, repairSweep } from '../support/failing-sweep.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';
import { startTrawl, trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 300_000;

test('in a folder without a coordinator, trawl retry marks trials for the next trawl up, and trawl up --retry marks and runs them', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  const dir = join(folder, 'run');
  const file = sweepFile(folder, failingSweep(folder));
  const up = (...more: string[]) => ['up', file, '--dir', dir, '--slots', '2', '-o', 'json', ...more];
  expect((await trawl(...up())).code).toBe(1);
  const marked = await trawlJson<Retried>('retry', '--oom', '--dir', dir);
  expect(marked).toMatchObject({ state: 'finished', retried: 0, counts: { failed: 2 } });
  const [first = ''] = (await trawlJson<TrialJson[]>('trials', '--state', 'failed', '--dir', dir)).map(
    ({ trial }) => trial,
  );
  expect(await trawlJson<Retried>('retry', first, '--dir', dir)).toMatchObject({
    state: 'interrupted',
    retried: 1,
    counts: { failed: 1, pending: 1 },
  });
  repairSweep(folder);
  const second = await trawl(...up());
  expect(second.code, second.stderr).toBe(1);
  expect(JSON.parse(second.stdout)).toMatchObject({ counts: { succeeded: 3, failed: 1 } });
  const third = await trawl(...up('--retry', 'failed'));
  expect(third.code, third.stderr).toBe(0);
  expect(third.stderr).toContain('1 failed trial of sweep 1 will be retried');
  expect(JSON.parse(third.stdout)).toMatchObject({ sweep: '1', counts: { succeeded: 4, failed: 0 } });
  expect(readStore(dir).trials.map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
});

test('if a coordinator uses the folder, retry sends its request to that coordinator', {
  timeout: LIMIT_MS,
}, async () => {
  const folder = testFolder();
  const dir = join(folder, 'run');
  const program = 'if [ $0 = 1 ]; then exit 3; fi; sleep 600';
  const slow =
    `command: [sh, -c, '${program}', "\${param:x}"]\nmetric: {name: loss}\n` +
    'parameters: {x: {values: [1, 2]}}\nretry: {crash: 0}\n';
  const running = startTrawl('up', sweepFile(folder, slow), '--dir', dir, '--slots', '2', '-o', 'json');
  await until('the coordinator runs', () => existsSync(join(dir, 'coordinator.json')));
  const shown = () => trawlJson<Retried>('show', '--dir', dir).catch(() => undefined);
  await until('one trial has failed', async () => (await shown())?.counts.failed === 1);
  expect(await trawlJson<Retried>('retry', '--failed', '--dir', dir)).toMatchObject({ state: 'running', retried: 1 });
  running.kill('SIGINT');
  expect((await running.ended).code).toBe(130);
});
