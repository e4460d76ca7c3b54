/** Programs that a machine may or may not have. */
import { spawnSync } from 'node:child_process';

/** Whether it is there; if not, that is said, since the tests that need it are left out. */
export function hasTool(name: string, versionArgs: readonly string[] = ['--version']): boolean {
  const there = spawnSync(name, [...versionArgs]).status === 0;
  if (!there) console.warn(`skipped: there is no ${name} here`);
  return there;
}

/** Runs it; for a test's message, everything that it wrote. */
export function runTool(name: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const { status, stdout, stderr } = spawnSync(name, [...args], { encoding: 'utf8', env });
  return { code: status, stdout, output: `${stdout}${stderr}` };
}
