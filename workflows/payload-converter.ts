import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { undecodableMark } from './undecodable.js';

/**
 * The SDK's converter, except that a payload which cannot be decoded becomes a mark instead of an error. Anybody may
 * signal a workflow, in any encoding; an error here would fail its workflow task again and again, for ever. The checks
 * of inputs and messages know the mark.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's interface has it
  fromPayload<T>(payload: Payload): T {
    try {
      return defaultPayloadConverter.fromPayload<T>(payload);
    } catch (error) {
      return undecodableMark(error instanceof Error ? error.name : 'unknown reason') as T;
    }
  },
};
