import { expect, test } from 'vitest';
import { MAX_AGENT_POOLS, MAX_POOLS, POOL_WINDOW_MS, PoolBudget } from './pool-budget.ts';

const pools = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `pool-${from + at}`);

test('an agent that reconnects with the same slots is never rejected', () => {
  const budget = new PoolBudget();
  for (let now = 0; now < 5_000; now++) expect(budget.announce('a', pools(MAX_AGENT_POOLS), now)).toBeUndefined();
});

test('an agent that announces new slots with each hello is rejected once it has announced too many pools', () => {
  const budget = new PoolBudget();
  for (let at = 0; at < MAX_AGENT_POOLS; at++) expect(budget.announce('a', pools(1, at), at)).toBeUndefined();
  for (let at = 0; at < 1_500; at++) expect(budget.announce('a', pools(1, 10_000 + at), 1_000)).toContain('agent a');
  expect(budget.announce('a', pools(1, 5), 1_000)).toBeUndefined();
  expect(budget.announce('b', pools(1, 20_000), 1_000)).toBeUndefined();
  expect(budget.announce('a', pools(1, 10_000), MAX_AGENT_POOLS + POOL_WINDOW_MS + 1)).toBeUndefined();
});

test('the number of pools of all agents is limited, and a pool that agents share counts once', () => {
  const budget = new PoolBudget();
  const agents = MAX_POOLS / MAX_AGENT_POOLS;
  for (let at = 0; at < agents; at++) {
    expect(budget.announce(`a${at}`, pools(MAX_AGENT_POOLS, at * MAX_AGENT_POOLS), 0)).toBeUndefined();
  }
  expect(budget.announce('one-more', pools(1, MAX_POOLS), 0)).toContain(`max ${MAX_POOLS}`);
  expect(budget.announce('same-slots', pools(MAX_AGENT_POOLS), 0)).toBeUndefined();
});

test('a pool counts against the limit of all agents together until POOL_WINDOW_MS after its last announcement', () => {
  const budget = new PoolBudget();
  const agents = MAX_POOLS / MAX_AGENT_POOLS;
  for (let at = 0; at < agents; at++) budget.announce(`a${at}`, pools(MAX_AGENT_POOLS, at * MAX_AGENT_POOLS), at);
  expect(budget.announce('new', pools(1, MAX_POOLS), POOL_WINDOW_MS)).toContain(`max ${MAX_POOLS}`);
  // Agent a0 announces one of its pools again. After the window, its other pools are forgotten, but the agent is not.
  budget.announce('a0', pools(1), 1);
  expect(budget.announce('new', pools(1, MAX_POOLS), POOL_WINDOW_MS + 1)).toBeUndefined();
});
