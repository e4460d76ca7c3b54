/** Parses the output of machine.sh, which lists the GPUs, libraries and packages of a machine. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../bin/package.ts';

/**
 * The libraries of CUDA that TensorFlow 2.18 opens when it looks for GPUs. If one of them is missing, TensorFlow uses
 * the CPU.
 */
export const CUDA_LIBRARIES = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
] as const;

export interface Machine {
  readonly gpus: readonly string[];
  /** Paths of the libraries of CUDA, cuDNN, the driver and TensorFlow. */
  readonly libraries: readonly string[];
  /** Python packages with their versions, such as `torch 2.11.0`. */
  readonly packages: readonly string[];
  /** All lines, in the form `KEY: VALUE`. */
  readonly lines: readonly string[];
}

export function parseMachine(text: string): Machine {
  const facts = text.split('\n').flatMap((line) => {
    const [, key, value] = /^(\w+)\t(.*\S)\s*$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [{ key, value }];
  });
  const valuesOf = (wanted: string) => facts.filter(({ key }) => key === wanted).map(({ value }) => value);
  return {
    gpus: valuesOf('gpu'),
    libraries: valuesOf('library'),
    packages: valuesOf('package'),
    lines: facts.map(({ key, value }) => `${key}: ${value}`),
  };
}

/** Returns the names of the libraries in CUDA_LIBRARIES that the machine lacks. */
export function missingCuda({ libraries }: Machine): readonly string[] {
  const names = new Set(libraries.map((path) => path.slice(path.lastIndexOf('/') + 1)));
  return CUDA_LIBRARIES.filter((name) => !names.has(name));
}

export async function inspectMachine(): Promise<Machine> {
  const script = join(packageRoot(), 'bench', 'gpu', 'machine.sh');
  const { stdout } = await promisify(execFile)('sh', [script], { maxBuffer: 2 ** 24 });
  return parseMachine(stdout);
}
