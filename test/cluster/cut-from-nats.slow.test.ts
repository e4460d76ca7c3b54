/**
 * A sweep on six machines. Temporarily, a NATS server is cut off from all other machines, or an agent is cut off from all
 * NATS servers in one or both directions.
 */
import { test } from 'vitest';
import { isSkipped } from '../support/requirements.ts';
import { machinesMissing } from './ip.ts';
import { type Cut, inBothDirections, inOneDirection, sweepThroughCut } from './links.ts';
import { someOf } from './rounds.ts';
import { AGENTS, HEAD, NATS, queueLeader } from './spread-cluster.ts';

const LIMIT_MS = 300_000;
const [AGENT] = AGENTS;
const agents = [AGENT];

const CUTS: readonly Cut[] = [
  {
    what: "the machine of the queue's leader cut off from all others",
    inflict: inBothDirections(queueLeader, [HEAD, ...NATS, ...AGENTS]),
  },
  { what: 'an agent cut off from NATS', agents, inflict: inBothDirections(async () => AGENT, NATS) },
  { what: 'an agent whose messages do not reach NATS', agents, inflict: inOneDirection([AGENT], NATS) },
  { what: 'an agent that the messages of NATS do not reach', agents, inflict: inOneDirection(NATS, [AGENT]) },
];

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped).each(someOf(CUTS))(
  'a sweep loses no report and runs no trial twice: $what',
  { timeout: LIMIT_MS },
  sweepThroughCut,
);
