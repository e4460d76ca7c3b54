/** Finds and runs programs that a machine may lack. */
import { spawnSync } from 'node:child_process';

/**
 * Returns whether a program is installed. Prints a warning if the program is not installed, because the tests that need
 * the program are skipped.
 */
export function hasTool(name: string, versionArgs: readonly string[] = ['--version']): boolean {
  const isInstalled = spawnSync(name, [...versionArgs]).status === 0;
  if (!isInstalled) console.warn(`skipped: ${name} is not installed`);
  return isInstalled;
}

/** Runs a program. `output` is stdout followed by stderr, for use in error messages. */
export function runTool(name: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(name, [...args], { encoding: 'utf8', env });
  return { code: status, stdout, output: `${stdout}${stderr}` };
}
