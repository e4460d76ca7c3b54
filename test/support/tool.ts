/** Programs that may be missing on a machine. */
import { spawnSync } from 'node:child_process';

/** Whether a program is installed. Prints a warning if not, because its tests are skipped. */
export function hasTool(name: string, versionArgs: readonly string[] = ['--version']): boolean {
  const there = spawnSync(name, [...versionArgs]).status === 0;
  if (!there) console.warn(`skipped: there is no ${name} here`);
  return there;
}

/** Runs a program, and returns all its output for a test's message. */
export function runTool(name: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(name, [...args], { encoding: 'utf8', env });
  return { code: status, stdout, output: `${stdout}${stderr}` };
}
