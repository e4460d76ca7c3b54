/** The result of a conversion: a trawl sweep file, and notes on everything that was not converted. */
import { Document } from 'yaml';

/** The keys of one parameter of a sweep file, such as `values`, `distribution`, or nested `parameters`. */
export type ParameterDraft = Readonly<Record<string, unknown>>;

export interface SweepDraft {
  readonly name?: string | undefined;
  readonly method?: 'grid' | 'random' | 'sobol' | 'tpe' | 'optuna' | 'pbt' | undefined;
  readonly population?: number | undefined;
  readonly pbt?: Readonly<Record<string, unknown>> | undefined;
  readonly optuna?: { readonly sampler: string } | undefined;
  readonly metric?:
    | { readonly name: string; readonly goal: 'minimize' | 'maximize'; readonly target?: number }
    | undefined;
  readonly command?: readonly string[] | undefined;
  readonly parameters: Readonly<Record<string, ParameterDraft>>;
  readonly run_cap?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly max_failed?: number | undefined;
  readonly timeout?: string | undefined;
  readonly resources?: Readonly<Record<string, unknown>> | undefined;
  readonly retry?: Readonly<Record<string, unknown>> | undefined;
  readonly early_terminate?: Readonly<Record<string, unknown>> | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly report?: unknown;
}

export interface Converted {
  /** The tool and kind of file that was converted, such as `a Katib Experiment`. */
  readonly from: string;
  readonly sweep: SweepDraft;
  /** One sentence for each setting that has no equivalent, or that the user should check. */
  readonly notes: readonly string[];
}

/** Returns the sweep file as YAML, with the notes as comments at the top. */
export function toYaml({ from, sweep, notes }: Converted): string {
  const entries = Object.entries(sweep).filter(([, value]) => value !== undefined);
  const document = new Document(Object.fromEntries(entries));
  document.commentBefore = [
    ` Converted from ${from}.`,
    ...(notes.length === 0 ? [] : [' Not converted, or to be checked:', ...notes.map((note) => ` - ${note}`)]),
  ].join('\n');
  return document.toString({ lineWidth: 120, flowCollectionPadding: false });
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the record at a key, or an empty record if there is none. */
export function recordAt(value: unknown, key: string): Record<string, unknown> {
  const found = isRecord(value) ? value[key] : undefined;
  return isRecord(found) ? found : {};
}

/** Returns an entry as a number. The entry can also be text, as in YAML files of Kubernetes. */
export function numberAt(value: unknown, key: string): number | undefined {
  const found = isRecord(value) ? value[key] : undefined;
  if (typeof found === 'number') return found;
  return typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found)) ? Number(found) : undefined;
}

export function textAt(value: unknown, key: string): string | undefined {
  const found = isRecord(value) ? value[key] : undefined;
  return typeof found === 'string' && found !== '' ? found : undefined;
}

export const listAt = (value: unknown, key: string): unknown[] => {
  const found = isRecord(value) ? value[key] : undefined;
  return Array.isArray(found) ? found : [];
};

/** Parses a number or a boolean; returns other values unchanged. */
export function scalar(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  return text;
}
