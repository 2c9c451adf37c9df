/**
 * The hold on all jobs of the namespace. While it is open, no email call leaves: every attempt asks for it first. It needs no worker to
 * hold, and no time ends it.
 */
import { condition, setCurrentDetails, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import { holdSignal, releaseSignal } from './contract/contract.js';
import { checkNote, placeholderIn } from './contract/validation.js';
import { quoted, time } from './rules/text.js';

/** The most holds that Temporal UI shows; history has all. */
const SHOWN = 20;

export async function holdAll(): Promise<void> {
  let isReleased = false;
  const holds: string[] = [];
  const receive = (name: string, argument: unknown): void => {
    isReleased = name === releaseSignal.name && placeholderIn(argument) === undefined;
    if (name !== holdSignal.name) return;
    const { requestedBy = 'somebody', reason } = checkNote(argument).value ?? {};
    holds.push(`- ${time(Date.now())}, ${quoted(requestedBy)}${reason === undefined ? '' : `: ${quoted(reason)}`}`);
    setCurrentDetails(detailsOf(holds));
  };
  // The default handler comes first: it takes signals in the order of their arrival, so a later hold undoes a release.
  setDefaultSignalHandler((name, argument) => {
    receive(name, argument);
  });
  for (const [signal, description] of [
    [holdSignal, 'Let no email call leave in this namespace'],
    [releaseSignal, 'End the hold on all; jobs held one by one stay held'],
  ] as const) {
    setHandler(
      signal,
      (argument?: unknown) => {
        receive(signal.name, argument);
      },
      { description },
    );
  }
  setCurrentDetails(detailsOf(holds));
  await condition(() => isReleased);
  setCurrentDetails(`### Released\n\nThis hold has ended. Its history says by whom, and why.\n\n${whoAsked(holds)}`);
}

function detailsOf(holds: readonly string[]): string {
  return [
    '### All jobs are on hold',
    'No email call leaves in this namespace until signal **release**, or `bill-run-emails release --all`.',
    whoAsked(holds),
  ].join('\n\n');
}

function whoAsked(holds: readonly string[]): string {
  return holds.length === 0 ? '' : `**Who asked for it**\n\n${holds.slice(-SHOWN).join('\n')}`;
}
