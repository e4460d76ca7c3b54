/** Writes new versions of sweep files. */
import type { Database } from 'libsql';
import { setValues } from './derived-tables.ts';
import type { AddEvent, ChangeOf } from './write-events.ts';

/**
 * Returns a function that stores a new version. The function keeps the replaced file, and marks the dropped and
 * restored trials.
 */
export function versionWriter(db: Database): (change: ChangeOf<'applied'>, at: number, addEvent: AddEvent) => void {
  const keep = db.prepare(
    `insert into sweep_versions (sweep_id, version, file_name, text, fingerprint, replaced_at)
     select id, version, file_name, text, fingerprint, ? from sweeps where id = ?`,
  );
  const replace = db.prepare(
    `update sweeps set version = ?, file_name = ?, text = ?, fingerprint = ?, name = ?, axes = ?, configs = ?,
       replicates = ?, excluded = ?, policy = ?, priority = ?, planned = ?, search = ?, searching = ?
     where id = ?`,
  );
  const mark = db.prepare('update trials set dropped_in = ? where sweep_id = ? and id = ?');
  const removeValue = db.prepare('update trials set value = null where sweep_id = ? and id = ?');
  const setValue = db.prepare(setValues('sweep_id = ? and id = ?'));
  return ({ sweepId, version, planned, state, done, dropped, restored }, at, addEvent) => {
    keep.run(at, sweepId);
    replace.run(
      version.number,
      version.fileName,
      version.text,
      version.fingerprint,
      version.name,
      JSON.stringify(version.axes),
      version.configs,
      version.replicates,
      version.excluded,
      JSON.stringify(version.policy),
      version.priority,
      Number.isFinite(planned) ? planned : null,
      JSON.stringify(state),
      done ? 0 : 1,
      sweepId,
    );
    addEvent(sweepId, '', 0, 'applied', version.detail);
    for (const id of dropped) {
      mark.run(version.number, sweepId, id);
      removeValue.run(sweepId, id);
      addEvent(sweepId, id, 0, 'dropped', `version ${version.number} does not have this point`);
    }
    for (const id of restored) {
      mark.run(0, sweepId, id);
      setValue.run(sweepId, id);
      addEvent(sweepId, id, 0, 'restored', `version ${version.number} has this point again`);
    }
  };
}
