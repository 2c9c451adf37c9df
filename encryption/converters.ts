/** For processes outside of workflow code: Temporal's converters, which speak of keys where a payload is encrypted. */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { encodedFailures } from '../workflows/sandbox/encoded-failures.js';
import { isEncrypted, PAYLOAD_UNREADABLE, whyUnreadable } from '../workflows/sandbox/encrypted.js';

/** This process has not the key for something that it needs. */
export class PayloadUnreadable extends Error {
  override readonly name = PAYLOAD_UNREADABLE;

  constructor(payload: Payload) {
    super(
      `Temporal holds what is ${whyUnreadable(payload)}; ` +
        `PAYLOAD_ENCRYPTION_KEYS (or PAYLOAD_ENCRYPTION_KEYS_FILE) must have the keys that the workers have`,
    );
  }
}

export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's interface has it
  fromPayload<T>(payload: Payload): T {
    if (isEncrypted(payload)) throw new PayloadUnreadable(payload);
    return defaultPayloadConverter.fromPayload<T>(payload);
  },
};

export const failureConverter = encodedFailures;
