/** A sweep's events, followed live and read afterward. */
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { startTrawl, trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const TRIALS = 6;
const EPOCHS = 10;
const SWEEP = `
trainer: noop
parameters:
  x: {min: 1, max: ${TRIALS}, step: 1}
  epochs: {value: ${EPOCHS}}
  duration_ms: {value: 500}
`;

interface EventJson {
  readonly seq: number;
  readonly trial: string | null;
  readonly attempt: number | null;
  readonly kind: string;
  readonly detail: string;
}

const parsed = (lines: string) =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EventJson);

test('a user who follows events receives every stored event exactly once, even if the coordinator is killed', {
  timeout: 180_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  const followed = startTrawl('events', sweep, '-f', '--reports', '-o', 'json', '--server', cluster.address);
  await cluster.startAgent('agent', 2);
  await until('some trials have ended', async () => ((await cluster.sweep(sweep))?.counts?.succeeded ?? 0) >= 2);
  await cluster.coordinator.killNow();
  await until('the command reports the outage', () =>
    followed.stderr().includes('lost the connection to the coordinator at'),
  );
  await cluster.startCoordinator();
  const { code, stdout, stderr } = await followed.ended;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('reconnected to the coordinator');
  const live = parsed(stdout);
  await cluster.coordinator.stop();
  const kept = await trawl('events', sweep, '--reports', '-o', 'json', '--dir', cluster.dir);
  expect(live).toEqual(parsed(kept.stdout));
  expect(live[0]).toMatchObject({ kind: 'submitted', detail: `${TRIALS} trials`, trial: null });
  expect(live.at(-1)?.kind).toBe('sweep finished');
  expect(live.filter(({ kind }) => kind === 'reported')).toHaveLength(TRIALS * EPOCHS);

  const [one = ''] = live.flatMap(({ trial }) => trial ?? []);
  const { stdout: lines } = await trawl('events', '--trial', one.slice(0, 8), '--dir', cluster.dir);
  expect(lines).toMatch(
    new RegExp(`^.*Z  ${one.slice(0, 8)} +offered\n(.*\n)*.*Z  ${one.slice(0, 8)}/1 +granted +to agent agent, slot`),
  );
  expect(lines).not.toContain('reported');
  const unknown = await trawl('events', '--trial', 'ffffffffffffffff', '--dir', cluster.dir);
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/no trial "ffffffffffffffff"/)]);
});
