import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Hello, type ReportResponse } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { AgentSession, AgentSessions, type AgentStream, MAX_ACK_DELAY_MS } from './agent-sessions.ts';

const KEY = { sweepId: '1', trialId: 't', attempt: 1 };
const DELAY_MS = 100;
let sent: ReportResponse['message'][];

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function session(id = 'a', ackDelayMs = DELAY_MS): AgentSession {
  const write = ({ message }: ReportResponse) => sent.push(message);
  const call = { writable: true, writableLength: 0, write } as unknown as AgentStream;
  return new AgentSession(call, Hello.fromPartial({ agentId: id, acceptsBatches: true }), {
    ackDelayMs,
    gatherMs: 2 * ackDelayMs,
  });
}

const acks = () => sent.map((message) => (message?.$case === 'batch' ? message.batch.acks.map(({ seq }) => seq) : []));

test('acknowledgements of reports are delayed, and are then sent in one message that has only the newest one of each attempt', () => {
  const one = session();
  one.acknowledge(KEY, 1, true);
  vi.advanceTimersByTime(DELAY_MS - 1);
  one.acknowledge(KEY, 2, true);
  one.acknowledge({ ...KEY, trialId: 'u' }, 7, true);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(acks()).toEqual([[2, 7]]);
  expect(sent).toMatchObject([{ batch: { gatherMs: 2 * DELAY_MS } }]);
  vi.advanceTimersByTime(10 * DELAY_MS);
  expect(sent).toHaveLength(1);
});

test('an urgent answer is sent immediately, together with the delayed acknowledgements', () => {
  const one = session();
  one.acknowledge(KEY, 1, true);
  one.acknowledge(KEY, 2, false);
  vi.advanceTimersByTime(0);
  expect(acks()).toEqual([[2]]);
  one.acknowledge(KEY, 3, true);
  one.answerClaims({ id: 1, decisions: [] });
  vi.advanceTimersByTime(0);
  expect(acks()).toEqual([[2], [3]]);
  vi.advanceTimersByTime(10 * DELAY_MS);
  expect(sent).toHaveLength(2);
});

test.each([
  [1, 0],
  [19, 0],
  [300, 300],
  [5_000, MAX_ACK_DELAY_MS],
])(
  'with %i agents, acknowledgements of reports are delayed by %i ms, and agents gather reports for twice this time',
  (agents, delayMs) => {
    const sessions = new AgentSessions();
    for (let at = 0; at < agents; at++) sessions.add(session(`a${at}`));
    expect(sessions.ackDelayMs).toBe(delayMs);
    expect(sessions.gatherMs).toBe(2 * delayMs);
  },
);
