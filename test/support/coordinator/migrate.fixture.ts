/**
 * Runs a migration, and kills this process when the migration reaches a given step. The arguments are the options as
 * JSON, and the step. If the step has a table, the table follows its name, as in `copy reports`.
 */
import { type MigrationOptions, migrate } from '../../../coordinator/migrate/migrate.ts';

const [options = '', killedAt = ''] = process.argv.slice(2);
await migrate({
  ...(JSON.parse(options) as Omit<MigrationOptions, 'onProgress'>),
  onProgress(progress) {
    const step = 'table' in progress ? `${progress.step} ${progress.table}` : progress.step;
    if (step === killedAt) process.kill(process.pid, 'SIGKILL');
  },
});
