import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * All jobs of a worker share the modules of workflow code, so a module may hold only what no job fills: literals, functions, tables
 * with their entries, `as const` values, and the definitions, proxies and converters of the SDK. An empty object, an array, a
 * collection and any other call are rejected.
 */
const topLevel = ':matches(Program, ExportNamedDeclaration) > VariableDeclaration';
const unchanging = [
  'Identifier',
  'Literal',
  'TemplateLiteral',
  'BinaryExpression',
  'UnaryExpression',
  'ArrowFunctionExpression',
  'FunctionExpression',
  'TSAsExpression[typeAnnotation.typeName.name="const"]',
  'TSSatisfiesExpression[expression.typeAnnotation.typeName.name="const"]',
  'ObjectExpression[properties.length>0]',
  'CallExpression[callee.object.name="Object"][callee.property.name="freeze"]',
  'CallExpression[callee.name=/^(define(Signal|Update|Query|SearchAttributeKey)|proxyActivities|tolerant)$/]',
].join(', ');
const modulesWithoutState = [
  `${topLevel}[kind!="const"]`,
  `${topLevel} > VariableDeclarator > .init:not(${unchanging})`,
  'PropertyDefinition[static=true]',
].map((selector) => ({
  selector,
  message: 'All jobs of a worker share the modules of workflow code: a job would see what another one keeps here.',
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.temporal/', '.dev/', '.setup-*', '.mutants-*/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        fetch: 'readonly',
      },
    },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...modulesWithoutState] },
  },
);
