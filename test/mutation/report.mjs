/** Holds what survived against survivors.json, where each survivor is explained. */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const folder = import.meta.dirname;
/** Percent. */
const LEAST_KILLED = 95;
const LIVES = ['Survived', 'NoCoverage'];

/**
 * Ends with 1 if less than 95 % are killed, if a survivor is not explained, or if an explained one was killed. `print` shows those
 * that are not explained in the form of survivors.json, and `write` puts figures and explanations into README.md.
 */
export function report(files, { isWhole, print, write }) {
  const names = new Set(files.map(({ file }) => file));
  const all = JSON.parse(readFileSync(join(folder, 'survivors.json'), 'utf8'));
  const explained = all.filter(({ file }) => isWhole || names.has(file));
  const survivors = files.flatMap(({ file, source, mutants }) =>
    mutants
      .filter(({ status }) => LIVES.includes(status))
      .map((mutant) => ({ file, line: mutant.location.start.line + 1, ...inWords(mutant, source.split('\n')) })),
  );
  const unexplained = survivors.filter((survivor) => !explained.some(isSame(survivor)));
  const gone = explained.filter((each) => !survivors.some(isSame(each)));

  for (const { file, line, code, mutant } of unexplained)
    console.error(`Survived, and not explained: ${file}:${line}\n  ${code}\n  ${mutant}`);
  for (const { file, code, mutant } of gone)
    console.error(`Explained, but killed or gone: ${file}\n  ${code}\n  ${mutant}`);
  if (print) {
    const missing = unexplained.map(({ file, code, mutant }) => ({ file, code, mutant, why: '' }));
    console.log(JSON.stringify(missing, undefined, 2));
  }
  console.log(figuresOf(files));
  if (write) writeReadme(files, explained);
  const [, killed, , , score] = countsOf(files.flatMap(({ mutants }) => mutants));
  if (unexplained.length + gone.length > 0 || !(parseFloat(score) >= LEAST_KILLED) || killed === 0)
    process.exitCode = 1;
}

const isSame = (one) => (other) => one.file === other.file && one.code === other.code && one.mutant === other.mutant;

/** The line of code and what the mutant makes of it: unlike a number, they stay when other lines come and go. */
function inWords({ location: { start, end }, replacement }, lines) {
  const last = start.line === end.line ? end.column : undefined;
  const changed = [lines[start.line].slice(start.column, last), ...lines.slice(start.line + 1, end.line)];
  if (start.line !== end.line) changed.push(lines[end.line].slice(0, end.column));
  return { code: lines[start.line].trim(), mutant: `${short(changed.join(' '))} → ${short(replacement)}` };
}

function short(code) {
  const line = code.replaceAll(/\s+/g, ' ').trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

function writeReadme(files, explained) {
  const path = join(folder, 'README.md');
  const [before] = readFileSync(path, 'utf8').split(/(?<=<!-- What follows is written by [^\n]* -->\n)/);
  const when = `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}:`;
  const parts = [before, when, figuresOf(files), `## What survives, and why\n${explanations(explained)}`];
  writeFileSync(path, parts.join('\n\n'));
}

function figuresOf(files) {
  const rows = files.map(({ file, mutants }) => [`\`${file}\``, ...countsOf(mutants)]);
  const all = countsOf(files.flatMap(({ mutants }) => mutants));
  return [
    '| module | mutants | killed | survived | not covered | score |',
    '| --- | --- | --- | --- | --- | --- |',
    ...[...rows, ['all', ...all]].map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

function countsOf(mutants) {
  const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  const [killed, survived, uncovered] = [count('Killed', 'Timeout'), ...LIVES.map((status) => count(status))];
  const all = killed + survived + uncovered;
  return [all, killed, survived, uncovered, `${((100 * killed) / all).toFixed(1)} %`];
}

function explanations(explained) {
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
