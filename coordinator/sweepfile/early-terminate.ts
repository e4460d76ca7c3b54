/** Validates `early_terminate` and fills in the defaults. */
import type { z } from 'zod';
import { formatCount } from '../../lib/text/numbers.ts';
import { firstComparison } from '../early-stop/effect.ts';
import type { EarlyTerminate, RuleName } from '../early-stop/settings.ts';
import { DEFAULT_RULE } from './defaults.ts';
import type { earlyTerminate } from './early-terminate-schema.ts';
import { type Findings, has } from './problems.ts';
import type { SweepFile } from './schema.ts';
import { namesMetric } from './trainer-rules.ts';

type Written = z.infer<typeof earlyTerminate>;
type Key = Exclude<keyof Written, 'type'>;

const PATH = ['early_terminate'];
/** The valid keys of each rule. */
const KEYS: Readonly<Record<Exclude<RuleName, 'pbt'>, readonly Key[]>> = {
  hyperband: ['min_iter', 'max_iter', 's', 'eta', 'strict'],
  asha: ['variant', 'min_iter', 'max_iter', 'eta'],
  median: ['min_iter', 'min_trials'],
  patience: ['min_iter', 'patience', 'min_delta'],
  threshold: ['min_iter', 'worse_than'],
};

/**
 * Returns the settings of the rule. Undefined if the file has no rule, or if a required setting is missing.
 * @param metric the name of the sweep's metric. Empty if the file names no metric and the trainer has no default
 * @param last the last epoch of the longest trial. Undefined if it is not known
 */
export function earlyTerminateOf(
  file: SweepFile,
  { metric, last }: { readonly metric: string; readonly last: number | undefined },
  ignored: string[],
  findings: Findings,
): EarlyTerminate | undefined {
  const settings = settingsOf(file, metric, ignored, findings);
  // The steps of a program are not known, so the plan shows a warning instead (effect-warnings.ts).
  if (settings !== undefined && last !== undefined && file.trainer !== 'command') {
    checkFirstComparison(settings, last, findings);
  }
  return settings;
}

/** Rejects a rule whose first comparison is not before the last epoch, because such a rule can stop no trial. */
function checkFirstComparison(settings: EarlyTerminate, last: number, findings: Findings): void {
  const { key, step, offset } = firstComparison(settings, 1);
  if (step < last) return;
  const limit = last - offset;
  const isWritten = has(findings.root, [...PATH, key]);
  const expected = isWritten && key !== 'max_iter' && limit > 1 ? `; expected less than ${limit}` : '';
  const message =
    `no trial can be stopped: the first comparison is at epoch ${formatCount(step)}, and the longest trial ends at ` +
    `epoch ${formatCount(last)}${expected}`;
  findings.mistakeAtValue(isWritten ? [...PATH, key] : PATH, `${isWritten ? key : 'early_terminate'}: ${message}`);
}

function settingsOf(
  { early_terminate: written, checkpoint_every: checkpointEvery }: SweepFile,
  metric: string,
  ignored: string[],
  findings: Findings,
): EarlyTerminate | undefined {
  if (written === undefined) return undefined;
  if (metric === '' && !namesMetric(findings.root)) {
    const remedy = 'write metric: {name: val_loss, goal: minimize}';
    findings.atKey(PATH, `early_terminate compares the values of a metric, but the file names none; ${remedy}`);
  }
  const isEnvelope = written.type === 'envelope';
  const type = written.type === 'envelope' ? 'median' : written.type;
  for (const key of Object.keys(written).filter((one): one is Key => one !== 'type')) {
    if (KEYS[type].includes(key) || !has(findings.root, [...PATH, key])) continue;
    if (isEnvelope) ignored.push(`early_terminate.${key}`);
    else findings.atKey([...PATH, key], `${key} does not apply to type ${type}; its keys are ${KEYS[type].join(', ')}`);
  }
  const { min_iter: minIter = DEFAULT_RULE.minIter, max_iter: maxIter, eta = DEFAULT_RULE.eta } = written;
  switch (type) {
    case 'hyperband':
      return hyperbandOf(written, ignored, findings);
    case 'asha':
      if (maxIter !== undefined && maxIter <= minIter) {
        findings.atValue(
          [...PATH, 'max_iter'],
          `max_iter: expected a step above ${minIter} (min_iter), got ${maxIter}`,
        );
      }
      if (written.variant !== 'promotion') return { type, minIter, maxIter, eta };
      if (checkpointEvery === 0) {
        const message =
          'variant promotion resumes trials from checkpoints, but checkpoint_every is 0; expected 1 or more';
        findings.atValue([...PATH, 'variant'], message);
      }
      return { type, minIter, maxIter, eta, variant: written.variant };
    case 'median':
      return { type, minIter, minTrials: written.min_trials ?? DEFAULT_RULE.minTrials };
    case 'patience': {
      const patience = required(written.patience, 'patience', '{type: patience, patience: 5}', findings);
      return patience === undefined
        ? undefined
        : { type, minIter, patience, minDelta: written.min_delta ?? DEFAULT_RULE.minDelta };
    }
    case 'threshold': {
      const worseThan = required(written.worse_than, 'worse_than', '{type: threshold, worse_than: 0.5}', findings);
      return worseThan === undefined ? undefined : { type, minIter, worseThan };
    }
  }
}

function required(value: number | undefined, key: Key, example: string, findings: Findings): number | undefined {
  if (value === undefined) findings.atValue(PATH, `early_terminate: missing key "${key}": write ${example}`);
  return value;
}

function hyperbandOf(
  { min_iter: minIter, max_iter: maxIter, s: brackets, eta = DEFAULT_RULE.eta, strict = DEFAULT_RULE.strict }: Written,
  ignored: string[],
  findings: Findings,
): EarlyTerminate | undefined {
  if (maxIter !== undefined && brackets !== undefined) {
    // If the file has min_iter in addition to max_iter and s, W&B ignores min_iter.
    if (minIter !== undefined) ignored.push('early_terminate.min_iter');
    if (maxIter < eta) {
      const message = `max_iter: expected at least ${eta} (eta), so that trials are compared; got ${maxIter}`;
      findings.atValue([...PATH, 'max_iter'], message);
    }
    return { type: 'hyperband', steps: { maxIter, brackets }, eta, strict };
  }
  if (minIter === undefined) {
    findings.atValue(
      PATH,
      'early_terminate: missing key "min_iter": write {type: hyperband, min_iter: 3}, or give both max_iter and s',
    );
    return undefined;
  }
  if (maxIter !== undefined) ignored.push('early_terminate.max_iter');
  if (brackets !== undefined) ignored.push('early_terminate.s');
  return { type: 'hyperband', steps: { minIter }, eta, strict };
}
