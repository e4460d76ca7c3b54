/** Tests report files that real programs write, replace, rotate and remove. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TrainingRun } from '../trainer.ts';
import { eventRecord } from './event-record.fixture.ts';
import { from, ranked, runProgramIn } from './run-program.fixture.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl report files '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const csv = (path = 'a.csv') => from({ $case: 'csv', csv: path });
const tfevents = (path = 'tb') => from({ $case: 'tfevents', tfevents: path });

/** Runs a program and returns its reports as `step name=value ...`. */
async function reportsOf(program: string | readonly string[], given: Partial<TrainingRun>) {
  const { run, log, failure } = await runProgramIn(folder, program, given);
  const reports = run.reports.map(({ epoch, metrics }) =>
    [epoch, ...Object.entries(metrics).map(([name, value]) => `${name}=${value}`)].join(' '),
  );
  return { reports, log, failure, notices: run.notices };
}

describe('a CSV file of reports', () => {
  const ended = async (script: string, given: Partial<TrainingRun> = {}) => {
    const outcome = await reportsOf(script, { program: csv(), ...given });
    expect(outcome.failure).toBeUndefined();
    return outcome;
  };

  test('no row of a rotated CSV file is lost, and a new file without a header uses the previous column names', async () => {
    const { reports } = await ended(
      `printf 'loss,acc\\n3,0.1\\n' > a.csv; sleep 0.5; printf '2,0.2\\n' >> a.csv; mv a.csv a.csv.1; printf '1,0.3\\n' > a.csv; sleep 0.4
       printf '0.5,0.4\\n' >> a.csv`,
    );
    expect(reports).toEqual(['1 loss=3 acc=0.1', '2 loss=2 acc=0.2', '3 loss=1 acc=0.3', '4 loss=0.5 acc=0.4']);
  });

  test('a CSV file is read completely even if the program removes it after its last row', async () => {
    const { reports } = await ended(
      `printf 'epoch,loss\\n1,3\\n' > a.csv; sleep 0.5; printf '2,2\\n' >> a.csv; rm a.csv`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2']);
  });

  test('a CSV file that is removed and created again is read again', async () => {
    const { reports } = await ended(
      `printf 'epoch,loss\\n1,3\\n2,2\\n' > a.csv; sleep 0.5; rm a.csv; sleep 0.4; printf 'epoch,loss\\n1,7\\n' > a.csv`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2', '1 loss=7']);
  });

  test('if a CSV file is replaced by a longer copy, reading continues where the old file ended', async () => {
    const { reports } = await ended(
      `printf 'loss\\n3\\n' > a.csv; sleep 0.5; printf 'loss\\n3\\n2\\n' > b; mv b a.csv; sleep 0.5; printf 'loss\\n3\\n2\\n1\\n' > b; mv b a.csv`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2', '3 loss=1']);
  });

  test('a CSV file is read through a link, outside the working folder, and in a folder that is created later', async () => {
    const outside = join(folder, 'out side');
    symlinkSync(join(outside, 'deep', 'real.csv'), join(folder, 'a.csv'));
    const { reports } = await ended(
      `sleep 0.3; mkdir -p '${outside}/deep'; printf 'epoch,loss\\n1,3\\n' > '${outside}/deep/real.csv'; sleep 0.4
       printf 'epoch,loss\\n5,1\\n' > '${outside}/other.csv'; ln -sfn '${outside}/other.csv' a.csv`,
    );
    expect(reports).toEqual(['1 loss=3', '5 loss=1']);
  });

  test('a named pipe or a device in place of a CSV file does not block the attempt', async () => {
    for (const path of ['pipe', '/dev/zero', '.']) {
      const { reports, log } = await ended(`[ -e pipe ] || mkfifo pipe; sleep 0.3`, { program: csv(path) });
      expect(reports).toEqual([]);
      expect(log).toMatch(/^\[trawl\] no CSV file .*: not a regular file$/m);
    }
    expect((await ended('true', { program: csv('gone/a.csv') })).log).toContain(
      `[trawl] no CSV file ${folder}/gone/a.csv: no such file\n`,
    );
  });

  test.skipIf(process.platform !== 'linux')('a read error of a CSV file does not end the attempt', async () => {
    const { reports, log } = await ended('sleep 0.3', { program: csv('/proc/self/mem') });
    expect(reports).toEqual([]);
    expect(log).toContain('[trawl] no CSV file /proc/self/mem: EIO');
  });

  test.skipIf(isRoot)('a CSV file that cannot be read is noted in the log', async () => {
    writeFileSync(join(folder, 'a.csv'), 'epoch,loss\n', { mode: 0o000 });
    expect((await ended('sleep 0.3')).log).toContain(`[trawl] no CSV file ${folder}/a.csv: permission denied\n`);
  });

  test('a CSV file may have a byte order mark, CRLF, NUL, invalid UTF-8, quoted line breaks and repeated column names', async () => {
    const { reports } = await ended(
      `printf '\\357\\273\\277epoch,note,loss,"va\\nl",loss\\r\\n1,"a\\r\\nb",0.5,2,\\r\\n\\000\\0002,\\377\\376,0.25,3,0.125\\r\\n' > a.csv`,
    );
    expect(reports).toEqual(['1 loss=0.5', '2 loss=0.125']);
  });

  test('after a second header in a CSV file, the new column names are used', async () => {
    const { reports, notices } = await ended(
      `printf 'epoch,loss\\n1,3\\nepoch,loss\\n2,2\\nepoch,lr,loss\\n3,0.1,1\\n' > a.csv`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2', '3 lr=0.1 loss=1']);
    expect(notices).toEqual([]);
  });

  test('a CSV file without a header is noted in the log, and its numbers do not become names of metrics', async () => {
    const { reports, log, notices } = await ended(`printf '1,0.5\\n2,0.25\\n' > a.csv`);
    expect(reports).toEqual([]);
    expect(log).toContain('a.csv contains a row before the header: 1,0.5');
    expect(notices).toMatchObject([{ kind: 'unreadable_reports', count: 2 }]);
  });

  test('a CSV row is read once it is complete; a last row without a line end is read only if the program succeeds', async () => {
    const script = `printf 'epo' > a.csv; sleep 0.3; printf 'ch,loss\\n1,0.' >> a.csv; sleep 0.5; printf '25\\n2,0.1' >> a.csv`;
    expect((await ended(script)).reports).toEqual(['1 loss=0.25', '2 loss=0.1']);
    rmSync(join(folder, 'a.csv'));
    const killed = await reportsOf(`${script}; kill -9 $$`, { program: csv() });
    expect(killed.reports).toEqual(['1 loss=0.25']);
  });

  test('rows of an earlier attempt are skipped if the program appends to the CSV file, or replaces it with a longer file that begins with the same rows', async () => {
    const before = 'epoch,loss\n1,9\n2,8';
    writeFileSync(join(folder, 'a.csv'), before);
    expect((await ended(`printf '\\n3,7\\n' >> a.csv`)).reports).toEqual(['3 loss=7']);
    writeFileSync(join(folder, 'a.csv'), before);
    expect((await ended(`cp a.csv b; printf '\\n3,7\\n' >> b; mv b a.csv`)).reports).toEqual(['3 loss=7']);
    writeFileSync(join(folder, 'a.csv'), before);
    expect((await ended(`printf 'epoch,loss,val\\n1,9,\\n2,8,\\n3,7,\\n4,6,5\\n' > a.csv`)).reports).toEqual([
      '3 loss=7',
      '4 loss=6 val=5',
    ]);
    writeFileSync(join(folder, 'a.csv'), before);
    expect((await ended('true')).reports).toEqual([]);
  });

  test('rows of an earlier attempt are read again if the program rewrites the CSV file, even with the same rows', async () => {
    const rows = `printf 'epoch,loss\\n1,9\\n2,8\\n3,7\\n'`;
    expect((await ended(`${rows} > a.csv`)).reports).toHaveLength(3);
    utimesSync(join(folder, 'a.csv'), 1, 1);
    const again = ['1 loss=9', '2 loss=8', '3 loss=7'];
    expect((await ended(`${rows} > a.csv`)).reports).toEqual(again);
    expect((await ended(`${rows} > b; mv b a.csv`)).reports).toEqual(again);
    const slowly = `printf 'epoch,loss\\n' > a.csv; for row in 1,9 2,8 3,7; do printf "$row\\n" >> a.csv; sleep 0.5; done`;
    expect((await ended(slowly)).reports).toEqual(again);
  });

  test('if a CSV file has more rows than can be read in a second, the rest is read after the program has ended', async () => {
    const { reports } = await ended(`i=0; { echo epoch,loss; seq -f '%.0f,1' 1 2500; } > a.csv`);
    expect(reports).toHaveLength(2_500);
    expect(reports.at(-1)).toBe('2500 loss=1');
  });

  test('a CSV file with many rows does not delay a stop', async () => {
    const controller = new AbortController();
    const started = performance.now();
    const { failure } = await reportsOf(`{ echo epoch,loss; seq -f '%.0f,1' 1 100000; } > a.csv; sleep 60`, {
      program: csv(),
      signal: controller.signal,
      report: (epoch) => {
        if (epoch === 500) controller.abort(new Error('killed'));
      },
    });
    expect(failure).toBe('Error: killed');
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe('event files', () => {
  const record = (name: string, ...scalars: Parameters<typeof eventRecord>[]) =>
    writeFileSync(join(folder, name), Buffer.concat(scalars.map((scalar) => eventRecord(...scalar))));
  const ended = async (script: string, given: Partial<TrainingRun> = {}) => {
    const outcome = await reportsOf(script, { program: tfevents(), ...given });
    expect(outcome.failure).toBeUndefined();
    return outcome;
  };

  test('each event file in a nested folder or behind a link is read once, and the scalars of a step in one file form one report', async () => {
    record('one', ['loss', 1, 0.5], ['acc', 1, 0.25], ['loss', 2, 0.125]);
    record('two', ['loss', 1, 4]);
    const { reports } = await ended(
      `mkdir -p tb/version_0 tb/validation away; cp one tb/version_0/x.tfevents.1; cp two away/x.tfevents.2
       ln -s version_0 tb/latest; ln -s .. tb/version_0/up; ln -s "$PWD/away/x.tfevents.2" tb/validation/y.tfevents
       ln -s x.tfevents.1 tb/version_0/a.tfevents`,
    );
    expect(reports.sort()).toEqual(['1 loss=0.5 acc=0.25', '1 validation/loss=4', '2 loss=0.125']);
  });

  test('a damaged record in an event file is skipped, with a note in the log and a warning', async () => {
    const damaged = eventRecord('loss', 2, 0.25);
    damaged[20] = 0xff;
    writeFileSync(
      join(folder, 'one'),
      Buffer.concat([eventRecord('loss', 1, 0.5), damaged, eventRecord('loss', 3, 0.125)]),
    );
    const { reports, log, notices } = await ended('mkdir tb; cp one tb/x.tfevents');
    expect(reports).toEqual(['1 loss=0.5', '3 loss=0.125']);
    expect(log).toContain('x.tfevents: a record does not match its checksum and is skipped');
    expect(notices).toEqual([
      { kind: 'unreadable_reports', message: '1 record of an event file is damaged', count: 1 },
    ]);
  });

  test('event files are read despite named pipes, broken links, unreadable folders, and folders named like event files', async () => {
    record('one', ['loss', 1, 0.5]);
    mkdirSync(join(folder, 'tb', 'closed'), { recursive: true });
    chmodSync(join(folder, 'tb', 'closed'), 0o000);
    try {
      const { reports } = await ended(
        'mkfifo tb/p.tfevents; mkdir tb/d.tfevents; cp one tb/x.tfevents; ln -s nothing tb/n.tfevents; ln -s l.tfevents tb/l.tfevents',
      );
      expect(reports).toEqual(['1 loss=0.5']);
    } finally {
      chmodSync(join(folder, 'tb', 'closed'), 0o700);
    }
  });

  test('event files are read even if a record is written in parts, or if a file is renamed, truncated or created again', async () => {
    record('one', ['loss', 1, 0.5], ['loss', 2, 0.25]);
    record('two', ['loss', 3, 1]);
    const { reports } = await ended(
      `mkdir tb; head -c 50 one > tb/x.tfevents; sleep 0.5; tail -c +51 one >> tb/x.tfevents; sleep 0.5
       mkdir tb/old; mv tb/x.tfevents tb/old/y.tfevents; sleep 0.5; cat two > tb/old/y.tfevents; sleep 0.5
       rm tb/old/y.tfevents; cp one tb/x.tfevents`,
    );
    expect(reports.slice(0, 2)).toEqual(['1 loss=0.5', '2 loss=0.25']);
    expect(reports[2]).toMatch(/^3 (old\/)?loss=1$/);
    expect(reports.slice(3)).toEqual(['1 loss=0.5', '2 loss=0.25']);
  });

  test('event files of an earlier attempt are skipped, even if they are renamed, but appended records are read', async () => {
    mkdirSync(join(folder, 'tb'));
    record('tb/a.tfevents', ['loss', 1, 9]);
    record('tb/b.tfevents', ['loss', 1, 8]);
    record('two', ['loss', 2, 1]);
    const { reports } = await ended(
      'mkdir tb/old; mv tb/a.tfevents tb/old/; sleep 0.4; cat two >> tb/b.tfevents; sleep 0.4; cp two tb/c.tfevents',
    );
    expect(reports).toEqual(['2 loss=1', '2 loss=1']);
  });

  test('event files of an earlier attempt are read if the program removes and rewrites them', async () => {
    mkdirSync(join(folder, 'tb'));
    record('tb/a.tfevents', ['loss', 1, 9]);
    record('one', ['loss', 1, 9]);
    expect((await ended('rm -r tb; mkdir tb; cp one tb/a.tfevents; touch -d tomorrow tb/a.tfevents')).reports).toEqual([
      '1 loss=9',
    ]);
  });

  test('the sweep file can give the path of a single event file, and a folder without event files is noted in the log', async () => {
    record('one', ['loss', 1, 0.5]);
    expect((await ended('cp one single', { program: tfevents('single') })).reports).toEqual(['1 loss=0.5']);
    const { log } = await ended('mkdir none', {
      program: from({ $case: 'tfevents', tfevents: 'none' }, { $case: 'tfevents', tfevents: 'gone' }),
    });
    expect(log).toContain(`[trawl] no event files in ${folder}/none: it contains none\n`);
    expect(log).toContain(`[trawl] no event files in ${folder}/gone: no such folder\n`);
  });
});

describe('the metrics file of a program', () => {
  const ended = async (script: string) => {
    const outcome = await reportsOf(script, { program: ranked('loss') });
    expect(outcome.failure).toBeUndefined();
    return outcome;
  };

  test('the metrics file can be rewritten for each report', async () => {
    const { reports, notices } = await ended(
      `for loss in 3 2 1; do printf '{"loss": %s}' $loss > "$TRAWL_METRICS"; sleep 0.5; done`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2', '3 loss=1']);
    expect(notices).toEqual([]);
  });

  test('the metrics file can be replaced by a longer copy, and removed at the end', async () => {
    const { reports } = await ended(
      `f="$TRAWL_METRICS"; echo '{"loss": 3}' > "$f"; sleep 0.4; cp "$f" new; echo '{"loss": 2}' >> new; mv new "$f"; sleep 0.4
       echo '{"loss": 1}' >> "$f"; rm "$f"`,
    );
    expect(reports).toEqual(['1 loss=3', '2 loss=2', '3 loss=1']);
  });

  test('a named pipe in place of the metrics file does not block the attempt', async () => {
    expect((await ended('mkfifo "$TRAWL_METRICS"; sleep 0.5')).reports).toEqual([]);
  });
});
