/** Unix milliseconds that never jump: the wall clock at start, carried on by the monotonic one. */
const startedAt = Date.now() - performance.now();

export function now(): number {
  return Math.round(startedAt + performance.now());
}
