import { builtinModules } from 'node:module';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const nodeBuiltins = builtinModules.flatMap((name) => [name, `node:${name}`]);

/** Layers of the design: imports point one way, and a folder may not load what stands right of its arrow. */
function boundary(folder, { forbidden, message, paths = [] }) {
  return {
    files: [`${folder}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { paths, patterns: [{ group: forbidden, message, allowTypeImports: true }] },
      ],
    },
  };
}

/** Of what modules of workflow code may not keep: a variable, or a collection. */
const ofAModule = ':matches(Program, ExportNamedDeclaration) > VariableDeclaration';
const modulesWithoutState = [
  `${ofAModule}[kind="let"]`,
  `${ofAModule} > VariableDeclarator > NewExpression[callee.name=/(Map|Set|Array|ArrayBuffer)$/]`,
].map((selector) => ({
  selector,
  message: 'All runs of a worker share the modules of workflow code: what one of them keeps here, the others see.',
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.temporal/', '.dev/', '.setup-*', '.stryker-tmp/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,cts}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // The one way to import in CommonJS that TypeScript leaves us.
      '@typescript-eslint/no-require-imports': ['error', { allowAsImport: true }],
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
        fetch: 'readonly',
      },
    },
  },
  boundary('workflows', {
    forbidden: [
      ...['undici', '**/zuora/**', '**/activities/**', '**/worker/**', '**/client/**'],
      ...['**/environment/**', '**/callouts/**', '**/simulator/**'],
    ],
    message: 'Workflow code is deterministic: it knows only the types of activities.',
    paths: nodeBuiltins.map((name) => ({ name, message: 'Workflow code runs in a sandbox without Node built-ins.' })),
  }),
  {
    files: ['workflows/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...modulesWithoutState] },
  },
  boundary('zuora', {
    forbidden: [
      '@temporalio/*',
      '**/workflows/**',
      '**/activities/**',
      '**/worker/**',
      '**/client/**',
      '**/callouts/**',
      '**/simulator/**',
    ],
    message: 'zuora/ knows nothing of Temporal.',
  }),
  boundary('activities', {
    forbidden: ['**/worker/**', '**/callouts/**', '**/simulator/**'],
    message: 'Activities stand on zuora/, on the library in client/, and on the contract in workflows/.',
  }),
  boundary('client', {
    forbidden: ['@temporalio/worker', '**/worker/**', '**/activities/**', '**/callouts/**', '**/simulator/**'],
    message: 'client/ never loads the worker, nor the callout service.',
  }),
  boundary('callouts', {
    forbidden: ['@temporalio/*', '**/worker/**', '**/activities/**', '**/simulator/**'],
    message: 'callouts/ stands on the library in client/, on environment/, and on the contract in workflows/.',
  }),
  boundary('environment', {
    forbidden: [
      ...['@temporalio/*', '**/workflows/**', '**/activities/**', '**/zuora/**', '**/worker/**', '**/client/**'],
      ...['**/callouts/**', '**/simulator/**'],
    ],
    message: 'environment/ is what the servers and the worker share: it loads none of them.',
  }),
  boundary('simulator', {
    forbidden: [
      '@temporalio/*',
      '**/workflows/**',
      '**/activities/**',
      '**/worker/**',
      '**/client/**',
      ...['**/environment/**', '**/callouts/**', '**/zuora/**'],
    ],
    message: 'The simulator stands alone: code shared with the product would share its mistakes.',
  }),
);
