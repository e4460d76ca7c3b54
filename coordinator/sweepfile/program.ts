// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Converts the keys of the user's program (env, report, classify, wandb, code) to the settings that agents receive. */
import { parseDuration } from '../../lib/text/duration.ts';
import { show } from '../../lib/text/quote.ts';
import { formatSize, parseSize } from '../../lib/text/size.ts';
import { type ProgramSpec, type ReportSource, WandbMode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { DEFAULT_CODE_BYTES, MAX_CODE_BYTES } from '../../proto/limits.ts';
import { failureClass } from '../../proto/names.ts';
import type { CodeSpec } from '../grid/spec.ts';
import { DEFAULT_CODE_DIFF, DEFAULT_CODE_DIR } from './defaults.ts';
import { type Findings, has, type Located, locate, type Path } from './problems.ts';
import { HOOKS } from './program-schema.ts';
import { IGNORED_KEYS, type SweepFile } from './schema.ts';

const PROGRAM_KEYS = ['env', 'report', 'classify', 'wandb', 'first_report', 'code'] as const;

/** The macros that only files for W&B contain. `${args}` occurs in all kinds of files. */
const WANDB_MACRO = /\$\{(?:env|interpreter|program)\}/;

/**
 * Returns whether a file is written for Weights & Biases: it has a program, a key that only W&B reads, or a command
 * with `${env}`, `${interpreter}` or `${program}`.
 */
export function isWandbFile(file: Partial<Record<keyof SweepFile, unknown>>): boolean {
  if (file.program !== undefined || IGNORED_KEYS.some((key) => file[key] !== undefined)) return true;
  const command: unknown[] = Array.isArray(file.command) ? file.command : [];
  return command.some((item) => typeof item === 'string' && WANDB_MACRO.test(item));
}

/** Returns whether a sweep file is written for Weights & Biases, from its parsed data. The data may have any shape. */
export function isWandbData(data: unknown): boolean {
  return (
    typeof data === 'object' && data !== null && 'trainer' in data && data.trainer === 'command' && isWandbFile(data)
  );
}

/**
 * Returns whether a file can omit its metric. Files for W&B can omit the metric. Files whose command takes the
 * parameters as W&B's agent passes them, such as files of `trawl convert`, can also omit the metric.
 */
export function canOmitMetric(file: SweepFile): boolean {
  return isWandbFile(file) || (file.command ?? []).some((item) => /\$\{args\w*\}/.test(item));
}

interface Named {
  readonly metric: string;
  readonly floats: Pick<ProgramSpec, 'floatParameters' | 'floatValues'>;
  /** The names of the parameters, in the order of the file. */
  readonly parameters: readonly string[];
  /** Whether the sweep file has a parameter named seed. */
  readonly hasSeed: boolean;
}

/**
 * Returns the settings of the user's program. Returns undefined for the built-in trainers, and adds findings for keys
 * that apply to trainer command only.
 */
export function programOf(file: SweepFile, named: Named, root: Located, findings: Findings): ProgramSpec | undefined {
  if (file.trainer !== 'command') {
    for (const key of PROGRAM_KEYS) {
      if (has(root, [key])) {
        findings.atKey([key], `${key} applies to trainer command only; the trainer is ${file.trainer}`);
      }
    }
    return undefined;
  }
  for (const [index, { pattern }] of (file.classify ?? []).entries()) {
    checkPattern(pattern, ['classify', index, 'pattern'], findings);
  }
  const defaults = programDefaults(isWandbFile(file));
  const wandb = file.wandb === undefined ? defaults.mode : WANDB_MODES[file.wandb];
  return {
    env: Object.fromEntries(
      Object.entries(file.env ?? {}).map(([name, value]) => [name, textOf(value, locate(root, ['env', name]))]),
    ),
    report: reportOf(file, programDefaults(wandb !== WandbMode.OFF).sources, findings),
    classify: (file.classify ?? []).map((rule) => ({ pattern: rule.pattern, class: failureClass.to(rule.class) })),
    wandb,
    // The field is set at submission, when the folder has been packed.
    code: undefined,
    ...named.floats,
    metric: named.metric,
    firstReportMs: (file.first_report === undefined ? undefined : parseDuration(file.first_report)) ?? 0,
    seedParameter: named.hasSeed ? 'seed' : '',
    parameterOrder: [...named.parameters],
  };
}

/**
 * Returns the code folder that is sent to the agents. Undefined if agents run a program that is already on their
 * machines.
 */
export function codeSpecOf({ trainer, code }: SweepFile, findings: Findings): CodeSpec | undefined {
  if (trainer !== 'command' || code === undefined) return undefined;
  const { dir = DEFAULT_CODE_DIR, exclude = [], diff = DEFAULT_CODE_DIFF, limit } = code;
  const maxBytes = limit === undefined ? DEFAULT_CODE_BYTES : (parseSize(limit) ?? DEFAULT_CODE_BYTES);
  if (maxBytes > MAX_CODE_BYTES) {
    findings.atValue(['code', 'limit'], `limit: expected at most ${formatSize(MAX_CODE_BYTES)}, got ${show(limit)}`);
  }
  return { dir, exclude, diff, maxBytes };
}

const WANDB_MODES = { offline: WandbMode.OFFLINE, online: WandbMode.ONLINE, off: WandbMode.OFF } as const;

/**
 * Returns the defaults of the keys `wandb` (as `mode`) and `report` (as `sources`). If `sources` is empty, only JSON is
 * read.
 * @param isWandb whether the file is a W&B file; a caller that uses only `sources` passes whether `wandb` is offline or
 * online
 */
export function programDefaults(isWandb: boolean): { mode: WandbMode; sources: ReportSource[] } {
  if (!isWandb) return { mode: WandbMode.OFF, sources: [] };
  const sources: ReportSource[] = [
    { source: { $case: 'json', json: true } },
    { source: { $case: 'hook', hook: 'wandb' } },
  ];
  return { mode: WandbMode.OFFLINE, sources };
}

/**
 * Converts the value of an environment variable to text. A number keeps the notation of the file, such as `1.0` or
 * `010`.
 */
function textOf(value: string | number | boolean, { source }: Located): string {
  return typeof value === 'number' ? (source ?? `${value}`) : `${value}`;
}

type WrittenSource = Exclude<SweepFile['report'], undefined | readonly unknown[]>;

function reportOf({ report }: SweepFile, implied: ReportSource[], findings: Findings): ReportSource[] {
  if (report === undefined) return implied;
  if (!Array.isArray(report)) return sourcesOf(report, ['report'], findings);
  return report.flatMap((source, index) => sourcesOf(source, ['report', index], findings));
}

function sourcesOf(written: WrittenSource, path: Path, findings: Findings): ReportSource[] {
  if (written === 'json') return [{ source: { $case: 'json', json: true } }];
  if (written === 'python') return [{ source: { $case: 'python', python: true } }];
  if ('tfevents' in written) return [{ source: { $case: 'tfevents', tfevents: written.tfevents } }];
  if ('csv' in written) return [{ source: { $case: 'csv', csv: written.csv } }];
  if ('hook' in written) {
    const hooks = Array.isArray(written.hook) ? written.hook : [written.hook];
    return HOOKS.filter((hook) => hooks.includes(hook)).map((hook) => ({ source: { $case: 'hook', hook } }));
  }
  const { regex } = written;
  const place = [...path, 'regex'];
  if (checkPattern(regex, place, findings) && groupsOf(regex).length === 0) {
    findings.atValue(place, `regex: ${show(regex)} has no named groups; name each metric, such as loss=(?<loss>\\S+)`);
  }
  return [{ source: { $case: 'regex', regex } }];
}

/**
 * Returns the names of the groups in a regular expression.
 * @throws {SyntaxError} if the pattern is not a regular expression
 */
export function groupsOf(pattern: string): string[] {
  return Object.keys(new RegExp(`${pattern}|`, 'u').exec('')?.groups ?? {});
}

function checkPattern(pattern: string, path: Path, findings: Findings): boolean {
  try {
    new RegExp(pattern, 'u');
    return true;
  } catch (error) {
    const python = pattern.includes('(?P<') ? '; write (?<name>...) for a named group' : '';
    const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
    findings.atValue(path, `invalid regular expression ${show(pattern)}: ${reason}${python}`);
    return false;
  }
}
