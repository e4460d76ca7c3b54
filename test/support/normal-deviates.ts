/** Returns a source of normal deviates: Marsaglia's polar method over a seeded 32-bit generator (mulberry32). */
export function normalDeviates(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number => {
    const x = 2 * uniform() - 1;
    const y = 2 * uniform() - 1;
    const r = x * x + y * y;
    return r === 0 || r >= 1 ? normal() : x * Math.sqrt((-2 * Math.log(r)) / r);
  };
  return normal;
}
