/**
 * The rooms of this repository. `npm run check` has dependency-cruiser reject an import that this table does not allow.
 * A room may import only rooms above it in the table, so no import leads back up.
 *
 * imports   the rooms that it may import; 'above' stands for all above it
 * types     the rooms of which it may import only types
 * packages  the npm packages that it may import; all where the field is missing
 * noNode    it runs in Temporal's sandbox, which has no Node built-ins
 */
export const rooms = [
  {
    room: 'environment',
    is: 'environment variables, addresses, secrets, logs and the export of traces, for every process',
    imports: [],
    packages: [
      ...['@opentelemetry/api', '@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/resources'],
      ...['@opentelemetry/sdk-trace-base', 'pino', 'zod'],
    ],
  },
  {
    room: 'zuora',
    is: 'the API client on undici, with the verdict on each answer; it knows no Temporal',
    imports: ['environment'],
    packages: ['p-timeout', 'undici', 'zod'],
  },
  {
    room: 'workflows/contract',
    is: 'public names, types, validation and search attributes; every process uses it',
    imports: [],
    types: ['zuora'],
    packages: ['@temporalio/common', '@temporalio/workflow', 'ms'],
    noNode: true,
  },
  {
    room: 'workflows/rules',
    is: "what happens next, from the job's record, the clock and the messages; pure, without Temporal",
    imports: ['workflows/contract'],
    packages: ['@noble/hashes'],
    noNode: true,
  },
  {
    room: 'workflows/sandbox',
    is: 'converters and interceptors that protect the SDK from malformed input',
    imports: ['workflows/contract', 'workflows/rules'],
    packages: ['@temporalio/common', '@temporalio/workflow'],
    noNode: true,
  },
  {
    room: 'workflows',
    is: 'the Temporal workflow: it does what the rules say',
    imports: ['workflows/contract', 'workflows/rules', 'workflows/sandbox'],
    packages: ['@temporalio/common', '@temporalio/workflow'],
    noNode: true,
  },
  {
    room: 'client/failures',
    is: 'errors of the library, exit codes, and what gRPC, Temporal and Zuora failures mean',
    imports: ['environment', 'zuora', 'workflows/contract'],
    packages: ['@temporalio/client', 'p-timeout'],
  },
  {
    room: 'client/temporal',
    is: 'the connection to Temporal, what it shows, the setup of a namespace, attributes of a start',
    imports: ['environment', 'workflows/contract', 'client/failures'],
    packages: [
      '@opentelemetry/api',
      ...['@temporalio/client', '@temporalio/common', '@temporalio/envconfig', '@temporalio/proto'],
    ],
  },
  {
    room: 'client/history',
    is: 'event histories: earlier sends and the audit',
    imports: ['environment', 'workflows/contract', 'workflows/rules', 'client/failures', 'client/temporal'],
    packages: ['@temporalio/client', '@temporalio/common'],
  },
  {
    room: 'client/doctor',
    is: 'checks of all that must be right before a bill run can be emailed',
    imports: ['environment', 'zuora', 'workflows/contract', 'client/failures', 'client/temporal', 'client/history'],
    packages: ['@temporalio/client', '@temporalio/envconfig', 'ms', 'p-timeout'],
  },
  {
    room: 'client',
    is: 'the library for pipelines and operators; it never loads the worker',
    imports: [
      ...['environment', 'zuora', 'workflows/contract', 'workflows/rules'],
      ...['client/failures', 'client/temporal', 'client/history', 'client/doctor'],
    ],
    packages: ['@temporalio/client', '@temporalio/common', 'p-map'],
  },
  {
    room: 'client/cli',
    is: 'the command line',
    imports: [
      ...['environment', 'workflows/contract', 'workflows/rules'],
      ...['client/failures', 'client/temporal', 'client/history', 'client/doctor', 'client'],
    ],
    packages: ['@inquirer/confirm', 'cli-progress', 'cli-table3', 'commander', 'csv-parse', 'csv-stringify'],
  },
  {
    room: 'activities',
    is: 'what the workflow asks of the world; they start jobs and read histories by the library, so there is one way to do each',
    imports: ['zuora', 'workflows/rules', 'client/failures', 'client/temporal', 'client/history', 'client'],
    types: ['workflows/contract'],
    packages: ['@temporalio/activity', '@temporalio/common', '@temporalio/proto', 'lru-cache'],
  },
  {
    room: 'worker',
    is: 'the process that runs workflows and activities; it loads workflow code only as a bundle',
    imports: ['environment', 'zuora', 'workflows/contract', 'client/failures', 'client/temporal', 'activities'],
    packages: [
      '@opentelemetry/api',
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/worker',
      'commander',
      'fastify',
      'ms',
      'p-timeout',
      'pino',
      'zod',
    ],
  },
  {
    room: 'callouts',
    is: "the service that receives Zuora's callouts, on the library",
    imports: ['environment', 'workflows/contract', 'client/failures', 'client/temporal', 'client'],
    packages: [
      ...['@fastify/basic-auth', '@fastify/formbody', '@fastify/rate-limit', 'fastify', 'lru-cache', 'pino', 'zod'],
    ],
  },
  {
    room: 'simulator',
    is: "a Zuora stand-in with faults; it imports nothing of ours, for shared code would share the product's mistakes",
    imports: [],
  },
  { room: 'scripts', is: 'setup, build, demo, dev, and the processes that tests and proof start', imports: 'above' },
  {
    room: 'scripts/tenant',
    is: "what a Zuora tenant shows of what the rules assume, with the simulator's switches; it only reads",
    imports: ['zuora', 'workflows/contract', 'client/failures', 'client/cli', 'simulator'],
    packages: ['commander', 'zod'],
  },
  { room: 'proof', is: 'what chaos, soak, cluster, bench and the explorer share', imports: 'above' },
  { room: 'proof/explore', is: 'every life within bounds, and the ten rules after each step', imports: 'above' },
  { room: 'proof/cluster', is: "Temporal's server on PostgreSQL, with several workers", imports: 'above' },
  { room: 'proof/chaos', is: 'the rules of sending, while everything around bill runs breaks', imports: 'above' },
  { room: 'proof/soak', is: 'memory and handles of a worker under steady load and faults', imports: 'above' },
  { room: 'proof/bench', is: 'figures beside a floor that makes the same calls and nothing else', imports: 'above' },
  {
    room: 'examples',
    is: 'pipelines in three languages, a workflow that starts jobs, and payload encryption; they know us only as a package',
    imports: [],
  },
  {
    room: 'test',
    is: 'tests by room; support/ wires the real parts, ui/ looks at Temporal UI in a browser',
    imports: 'above',
  },
];

const PACKAGES = 'node_modules/';
const names = rooms.map(({ room }) => room);

/** The files of a room, without those of rooms inside it. */
function filesOf(name) {
  const inner = names.filter((other) => other.startsWith(`${name}/`)).map((other) => other.slice(name.length + 1));
  return `^${name}/${inner.length === 0 ? '' : `(?!(${inner.join('|')})/)`}`;
}

function allowed(rules, at) {
  return rules === 'above' ? names.slice(0, at) : (rules ?? []);
}

function rulesOf({ room, is, imports, types, packages = 'any', noNode }, at) {
  const values = allowed(imports, at);
  const back = [...values, ...allowed(types, at)].filter((name) => !names.slice(0, at).includes(name));
  if (back.length > 0) throw new Error(`${room} may import only rooms above it, not ${back.join(', ')}`);

  const rule = (what, to) => ({
    name: `${room}: ${what}`,
    comment: `${room}/ is ${is}. rooms.config.js says what it may import.`,
    severity: 'error',
    from: { path: filesOf(room) },
    to,
  });
  const rules = [
    rule('imports a room that it may not', {
      pathNot: [PACKAGES, ...[room, ...values, ...allowed(types, at)].map(filesOf)],
      dependencyTypesNot: ['core', 'unknown'],
    }),
  ];
  for (const name of allowed(types, at)) {
    rules.push(
      rule(`imports more than types from ${name}`, { path: filesOf(name), dependencyTypesNot: ['type-only'] }),
    );
  }
  if (packages !== 'any') {
    const pathNot = packages.map((name) => `${PACKAGES}${name}/`);
    rules.push(rule('imports a package that it may not', { path: PACKAGES, pathNot }));
  }
  if (noNode) rules.push(rule('imports a Node built-in', { dependencyTypes: ['core'] }));
  return rules;
}

export default {
  forbidden: [
    ...rooms.flatMap(rulesOf),
    {
      name: 'no circles',
      comment: 'Files that import each other, be it only for types, can only be understood together.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'every folder is a room',
      comment: 'rooms.config.js has a row for each folder with code.',
      severity: 'error',
      from: { path: '/', pathNot: [...names.map(filesOf), PACKAGES, '^\\.ci/'] },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: PACKAGES },
    // This table is data for scripts/release/, which packs the rooms of the client.
    exclude: { path: ['^rooms\\.config\\.js$', '^dist/', '^coverage/', '^\\.(temporal|dev|setup-|mutants-)'] },
  },
};
