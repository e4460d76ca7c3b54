import { expect, test } from 'vitest';
import { parseFilter } from '../../lib/filter/parse.ts';
import { midAgents, midSweep, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { endedTrial, START_MS, sampleAgent, snapshot } from '../../test/support/dashboard/sample.ts';
import { agentRows, trialsPerHour } from './agent-rows.ts';
import { EMPTY_STATE, reduce } from './reducer.ts';
import { initialUi, type ListChoice, withList } from './ui.ts';

const NOW = START_MS + 600_000;
const AGENTS = [...midAgents, sampleAgent({ id: 'agent-3', busy: 2, machineFigures: { cpu: 0.9 } })];

function rows(choice: Partial<ListChoice>) {
  const state = reduce(EMPTY_STATE, snapshot(midSweep, [...midTrials], AGENTS));
  return agentRows({ state, ui: withList(initialUi({ kind: 'agents' }), 'agents', choice), now: NOW });
}

const ids = (choice: Partial<ListChoice>) => rows(choice).map(({ agent }) => agent.id);
const filtered = (text: string) => ids({ filterText: text, filter: parseFilter(text) });

test('the row of an agent contains its running trials and its results per hour', () => {
  const [first, second] = rows({});
  expect(first?.running.map(({ index }) => index)).toEqual([6]);
  // In the sweep's ten minutes, five trials ended with a result on this agent.
  expect(first?.perHour).toBe(30);
  expect(second).toMatchObject({ running: [], perHour: 0 });
});

test('the row of an agent contains its ended trials, failures included, newest first, up to 40', () => {
  const many = Array.from({ length: 60 }, (_, at) => ({ ...endedTrial(at % 8, {}, at), id: `t${at}` }));
  const shuffled = [...many.filter((_, at) => at % 2 === 0), ...many.filter((_, at) => at % 2 === 1)];
  const state = reduce(EMPTY_STATE, snapshot(midSweep, shuffled, AGENTS));
  const [first, second] = agentRows({ state, ui: initialUi({ kind: 'agents' }), now: NOW });
  expect(first?.recent.map(({ id }) => id)).toEqual(
    many
      .slice(20)
      .map(({ id }) => id)
      .reverse(),
  );
  expect(second?.recent).toEqual([]);
  expect(rows({})[0]?.recent.map(({ state: of }) => of)).toContain('TRIAL_STATE_FAILED');
});

test('trialsPerHour counts the trials that ended in the last hour, and returns undefined in the first minute', () => {
  const minutes = (count: number) => count * 60_000;
  expect(trialsPerHour([minutes(5), minutes(110), minutes(119)], 0, minutes(120))).toBe(2);
  expect(trialsPerHour([minutes(5)], 0, minutes(10))).toBe(6);
  expect(trialsPerHour([], 0, 59_000)).toBeUndefined();
});

test('agents can be sorted by any column, and agents without a value in the column come last', () => {
  expect(ids({})).toEqual(['agent-1', 'agent-2', 'agent-3']);
  expect(ids({ sort: 'CPU' })).toEqual(['agent-3', 'agent-1', 'agent-2']);
  expect(ids({ sort: 'CPU', reversed: true })).toEqual(['agent-1', 'agent-3', 'agent-2']);
  expect(ids({ sort: 'agent', reversed: true })).toEqual(['agent-3', 'agent-2', 'agent-1']);
  expect(ids({ sort: 'busy' })[0]).toBe('agent-3');
});

test('a filter of agents compares a field with a value, or searches the text of the agents', () => {
  expect(filtered('state=lost')).toEqual(['agent-2']);
  expect(filtered('busy>1 or running=1')).toEqual(['agent-1', 'agent-3']);
  expect(filtered('h100')).toEqual(['agent-1']);
  expect(filtered('not other')).toEqual(['agent-1', 'agent-3']);
});
