import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NotLeaderError, RejectedError, UnreachableError } from '../../proto/errors.ts';
import {
  type Election,
  type EndedLeadership,
  electedAlone,
  Leader,
  leaderThatRuns,
  newHolder,
  tryOnce,
  untilElected,
} from './leader.ts';
import { LEADERSHIP_MS, type Leadership, RENEW_INTERVAL_MS, type Term } from './leadership.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const log = pino({ level: 'silent' });
const clock = () => Date.now();

/** An election in memory. Each request throws `problem` if it is set. */
class MemoryElection implements Election {
  problem: Error | undefined;
  leadership: Leadership = { epoch: 4, holder: 'other', address: 'other:1', remainingMs: 5_000, expiresAt: 'a' };
  readonly renewals: { readonly at: number; readonly address: string }[] = [];
  released = 0;

  async tryToLead(holder: string, address: string, over: EndedLeadership = {}): Promise<Leadership> {
    if (this.problem !== undefined) throw this.problem;
    const { epoch, holder: current, expiresAt } = this.leadership;
    if (current === over.holder || current === '' || expiresAt === over.expiresAt) {
      this.leadership = { epoch: epoch + 1, holder, address, remainingMs: LEADERSHIP_MS, expiresAt: 'b' };
    }
    return this.leadership;
  }

  async renew({ holder }: Term, address: string): Promise<boolean> {
    if (this.problem !== undefined) throw this.problem;
    this.renewals.push({ at: Date.now(), address });
    return this.leadership.holder === holder;
  }

  async release(): Promise<void> {
    if (this.problem !== undefined) throw this.problem;
    this.released += 1;
    this.leadership = { ...this.leadership, holder: '' };
  }

  async close(): Promise<void> {}
}

function candidate(election: Election) {
  const stop = new AbortController();
  const seen: string[] = [];
  const problems: (string | undefined)[] = [];
  const elected = untilElected({
    election,
    holder: 'me',
    address: 'me:1',
    signal: stop.signal,
    onStandby: ({ address }) => seen.push(address),
    onProblem: (problem) => problems.push(problem),
    clock,
  });
  return { elected, seen, problems, stop: () => stop.abort() };
}

test('a standby leads within half a second after the leader has released its leadership', async () => {
  const election = new MemoryElection();
  const { elected, seen } = candidate(election);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(new Set(seen)).toEqual(new Set(['other:1']));
  election.leadership = { ...election.leadership, holder: '' };
  const releasedAt = Date.now();
  await vi.advanceTimersByTimeAsync(500);
  const { term, sentAt, previous } = (await elected) ?? {};
  expect(term).toEqual({ epoch: 5, holder: 'me' });
  expect(previous).toBe('other:1');
  expect((sentAt ?? 0) - releasedAt).toBeLessThanOrEqual(500);
});

test('while the store does not answer, a standby continues to try to lead', async () => {
  const election = new MemoryElection();
  election.problem = new UnreachableError('no answer');
  const { elected, problems } = candidate(election);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(new Set(problems)).toEqual(new Set(['no answer']));
  election.problem = undefined;
  election.leadership = { ...election.leadership, holder: '' };
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await elected).toMatchObject({ term: { epoch: 5 } });
  expect(problems.at(-1)).toBeUndefined();
});

test('a standby ends if it is aborted, or if the store cannot be used', async () => {
  const { elected, stop } = candidate(new MemoryElection());
  await vi.advanceTimersByTimeAsync(100);
  stop();
  await vi.advanceTimersByTimeAsync(1);
  expect(await elected).toBeUndefined();
  const election = new MemoryElection();
  election.problem = new RejectedError('too old');
  await expect(candidate(election).elected).rejects.toThrow('too old');
});

test('a standby takes over if the leader does not renew its leadership, even if the clock of the store was set back', async () => {
  const election = new MemoryElection();
  election.leadership = { ...election.leadership, remainingMs: 3_600_000 };
  const { elected } = candidate(election);
  await vi.advanceTimersByTimeAsync(LEADERSHIP_MS);
  expect(election.leadership.holder).toBe('other');
  await vi.advanceTimersByTimeAsync(2_000);
  expect((await elected)?.term).toEqual({ epoch: 5, holder: 'me' });
});

test('a coordinator that is not a standby waits until a leadership that is not renewed expires', async () => {
  const election = new MemoryElection();
  const begun = Date.now();
  const expireAt = begun + 5_000;
  vi.spyOn(election, 'tryToLead').mockImplementation(async (holder, address) => {
    const remainingMs = expireAt - Date.now();
    return remainingMs > 0
      ? { epoch: 4, holder: 'dead', address: 'dead:1', remainingMs, expiresAt: `${expireAt}` }
      : { epoch: 5, holder, address, remainingMs: LEADERSHIP_MS, expiresAt: '' };
  });
  const elected = electedAlone({ election, holder: 'me', address: 'me:1', clock });
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await elected).term).toEqual({ epoch: 5, holder: 'me' });
});

test('a coordinator that is not a standby is rejected once the current leader renews its leadership', async () => {
  const election = new MemoryElection();
  let renewedAt = Date.now() - 1_000;
  vi.spyOn(election, 'tryToLead').mockImplementation(async () => {
    if (Date.now() - renewedAt >= RENEW_INTERVAL_MS) renewedAt += RENEW_INTERVAL_MS;
    const remainingMs = renewedAt + LEADERSHIP_MS - Date.now();
    return { epoch: 4, holder: 'other', address: 'other:1', remainingMs, expiresAt: `${renewedAt}` };
  });
  const elected = electedAlone({ election, holder: 'me', address: 'me:1', clock });
  const rejected = expect(elected).rejects.toThrow(RejectedError);
  await vi.advanceTimersByTimeAsync(RENEW_INTERVAL_MS - 500);
  await rejected;
  await expect(elected).rejects.toThrow('the coordinator at other:1 leads this store');
});

test('a process leads at once if the recorded leader was a process of the same machine and has ended', async () => {
  const election = new MemoryElection();
  const candidacy = { election, holder: newHolder(), address: 'me:1', clock };
  const running = newHolder();
  election.leadership = { ...election.leadership, holder: running };
  expect(await tryOnce(candidacy)).toMatchObject({ holder: running });
  // The process that now has this id started at another time, so the recorded process has ended.
  const ended = running.replace(/(\d+)\/[^/]*$/, (_, start) => `${Number(start) - 1}/x`);
  election.leadership = { ...election.leadership, holder: ended };
  expect(await electedAlone(candidacy)).toMatchObject({ term: { epoch: 5, holder: candidacy.holder } });
});

test.each([
  ['renews its leadership', 0, RENEW_INTERVAL_MS],
  ['renews its leadership, even if the clock of the store was set back', -3_600_000, RENEW_INTERVAL_MS],
])('a reader finds a leader that %s', async (_name, clockMs, intervalMs) => {
  const begun = Date.now();
  const read = async (): Promise<Leadership> => {
    const expiresAt = begun + Math.floor((Date.now() - begun + 1_000) / intervalMs) * intervalMs + LEADERSHIP_MS;
    const remainingMs = expiresAt - Date.now() - clockMs;
    return { epoch: 4, holder: 'other', address: 'other:1', remainingMs, expiresAt: `${expiresAt}` };
  };
  const found = leaderThatRuns(read, clock);
  await vi.advanceTimersByTimeAsync(RENEW_INTERVAL_MS);
  expect(await found).toMatchObject({ address: 'other:1' });
});

test.each([
  ['has expired', { remainingMs: 0 }, 0],
  ['was released', { holder: '' }, 0],
  ['expires', { remainingMs: 4_000 }, 4_000],
  ['is not renewed, even if the clock of the store was set back', { remainingMs: 3_600_000 }, LEADERSHIP_MS + 2_000],
])('a reader finds no leader if the leadership %s', async (_name, change, afterMs) => {
  const begun = Date.now();
  const leadership = { epoch: 4, holder: 'dead', address: 'dead:1', remainingMs: 9_000, expiresAt: 'a', ...change };
  const read = async () => ({ ...leadership, remainingMs: leadership.remainingMs - (Date.now() - begun) });
  const found = leaderThatRuns(read, clock);
  await vi.advanceTimersByTimeAsync(afterMs);
  expect(await found).toBeUndefined();
});

test('a coordinator that is not a standby fails if the store does not answer', async () => {
  const election = new MemoryElection();
  election.problem = new UnreachableError('no answer');
  await expect(electedAlone({ election, holder: 'me', address: 'me:1', clock })).rejects.toThrow('no answer');
});

function leaderOf(election: MemoryElection) {
  election.leadership = { ...election.leadership, holder: 'me' };
  const onLost = vi.fn();
  const elected = { term: { epoch: 4, holder: 'me' }, sentAt: clock() };
  return { leader: new Leader({ election, elected, address: 'me:1', onLost, log, clock }), onLost };
}

test('a leader renews its leadership every 3 seconds, and immediately stores a change of its address', async () => {
  const election = new MemoryElection();
  const begun = Date.now();
  const { leader, onLost } = leaderOf(election);
  await vi.advanceTimersByTimeAsync(LEADERSHIP_MS);
  leader.moveTo('me:2');
  await vi.advanceTimersByTimeAsync(0);
  expect(election.renewals.map(({ at }) => at - begun)).toEqual([3_000, 6_000, 9_000, 9_000]);
  expect(election.renewals.map(({ address }) => address)).toEqual(['me:1', 'me:1', 'me:1', 'me:2']);
  expect(leader.isCertain).toBe(true);
  expect(onLost).not.toHaveBeenCalled();
  await leader.release();
});

test('a leader that cannot renew its leadership pauses before the expiry, and continues after a renewal', async () => {
  const election = new MemoryElection();
  const { leader, onLost } = leaderOf(election);
  const onPause = vi.fn();
  leader.whenPaused(onPause);
  election.problem = new UnreachableError('no answer');
  await vi.advanceTimersByTimeAsync(LEADERSHIP_MS - 1_001);
  expect(leader.isCertain).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(leader.isCertain).toBe(false);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(onPause).toHaveBeenCalledOnce();
  election.problem = undefined;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(leader.isCertain).toBe(true);
  expect(onLost).not.toHaveBeenCalled();
  await leader.release();
});

test('once another coordinator leads, the former leader ends, and no longer renews its leadership', async () => {
  const election = new MemoryElection();
  const { onLost } = leaderOf(election);
  election.leadership = { ...election.leadership, holder: 'other', epoch: 5 };
  await vi.advanceTimersByTimeAsync(RENEW_INTERVAL_MS);
  expect(onLost).toHaveBeenCalledOnce();
  expect(onLost.mock.calls[0]?.[0]).toBeInstanceOf(NotLeaderError);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(election.renewals).toHaveLength(1);
});

test('a check detects a newer leader at once', async () => {
  const election = new MemoryElection();
  const { leader, onLost } = leaderOf(election);
  election.leadership = { ...election.leadership, holder: 'other', epoch: 5 };
  leader.check();
  leader.check();
  await vi.advanceTimersByTimeAsync(0);
  expect(onLost).toHaveBeenCalledOnce();
});

test('a leader releases its leadership once, and waits at most two seconds for a store that does not answer', async () => {
  const election = new MemoryElection();
  const { leader } = leaderOf(election);
  await leader.release();
  expect(election.released).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(election.renewals).toEqual([]);

  const silent = new MemoryElection();
  silent.release = () => new Promise(() => {});
  const { leader: other } = leaderOf(silent);
  let isReleased = false;
  void other.release().then(() => {
    isReleased = true;
  });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(isReleased).toBe(true);
});
