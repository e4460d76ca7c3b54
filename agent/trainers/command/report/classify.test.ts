import { describe, expect, test } from 'vitest';
import { errorLine, failureClassOf, type ProgramEnd } from './classify.ts';

const ended = (end: Partial<ProgramEnd>): ProgramEnd => ({
  code: 1,
  signal: null,
  stderr: '',
  stdout: '',
  oomKills: 0,
  ...end,
});

describe('out of memory', () => {
  test.each([
    'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB (GPU 0; 15.78 GiB total capacity)',
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.',
    'RuntimeError: CUDA out of memory. Tried to allocate 2.00 MiB',
    'RuntimeError: CUDA error: out of memory',
    'RuntimeError: HIP out of memory. Tried to allocate 1 GiB',
    'RuntimeError: MPS backend out of memory (MPS allocated: 9.06 GB)',
    'RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`',
    "RuntimeError: [enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
    'tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[8,8]',
    'jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 100 bytes.',
    'MemoryError',
    'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1,)',
    "terminate called after throwing an instance of 'std::bad_alloc'",
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
    'memory allocation of 1099511627776 bytes failed',
    'fatal error: runtime: out of memory',
    'OSError: [Errno 12] Cannot allocate memory',
  ])('%s', (line) => {
    expect(failureClassOf(ended({ stderr: `Traceback\n${line}\n` }))).toBe('oom');
    expect(failureClassOf(ended({ stdout: line }))).toBe('oom');
  });

  test('a kill counts only when the kernel counted one for lack of memory', () => {
    expect(failureClassOf(ended({ code: null, signal: 'SIGKILL', oomKills: 1 }))).toBe('oom');
    expect(failureClassOf(ended({ code: 137, oomKills: 1 }))).toBe('oom');
    expect(failureClassOf(ended({ code: null, signal: 'SIGKILL' }))).toBe('crash');
    expect(failureClassOf(ended({ code: 1, oomKills: 1 }))).toBe('crash');
  });

  test.each(['ValueError: bad shape', 'the room is out of memory foam', 'loss exhausted', ''])(
    '%j is a crash',
    (line) => {
      expect(failureClassOf(ended({ stderr: line }))).toBe('crash');
    },
  );
});

test("a sweep's own rules come first", () => {
  const rules = [{ pattern: 'NCCL (error|timeout)', class: 'preflight' } as const];
  expect(failureClassOf(ended({ stderr: 'x\nNCCL error: unhandled\nCUDA out of memory' }), rules)).toBe('preflight');
  expect(failureClassOf(ended({ stderr: 'CUDA out of memory' }), rules)).toBe('oom');
});

describe('the line shown first', () => {
  const traceback = (error: string) =>
    `Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    main()\n  File "train.py", line 1, in main\n    raise x\n${error}\n`;

  test.each([
    [traceback('ValueError: bad shape'), 'ValueError: bad shape'],
    [
      `${traceback('KeyError: 1')}\nDuring handling of the above exception, another exception occurred:\n\n${traceback('RuntimeError: two')}`,
      'RuntimeError: two',
    ],
    [
      `${traceback('ValueError: in the child')}W1128 12:00:00 torch\n${traceback('torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ')}train.py FAILED\n`,
      'ValueError: in the child',
    ],
    [`${traceback('ValueError: first\nsecond line of the message')}`, 'ValueError: first'],
    ['loading\nError: no such file\nbye\n', 'Error: no such file'],
    ['bash: line 1: trainn: command not found\n', 'bash: line 1: trainn: command not found'],
    ['panic: index out of range\n\ngoroutine 1 [running]:\n', 'panic: index out of range'],
    [
      "In 'config': Could not find 'model/cubic'\n\nAvailable options in 'model':\n\tlinear\nConfig search path:\n\tsource=main\n\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n",
      "In 'config': Could not find 'model/cubic'",
    ],
    [
      "mismatched input '=' expecting <EOF>\nSee https://hydra.cc/docs/1.2/advanced/override_grammar/basic for details\n",
      "mismatched input '=' expecting <EOF>",
    ],
    [
      "Could not override 'lrr'.\nTo append to your config use +lrr=1\nKey 'lrr' is not in struct\n    full_key: lrr\n    object_type=dict\n\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n",
      "Could not override 'lrr'.",
    ],
    ['one\ntwo\n\n', 'two'],
    ['\n', undefined],
  ])('of %j is %j', (text, expected) => {
    expect(errorLine(text)).toBe(expected);
  });
});
