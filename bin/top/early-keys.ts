/** The verbs that open the dashboard on a terminal. */
const DASHBOARD_VERBS: readonly string[] = ['top', 'up'];

/** Options with which these verbs do not open the dashboard, or might not open it. */
const WITHOUT_DASHBOARD: readonly string[] = ['--once', '-h', '--help', '-o', '--output'];

/** Whether a command line certainly opens the dashboard, if its output is a terminal. */
export function opensDashboard(verb: string | undefined, args: readonly string[]): boolean {
  const isOther = (arg: string) => WITHOUT_DASHBOARD.some((one) => arg === one || arg.startsWith(`${one}=`));
  return verb !== undefined && DASHBOARD_VERBS.includes(verb) && !args.some(isOther);
}

/**
 * Stops the echo of keys that are typed before the dashboard reads them. Node restores the terminal when the process
 * exits.
 */
export function holdKeys(): void {
  const { stdin, stdout } = process;
  if (stdin.isTTY && stdout.isTTY) stdin.setRawMode(true);
}
