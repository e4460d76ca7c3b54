/** A sweep on six machines. One machine is temporarily cut off from the coordinator, in one or both directions. */
import { test } from 'vitest';
import { isSkipped } from '../support/requirements.ts';
import { machinesMissing } from './ip.ts';
import { type Cut, inBothDirections, inOneDirection, sweepThroughCut } from './links.ts';
import { ALL_ROUNDS } from './rounds.ts';
import { AGENTS, HEAD } from './spread-cluster.ts';

const LIMIT_MS = 300_000;
const [AGENT] = AGENTS;
const agents = [AGENT];

const CUTS: readonly Cut[] = [
  { what: 'an agent cut off from the coordinator', agents, inflict: inBothDirections(async () => AGENT, [HEAD]) },
  { what: 'an agent whose messages do not reach the coordinator', agents, inflict: inOneDirection([AGENT], [HEAD]) },
  { what: "an agent that the coordinator's messages do not reach", agents, inflict: inOneDirection([HEAD], [AGENT]) },
];

const skipped = isSkipped(machinesMissing());

test.skipIf(skipped || !ALL_ROUNDS).each(CUTS)(
  'a sweep loses no report and runs no trial twice: $what',
  { timeout: LIMIT_MS },
  sweepThroughCut,
);
