/** Reports pauses of a sweep while a command waits for the sweep. */
import { isPausedAndIdle } from '../../lib/domain/trial-state.ts';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';

export interface PauseOptions {
  /** Whether the updates end once the sweep is paused and none of its trials is running. */
  readonly endWhenHalted: boolean;
  /** Called each time the sweep becomes paused. */
  readonly onPause: (sweep: Sweep) => void;
}

/** Yields the updates of a sweep from `watchSweep`, and reports the pauses of the sweep. */
export async function* followPauses(
  updates: AsyncIterable<WatchResponse>,
  { endWhenHalted, onPause }: PauseOptions,
): AsyncGenerator<WatchResponse, void, void> {
  let wasPaused = false;
  for await (const response of updates) {
    yield response;
    const { update } = response;
    const sweep = update?.$case === 'snapshot' ? update.snapshot.sweep : update?.delta.sweep;
    if (sweep === undefined) continue;
    const isPaused = sweep.state === SweepState.PAUSED;
    if (isPaused && !wasPaused) onPause(sweep);
    wasPaused = isPaused;
    if (endWhenHalted && isPausedAndIdle(sweep)) return;
  }
}

/** Returns a sentence without its final dot, such as `sweep 3 is paused (11 trials failed (max_failed: 10))`. */
export function pauseText({ id, reason }: Sweep): string {
  return `sweep ${id} is paused (${reason || 'no reason given'})`;
}
