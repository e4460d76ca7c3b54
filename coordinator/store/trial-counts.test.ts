import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testFolder } from '../../test/support/folder.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';

const STATES = ['pending', 'offered', 'running', 'succeeded', 'failed'] as const;

const added = fc.record({ kind: fc.constant('add' as const), sweep: fc.nat(1), count: fc.nat(4) });
const moved = fc.record({
  kind: fc.constant('move' as const),
  sweep: fc.nat(1),
  trial: fc.nat(9),
  state: fc.constantFrom(...STATES),
});
const removed = fc.record({ kind: fc.constant('remove' as const), sweep: fc.nat(1), trial: fc.nat(9) });
const transaction = fc.record({
  steps: fc.array(fc.oneof(added, moved, removed), { maxLength: 8 }),
  isRolledBack: fc.boolean(),
});

test('after each commit and each rollback, the stored counts of trials by state equal the numbers of rows by state', async () => {
  const db = openStore(testFolder());
  const insertSweep = db.prepare(
    `insert into sweeps (id, request_id, name, fingerprint, file_name, text, trainer, metric, goal, axes, policy, configs,
       replicates, excluded, state, reason, created_at)
     values (?, ?, 's', '', '', '', 'noop', '', 'minimize', '[]', '{"ranking":{}}', 1, 1, 0, 'running', '', 1)`,
  );
  for (const sweep of [0, 1]) insertSweep.run(sweep, `${sweep}`);
  const insert = db.prepare(
    "insert into trials (sweep_id, id, idx, config_id, seed, parameters) values (?, ?, ?, '', 0, '{}')",
  );
  const move = db.prepare('update trials set state = ? where sweep_id = ? and idx = ?');
  const remove = db.prepare('delete from trials where sweep_id = ? and idx = ?');
  const count = db.prepare('select state, count(*) as n from trials where sweep_id = ? group by state');
  const queries = new Queries(new SqliteReader(db));
  const transactions = fc.array(transaction, { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(transactions, async (all) => {
      db.exec('delete from trials');
      const next = [0, 0];
      for (const { steps, isRolledBack } of all) {
        const before = [...next];
        db.exec('begin');
        for (const step of steps) {
          if (step.kind === 'move') move.run(step.state, step.sweep, step.trial);
          else if (step.kind === 'remove') remove.run(step.sweep, step.trial);
          else {
            for (let added = 0; added < step.count; added++) {
              const index = next[step.sweep] ?? 0;
              insert.run(step.sweep, `t${index}`, index);
              next[step.sweep] = index + 1;
            }
          }
        }
        db.exec(isRolledBack ? 'rollback' : 'commit');
        if (isRolledBack) next.splice(0, 2, ...before);
        for (const sweep of [0, 1]) {
          const rows = count.all(sweep) as { state: string; n: number }[];
          const kept = Object.entries({ ...(await queries.sweeps.get(`${sweep}`)).counts }).filter(([, n]) => n > 0);
          expect(Object.fromEntries(kept)).toEqual(Object.fromEntries(rows.map(({ state, n }) => [state, n])));
        }
      }
    }),
  );
});
