/** Writes new versions of sweep files. */
import type { ConfigResults } from './config-results.ts';
import type { SweepPolicies } from './sweep-policies.ts';
import type { AddEvent, ChangeOf } from './write-events.ts';
import type { Steps, WriteSql } from './write-sql.ts';

/**
 * Returns a function that stores a new version. The function keeps the replaced file, and marks the dropped and
 * restored trials.
 */
export function versionWriter(
  sql: WriteSql,
  policies: SweepPolicies,
  configResults: ConfigResults,
): (change: ChangeOf<'applied'>, at: number, addEvent: AddEvent) => Steps {
  const keep = sql.change(
    `insert into sweep_versions (sweep_id, version, file_name, text, fingerprint, replaced_at)
     select id, version, file_name, text, fingerprint, cast(? as bigint) from sweeps where id = ?`,
  );
  const replace = sql.change(
    `update sweeps set version = ?, file_name = ?, text = ?, fingerprint = ?, name = ?, axes = ?, configs = ?,
       replicates = ?, excluded = ?, policy = ?, priority = ?, planned = ?, search = ?, searching = ?
     where id = ?`,
  );
  const mark = sql.change('update trials set dropped_in = ? where sweep_id = ? and id = ?');
  const removeValue = sql.change('update trials set value = null where sweep_id = ? and id = ?');
  const setValue = sql.change(sql.setValues('sweep_id = ? and id = ?'));
  return function* ({ sweepId, version, planned, state, done, dropped, restored }, at, addEvent) {
    yield* policies.read(sweepId);
    const replicates = policies.of(sweepId)?.replicates;
    keep(at, sweepId);
    replace(
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
      mark(version.number, sweepId, id);
      removeValue(sweepId, id);
      addEvent(sweepId, id, 0, 'dropped', `version ${version.number} does not have this point`);
    }
    for (const id of restored) {
      mark(0, sweepId, id);
      setValue(sweepId, id);
      addEvent(sweepId, id, 0, 'restored', `version ${version.number} has this point again`);
    }
    policies.forget(sweepId);
    if (dropped.length > 0 || restored.length > 0 || version.replicates !== replicates) configResults.rebuild(sweepId);
  };
}
