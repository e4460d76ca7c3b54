/** Tests programs that an early-stopping rule ends: their grace period, their logs and their files. */
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

/** The last commands of each program. They write a file, report a bad value, and run until the program is ended. */
const RUN = 'echo before > $TRAWL_ARTIFACTS/before.txt; echo \'{"epoch": 1, "loss": 9}\'; while :; do sleep 0.1; done';

/** The programs, named after their reaction to SIGTERM. */
const PROGRAMS = {
  ignores: `trap '' TERM; ${RUN}`,
  exits143: `trap 'echo last > $TRAWL_ARTIFACTS/last.txt; exit 143' TERM; ${RUN}`,
  prints: `trap 'echo printed after the signal; echo "{\\"epoch\\": 2, \\"loss\\": 1}"; exit 0' TERM; ${RUN}`,
  dies: RUN,
} as const;

const SWEEP = `
command: [sh, -c, '\${param:script}']
metric: {name: loss, goal: minimize}
early_terminate: {type: threshold, worse_than: 5}
retry: {crash: 2}
parameters:
  script: {values: ${JSON.stringify(Object.values(PROGRAMS))}}
`;

interface Artifact {
  readonly trial: string;
  readonly name: string;
}

test('a program that a rule stops gets its grace period; its log and files are kept, and its trial is shown as stopped', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('one', 4);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, SWEEP));
  const waited = await cluster.run('wait', sweep);
  expect(waited.code, waited.stderr).toBe(0);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  const reason = expect.stringMatching(/^threshold: /);
  const stopped = { state: 'stopped', failure: null, stop_reason: reason, attempts: 1, epoch: 1, metrics: { loss: 9 } };
  expect(trials).toMatchObject(Array.from(trials, () => stopped));
  const trialOf = (name: keyof typeof PROGRAMS) =>
    trials.find(({ parameters }) => parameters.script === PROGRAMS[name])?.trial ?? '';

  const filesOf = async (name: keyof typeof PROGRAMS) => {
    const all = await cluster.json<Artifact[]>('artifacts', 'ls', sweep, '--trial', trialOf(name));
    return all.map((artifact) => artifact.name);
  };
  await until('the files of a program that ignores SIGTERM are stored after its grace period', async () => {
    return (await filesOf('ignores')).length > 0;
  });
  expect(await filesOf('ignores')).toEqual(['before.txt']);
  expect(await filesOf('exits143')).toEqual(['before.txt', 'last.txt']);
  expect(await filesOf('prints')).toEqual(['before.txt']);
  expect(await filesOf('dies')).toEqual(['before.txt']);
  const log = await cluster.run('logs', `${sweep}/${trialOf('prints')}`);
  expect(log.stdout).toContain('printed after the signal');

  const { counts, state } = await cluster.json<{ counts: object; state: string }>('show', sweep);
  expect({ state, ...counts }).toMatchObject({ state: 'finished', stopped: 4, failed: 0, running: 0 });
  for (const name of Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[]) {
    const shown = await cluster.json<{ attempt_list: unknown[]; state: string }>('show', `${sweep}/${trialOf(name)}`);
    expect(shown).toMatchObject({ state: 'stopped', attempt_list: [{ outcome: 'stopped', failure: null }] });
  }
  expect((await cluster.run('explain', `${sweep}/${trialOf('exits143')}`)).stdout).toContain(
    'stopped early by threshold',
  );
  expect((await cluster.run('errors', sweep)).stdout).not.toContain('143');
  const events = await cluster.run('events', sweep);
  expect(events.stdout).not.toContain('failed');
  // The slots are free: another sweep runs on them.
  const next = await cluster.json<{ sweep: string }>(
    'submit',
    sweepFile(
      folder,
      'command: [sh, -c, \'echo "{\\"epoch\\": 1, \\"loss\\": 1}"\']\nmetric: {name: loss, goal: minimize}\nparameters: {x: {values: [1, 2, 3, 4]}}\n',
      'next.yaml',
    ),
  );
  expect((await cluster.run('wait', next.sweep)).code).toBe(0);
});
