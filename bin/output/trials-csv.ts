import { type CsvValue, csvLine } from './csv.ts';
import type { TrialJson } from './trial-json.ts';

type Read = (trial: TrialJson) => CsvValue;

/** Columns that every trial has, before its parameters and after its metrics. */
const LEADING: readonly (readonly [string, Read])[] = [
  ['trial', (t) => t.trial],
  ['config', (t) => t.config],
  ['sweep', (t) => t.sweep],
  ['index', (t) => t.index],
  ['state', (t) => t.state],
  ['rank', (t) => t.rank],
  ['seed', (t) => t.seed],
];
const TRAILING: readonly (readonly [string, Read])[] = [
  ['epoch', (t) => t.epoch],
  ['attempts', (t) => t.attempts],
  ['agent', (t) => t.agent],
  ['backend', (t) => t.backend],
  ['failure_class', (t) => t.failure?.class ?? null],
  ['failure_message', (t) => t.failure?.message ?? null],
  ['started_at', (t) => t.started_at],
  ['ended_at', (t) => t.ended_at],
  ['seconds', (t) => t.seconds],
];

function namesIn(trials: readonly TrialJson[], of: (trial: TrialJson) => object): string[] {
  const names = new Set<string>();
  for (const trial of trials) for (const name of Object.keys(of(trial))) names.add(name);
  return [...names].sort();
}

/**
 * Every trial a line, every parameter and every metric a column of its own name; a name that is taken already is
 * written `parameter.NAME` or `metric.NAME`. A value that a trial does not have is empty.
 */
export function* trialsCsv(trials: readonly TrialJson[]): Generator<string> {
  const taken = new Set([...LEADING, ...TRAILING].map(([name]) => name));
  const claim = (name: string, kind: string): string => {
    const free = taken.has(name) ? `${kind}.${name}` : name;
    taken.add(free);
    return free;
  };
  const parameters = namesIn(trials, (t) => t.parameters).map((name): readonly [string, Read] => [
    claim(name, 'parameter'),
    (t) => t.parameters[name] ?? null,
  ]);
  const metrics = namesIn(trials, (t) => t.metrics).map((name): readonly [string, Read] => [
    claim(name, 'metric'),
    (t) => t.metrics[name] ?? null,
  ]);
  const columns = [...LEADING, ...parameters, ...metrics, ...TRAILING];
  yield csvLine(columns.map(([name]) => name));
  for (const trial of trials) yield csvLine(columns.map(([, read]) => read(trial)));
}
