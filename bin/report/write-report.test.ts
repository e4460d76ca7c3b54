import { expect, test } from 'vitest';
import { targetsOf } from './write-report.ts';

const folder = (path: string) => ({ path, isFolder: true });
const file = (path: string) => ({ path, isFolder: false });

test('by default, a report is written to the working folder in both formats, and the Markdown file links to no other files', () => {
  expect(targetsOf('both', undefined, 'ae')).toEqual({
    html: 'ae-report.html',
    markdown: 'ae-report.md',
    files: undefined,
  });
});

test('if a report is written to a folder, its charts are in a folder beside the Markdown file', () => {
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

test('a report in a single format has the given file name, and a report in both formats adds the extensions', () => {
  expect(targetsOf('html', file('a.txt'), 'ae')).toMatchObject({ html: 'a.txt', markdown: undefined });
  expect(targetsOf('md', file('a.txt'), 'ae')).toMatchObject({ html: undefined, markdown: 'a.txt' });
  expect(targetsOf('both', file('x/study.html'), 'ae')).toMatchObject({ html: 'x/study.html', markdown: 'x/study.md' });
  expect(targetsOf('both', file('study.v2'), 'ae')).toMatchObject({ html: 'study.v2.html', markdown: 'study.v2.md' });
});

test('the file name of a report is the name of the sweep without special characters, with a limited length', () => {
  const nameOf = (name: string) => targetsOf('html', undefined, name).html;
  expect(nameOf('../../etc/passwd')).toBe('etc-passwd-report.html');
  expect(nameOf('<script>](javascript:x)|`rm -rf`')).toBe('script-javascript-x-rm--rf-report.html');
  expect(nameOf('***')).toBe('sweep-report.html');
  expect(nameOf('Größe 3.5')).toBe('Größe-3.5-report.html');
  expect(nameOf('𠮷'.repeat(300))).toMatch(/^𠮷+-report\.html$/u);
  expect(Buffer.byteLength(nameOf('𠮷'.repeat(300)) ?? '')).toBeLessThan(230);
});
