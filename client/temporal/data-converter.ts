/** Payload codecs of the installation, such as encryption. Every process that reads or writes payloads loads the same module. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  defaultFailureConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
  type PayloadConverter,
} from '@temporalio/common';
import { decode } from '@temporalio/common/lib/encoding.js';
import { ConfigurationError } from '../../environment/configuration-error.js';
import { PAYLOAD_UNDECODABLE } from '../../workflows/contract/undecodable.js';
import { firstLineOf } from '../failures/errors.js';

/** A payload needs a codec, or a key, that this process lacks. The message holds no content. */
class PayloadUndecodable extends ConfigurationError {
  override readonly name = PAYLOAD_UNDECODABLE;
}

/**
 * Loads the payload codecs of the module that `BILL_RUN_DATA_CONVERTER` names, by a path from the working directory. Its default
 * export is `PayloadCodec[]`. Without the variable there are none.
 *
 * @throws ConfigurationError if the module cannot be loaded, or exports something else
 */
export async function payloadCodecs(env: NodeJS.ProcessEnv): Promise<PayloadCodec[]> {
  const { BILL_RUN_DATA_CONVERTER: path = '' } = env;
  if (path === '') return [];
  const source = `BILL_RUN_DATA_CONVERTER ${path}`;
  const { default: codecs } = await importModule(path).catch((error: unknown) => {
    throw new ConfigurationError(`${source} cannot be loaded: ${firstLineOf(error)}`, { cause: error });
  });
  if (!Array.isArray(codecs) || !codecs.every(isCodec)) {
    throw new ConfigurationError(`${source}: the default export must be a list of payload codecs (PayloadCodec[])`);
  }
  return codecs.map((codec) => withClearErrors(codec, source));
}

/**
 * The data converter of clients.
 *
 * @throws ConfigurationError as {@link payloadCodecs} does
 */
export async function clientDataConverter(env: NodeJS.ProcessEnv): Promise<LoadedDataConverter> {
  return { payloadConverter, failureConverter: defaultFailureConverter, payloadCodecs: await payloadCodecs(env) };
}

async function importModule(path: string): Promise<{ readonly default?: unknown }> {
  return (await import(pathToFileURL(resolve(path)).href)) as { readonly default?: unknown };
}

function isCodec(value: unknown): value is PayloadCodec {
  if (typeof value !== 'object' || value === null) return false;
  const { encode, decode } = value as Readonly<Record<string, unknown>>;
  return typeof encode === 'function' && typeof decode === 'function';
}

/** A client reports a payload that cannot be decoded. In a worker it fails the task, which Temporal repeats. */
function withClearErrors(codec: PayloadCodec, source: string): PayloadCodec {
  return {
    encode: (payloads, context) => codec.encode(payloads, context),
    async decode(payloads, context) {
      try {
        return await codec.decode(payloads, context);
      } catch (error) {
        const message = `a payload cannot be decoded by ${source}: ${firstLineOf(error)}`;
        throw new PayloadUndecodable(message, { cause: error });
      }
    },
  };
}

/** The encodings of Temporal's default converter that our payloads have. */
const PLAIN = ['json/plain', 'binary/plain', 'binary/null'];

const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the SDK's interface has it
  fromPayload<T>(payload: Payload): T {
    const encoding = payload.metadata?.['encoding'];
    if (encoding != null && !PLAIN.includes(decode(encoding))) {
      throw new PayloadUndecodable(
        'Temporal holds encoded payloads; BILL_RUN_DATA_CONVERTER must name the same module as for the workers',
      );
    }
    return defaultPayloadConverter.fromPayload<T>(payload);
  },
};
