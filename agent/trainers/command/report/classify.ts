/** Decides why a program failed, from how it ended and what it printed last. */
import type { FailureClassName } from '../../../../proto/names.ts';
import { LimitedRegExp } from './limited-regexp.ts';

/** Milliseconds that a rule can take on the end of the output; a rule that exceeds them is skipped. */
export const RULE_MS = 1_000;

/** A failure class that a sweep file can name in `classify`. */
export type ProgramFailureClass = Extract<FailureClassName, 'oom' | 'nan' | 'crash' | 'preflight' | 'rejected'>;

/** One entry of the sweep file's `classify`. */
export interface ClassifyRule {
  /** A regular expression, tried on each line of the output's end. */
  readonly pattern: string;
  readonly class: ProgramFailureClass;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines of stderr and of stdout. */
  readonly stderr: string;
  readonly stdout: string;
  /** Processes that the kernel killed for lack of memory while the program ran (its cgroup's or the machine's counter). */
  readonly oomKills: number;
}

/** The exit code that a shell reports for SIGKILL: 128 + the signal's number. */
const SHELL_SIGKILL = 137;

const OUT_OF_MEMORY: readonly RegExp[] = [
  /\bOutOfMemoryError\b/, // torch.cuda.OutOfMemoryError, torch.OutOfMemoryError, java.lang.OutOfMemoryError
  /\b(?:CUDA|HIP|XPU|MPS backend) out of memory\b/i,
  /\bCUDA(?: runtime)? error: out of memory\b/i,
  /\bCUDA_ERROR_OUT_OF_MEMORY\b/,
  /\bcudaErrorMemoryAllocation\b/,
  /\b(?:CUBLAS|CUDNN|CUSPARSE)_STATUS_ALLOC_FAILED\b/,
  /\bRESOURCE_EXHAUSTED\b/, // JAX and TensorFlow
  /\bResourceExhaustedError\b/,
  /\bOOM when allocating tensor\b/,
  /\bDefaultCPUAllocator: (?:can't|not enough memory)/,
  /^(?:\w+\.)*_?(?:Array)?MemoryError\b/, // Python, NumPy
  /\bUnable to allocate [\d.]+ \w+ for an array\b/,
  /\bstd::bad_alloc\b/,
  /\bJavaScript heap out of memory\b/,
  /\bmemory allocation of \d+ bytes failed\b/, // Rust
  /^fatal error: runtime: out of memory/, // Go
  /\bCannot allocate memory\b/,
];

/**
 * Returns the failure class of a program that did not succeed. The sweep's own rules apply first, then the kernel's counter, then
 * the patterns above.
 */
export function failureClassOf(
  end: ProgramEnd,
  rules: readonly ClassifyRule[] = [],
  onLimit: (rule: ClassifyRule) => void = () => {},
): ProgramFailureClass {
  const lines = [...end.stderr.split('\n'), ...end.stdout.split('\n')];
  for (const rule of rules) {
    const matches = new LimitedRegExp(rule.pattern, RULE_MS).testAny(lines);
    if (matches) return rule.class;
    if (matches === undefined) onLimit(rule);
  }
  const killed = end.signal === 'SIGKILL' || end.code === SHELL_SIGKILL;
  if (killed && end.oomKills > 0) return 'oom';
  return lines.some((line) => OUT_OF_MEMORY.some((pattern) => pattern.test(line))) ? 'oom' : 'crash';
}

const TRACEBACK = /^\s*(?:\[?[\w.:-]*\]?:?\s*)?Traceback \(most recent call last\):/;
/** Matches errors that only report that another process failed. The error of that process is above them. */
const SECONDHAND =
  /\b(?:ChildFailedError|CalledProcessError|ProcessRaisedException|ProcessExitedException|SystemExit)\b/;
/** Matches error lines of programs that print no traceback. */
const ERROR_LINE =
  /^(?:\w[\w.]*(?:Error|Exception)\b|(?:error|fatal|panic|failed)\b|terminate called|Segmentation fault|.*: command not found|(?:In '[^']*': )?Could not \w+|(?:mismatched|extraneous) input |no viable alternative at input |token recognition error )/i;
/** Hydra ends its messages with these hints. */
const HINT_LINE = /^(?:Set the environment variable HYDRA_FULL_ERROR=1|See https:\/\/hydra\.cc\/)/;

/**
 * Returns the line that best describes a failure: the last line of the last Python traceback, else the last line that reads
 * as an error, else the last line.
 * @returns undefined when the text is blank
 */
export function errorLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const exceptions = lines.flatMap((line, at) => (TRACEBACK.test(line) ? (exceptionAfter(lines, at) ?? []) : []));
  const first = exceptions.findLast((line) => !SECONDHAND.test(line)) ?? exceptions.at(-1);
  if (first !== undefined) return first;
  const filled = lines.filter((line) => line.trim() !== '' && !HINT_LINE.test(line));
  return (filled.findLast((line) => ERROR_LINE.test(line.trim())) ?? filled.at(-1))?.trim();
}

/** The exception follows the frames, which are indented deeper than the traceback's heading. */
function exceptionAfter(lines: readonly string[], heading: number): string | undefined {
  const indent = /^\s*/.exec(lines[heading] ?? '')?.[0].length ?? 0;
  for (const line of lines.slice(heading + 1)) {
    if (line.trim() === '') continue;
    if ((/^\s*/.exec(line)?.[0].length ?? 0) <= indent && !/^[\s|+]*File "/.test(line)) return line.trim();
  }
  return undefined;
}
