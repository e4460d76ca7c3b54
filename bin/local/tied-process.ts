import { type ChildProcess, spawn } from 'node:child_process';

/**
 * The shell waits for the program, and beside it a loop waits for the end of the pipe from this process, which comes
 * when this process closes it or is gone in whatever way, SIGKILL included; then it stops the program. (A stopped
 * process does not act on SIGTERM, hence CONT.) Only the shell's own commands: no process is left over.
 */
const TIE = `
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(while read -r _ <&3; do :; done; kill -TERM $program; kill -CONT $program) 2>/dev/null &
watch=$!
exec 3<&-
wait $program
status=$?
kill $watch 2>/dev/null
wait $watch 2>/dev/null
exit $status
`;

/**
 * Starts a program that ends (by SIGTERM) when this process does, however this process ends, or when the returned
 * child's stdin is closed. It runs in a session of its own, so that Ctrl-C at the terminal does not reach it before
 * this process has decided what to do. The child's exit code is the program's; 128 + number for a signal.
 * @param output file descriptor for stdout and stderr
 */
export function spawnTied(program: string, args: readonly string[], output: number): ChildProcess {
  return spawn('/bin/sh', ['-c', TIE, 'trawl-tie', program, ...args], {
    stdio: ['pipe', output, output],
    detached: true,
  });
}
