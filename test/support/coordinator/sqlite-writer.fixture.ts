/** Writes a SQLite store until the process is killed. The argument is the folder of the store. */
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';
import { writeUntilKilled } from './store-writer.ts';

const store = SqliteStore.open(process.argv[2] ?? '');
process.stdout.write('ready\n');
await writeUntilKilled(store);
