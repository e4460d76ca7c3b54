/**
 * Tests stragglers with real processes: if an attempt is a straggler, another agent runs a second attempt of the trial.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

/** Each program runs for a second. On the slow machine, the program of the last trial first sleeps for ten minutes. */
const program = (pidFile: string, slow: boolean) => `#!/bin/sh
if [ ${slow ? 1 : 0} = 1 ] && [ "$1" = 7 ]; then echo $$ > ${pidFile}; sleep 600; fi
sleep 1
echo '{"epoch": 1, "loss": 0.5}'
`;

test('with speculate: true, another agent finishes the trial of a hanging attempt, and the hanging process is ended', {
  timeout: 300_000,
}, async () => {
  const cluster = await Cluster.start(testFolder());
  const pidFile = join(testFolder(), 'pid');
  const start = async (name: string, slow: boolean) => {
    const dir = testFolder();
    writeFileSync(join(dir, 'program'), program(pidFile, slow), { mode: 0o755 });
    await cluster.startAgent(name, 1, undefined, 1, ['--workdir', dir]);
  };
  await start('slow', true);
  const text =
    `command: [./program, "\${param:x}"]\nmetric: {name: loss, goal: minimize}\nspeculate: true\n` +
    `parameters: {x: {min: 1, max: 7, step: 1}}\n`;
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, text));
  await until('the slow attempt runs', async () => existsSync(pidFile));
  await start('quick', false);
  await until('the sweep has finished', async () => (await cluster.sweep(sweep))?.state === 'SWEEP_STATE_FINISHED');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await until('the process of the first attempt is dead', async () => !existsSync(`/proc/${pid}`));
  const { stdout } = await cluster.run('events', sweep, '-o', 'json');
  expect(stdout).toContain('speculated');
  expect(stdout).toContain('superseded');
});
