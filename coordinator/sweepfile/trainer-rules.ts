/**
 * Validates parameters, values and metrics against the trainer. Each function with `Problem` in its name returns an
 * error text, or undefined if the input is valid.
 */

import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote, show } from '../../lib/text/quote.ts';
import type { ParameterRule, ParameterValue, TrainerSpec } from '../../proto/trainers.ts';
import { has, type Located } from './problems.ts';

export function nameProblem(trainerName: string, trainer: TrainerSpec, name: string): string | undefined {
  if (name === 'seed') return '"seed" is not a parameter that rules can set; each seed is a trial of its own';
  if (trainer.open || Object.hasOwn(trainer.parameters, name)) return undefined;
  const known = Object.keys(trainer.parameters);
  return `trainer ${trainerName} has no parameter ${quote(name)}${didYouMean(name, known) || `; expected ${known.join(', ')}`}`;
}

/** Returns whether a sweep file has the key `metric` or `metrics`. The value of the key may be invalid. */
export function namesMetric(root: Located): boolean {
  return has(root, ['metric']) || has(root, ['metrics']);
}

/** Checks the name of a metric. A trainer without a list of metrics accepts any name. */
export function metricProblem(trainerName: string, trainer: TrainerSpec, name: string): string | undefined {
  if (trainer.metrics.length === 0 || trainer.metrics.includes(name)) return undefined;
  const meant = didYouMean(name, trainer.metrics) || `; expected ${trainer.metrics.join(', ')}`;
  return `trainer ${trainerName} has no metric ${show(name)}${meant}`;
}

/** Checks the value of a parameter. Any value is valid for a parameter that the trainer does not list. */
export function valueProblem(trainer: TrainerSpec, name: string, value: ParameterValue): string | undefined {
  const spec = Object.hasOwn(trainer.parameters, name) ? trainer.parameters[name] : undefined;
  if (spec === undefined || fits(spec.rule, value)) return undefined;
  return `${name}: expected ${expectedText(spec.rule)}, got ${show(value)}${hint(spec.rule, value)}`;
}

function fits(rule: ParameterRule, value: ParameterValue): boolean {
  switch (rule.kind) {
    case 'integer':
      return Number.isInteger(value) && within(rule, value);
    case 'number':
      return within(rule, value);
    case 'choice':
      return rule.values.includes(value);
    case 'flag':
      return typeof value === 'boolean';
  }
}

function within({ min, max }: { min: number; max: number }, value: ParameterValue): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

function expectedText(rule: ParameterRule): string {
  switch (rule.kind) {
    case 'integer':
      return `a whole number from ${rule.min} to ${rule.max}`;
    case 'number':
      return `a number from ${rule.min} to ${rule.max}`;
    case 'choice':
      return rule.values.join(' or ');
    case 'flag':
      return 'true or false';
  }
}

function hint(rule: ParameterRule, value: ParameterValue): string {
  if (typeof value !== 'string') return '';
  if (rule.kind === 'choice') {
    const meant = didYouMean(value, rule.values.map(String));
    if (meant !== '') return rule.values.some((one) => String(one) === value) ? '; remove the quotes' : meant;
  }
  const number = Number(value);
  return value.trim() !== '' && Number.isFinite(number) && fits(rule, number) ? '; remove the quotes' : '';
}
