// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/**
 * Converts Hydra's multirun arguments (`lr=1e-3,1e-4 bs=range(32,129,32) +a=1`) and the `hydra.sweeper` of a
 * configuration. Both use the grammar of Hydra's overrides.
 */
import { type Converted, isRecord, numberAt, type ParameterDraft, recordAt, textAt } from './converted.ts';

const OVERRIDE = /^(~|\+{0,2})([^=\s]+)(?:=(.*))?$/s;
const CALL = /^(\w+)\((.*)\)$/s;

export const isHydra = (args: readonly string[]): boolean =>
  args.length > 0 && args.every((arg) => /^(?:~[\w./@-]+|(?:\+{0,2})[\w./@:[\]-]+=.*)$/s.test(arg));

/**
 * @param args the overrides, one per item, without the quotes that a shell removes
 * @param program the program that the overrides belong to
 */
export function fromHydra(args: readonly string[], program = 'main.py'): Converted {
  const notes: string[] = [];
  const fixed: string[] = [];
  const parameters: Record<string, ParameterDraft> = {};
  let method: 'grid' | 'random' = 'grid';
  for (const arg of args) {
    const [, prefix = '', key = '', value] = OVERRIDE.exec(arg) ?? [];
    if (prefix === '~' || value === undefined) {
      fixed.push(arg);
      continue;
    }
    if (/^hydra[./]/.test(key) || key === 'hydra') {
      if (!/^hydra[./](?:sweeper|launcher|mode)/.test(key)) fixed.push(arg);
      else notes.push(`${arg} configures Hydra's own sweeps and is omitted.`);
      continue;
    }
    const draft = draftOf(`${prefix}${key}`, value, notes);
    if ('distribution' in draft) method = 'random';
    parameters[`${prefix}${key}`] = draft;
  }
  notes.push(`the program is assumed to be ${program}; correct the command if needed.`);
  notes.push('the metric is unknown: add it.');
  return {
    from: "Hydra's multirun arguments",
    sweep: {
      method,
      command: ['python3', program, ...fixed, '${args_no_hyphens}'],
      parameters,
      run_cap: method === 'random' ? 100 : undefined,
    },
    notes,
  };
}

/** Whether a configuration has parameters for Hydra's basic sweeper, Optuna sweeper or Ax sweeper. */
export const isHydraConfig = (data: unknown): boolean => sweeperParameters(data).length > 0;

/**
 * Returns the sweeper of a configuration: `hydra.sweeper`, or the whole file if the file belongs to Hydra's config
 * group `hydra/sweeper`.
 */
function sweeperOf(data: unknown): Record<string, unknown> {
  const isSweeper = /sweeper/i.test(textAt(data, '_target_') ?? '');
  return isSweeper && isRecord(data) ? data : recordAt(recordAt(data, 'hydra'), 'sweeper');
}

function sweeperParameters(data: unknown): (readonly [string, unknown])[] {
  const sweeper = sweeperOf(data);
  const ax = recordAt(recordAt(sweeper, 'ax_config'), 'params');
  const groups = [recordAt(sweeper, 'params'), recordAt(sweeper, 'search_space'), ax];
  return groups.flatMap((entries) => Object.entries(entries));
}

/** Converts the `hydra.sweeper` of a configuration: a basic sweeper, an Optuna sweeper or an Ax sweeper. */
export function fromHydraConfig(data: unknown): Converted {
  const sweeper = sweeperOf(data);
  const entries = sweeperParameters(data);
  const texts = entries.flatMap(([name, value]) => (isRecord(value) ? [] : [`${name}=${hydraText(value)}`]));
  const converted = fromHydra(texts);
  const spaces = entries.flatMap(([name, value]) => (isRecord(value) ? [[name, spaceDraft(value)] as const] : []));
  const parameters = { ...converted.sweep.parameters, ...Object.fromEntries(spaces) };
  const isSampled = Object.values(parameters).some((draft) => 'distribution' in draft);
  const trials = numberAt(sweeper, 'n_trials') ?? numberAt(recordAt(sweeper, 'ax_config'), 'max_trials');
  const direction = textAt(sweeper, 'direction');
  const goal = direction === undefined ? [] : [`the sweeper's direction is ${direction}: use it as the metric's goal.`];
  return {
    from: "a configuration of Hydra's sweeper",
    sweep: {
      ...converted.sweep,
      method: trials !== undefined ? 'tpe' : isSampled ? 'random' : 'grid',
      parameters,
      run_cap: trials ?? (isSampled ? 100 : undefined),
    },
    notes: [...goal, ...converted.notes],
  };
}

const hydraText = (value: unknown): string => (Array.isArray(value) ? value.map(hydraText).join(',') : `${value}`);

/**
 * Converts a parameter of the Ax sweeper or of an old version of the Optuna sweeper, such as
 * `{type: float, low: 0, high: 1, log: true}`.
 */
function spaceDraft(space: Record<string, unknown>): ParameterDraft {
  const values = space.choices ?? space.values;
  if (Array.isArray(values)) return { values };
  if (space.value !== undefined) return { value: space.value };
  const bounds = Array.isArray(space.bounds) ? space.bounds : [];
  const [min, max] = [numberAt(space, 'low') ?? bounds[0], numberAt(space, 'high') ?? bounds[1]];
  const isLog = space.log === true || space.log_scale === true;
  const step = numberAt(space, 'step');
  if (isLog) return { distribution: 'log_uniform_values', min, max };
  if (step !== undefined) return { min, max, step };
  const isInteger = space.type === 'int' || space.value_type === 'int' || [min, max].every(Number.isInteger);
  return { distribution: isInteger && space.type !== 'float' ? 'int_uniform' : 'uniform', min, max };
}

function draftOf(name: string, text: string, notes: string[]): ParameterDraft {
  const parts = splitTop(text);
  if (parts.length > 1) return { values: parts.map(valueFrom) };
  const [, call, inside = ''] = CALL.exec(text.trim()) ?? [];
  const args = splitTop(inside).filter(
    (part) =>
      !/^\w+\s*=/.test(part.trim()) || !/^(?:start|stop|step|tags|include|exclude|reverse|seed)\b/.test(part.trim()),
  );
  const named = Object.fromEntries(
    splitTop(inside).flatMap((part) => {
      const [, key = '', value = ''] = /^\s*(start|stop|step)\s*=\s*(.+)$/s.exec(part) ?? [];
      return key === '' ? [] : [[key, Number(value)]];
    }),
  );
  switch (call) {
    case undefined:
      return { value: valueFrom(text) };
    case 'choice':
      return { values: args.map(valueFrom) };
    case 'range': {
      const values = rangeOf(args.map(Number), named);
      if (values.length > 0) return { values };
      notes.push(`${name}: ${text} has no values and is kept as text.`);
      return { value: text };
    }
    case 'interval': {
      const [min = 0, max = 1] = args.map(Number);
      return { distribution: 'uniform', min, max };
    }
    case 'tag': {
      const draft = draftOf(name, args.at(-1) ?? '', notes);
      const isLog = args.slice(0, -1).some((tag) => tag.trim() === 'log');
      return isLog && draft.distribution === 'uniform' ? { ...draft, distribution: 'log_uniform_values' } : draft;
    }
    case 'shuffle':
    case 'sort':
      if (call === 'shuffle') notes.push(`${name}: the order of shuffle(...) is not kept; write \`order: shuffled\`.`);
      return args.length === 1 ? draftOf(name, args[0] ?? '', notes) : { values: args.map(valueFrom) };
    case 'glob':
      notes.push(
        `${name}: glob(${inside}) needs Hydra's configuration folder and is kept as text; list the values instead.`,
      );
      return { value: text };
    default:
      return { value: valueFrom(text) };
  }
}

/** Returns the values of a Hydra range, without the end of the range. Values after the first 10,000 are left out. */
function rangeOf(args: readonly number[], named: Readonly<Record<string, number>>): number[] {
  const start = named.start ?? (args.length > 1 ? (args[0] ?? 0) : 0);
  const stop = named.stop ?? (args.length > 1 ? (args[1] ?? 0) : (args[0] ?? 0));
  const step = named.step ?? args[2] ?? 1;
  if (!(step !== 0) || !Number.isFinite(stop - start)) return [];
  const count = Math.max(0, Math.ceil((stop - start) / step - 1e-9));
  return Array.from({ length: Math.min(count, 10_000) }, (_, index) => Number((start + step * index).toPrecision(15)));
}

/** Splits at commas outside quotes, brackets and parentheses. */
export function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let part = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\') {
      part += character + (text[at + 1] ?? '');
      at += 1;
      continue;
    }
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === "'" || character === '"') quote = character;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    if (character === ',' && depth === 0 && quote === '') {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return [...parts, part];
}

function valueFrom(written: string): unknown {
  const text = written.trim();
  const [, quote, quoted] = /^(['"])(.*)\1$/s.exec(text) ?? [];
  if (quote !== undefined && quoted !== undefined) return quoted.replaceAll(`\\${quote}`, quote);
  if (/^\[.*\]$/s.test(text)) return text === '[]' ? [] : splitTop(text.slice(1, -1)).map(valueFrom);
  if (/^\{.*\}$/s.test(text)) {
    if (text === '{}') return {};
    return Object.fromEntries(
      splitTop(text.slice(1, -1)).map((entry) => {
        const colon = entry.indexOf(':');
        return [`${valueFrom(entry.slice(0, colon))}`, valueFrom(entry.slice(colon + 1))];
      }),
    );
  }
  if (/^null$/i.test(text)) return null;
  if (/^true$/i.test(text)) return true;
  if (/^false$/i.test(text)) return false;
  if (/^[+-]?\d[\d_]*$/.test(text)) return Number(text.replaceAll('_', ''));
  if (/^[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text.replaceAll('_', ''));
  return text.replaceAll(/\\(.)/g, '$1');
}
