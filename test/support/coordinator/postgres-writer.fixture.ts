/** Writes a store in PostgreSQL until the process is killed. The arguments are the URL and the coordinator's folder. */
import { openAsLeader } from './postgres-leader.ts';
import { writeUntilKilled } from './store-writer.ts';

const store = await openAsLeader(process.argv[2] ?? '', process.argv[3] ?? '');
process.stdout.write('ready\n');
await writeUntilKilled(store);
