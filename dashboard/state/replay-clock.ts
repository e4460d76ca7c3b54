/** The clock of a replay: the shown moment of the sweep, the speed, and whether the clock advances. */
import { formatSpan, parseDuration } from '../../lib/text/duration.ts';

export interface ReplayClock {
  /** The first and the last moment of the sweep, in Unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  /** The speed as a multiple of the original speed. */
  readonly speed: number;
  readonly paused: boolean;
  /** The shown moment of the sweep at the real time `setAtMs`. */
  readonly shownMs: number;
  readonly setAtMs: number;
}

export const MIN_SPEED = 0.1;
export const MAX_SPEED = 100_000;

/** Returns a clock that starts at the beginning of the sweep. */
export function startClock(startMs: number, endMs: number, speed: number, realMs: number): ReplayClock {
  return { startMs, endMs: Math.max(startMs, endMs), speed, paused: false, shownMs: startMs, setAtMs: realMs };
}

/** Returns the moment that is shown, in Unix milliseconds. The shown moment is never after the end. */
export function shownAt({ startMs, endMs, speed, paused, shownMs, setAtMs }: ReplayClock, realMs: number): number {
  const advanced = paused ? 0 : Math.max(0, realMs - setAtMs) * speed;
  return Math.min(endMs, Math.max(startMs, shownMs + advanced));
}

const changed = (clock: ReplayClock, realMs: number, change: Partial<ReplayClock>): ReplayClock => ({
  ...clock,
  shownMs: shownAt(clock, realMs),
  setAtMs: realMs,
  ...change,
});

/** Pauses or resumes. A clock at the end starts again from the beginning. */
export function togglePause(clock: ReplayClock, realMs: number): ReplayClock {
  if (shownAt(clock, realMs) >= clock.endMs) return changed(clock, realMs, { shownMs: clock.startMs, paused: false });
  return changed(clock, realMs, { paused: !clock.paused });
}

export function seek(clock: ReplayClock, realMs: number, toMs: number): ReplayClock {
  return changed(clock, realMs, { shownMs: Math.min(clock.endMs, Math.max(clock.startMs, toMs)) });
}

/** Moves by a share of the sweep's duration, such as 0.05 or -0.05. */
export function seekBy(clock: ReplayClock, realMs: number, share: number): ReplayClock {
  return seek(clock, realMs, shownAt(clock, realMs) + share * (clock.endMs - clock.startMs));
}

export function withSpeed(clock: ReplayClock, realMs: number, speed: number): ReplayClock {
  return changed(clock, realMs, { speed: Math.min(MAX_SPEED, Math.max(MIN_SPEED, speed)) });
}

/** Examples of all forms that `parseSeek` accepts, for messages. */
export const SEEK_FORMS = '50%, +5m, -30s, 1h30m (from the start) or 14:05 (time of day)';

/**
 * Returns the moment that a text names, in Unix milliseconds; undefined if the text has none of the forms in
 * SEEK_FORMS.
 */
export function parseSeek(text: string, clock: ReplayClock, realMs: number): number | undefined {
  const { startMs, endMs } = clock;
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) return startMs + ((endMs - startMs) * Math.min(100, Number(percent[1]))) / 100;
  const time = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (time !== null)
    return timeOfDay(
      time.slice(1).map((part) => Number(part ?? 0)),
      clock,
    );
  const sign = text.startsWith('+') ? 1 : text.startsWith('-') ? -1 : 0;
  const span = parseDuration(sign === 0 ? text : text.slice(1));
  if (span === undefined) return undefined;
  return sign === 0 ? startMs + span : shownAt(clock, realMs) + sign * span;
}

/**
 * Returns the first moment at or after the start of the sweep at which the local time is the given time of day.
 * Undefined if the time of day is invalid.
 */
function timeOfDay([hours = 0, minutes = 0, seconds = 0]: readonly number[], clock: ReplayClock): number | undefined {
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const at = new Date(clock.startMs);
  at.setHours(hours, minutes, seconds, 0);
  if (at.getTime() < clock.startMs) at.setDate(at.getDate() + 1);
  return at.getTime();
}

/** Returns a text such as `REPLAY 10×, 45%, 1h02m of 2h20m`. */
export function replayText(clock: ReplayClock, realMs: number): string {
  const { startMs, endMs, speed, paused } = clock;
  const elapsed = shownAt(clock, realMs) - startMs;
  const whole = endMs - startMs;
  const share = whole === 0 ? 100 : Math.floor((100 * elapsed) / whole);
  const state = elapsed >= whole ? 'ended' : paused ? 'paused' : '';
  return (
    ['REPLAY', `${speed}×`, state].filter((part) => part !== '').join(' ') +
    `, ${share}%, ${formatSpan(elapsed)} of ${formatSpan(whole)}`
  );
}
