/** Lists the installed Python packages, once per agent and interpreter, in a separate process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MAX_PACKAGES_BYTES } from '../../proto/limits.ts';

const run = promisify(execFile);

/**
 * The time limit for listing the packages of an interpreter. It is long, because a network file system can be slow.
 * Users' programs start without waiting for the list.
 */
const LIMIT_MS = 60_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/**
 * Prints the Python version, the path of the interpreter, and the packages. Reads only the metadata of the packages,
 * and imports none of them.
 */
const LIST = `
import sys
print("%d.%d.%d" % sys.version_info[:3])
print(sys.executable)
from importlib.metadata import distributions
found = {}
for one in distributions():
    name = one.metadata["Name"]
    if name:
        found.setdefault(name, one.version)
for name in sorted(found, key=str.lower):
    print("%s==%s" % (name, found[name]))
`;

/** Environment variables that determine which packages an interpreter finds. */
const RELEVANT = ['PATH', 'PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'CONDA_PREFIX', 'LD_LIBRARY_PATH'] as const;

/** An interpreter, and the environment variables that determine which packages the interpreter finds. */
export interface PythonInterpreter {
  /** An absolute path. */
  readonly path: string;
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Returns the interpreter at `path`, with the variables of `environment` that determine which packages the interpreter
 * finds.
 */
export function interpreterIn(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): PythonInterpreter {
  const variables: Record<string, string> = {};
  for (const name of RELEVANT) {
    const value = environment[name];
    if (value !== undefined) variables[name] = value;
  }
  return { path, variables };
}

export interface PythonPackages {
  /**
   * The value of `sys.executable`, or `PythonInterpreter.path` if this value is unknown. The two paths differ if
   * `PythonInterpreter.path` names a wrapper.
   */
  readonly interpreter: string;
  /** The version of Python, such as 3.12.4. Empty if the version is unknown. */
  readonly python: string;
  /** The packages in the form NAME==VERSION, one per line. */
  readonly packages: string;
}

export class PythonEnvironments {
  readonly #known = new Map<string, Promise<PythonPackages | undefined>>();

  /** Returns the packages of an interpreter. Undefined if the packages cannot be listed. */
  packagesOf(interpreter: PythonInterpreter): Promise<PythonPackages | undefined> {
    const key = JSON.stringify(interpreter);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const listed = list(interpreter).catch(() => undefined);
    this.#known.set(key, listed);
    return listed;
  }
}

async function list({ path, variables }: PythonInterpreter): Promise<PythonPackages> {
  const env = { HOME: process.env.HOME, LANG: 'C.UTF-8', PYTHONIOENCODING: 'utf-8', ...variables };
  const options = { env, timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES, cwd: '/' } as const;
  const { stdout } = await run(path, ['-c', LIST], options);
  const [python = '', executable = '', ...packages] = stdout.trim().split('\n');
  const isVersion = /^\d+\.\d+\.\d+$/.test(python);
  return {
    interpreter: isVersion && executable !== '' ? executable : path,
    python: isVersion ? python : '',
    packages: limited(packages),
  };
}

function limited(packages: readonly string[]): string {
  let bytes = 0;
  const end = packages.findIndex((line) => {
    bytes += Buffer.byteLength(line) + 1;
    return bytes - 1 > MAX_PACKAGES_BYTES;
  });
  return packages.slice(0, end === -1 ? undefined : end).join('\n');
}
