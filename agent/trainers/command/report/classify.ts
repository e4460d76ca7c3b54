/** Determines why a program failed, from its exit status and its last output. */
import type { FailureClassName } from '../../../../proto/names.ts';
import { LimitedRegExp } from './limited-regexp.ts';

/**
 * The time limit in milliseconds for matching a rule against the end of the output. A rule that takes longer is
 * skipped.
 */
export const RULE_MS = 1_000;

/** A failure class that a sweep file can name in `classify`. */
export type ProgramFailureClass = Extract<FailureClassName, 'oom' | 'nan' | 'crash' | 'preflight' | 'rejected'>;

/** One entry of the key `classify` in the sweep file. */
export interface ClassifyRule {
  /** A regular expression, applied to each of the last lines of the output. */
  readonly pattern: string;
  readonly class: ProgramFailureClass;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last lines of stderr and of stdout. */
  readonly stderr: string;
  readonly stdout: string;
  /**
   * The number of processes that the kernel killed for lack of memory while the program ran, in the cgroup or on the
   * machine.
   */
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
  /\bDst tensor is not initialized\b/, // TensorFlow, when a copy to the GPU does not fit
  /\bStatus: out of memory\b/, // TensorFlow, when it initializes a GPU
  /\bNo executable batch size found\b/, // Hugging Face Accelerate, which caught the error at each batch size
  /\bDefaultCPUAllocator: (?:can't|not enough memory)/,
  /^(?:\[\w+\]:\s*)?(?:\w+\.)*_?(?:Array)?MemoryError\b/, // Python, NumPy
  /\bUnable to allocate [\d.]+ \w+ for an array\b/,
  /\bstd::bad_alloc\b/,
  /\bJavaScript heap out of memory\b/,
  /\bmemory allocation of \d+ bytes failed\b/, // Rust
  /^fatal error: runtime: out of memory/, // Go
  /\bCannot allocate memory\b/,
  /\bDetected \d+ oom[-_]kill event/, // Slurm
];

/**
 * Returns the failure class of a program that did not succeed. The sweep's rules are applied first, then the kernel's
 * counter of killed processes, then the patterns of OUT_OF_MEMORY. These patterns are applied only to the part of the
 * output that can contain the reason (see `causeOf`).
 */
export function programFailureClass(
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
  const causes = causeOf(end).split('\n');
  return causes.some((line) => OUT_OF_MEMORY.some((pattern) => pattern.test(line))) ? 'oom' : 'crash';
}

const TRACEBACK = /^\s*(?:\[?[\w.:-]*\]?:?\s*)?Traceback \(most recent call last\):/;
/**
 * Matches errors that only report that another process failed. The error of the other process is further up in the
 * output.
 */
const SECONDHAND =
  /\b(?:ChildFailedError|CalledProcessError|ProcessRaisedException|ProcessExitedException|SystemExit)\b/;
/** Matches errors that the failure of another process can cause. The output then also contains the actual reason. */
const PEER_FAILED =
  /\b(?:NCCL|Gloo|DistBackendError|DistStoreError|BrokenPipeError|ConnectionResetError|ConnectionRefusedError|EOFError|BrokenProcessPool|TerminatedWorkerError|DataLoader worker|[Pp]eer)\b/;
const FOLLOWS_OTHERS = [SECONDHAND, PEER_FAILED];
/**
 * Matches the line before the traceback of a thread, a destructor or an exit handler. Such a traceback does not end the
 * program.
 */
const NOT_FINAL =
  /^\s*(?:Exception ignored\b|Exception in thread\b|Error in (?:atexit|sys)\b|--- Logging error ---|Task exception was never retrieved|Future exception was never retrieved)/;
/** Matches the line that Python prints between the traceback of an error and the traceback of its cause. */
const CHAINED =
  /^\W*(?:\[?\w*\]?:\s*)?(?:The above exception was the direct cause of the following exception:|During handling of the above exception, another exception occurred:)/;
/** Matches log lines of TensorFlow and XLA, which can contain the reason for the traceback that follows. */
const NATIVE_LOG_LINE = /\.(?:cc|cpp|cu|h):\d+\]/;
/** Matches the prefix that torchrun adds to each line of a process. */
const RANK = /^\s*\[\w+\]:/;

interface Traceback {
  /** The index of the line with the traceback's heading. */
  readonly at: number;
  /** The first line of the exception; undefined if the text ends before this line. */
  readonly exception: string | undefined;
  /** Whether the program may have ended with this traceback. */
  readonly isFinal: boolean;
}

function tracebacksIn(lines: readonly string[]): Traceback[] {
  return lines.flatMap((line, at) => {
    if (!TRACEBACK.test(line)) return [];
    const before = lines.slice(Math.max(0, at - 3), at).findLast((text) => text.trim() !== '');
    return [{ at, exception: exceptionAfter(lines, at), isFinal: before === undefined || !NOT_FINAL.test(before) }];
  });
}

/**
 * Returns the part of the output that can contain the reason for a failure:
 * - If a Python traceback in stderr may have ended the program, returns the last such traceback, with its causes and
 *   the rest of stderr. An error before the traceback did not end the program.
 * - If only stdout has such a traceback, returns all of stderr, and stdout from the traceback on.
 * - Otherwise, returns the whole output. The whole output is also returned if the exception of the traceback may be the
 *   result of a failure in another process.
 */
function causeOf({ stderr, stdout }: Pick<ProgramEnd, 'stderr' | 'stdout'>): string {
  const lines = stderr.split('\n');
  const start = startOfLastError(lines);
  if (start !== undefined) return lines.slice(start).join('\n');
  const printed = stdout.split('\n');
  const hasTraceback = lines.some((line) => TRACEBACK.test(line));
  const from = hasTraceback ? undefined : startOfLastError(printed);
  return [...lines, ...printed.slice(from ?? 0)].join('\n');
}

/**
 * Returns the index of the line where the last error, including its causes, begins. Undefined if the reason may be
 * elsewhere in the output.
 */
function startOfLastError(lines: readonly string[]): number | undefined {
  const tracebacks = tracebacksIn(lines).filter(({ isFinal }) => isFinal);
  const last = tracebacks.at(-1);
  const isRank = last !== undefined && RANK.test(lines[last.at] ?? '');
  if (last?.exception === undefined || isRank || FOLLOWS_OTHERS.some((pattern) => pattern.test(last.exception ?? ''))) {
    return undefined;
  }
  let start = last.at;
  for (const { at } of tracebacks.slice(0, -1).reverse()) {
    if (!isChained(lines, start)) break;
    start = at;
  }
  // If the retained output begins between two tracebacks of the error, all of it belongs to the error.
  if (isChained(lines, start)) return 0;
  while (start > 0 && NATIVE_LOG_LINE.test(lines[start - 1] ?? '')) start -= 1;
  return start;
}

function isChained(lines: readonly string[], heading: number): boolean {
  return lines.slice(Math.max(0, heading - 3), heading).some((line) => CHAINED.test(line));
}

/** Matches error lines of programs that print no traceback. */
const ERROR_LINE =
  /^(?:\w[\w.]*(?:Error|Exception)\b|(?:error|fatal|panic|failed)\b|Exception in thread |Caused by: |thread '.*' panicked at |terminate called|Segmentation fault|.*: command not found|(?:In '[^']*': )?Could not \w+|(?:mismatched|extraneous) input |no viable alternative at input |token recognition error )/i;
/** Matches the hints with which Hydra and Rust end their messages. */
const HINT_LINE =
  /^(?:Set the environment variable HYDRA_FULL_ERROR=1|See https:\/\/hydra\.cc\/|note: run with `RUST_BACKTRACE=)/;
/** Matches error lines of Rust and C++ whose message is on the next line. */
const MESSAGE_FOLLOWS = /^(?:thread '.*' panicked at .*:$|terminate called after throwing )/;
/** Matches the frame that Python draws to the left of exception groups. */
const GROUP_FRAME = /^[\s|+-]+/;

/**
 * Returns the line that best describes a failure: the last Python exception, or else the last line that looks like an
 * error, or else the last line that is not blank and not a hint. Prefers exceptions that may have ended the program and
 * do not merely report the failure of another process.
 * @returns the line; undefined if the text is blank
 */
export function errorLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const tracebacks = tracebacksIn(lines);
  const final = tracebacks.filter(({ isFinal }) => isFinal);
  const exceptions = (final.length > 0 ? final : tracebacks).flatMap(({ exception }) => exception ?? []);
  const first = exceptions.findLast((line) => !SECONDHAND.test(line)) ?? exceptions.at(-1);
  if (first !== undefined) return first;
  const filled = lines.map((line) => line.trim()).filter((line) => line !== '' && !HINT_LINE.test(line));
  const plain = filled.map((line) => line.replace(GROUP_FRAME, ''));
  const at = plain.findLastIndex((line) => ERROR_LINE.test(line));
  if (at === -1) return filled.at(-1);
  return [plain[at], ...(MESSAGE_FOLLOWS.test(plain[at] ?? '') ? plain.slice(at + 1, at + 2) : [])].join(' ');
}

/**
 * Returns the line with a traceback's exception. This line follows the frames, which are indented more than the
 * heading.
 */
function exceptionAfter(lines: readonly string[], heading: number): string | undefined {
  const first = lines[heading] ?? '';
  const rank = RANK.exec(first)?.[0] ?? '';
  const indent = indentOf(first.slice(rank.length));
  for (const line of lines.slice(heading + 1)) {
    // Lines of other ranks may be between the lines of this rank.
    if (!line.startsWith(rank)) continue;
    const text = line.slice(rank.length);
    if (text.trim() !== '' && indentOf(text) <= indent && !/^[\s|+>]*File "/.test(text)) return text.trim();
  }
  return undefined;
}

function indentOf(line: string): number {
  return /^\s*/.exec(line)?.[0].length ?? 0;
}
