import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { sha256Of } from '../../lib/files/checksum.ts';
import { DamagedError, RejectedError } from '../../proto/errors.ts';
import { copyStore, openStore } from '../store/open.ts';
import { BACKUP_STORE, MANIFEST, sealBackup } from './backup-folder.ts';
import { restoreBackup } from './restore.ts';

let folder: string;
let backup: string;
let dir: string;
const FILE = 'artifacts/1/t/1/model.pt';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-restore-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  backup = join(folder, 'backup');
  dir = join(folder, 'restored');
  mkdirSync(join(backup, 'artifacts/1/t/1'), { recursive: true });
  const db = openStore(join(folder, 'original'));
  insertArtifact(db, 'model.pt');
  copyStore(db, join(backup, BACKUP_STORE));
  writeFileSync(join(backup, FILE), 'weights');
  await sealBackup(backup, '1');
});

function insertArtifact(db: Database.Database, name: string, trialId = 't'): void {
  db.prepare("insert into artifacts values (1, ?, 1, ?, 'file', 0, 7, ?, 1, 0)").run(
    trialId,
    name,
    sha256Of('weights'),
  );
}

function expectRestored(): void {
  expect(readdirSync(dir).sort()).toEqual(['artifacts', 'store.db']);
  expect(readFileSync(join(dir, FILE), 'utf8')).toBe('weights');
}

test('a backup is restored only into a new or empty folder', async () => {
  mkdirSync(dir);
  await restoreBackup(backup, dir);
  expectRestored();
  await expect(restoreBackup(backup, dir)).rejects.toThrow('is not empty');
  expectRestored();
});

const mark = () => JSON.stringify({ store: sha256Of(readFileSync(join(backup, BACKUP_STORE))) });

test.each<[string, () => void]>([
  ['before it copied a file', () => {}],
  ['while it copied the store', () => writeFileSync(join(dir, 'store.db.part'), 'half')],
  ['while it copied an artifact', () => cpSync(join(backup, BACKUP_STORE), join(dir, 'store.db.part'))],
  ['after it renamed the store', () => cpSync(join(backup, BACKUP_STORE), join(dir, 'store.db'))],
  [
    'in its second run, while it wrote restore.json again',
    () => writeFileSync(join(dir, 'restore.json.0badcafe.part'), '{'),
  ],
])('another run of the same command finishes a restore that was killed %s', async (_, leave) => {
  mkdirSync(join(dir, 'artifacts/1/t/1'), { recursive: true });
  writeFileSync(join(dir, FILE), 'wei');
  writeFileSync(join(dir, 'restore.json'), mark());
  leave();
  await restoreBackup(backup, dir);
  rmSync(join(dir, 'restore.json.0badcafe.part'), { force: true });
  expectRestored();
});

test('a folder is rejected and left unchanged if it has other files or an unfinished restore of another backup', async () => {
  mkdirSync(dir);
  writeFileSync(join(dir, 'restore.json'), '{"store":"other"}');
  await expect(restoreBackup(backup, dir)).rejects.toThrow('an unfinished restore of another backup');
  writeFileSync(join(dir, 'restore.json'), mark());
  writeFileSync(join(dir, 'store.high-water'), '');
  await expect(restoreBackup(backup, dir)).rejects.toThrow('is not empty');
  expect(readdirSync(dir).sort()).toEqual(['restore.json', 'store.high-water']);
});

test('a store is not created in a folder whose restore is unfinished', () => {
  mkdirSync(dir);
  writeFileSync(join(dir, 'restore.json'), mark());
  expect(() => openStore(dir)).toThrow(RejectedError);
  expect(() => openStore(dir)).toThrow('run the same "trawl restore" again');
  expect(readdirSync(dir)).toEqual(['restore.json']);
});

test.each([
  ['../../../../x', 't'],
  ['model.pt', '../../..'],
  ['/etc/passwd', 't'],
  ['a/../../x', 't'],
])('a backup whose store names the artifact %s of trial %s is rejected, and no file remains', async (name, trialId) => {
  const store = join(backup, BACKUP_STORE);
  const db = new Database(store);
  insertArtifact(db, name, trialId);
  db.close();
  const manifest = JSON.parse(readFileSync(join(backup, MANIFEST), 'utf8'));
  manifest.store.sha256 = sha256Of(readFileSync(store));
  writeFileSync(join(backup, MANIFEST), JSON.stringify(manifest));
  writeFileSync(join(folder, 'x'), 'outside');
  await expect(restoreBackup(backup, dir)).rejects.toThrow(DamagedError);
  await expect(restoreBackup(backup, dir)).rejects.toThrow(/invalid file name/);
  expect(existsSync(dir) ? readdirSync(dir) : []).toEqual([]);
  expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('outside');
  await expect(sealBackup(backup, '1')).rejects.toThrow(/invalid file name/);
});
