/** A coordinator that was told how long to retain what is over looks now and then what may go. */
import type { Logger } from 'pino';
import type { Pruner } from './prune.ts';

const LOOK_EVERY_MS = 3_600_000;

/** Looks at once, and every hour, until the returned function is called. */
export function startRetaining(pruner: Pruner, retainMs: number, now: () => number, log: Logger): () => void {
  const look = () => {
    pruner.prune({ olderThanMs: retainMs, keep: 0, dryRun: false }, now()).then(
      (gone) => {
        for (const { id, name, trials, bytes } of gone) {
          log.info({ sweepId: id, name, trials, bytes }, 'a sweep was pruned');
        }
      },
      (error) => log.error({ err: error }, 'old sweeps could not be pruned'),
    );
  };
  look();
  const looking = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(looking);
}
