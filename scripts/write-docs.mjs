/**
 * Writes what docs/ takes from the code: the help of each command into cli.md, the lines to which patterns.md links, and the examples
 * in pipelines.md.
 *
 *     npm run docs                          writes the files
 *     node scripts/write-docs.mjs --check   names the files that would change, and ends with 1; needs the build
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MARK = '<!-- What follows is written by scripts/write-docs.mjs. -->\n';

const isCheck = process.argv.includes('--check');
for (const [file, write] of [
  ['cli.md', withHelp],
  ['patterns.md', withLines],
  ['pipelines.md', withExamples],
]) {
  const path = join(root, 'docs', file);
  const before = readFileSync(path, 'utf8');
  const after = write(before);
  if (after === before) continue;
  if (isCheck) {
    console.error(`docs/${file} is not as the code is; run: npm run docs`);
    process.exitCode = 1;
  } else writeFileSync(path, after);
}

function withHelp(text) {
  const [before] = text.split(MARK);
  const general = help();
  const names = [...general.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, name]) => name);
  const sections = names.filter((name) => name !== 'help').map((name) => `\n### ${name}\n\n${block(help(name))}`);
  return `${before}${MARK}\n${block(general)}${sections.join('')}`;
}

function help(...command) {
  const cli = join(root, 'dist', 'client', 'cli', 'main.js');
  const env = { ...process.env, COLUMNS: '80', NO_COLOR: '1' };
  return execFileSync(process.execPath, [cli, ...command, '--help'], { encoding: 'utf8', env });
}

function block(text) {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}

/** A link such as [`emailBillRun`](../workflows/email-bill-run.ts#L108) leads to the first line that declares the name. */
function withLines(text) {
  return text.replace(/\[`([\w.#]+)`\]\(\.\.\/([\w/.-]+\.ts)(?:#L\d+)?\)/g, (_, name, file) => {
    const line = lineOf(name, readFileSync(join(root, file), 'utf8'));
    if (line === 0) throw new Error(`docs/patterns.md: ${file} does not declare ${name}`);
    return `[\`${name}\`](../${file}#L${line})`;
  });
}

function lineOf(name, source) {
  const declares = new RegExp(
    `(?:function\\*?|const|interface|type|class) \\{?[^=(]*\\b${name}\\b|^ +(?:async )?${name}\\(`,
  );
  return source.split('\n').findIndex((line) => declares.test(line)) + 1;
}

/** The block behind a mark such as <!-- examples/pipeline.py --> is that file. */
function withExamples(text) {
  return text.replace(/(<!-- (examples\/\S+) -->\n\n```\w+\n)[^]*?(\n```)/g, (_, before, file, after) => {
    return `${before}${readFileSync(join(root, file), 'utf8').trimEnd()}${after}`;
  });
}
