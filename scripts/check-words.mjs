/**
 * Finds words that CONTRIBUTING asks us to avoid, in code, comments, messages and documentation, and says what to write instead. In
 * README and docs/, and in the texts that the product prints, it also finds sentences that are too long.
 *
 *     node scripts/check-words.mjs             everything, as `npm run check` does
 *     node scripts/check-words.mjs client docs these folders
 *
 * Exit code 1 if there is any.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** In any line: what is found, and what to write instead. */
const WORDS = [
  [/\bwhoever\b/i, '"anyone who", "the person who"'],
  [/\bmend(s|ed|ing)?\b/i, '"fix"'],
  [/\btold\b/i, '"said", "reported", "signaled"'],
  [/\b(un)?heed(s|ed|ing)?\b/i, '"obey", "follow"'],
  [/\bwhence\b/i, '"from where", "the start of"'],
  [/\bwherein\b|\bwhereof\b|\bthereof\b|\bhereby\b|\bhenceforth\b/i, 'a plain sentence'],
  [/\bfor ever\b/i, '"forever"'],
  [/\bby chance\b/i, '"at random", "random"'],
  [/(?<!\bthere )\bis none\b/, '"is not one"'],
  [/(?<!\bthere )\b(?:is|was) no (?!(?:longer|more|less|later|earlier|different)\b)(?=[a-z])/i, '"is not a"'],
  [/\b(?:is|are) at it\b|\bat it already\b/i, '"is in progress"'],
  [/\bfor want of\b/i, '"because … is missing"'],
  [/\b(?:cannot|can't|could not) be had\b/i, '"is not available", "cannot listen on"'],
  [/\bas it must be\b|\bas they must be\b/i, '"valid"'],
  [/\bguests?\b/i, '"alias"'],
];

/** In names of our own: whole words of an identifier, as camel case or underscores divide it. */
const NAMES = [
  [/^(told|tell|tells)$/, '"reported…", "report…", "log…"'],
  [/^(mend|heed|whoever|whence)$/, '"fix", "obey", "anyone", "start"'],
  [/^guests?$/, '"alias"'],
  [/^came$/, 'a noun, such as "answer" or "outcome"'],
];
/** The same, for names that are only this word. */
const WHOLE_NAMES = [
  [/^(seen|said|asked|showing|shown|came)$/, 'a noun for the data, such as "requests", "question" or "attributes"'],
  [/^(home|homeOf|isHome|atHome)$/, '"canonical…"'],
];

/** Most files have none of these; parsing only the others takes half the time. */
const MAY_HAVE_A_NAME = /told|tell|mend|heed|whoever|whence|guest|came|seen|said|asked|show|home/i;

/** They quote the words. */
const EXEMPT = new Set(['scripts/check-words.mjs', 'test/scripts/check-words.test.ts']);
const PROSE = /\.(md|sh|py|ts|cts|mts|js|mjs|cjs)$/;
const CODE = /\.(ts|cts|mts|js|mjs|cjs)$/;

const READ_BY_ALL = /^(README|docs\/[^/]+)\.md$/;
/** Their texts are help, messages and what Temporal UI shows. */
const PRINTS = /^(workflows|activities|zuora|client|worker|callouts|environment|scripts)\/.*\.ts$/;
/** In words. A part that a colon or a semicolon ends counts by itself. */
const LONGEST_SENTENCE = 25;

const wanted = process.argv.slice(2);
const listed = ['ls-files', '--cached', '--others', '--exclude-standard', '--'];
const files = execFileSync('git', [...listed, ...(wanted.length > 0 ? wanted : ['.'])], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => PROSE.test(file) && !EXEMPT.has(file) && existsSync(file));

const found = [];
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const names = CODE.test(file) && MAY_HAVE_A_NAME.test(text) ? await inNames(file, text) : [];
  const long = READ_BY_ALL.test(file) ? longSentences(text) : PRINTS.test(file) ? await longTexts(file, text) : [];
  const hits = [...inLines(text), ...names, ...long].sort((one, other) => one.line - other.line);
  found.push(...hits.map(({ line, word, instead }) => `${file}:${line}  ${word}  → ${instead}`));
}
for (const line of new Set(found)) console.log(line);
if (found.length > 0) {
  console.log(`\n${new Set(found).size} words to avoid; scripts/check-words.mjs has the list.`);
  process.exitCode = 1;
}

function inLines(text) {
  return text.split('\n').flatMap((line, at) =>
    WORDS.flatMap(([pattern, instead]) => {
      const [word] = pattern.exec(line) ?? [];
      return word === undefined ? [] : [{ line: at + 1, word: word.trim(), instead }];
    }),
  );
}

/** Tables, code and headings are left out. */
function longSentences(text) {
  const blank = (block) => block.replace(/[^\n]/g, '');
  const prose = text
    .replace(/^```.*?^```/gms, blank)
    .replace(/^(?: {4,}|\||#).*$/gm, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/`[^`\n]*`/g, 'x');
  let line = 1;
  return prose.split(/(\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.) ))/).flatMap((block) => {
    const at = line;
    line += block.split('\n').length - 1;
    return tooLong(block).map((hit) => ({ line: at, ...hit }));
  });
}

function tooLong(block) {
  return block
    .split(/(?<=[.!?:;])\s+|\s·\s/)
    .map((sentence) =>
      sentence
        .replace(/^\s*(?:[-*>]|\d+\.)\s/, '')
        .trim()
        .split(/\s+/),
    )
    .filter((words) => words.length > LONGEST_SENTENCE)
    .map((words) => ({
      word: `${words.slice(0, 6).join(' ')} …`,
      instead: `${words.length} words: shorter sentences, or a list`,
    }));
}

/** A value in a template counts as one word, and a line that is indented begins a sentence of its own. */
async function longTexts(file, text) {
  const { default: ts } = await import('typescript');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const isSum = (node) => ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken;
  const textOf = (node) => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (ts.isTemplateExpression(node)) {
      return [node.head.text, ...node.templateSpans.map(({ literal }) => `x${literal.text}`)].join('');
    }
    if (isSum(node)) return `${textOf(node.left)}${textOf(node.right)}`;
    return ts.isParenthesizedExpression(node) ? textOf(node.expression) : 'x';
  };
  const hits = [];
  const visit = (node) => {
    if (isSum(node.parent ?? node) && (isSum(node) || ts.isStringLiteralLike(node))) {
      // The whole sum has been read.
      ts.forEachChild(node, visit);
      return;
    }
    const blocks = textOf(node).split(/\n\s*\n|\n(?= )/);
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    hits.push(...blocks.flatMap((block) => tooLong(block).map((hit) => ({ line, ...hit }))));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return hits;
}

/** Names that a file declares or imports; names of other packages, such as a property of theirs, are only used. */
async function inNames(file, text) {
  const { default: ts } = await import('typescript');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const hits = [];
  const visit = (node) => {
    if (ts.isIdentifier(node) && node.parent.name === node && !ts.isPropertyAccessExpression(node.parent)) {
      const instead = insteadOf(node.text);
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      if (instead !== undefined) hits.push({ line, word: node.text, instead });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return hits;
}

function insteadOf(name) {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s_]+/);
  const whole = WHOLE_NAMES.find(([pattern]) => pattern.test(name));
  return (whole ?? NAMES.find(([pattern]) => words.some((word) => pattern.test(word))))?.[1];
}
