/**
 * Holds what survived in Stryker's last report against survivors.json, where each survivor is explained. Ends with 1 where one is
 * not. `--write` puts the figures and the explained survivors into test/mutation/README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
const json = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));
const files = Object.entries(json('coverage', 'mutation.json').files).sort(([one], [other]) => (one < other ? -1 : 1));
const explained = json('test', 'mutation', 'survivors.json');

const survivors = files.flatMap(([file, { source, mutants }]) =>
  mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map((mutant) => ({ file, line: mutant.location.start.line, ...inWords(mutant, source.split('\n')) })),
);

/** The line of code and what the mutant makes of it: unlike a number, they stay when other lines come and go. */
function inWords({ location: { start, end }, replacement }, lines) {
  const last = start.line === end.line ? end.column - 1 : undefined;
  const changed = [lines[start.line - 1].slice(start.column - 1, last), ...lines.slice(start.line, end.line - 1)];
  if (start.line !== end.line) changed.push(lines[end.line - 1].slice(0, end.column - 1));
  return { code: lines[start.line - 1].trim(), mutant: `${short(changed.join(' '))} → ${short(replacement)}` };
}

function short(code) {
  const line = code.replaceAll(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

const isSame = (one) => (other) => one.file === other.file && one.code === other.code && one.mutant === other.mutant;
const unexplained = survivors.filter((survivor) => !explained.some(isSame(survivor)));
const gone = explained.filter((each) => !survivors.some(isSame(each)));

for (const { file, line, code, mutant } of unexplained) {
  console.error(`Survived, and not explained: ${file}:${line}\n  ${code}\n  ${mutant}`);
}
for (const { file, code, mutant } of gone)
  console.error(`Explained, but killed or gone: ${file}\n  ${code}\n  ${mutant}`);
if (process.argv.includes('--print')) console.log(JSON.stringify(unexplained, undefined, 2));
if (process.argv.includes('--write')) write();
process.exitCode = unexplained.length + gone.length > 0 ? 1 : 0;

function write() {
  const path = join(root, 'test', 'mutation', 'README.md');
  const [before] = readFileSync(path, 'utf8').split(/(?<=<!-- What follows is written by [^\n]* -->\n)/);
  writeFileSync(path, `${before}\n${figures()}\n\n## What survives, and why\n${explanations()}`);
}

function figures() {
  const rows = files.map(([file, { mutants }]) => [`\`${file}\``, ...figuresOf(mutants)]);
  const all = figuresOf(files.flatMap(([, { mutants }]) => mutants));
  return [
    `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}:`,
    '',
    '| module | mutants | killed | timed out | survived | not covered | score |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...rows, ['all', ...all]].map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

function figuresOf(mutants) {
  const count = (status) => mutants.filter((mutant) => mutant.status === status).length;
  const [killed, timedOut, survived, uncovered] = ['Killed', 'Timeout', 'Survived', 'NoCoverage'].map(count);
  const all = killed + timedOut + survived + uncovered;
  return [all, killed, timedOut, survived, uncovered, `${((100 * (killed + timedOut)) / all).toFixed(1)} %`];
}

function explanations() {
  return [...new Set(explained.map(({ file }) => file))]
    .map((name) => {
      const own = explained.filter(({ file }) => file === name);
      return `\n### \`${name}\`\n\n${own.map(inList).join('\n')}\n`;
    })
    .join('');
}

function inList({ code, mutant, why }) {
  return `- ${fenced(code)}: ${fenced(mutant)}. ${why}`;
}

/** Code may hold backticks itself. */
function fenced(code) {
  return code.includes('`') ? `\`\` ${code} \`\`` : `\`${code}\``;
}
