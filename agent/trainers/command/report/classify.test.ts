import { describe, expect, test } from 'vitest';
import { errorLine, type ProgramEnd, programFailureClass } from './classify.ts';

const ended = (end: Partial<ProgramEnd>): ProgramEnd => ({
  code: 1,
  signal: null,
  stderr: '',
  stdout: '',
  oomKills: 0,
  ...end,
});

describe('out-of-memory failures', () => {
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
    'tensorflow.python.framework.errors_impl.InternalError: Failed copying input tensor: Dst tensor is not initialized.',
    'RuntimeError: No executable batch size found, reached zero.',
    'slurmstepd: error: Detected 1 oom_kill event in StepId=1.0. Some of the step tasks have been OOM Killed.',
  ])('the line %s means out of memory', (line) => {
    expect(programFailureClass(ended({ stderr: `Traceback\n${line}\n` }))).toBe('oom');
    expect(programFailureClass(ended({ stdout: line }))).toBe('oom');
  });

  test('SIGKILL is an out-of-memory failure only if the kernel counted a kill for lack of memory', () => {
    expect(programFailureClass(ended({ code: null, signal: 'SIGKILL', oomKills: 1 }))).toBe('oom');
    expect(programFailureClass(ended({ code: 137, oomKills: 1 }))).toBe('oom');
    expect(programFailureClass(ended({ code: null, signal: 'SIGKILL' }))).toBe('crash');
    expect(programFailureClass(ended({ code: 1, oomKills: 1 }))).toBe('crash');
  });

  const frames =
    '  File "train.py", line 9, in <module>\n    main()\n  File "train.py", line 5, in main\n    step(batch)';
  const traceback = (error: string, prefix = '') =>
    `Traceback (most recent call last):\n${frames}\n${error}\n`.replaceAll(/^(?=.)/gm, prefix);
  const torch = 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.';
  const jax =
    'jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes.';
  const tensorflow =
    'tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:\n\nDetected at node MatMul\n' +
    'OOM when allocating tensor with shape[64,64] on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n' +
    '\t [[{{node MatMul}}]]\nHint: If you want to see a list of allocated tensors when OOM happens, add report_tensor_allocations_upon_oom';
  const xgboost =
    'xgboost.core.XGBoostError: [17:28:05] /workspace/src/common/device_helpers.cuh:431: Memory allocation error on worker 0: ' +
    'std::bad_alloc: cudaErrorMemoryAllocation: out of memory\n- Free memory: 9437184\n- Requested memory: 17592186\n' +
    'Stack trace:\n  [bt] (0) /lib/libxgboost.so(+0x1) [0x7f]\n';
  const during = '\nDuring handling of the above exception, another exception occurred:\n\n';
  const from = '\nThe above exception was the direct cause of the following exception:\n\n';
  const later = traceback("KeyError: 'accuracy'");

  const numpy = 'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1,)';
  test.each([torch, jax, tensorflow, xgboost, numpy])(
    'an out-of-memory error that the program handled is not the reason for a later error: %j',
    (error) => {
      for (const caught of [traceback(error), `caught ${error}, with half the batch now\n`, `${error}\nepoch 1\n`]) {
        expect(programFailureClass(ended({ stderr: caught }))).toBe('oom');
        expect(programFailureClass(ended({ stderr: `${caught}${later}` }))).toBe('crash');
        expect(programFailureClass(ended({ stdout: caught, stderr: later }))).toBe('crash');
        expect(programFailureClass(ended({ stdout: `${caught}${later}` }))).toBe('crash');
        expect(programFailureClass(ended({ stderr: `${later}${caught}` }))).toBe('oom');
        expect(programFailureClass(ended({ stderr: `${caught}failed\n`, stdout: 'epoch 1\n' }))).toBe('oom');
      }
    },
  );

  test.each([torch, jax, tensorflow, xgboost, 'MemoryError'])(
    'an out-of-memory error anywhere in the chain of causes of the last error is the reason for the failure: %j',
    (error) => {
      const chains = [
        traceback(error) + during + later,
        traceback(error) + from + later,
        traceback(error) + from + later + during + traceback('RuntimeError: training failed'),
        later + during + traceback(error),
        // The retained part of the output starts in the middle of the chain.
        `${error}\n${from}${later}`,
      ];
      for (const chain of chains)
        expect(programFailureClass(ended({ stderr: `epoch 1\n${chain}wandb: done\n` }))).toBe('oom');
    },
  );

  test('an error caused by an out-of-memory error of another process counts as out of memory', () => {
    const all = [
      traceback(torch) + traceback('torch.distributed.elastic.multiprocessing.errors.ChildFailedError: '),
      traceback(torch, '[rank0]: ') + traceback('RuntimeError: boom', '[rank1]: '),
      traceback(torch) + traceback('torch.distributed.DistBackendError: NCCL communicator was aborted on rank 1.'),
      traceback(torch) + traceback('RuntimeError: [gloo] Connection closed by peer [10.0.0.2]:4242'),
      traceback(torch) +
        traceback("subprocess.CalledProcessError: Command '['python3']' returned non-zero exit status 1."),
      traceback('MemoryError') + traceback('RuntimeError: DataLoader worker (pid(s) 12) exited unexpectedly'),
      traceback(
        `RuntimeError: Caught MemoryError in DataLoader worker process 0.\nOriginal ${traceback('MemoryError')}`,
      ),
    ];
    for (const stderr of all) expect(programFailureClass(ended({ stderr }))).toBe('oom');
  });

  test('an out-of-memory error is the reason for the failure even if destructors, threads and exit handlers fail later', () => {
    for (const heading of [
      'Exception ignored in: <function Pool.__del__ at 0x7f>',
      'Exception in thread Thread-3 (feed):',
      'Error in atexit._run_exitfuncs:',
      'Error in sys.excepthook:',
      '--- Logging error ---',
    ]) {
      const stderr = `${traceback(torch)}${heading}\n${traceback("TypeError: 'NoneType' object is not callable")}`;
      expect(programFailureClass(ended({ stderr }))).toBe('oom');
      expect(errorLine(stderr)).toBe(torch);
    }
  });

  test("an out-of-memory error in TensorFlow's log is the reason for an error that follows directly", () => {
    const log =
      '2026-01-01 10:00:00.1: E external/local_xla/xla/stream_executor/cuda/cuda_driver.cc:1] failed to allocate 2.2GiB: ' +
      'CUDA_ERROR_OUT_OF_MEMORY: out of memory\n2026-01-01 10:00:00.2: W tensorflow/core/framework/op_kernel.cc:1] failed\n';
    const error = traceback('tensorflow.python.framework.errors_impl.InternalError: cuDNN launch failure');
    expect(programFailureClass(ended({ stderr: log + error }))).toBe('oom');
    expect(programFailureClass(ended({ stderr: `${log}with half the batch now\n${error}` }))).toBe('crash');
  });

  test.each(['ValueError: bad shape', 'the room is out of memory foam', 'loss exhausted', ''])(
    '%j is a crash',
    (line) => {
      expect(programFailureClass(ended({ stderr: line }))).toBe('crash');
    },
  );
});

test('the rules of a sweep take precedence over the built-in rules', () => {
  const rules = [{ pattern: 'NCCL (error|timeout)', class: 'preflight' } as const];
  expect(programFailureClass(ended({ stderr: 'x\nNCCL error: unhandled\nCUDA out of memory' }), rules)).toBe(
    'preflight',
  );
  expect(programFailureClass(ended({ stderr: 'CUDA out of memory' }), rules)).toBe('oom');
});

describe('the line that is shown first for a failure', () => {
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
    [
      "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
      "thread 'main' panicked at src/main.rs:2:5: index out of bounds",
    ],
    ["thread 'main' panicked at 'boom', src/main.rs:2:5\n", "thread 'main' panicked at 'boom', src/main.rs:2:5"],
    [
      'Exception in thread "main" java.lang.IllegalStateException: bad\n\tat Main.main(Main.java:3)\nCaused by: java.io.IOException: disk\n\t... 1 more\n',
      'Caused by: java.io.IOException: disk',
    ],
    [
      "terminate called after throwing an instance of 'std::runtime_error'\n  what():  bad thing\nAborted (core dumped)\n",
      "terminate called after throwing an instance of 'std::runtime_error' what():  bad thing",
    ],
    [
      '  + Exception Group Traceback (most recent call last):\n  |   File "a.py", line 1, in <module>\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: a\n    +---------------- 2 ----------------\n    | KeyError: \'b\'\n    +------------------------------------\n',
      "KeyError: 'b'",
    ],
    [
      '[rank0]: Traceback (most recent call last):\n[rank0]:   File "a.py", line 1, in <module>\n[rank1]: Traceback (most recent call last):\n[rank0]:     f()\n[rank0]: RuntimeError: one\n[rank1]:   File "a.py"\n[rank1]: RuntimeError: two\n',
      'RuntimeError: two',
    ],
    [
      'Traceback (most recent call last):\n\n> File "a.py", line 3, in <module>\n    f(1)\n    └ <function f>\n\nZeroDivisionError: division by zero\n',
      'ZeroDivisionError: division by zero',
    ],
    ['one\ntwo\n\n', 'two'],
    ['\n', undefined],
  ])('the line shown first for %j is %j', (text, expected) => {
    expect(errorLine(text)).toBe(expected);
  });
});
