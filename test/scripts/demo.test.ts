import { expect, test, vi } from 'vitest';
import type { SendRecord } from '../../client/index.js';
import { projectRoot } from '../../scripts/project-root.js';
import { startScript, newFolder } from './script-process.js';
import { inShell } from './in-shell.js';

interface DemoResult {
  readonly sends: readonly SendRecord[];
  readonly uiUrl: string;
}

test('the demo fits on a screen and ends with PASS; --json adds one object on the last line', async () => {
  const demo = startScript('demo', { folder: newFolder(), args: ['--json'] });
  const code = await demo.ended;
  expect({ code, stderr: demo.stderr() }, `${demo.stdout()}${demo.stderr()}`).toEqual({ code: 0, stderr: '' });

  const lines = demo.stdout().trimEnd().split('\n');
  const result = JSON.parse(lines.pop() ?? '') as DemoResult;
  expect(lines.at(-1)).toMatch(/^PASS {2}/);
  expect(lines.length).toBeLessThanOrEqual(26);
  expect(lines.filter((line) => line.length >= 100)).toEqual([]);
  expect(lines.filter((line) => /^\d\. /.test(line))).toHaveLength(7);

  expect(result).toMatchObject({
    ...{ billRunNumber: 'BR-00000001', workflowId: 'email-bill-run/BR-00000001', state: 'Emailed' },
    ...{ emailsPerDocument: { min: 2, max: 2 }, historyEvents: expect.any(Number) as number },
  });
  expect(lines.join('\n')).toContain(result.uiUrl);
  const attempts = result.sends.flatMap((send) => send.attempts);
  expect(attempts.map(({ idempotencyKey }) => idempotencyKey.split('/').slice(2).join('/'))).toEqual([
    ...['first/1', 'first/1', 'first/2', 'resend/TICKET-1/1'],
  ]);
  expect(attempts.map(({ verdict, stored }) => [verdict, stored])).toEqual([
    ...[
      ['unknown', false],
      ['accepted', true],
    ],
    ...[
      ['accepted', false],
      ['accepted', false],
    ],
  ]);
});

test('--keep leaves the parts running, and the commands that it prints work; --verbose prints the audit', async () => {
  const demo = startScript('demo', { folder: newFolder(), args: ['--keep', '--verbose'] });
  await vi.waitFor(() => {
    if (demo.process.exitCode !== null) throw new Error(demo.stdout() + demo.stderr());
    expect(demo.stdout()).toContain('\nEverything keeps running');
  }, 120_000);
  expect(demo.stdout()).toContain(
    'Emailed twice: first send for nightly-billing; retry of what was not sent for alice; resend TICKET-1 for alice. 4 of 4 documents sent.\n',
  );

  const commands = demo.stdout().trimEnd().split('\n').slice(-4);
  expect(commands[0]).toMatch(/^ {2}export TEMPORAL_ADDRESS=127\.0\.0\.1:\d+$/);
  const { stdout } = await inShell(commands.join('\n'), projectRoot);
  expect(stdout).toMatch(/^state +Emailed /);
  expect(stdout).toContain('TICKET-1');

  demo.process.kill('SIGTERM');
  expect(await demo.ended).toBe(0);
});

test('a demo that fails ends with FAIL and the reason, shows the whole error, and exits with 1', async () => {
  const demo = startScript('demo', { folder: newFolder(), env: { TEMPORAL_CLI_PATH: '/nowhere' } });
  expect(await demo.ended).toBe(1);
  expect(demo.stdout()).toMatch(/\nFAIL {2}\/nowhere is not an executable file\..*\n$/);
  expect(demo.stderr()).toMatch(/^Error: \/nowhere is not .*\n +at /);
});
