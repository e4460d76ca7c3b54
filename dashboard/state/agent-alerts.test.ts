import { expect, test } from 'vitest';
import { sampleAgent } from '../../test/support/dashboard/sample.ts';
import { agentAlerts } from './agent-alerts.ts';

const quarantined = (id: string, sweepIds: string[]) =>
  sampleAgent({ id, state: 'AGENT_STATE_QUARANTINED', quarantine: { sweepIds, reason: 'failures' } });
const lost = (id: string) => sampleAgent({ id, state: 'AGENT_STATE_LOST' });

test('connected and drained agents cause no alert', () => {
  expect(agentAlerts([sampleAgent(), sampleAgent({ id: 'b', state: 'AGENT_STATE_DRAINED' })], '7')).toEqual([]);
});

test('one alert names the lost agents, and another alert names the quarantined agents', () => {
  expect(agentAlerts([lost('a'), sampleAgent(), quarantined('c', [])], '7')).toEqual([
    '1 lost (a)',
    '1 quarantined (c)',
  ]);
  expect(agentAlerts(['a', 'b', 'c', 'd', 'e'].map(lost), '7')).toEqual(['5 lost (a, b, c, and 2 more)']);
});

test('a quarantined agent causes an alert only in the sweeps that its quarantine applies to', () => {
  expect(agentAlerts([quarantined('c', ['7', '8'])], '7')).toEqual(['1 quarantined (c)']);
  expect(agentAlerts([quarantined('c', ['8'])], '7')).toEqual([]);
});
