import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../bin/package.ts';

/**
 * British spellings, as parts of words. The words `cancelled` and `acknowledgement` are exceptions: both words are
 * American variants, and are names in the API.
 */
const BRITISH = [
  ...['colour', 'behaviour', 'favour', 'flavour', 'honour', 'neighbour', 'centre', 'licence', 'catalogue'],
  ...['judgement', 'labelled', 'labelling', 'modelled', 'modelling', 'signalled', 'travell', 'grey', 'artefact'],
  ...['whilst', 'towards\\b', 'afterwards\\b', 'analys(?:e|ed|ing)\\b', 'analysed'],
  '(?:optim|normal|synchron|regular|organ|recogn|summar|minim|maxim|util|serial|initial|random|quant|general|special)is(?:e|ing|ation)',
  '(?:memor|penal|local|final|token|vector|visual|priorit|standard|categor|custom|author|character|discret|parallel)is(?:e|ing|ation)',
];
const PATTERN = new RegExp(BRITISH.join('|'), 'gi');

/** A British spelling that trawl cannot change: the name of an HTML attribute. */
const EXCEPTIONS = /aria-labelledby/g;
const NOT_OURS = /^(?:proto\/gen\/|package-lock\.json$|NOTICE$|docs\/study\/|test\/deploy\/spelling\.test\.ts$)/;
const PICTURES = /\.(?:svg|png|gif|npz|gz)$/;

test('documents, messages, names and comments have American spelling', () => {
  const root = packageRoot();
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  expect(files.length).toBeGreaterThan(1000);
  const found = files
    .filter((file) => !NOT_OURS.test(file) && !PICTURES.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8').replaceAll(EXCEPTIONS, '');
      return [...text.matchAll(PATTERN)].map(([word]) => `${file}: ${word}`);
    });
  expect(found).toEqual([]);
});
