/** Compares `plan` and the enumeration with a naive expansion of the whole grid. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ParameterValue, TRAINERS } from '../../proto/trainers.ts';
import { type Axis, listedAxis, steppedAxis } from './axes.ts';
import { enumerateTrials } from './enumerate.ts';
import { plan } from './plan.ts';
import type { SweepSpec } from './spec.ts';
import { allSteps } from './trials.ts';

const RUNS = 400;
const NAMES = ['a', 'b', 'c', 'd'];

const value: fc.Arbitrary<ParameterValue> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom<ParameterValue>('x', true) },
);
const conditions = fc
  .uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 2 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc.record({ name: fc.constant(name), anyOf: fc.array(value, { minLength: 1, maxLength: 3 }) }),
      ),
    ),
  );

function stepped(name: string, size: number): Axis {
  const axis = steppedAxis(name, { min: 0, max: size - 1, step: 1 });
  if (typeof axis === 'string') throw new Error(axis);
  return axis;
}

const freeAxis = (name: string): fc.Arbitrary<Axis> =>
  fc.oneof(
    fc.uniqueArray(value, { minLength: 1, maxLength: 4 }).map((values) => listedAxis(name, values)),
    fc.integer({ min: 2, max: 5 }).map((size) => stepped(name, size)),
  );

const few = fc.integer({ min: 0, max: 3 });

const zippedAxes = fc.oneof(
  fc
    .uniqueArray(fc.tuple(few, few), { minLength: 1, maxLength: 8, selector: (row) => JSON.stringify(row) })
    .map((rows) => [
      listedAxis(
        'a',
        rows.map(([first]) => first),
      ),
      listedAxis(
        'b',
        rows.map(([, second]) => second),
      ),
    ]),
  fc.integer({ min: 2, max: 6 }).map((size) => [stepped('a', size), stepped('b', size)]),
);

const spec: fc.Arbitrary<SweepSpec> = fc
  .record({
    zipped: fc.boolean(),
    free: fc.tuple(freeAxis('a'), freeAxis('b')),
    pair: zippedAxes,
    rest: fc.tuple(freeAxis('c'), freeAxis('d')),
    exclude: fc.array(fc.record({ conditions }), { maxLength: 3 }),
    when: fc.array(
      fc.record({
        conditions,
        set: fc.dictionary(fc.constantFrom(...NAMES, 'epochs'), fc.integer({ min: 1, max: 6 })),
      }),
      { maxLength: 3 },
    ),
    seeds: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 3 }),
    shuffled: fc.boolean(),
  })
  .map(({ zipped, free, pair, rest, exclude, when, seeds, shuffled }) => ({
    ...sweepOf([...(zipped ? pair : free), ...rest]),
    zip: zipped ? [['a', 'b']] : [],
    exclude,
    when,
    seeds,
    order: shuffled ? { kind: 'shuffled', seed: 3 } : { kind: 'grid' },
  }));

function sweepOf(axes: readonly Axis[]): SweepSpec {
  return {
    name: 'random',
    description: '',
    trainer: 'noop',
    command: [],
    program: undefined,
    objectives: [],
    code: undefined,
    isWandbFile: false,
    adaptiveReplicates: undefined,
    search: undefined,
    runCap: undefined,
    earlyTerminate: undefined,
    ignored: [],
    notes: [],
    metric: { name: 'test_loss', goal: 'minimize', at: 'last', target: undefined },
    axes,
    zip: [],
    exclude: [],
    when: [],
    seeds: [0],
    order: { kind: 'grid' },
    concurrency: undefined,
    ...{ priority: 0, weight: 1, resources: { labels: {} } },
    retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 2_000 },
    timeoutMs: undefined,
    maxFailed: undefined,
    speculate: false,
    checkpointEvery: 1,
    hypotheses: [],
    reconstructEvery: 4,
  };
}

type Row = Record<string, ParameterValue>;

function everyPoint({ axes, zip }: SweepSpec): Row[] {
  let rows: Row[] = [{}];
  const done = new Set<string>();
  for (const axis of axes) {
    if (done.has(axis.name)) continue;
    const names = zip.find((group) => group.includes(axis.name)) ?? [axis.name];
    const together = axes.filter(({ name }) => names.includes(name));
    for (const name of names) done.add(name);
    const steps = Array.from({ length: axis.size }, (_, at) =>
      Object.fromEntries(together.map((one) => [one.name, one.at(at)])),
    );
    rows = rows.flatMap((row) => steps.map((step) => ({ ...row, ...step })));
  }
  return rows;
}

function holds(rule: { conditions: SweepSpec['exclude'][number]['conditions'] }, row: Row): boolean {
  return rule.conditions.every(({ name, anyOf }) => anyOf.some((one) => one === row[name]));
}

function naively(sweep: SweepSpec) {
  const excluded = sweep.exclude.map(() => 0);
  const configs = new Map<string, Row>();
  let duplicates = 0;
  for (const row of everyPoint(sweep)) {
    const rule = sweep.exclude.findIndex((one) => holds(one, row));
    if (rule >= 0) {
      excluded[rule] = (excluded[rule] ?? 0) + 1;
      continue;
    }
    const final: Row = { epochs: TRAINERS.noop.parameters.epochs.default, duration_ms: 0, ...row };
    for (const when of sweep.when) if (holds(when, row)) Object.assign(final, when.set);
    const key = JSON.stringify(Object.entries(final).sort());
    if (configs.has(key)) duplicates += 1;
    else configs.set(key, final);
  }
  return { excluded, duplicates, configs };
}

test('plan counts as many trials as a naive expansion of the whole grid yields', () => {
  fc.assert(
    fc.property(spec, (sweep) => {
      const { excluded, duplicates, configs } = naively(sweep);
      const counted = plan(sweep);
      expect(counted.excluded.map(({ count }) => count)).toEqual(excluded);
      expect(counted.duplicates).toBe(duplicates);
      expect(counted.configs).toBe(configs.size);
      expect(counted.trials).toBe(configs.size * sweep.seeds.length);
    }),
    { numRuns: RUNS },
  );
});

test('enumeration yields every config and seed of a naive expansion once, in the same order unless the order is shuffled', () => {
  fc.assert(
    fc.property(
      spec.filter((sweep) => naively(sweep).configs.size > 0),
      (sweep) => {
        const trials = [...enumerateTrials(sweep)];
        const expected = [...naively(sweep).configs.values()].flatMap((row) =>
          sweep.seeds.map((seed) => ({ row, seed })),
        );
        expect(trials.map(({ index }) => index)).toEqual(expected.map((_, index) => index));
        expect(new Set(trials.map(({ trialId }) => trialId)).size).toBe(expected.length);
        const found = trials.map(({ parameters, seed }) => ({ row: parameters, seed }));
        if (sweep.order.kind === 'grid') expect(found).toEqual(expected);
        else expect(sorted(found)).toEqual(sorted(expected));
      },
    ),
    { numRuns: RUNS },
  );
});

test('the state after the last step counts every point, and counts each excluded point under the first rule that the point matches', () => {
  fc.assert(
    fc.property(spec, (sweep) => {
      const { excluded, duplicates } = naively(sweep);
      const state = [...allSteps(sweep)].at(-1)?.state;
      expect(state).toMatchObject({ points: everyPoint(sweep).length, excluded, duplicates });
    }),
    { numRuns: RUNS },
  );
});

function sorted(trials: readonly { row: Row; seed: number }[]): string[] {
  return trials.map(({ row, seed }) => JSON.stringify([Object.entries(row).sort(), seed])).sort();
}
