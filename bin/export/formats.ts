/** Validates the options of `trawl export`. */
import { BadInputError } from '../../proto/errors.ts';

export const EXPORT_FORMATS = ['csv', 'json', 'parquet', 'tensorboard', 'tfjs', 'safetensors'] as const;
type Format = (typeof EXPORT_FORMATS)[number];

export interface Flags {
  readonly format?: Format;
  readonly out?: string;
  readonly curves?: boolean;
  readonly model?: string;
}

/** The content and the destination of an export. An undefined `out` means stdout. */
export type Choice =
  | {
      readonly what: 'text';
      readonly format: 'csv' | 'json';
      readonly curves: boolean;
      readonly out: string | undefined;
    }
  | { readonly what: 'parquet'; readonly curves: boolean; readonly out: string }
  | { readonly what: 'runs'; readonly out: string }
  | { readonly what: 'model'; readonly format: 'tfjs' | 'safetensors'; readonly trial: string; readonly out: string };

/**
 * Validates the options and completes them with defaults.
 * @throws {BadInputError} when a required option is missing, or options conflict
 */
export function chooseExport({ format, out, curves = false, model }: Flags): Choice {
  if (model !== undefined) {
    if (curves) throw new BadInputError('--curves and --model cannot be used together');
    const form = format ?? 'tfjs';
    if (form !== 'tfjs' && form !== 'safetensors') {
      throw new BadInputError(`-f ${form}: --model supports tfjs and safetensors only`);
    }
    return { what: 'model', format: form, trial: model, out: named(out, form) };
  }
  const form = format ?? 'csv';
  switch (form) {
    case 'csv':
    case 'json':
      return { what: 'text', format: form, curves, out };
    case 'parquet':
      return { what: 'parquet', curves, out: named(out, form) };
    case 'tensorboard':
      if (curves) throw new BadInputError('--curves: not needed, because -f tensorboard always exports every epoch');
      return { what: 'runs', out: named(out, form) };
    case 'tfjs':
    case 'safetensors':
      throw new BadInputError(`-f ${form} exports one trained model: name its trial with --model TRIAL`);
  }
}

const PLACE = { parquet: 'file', tensorboard: 'folder', tfjs: 'folder', safetensors: 'file' } as const;

function named(out: string | undefined, format: keyof typeof PLACE): string {
  if (out !== undefined) return out;
  throw new BadInputError(`-f ${format} requires --out ${PLACE[format].toUpperCase()}`);
}
