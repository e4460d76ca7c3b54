import { expect, test } from 'vitest';
import { CUDA_LIBRARIES, inspectMachine, missingCuda, parseMachine } from './machine.ts';

test('the lines that machine.sh prints are parsed as facts of a machine, and missing CUDA libraries are found', () => {
  const machine = parseMachine(
    [
      'system\tLinux x86_64',
      'gpu\tNVIDIA H100 80GB HBM3, 81559 MiB, 550.90.07',
      'library\t/usr/local/cuda-13.0/lib64/libcublas.so.13',
      'library\t/opt/site-packages/nvidia/cudnn/lib/libcudnn.so.9',
      'library\t/usr/lib/x86_64-linux-gnu/libcudart.so.12',
      'package\ttorch 2.11.0',
      'glibc\t',
      'not a fact',
    ].join('\n'),
  );
  expect(machine.gpus).toEqual(['NVIDIA H100 80GB HBM3, 81559 MiB, 550.90.07']);
  expect(machine.packages).toEqual(['torch 2.11.0']);
  expect(machine.libraries).toHaveLength(3);
  expect(machine.lines[0]).toBe('system: Linux x86_64');
  expect(missingCuda(machine)).toEqual(CUDA_LIBRARIES.filter((name) => !/cudnn|cudart/.test(name)));
});

test('machine.sh describes this machine', async () => {
  const { lines } = await inspectMachine();
  expect(lines.find((line) => line.startsWith('system: '))).toMatch(/^system: \S+ \S+$/);
  expect(lines).toContainEqual(expect.stringMatching(/^tool: node: v\d+/));
});
