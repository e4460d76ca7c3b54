/** Runs the attack of rogue-agent.ts on the installed nats-server. */
import { expect, test } from 'vitest';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { expectHarmlessAttack, expectNoSubscription } from './rogue-agent.ts';

const LIMIT_MS = 240_000;

test('requests of an agent affect no stream, consumer or other agent, whatever reply subject the requests name', {
  timeout: LIMIT_MS,
}, async () => {
  expect((await findNatsBinary({ install: false })).version).toMatch(/^\d+\.\d+\.\d+$/);
  await expectHarmlessAttack();
});

test('an agent can subscribe only to its own inbox', { timeout: LIMIT_MS }, () => expectNoSubscription());
