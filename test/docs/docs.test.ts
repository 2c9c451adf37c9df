/** The pages against each other and against the code. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../../scripts/project-root.js';

const text = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'examples/encryption/README.md'],
  ...readdirSync(join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
  'test/mutation/README.md',
];

/** As GitHub makes it of a heading. */
function anchorsIn(file: string): readonly string[] {
  const headings = text(file)
    .replace(/^```.*?^```/gms, '')
    .matchAll(/^#{1,6} (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('every link of %s leads to a file, and to a heading or line in it', (page) => {
  const broken = [...text(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? page : relative(projectRoot, join(projectRoot, dirname(page), path));
      if (!existsSync(join(projectRoot, file))) return true;
      if (anchor === undefined) return false;
      const line = /^L(\d+)$/.exec(anchor)?.[1];
      return line === undefined ? !anchorsIn(file).includes(anchor) : Number(line) > text(file).split('\n').length;
    });
  expect(broken).toEqual([]);
});

test('README has at most 120 lines, and leads to every page', () => {
  expect(text('README.md').split('\n').length).toBeLessThanOrEqual(121);
  for (const page of readdirSync(join(projectRoot, 'docs')).filter((file) => file.endsWith('.md'))) {
    expect(text('README.md')).toContain(`(docs/${page})`);
  }
});

test('docs/configuration.md has every variable of the code, and no other', () => {
  const { stdout } = spawnSync(process.execPath, [join(projectRoot, 'scripts', 'size.mjs'), 'variables'], {
    encoding: 'utf8',
  });
  const [table = ''] = text('docs/configuration.md').split('\n## ');
  const documented = [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name),
  );
  expect(documented.toSorted()).toEqual(stdout.trim().split('\n'));
});

test('what docs/ takes from the code is up to date', () => {
  const { stderr } = spawnSync(process.execPath, [join(projectRoot, 'scripts', 'write-docs.mjs'), '--check'], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
});
