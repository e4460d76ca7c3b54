import { trainerSpec } from '../../proto/trainers.ts';

/** Every metric that some row has: the one that ranks first, then the trainer's in its order, then the rest by name. */
export function metricNames(
  rows: Iterable<{ readonly metrics: Readonly<Record<string, unknown>> }>,
  { by, trainer }: { readonly by: string; readonly trainer: string },
): string[] {
  const reported = new Set<string>();
  for (const { metrics } of rows) for (const name of Object.keys(metrics)) reported.add(name);
  const known = [by, ...(trainerSpec(trainer)?.metrics ?? [])].filter((name) => reported.has(name));
  return [...new Set([...known, ...[...reported].sort()])];
}
