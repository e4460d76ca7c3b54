/** Encodes data for TensorBoard's HParams plugin (plugins/hparams/plugin_data.proto and api.proto). */
import type { Parameters, ParameterValue } from '../../../proto/trainers.ts';
import { all, double, type Fields, flag, inner, int32, message, pluginData, text } from './event.ts';

const PLUGIN = 'hparams';

/**
 * The maximum number of values that the domain of a parameter lists. The domain of a numeric parameter with more values
 * is an interval. A text parameter with more values has no domain.
 */
export const MAX_LISTED = 20;

const DATA_TYPE = { text: 1, flag: 2, number: 3 } as const;
const STATUS = { unknown: 0, success: 1, failure: 2, running: 3 } as const;
export type SessionStatus = keyof typeof STATUS;

export type HParamDomain =
  | { readonly type: 'text' | 'flag' | 'number'; readonly listed: readonly ParameterValue[] }
  | { readonly type: 'number'; readonly min: number; readonly max: number }
  | { readonly type: 'text' };

/** Returns the domain of a parameter's values. Values of different types are listed as text. */
export function domainOf(values: ReadonlySet<ParameterValue>): HParamDomain {
  const numbers = [...values].filter((value) => typeof value === 'number').sort((a, b) => a - b);
  if (numbers.length === values.size && numbers.length > MAX_LISTED) {
    return { type: 'number', min: numbers[0] ?? 0, max: numbers.at(-1) ?? 0 };
  }
  if (numbers.length === values.size) return { type: 'number', listed: numbers };
  const flags = [...values].filter((value) => typeof value === 'boolean').sort();
  if (flags.length === values.size) return { type: 'flag', listed: flags };
  const texts = [...new Set([...values].map(String))].sort();
  return texts.length > MAX_LISTED ? { type: 'text' } : { type: 'text', listed: texts };
}

/** Encodes a google.protobuf.Value. */
function value(of: ParameterValue): Fields {
  if (typeof of === 'number') return double(2, of);
  return typeof of === 'boolean' ? flag(4, of) : text(3, String(of));
}

function hparamInfo(name: string, domain: HParamDomain): Fields {
  const fields = all(text(1, name), int32(4, DATA_TYPE[domain.type]));
  if ('min' in domain) return all(fields, inner(6, double(1, domain.min), double(2, domain.max)));
  return 'listed' in domain ? all(fields, inner(5, ...domain.listed.map((of) => inner(1, value(of))))) : fields;
}

export interface Experiment {
  readonly description: string;
  readonly createdMs: number;
  readonly hparams: ReadonlyMap<string, HParamDomain>;
  readonly metrics: readonly string[];
}

/** Encodes the parameters and metrics of the experiment, once for all runs. */
export function experimentEvent({ description, createdMs, hparams, metrics }: Experiment): Uint8Array {
  const experiment = all(
    text(1, description),
    double(3, createdMs / 1000),
    ...[...hparams].map(([name, domain]) => inner(4, hparamInfo(name, domain))),
    ...metrics.map((name) => inner(5, inner(1, text(2, name)))),
  );
  return pluginData(createdMs, '_hparams_/experiment', PLUGIN, message(inner(2, experiment)));
}

/** Encodes the parameters of a run. A parameter that is text in the experiment is also text in the run. */
export function sessionStart(atMs: number, parameters: Parameters, hparams: Experiment['hparams']): Uint8Array {
  const typed = Object.entries(parameters).map(([name, of]): Fields => {
    const asText = hparams.get(name)?.type === 'text';
    return inner(1, text(1, name), inner(2, value(asText ? String(of) : of)));
  });
  const start = all(...typed, double(5, atMs / 1000));
  return pluginData(atMs, '_hparams_/session_start_info', PLUGIN, message(inner(3, start)));
}

/**
 * Encodes the final status and the end time of a run.
 * @param endMs the end in Unix milliseconds; 0 means that the run has not ended
 */
export function sessionEnd(atMs: number, status: SessionStatus, endMs: number): Uint8Array {
  const end = all(int32(1, STATUS[status]), ...(endMs === 0 ? [] : [double(2, endMs / 1000)]));
  return pluginData(atMs, '_hparams_/session_end_info', PLUGIN, message(inner(4, end)));
}
