import { expect, test } from 'vitest';
import { targetsOf } from './write-report.ts';

const folder = (path: string) => ({ path, isFolder: true });
const file = (path: string) => ({ path, isFolder: false });

test('nowhere said: both beside each other in the working folder, the Markdown without files', () => {
  expect(targetsOf('both', undefined, 'ae')).toEqual({
    html: 'ae-report.html',
    markdown: 'ae-report.md',
    files: undefined,
  });
});

test('in a folder, the Markdown has its charts beside it', () => {
  expect(targetsOf('both', folder('out/'), 'ae')).toEqual({
    html: 'out/ae-report.html',
    markdown: 'out/ae-report.md',
    files: 'ae-report',
  });
  expect(targetsOf('html', folder('out'), 'ae')).toEqual({
    html: 'out/ae-report.html',
    markdown: undefined,
    files: undefined,
  });
});

test('a file is written as it is named; both formats take its name with their own endings', () => {
  expect(targetsOf('html', file('a.txt'), 'ae')).toMatchObject({ html: 'a.txt', markdown: undefined });
  expect(targetsOf('md', file('a.txt'), 'ae')).toMatchObject({ html: undefined, markdown: 'a.txt' });
  expect(targetsOf('both', file('x/study.html'), 'ae')).toMatchObject({ html: 'x/study.html', markdown: 'x/study.md' });
  expect(targetsOf('both', file('study.v2'), 'ae')).toMatchObject({ html: 'study.v2.html', markdown: 'study.v2.md' });
});

test("a sweep's name makes a file's name of its letters and digits, in the folder and of a length that disks take", () => {
  const nameOf = (name: string) => targetsOf('html', undefined, name).html;
  expect(nameOf('../../etc/passwd')).toBe('etc-passwd-report.html');
  expect(nameOf('<script>](javascript:x)|`rm -rf`')).toBe('script-javascript-x-rm--rf-report.html');
  expect(nameOf('***')).toBe('sweep-report.html');
  expect(nameOf('Größe 3.5')).toBe('Größe-3.5-report.html');
  // Letters of four bytes each, none of which may be cut in two.
  expect(nameOf('𠮷'.repeat(300))).toMatch(/^𠮷+-report\.html$/u);
  expect(Buffer.byteLength(nameOf('𠮷'.repeat(300)) ?? '')).toBeLessThan(230);
});
