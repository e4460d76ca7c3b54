/**
 * Draws the priorities and weights of sweeps. Some scenarios also have two sweeps that compete for every slot after the
 * faults. Both of these sweeps have the highest priority. The draws come from a separate random stream, so that they do
 * not change the rest of a seed's scenario.
 */
import type { TestRandom } from '../support/random.ts';

export const CONTEST_PRIORITY = 900;
const CONTEST_TRIALS = 40;
const CONTEST_AT_MS = 30_000;

export interface PriorityOrder {
  readonly at: number;
  /** The index of the sweep, in order of submission. */
  readonly sweep: number;
  readonly priority: number;
}

export function priorityText(random: TestRandom): string {
  if (random.next() < 0.5) return '';
  return `priority: ${random.pick([-1, 1, 5])}\nweight: ${random.pick([0.5, 1, 4])}\n`;
}

export function priorityOrders(random: TestRandom, sweeps: number, untilMs: number): PriorityOrder[] {
  if (random.next() < 0.6) return [];
  return Array.from({ length: 1 + Math.floor(random.next() * 3) }, () => ({
    at: random.between(2_000, untilMs),
    sweep: Math.floor(random.next() * sweeps),
    priority: random.pick([-5, 0, 5]),
  }));
}

export function contestSweeps(random: TestRandom, calmAt: number): { readonly at: number; readonly text: string }[] {
  if (random.next() < 0.7) return [];
  const durationMs = random.pick([300, 1_000]);
  const text = (name: string, weight: number) =>
    [
      `name: ${name}\ncommand: [program]\nmetric: {name: test_loss, goal: minimize}\n`,
      `parameters:\n  x: {min: 1, max: ${CONTEST_TRIALS}, step: 1}\n  epochs: {value: 1}\n  contest: {value: 1}\n`,
      `  duration_ms: {value: ${durationMs}}\npriority: ${CONTEST_PRIORITY}\nweight: ${weight}\n`,
    ].join('');
  const laterMs = random.between(0, 2_000);
  return [
    { at: calmAt + CONTEST_AT_MS, text: text('one', 1) },
    { at: calmAt + CONTEST_AT_MS + laterMs, text: text('other', random.pick([1, 3, 5])) },
  ];
}
