import { z } from 'zod';
import { shownSecret } from '../environment/secret.js';
import { ConfigurationError, readEnvironment } from '../zuora/configuration.js';
import { encryptionEnvironment, type EncryptionKeys } from './keys.js';

export interface CodecServerConfiguration {
  readonly encryption: EncryptionKeys;
  readonly host: string;
  readonly port: number;
  /** What callers must show: it opens everything. */
  readonly token: string;
  /** Where Temporal UI is served from, such as `https://temporal.example.com`. No page of another origin may call. */
  readonly origins: readonly string[];
}

const codecServerEnvironment = z
  .object({
    CODEC_SERVER_ADDRESS: z
      .string()
      .regex(/^(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/, 'is no host:port, such as 127.0.0.1:8888')
      .default('127.0.0.1:8888'),
    CODEC_SERVER_ORIGINS: z.string().default(''),
  })
  .transform((env, context) => {
    const fault = (name: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [name], message });
    };
    const at = env.CODEC_SERVER_ADDRESS.lastIndexOf(':');
    const origins = env.CODEC_SERVER_ORIGINS.split(/[\s,]+/).filter((origin) => origin !== '');
    if (!origins.every(isOrigin)) {
      fault('CODEC_SERVER_ORIGINS', 'has what is no origin: a scheme and a host, such as https://temporal.example.com');
    }
    return {
      host: env.CODEC_SERVER_ADDRESS.slice(0, at).replace(/^\[|\]$/g, ''),
      port: Number(env.CODEC_SERVER_ADDRESS.slice(at + 1)),
      origins,
    };
  });

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

/** @throws ConfigurationError that names all faults together; no key and no token is in it */
export function codecServerConfiguration(env: NodeJS.ProcessEnv): CodecServerConfiguration {
  const complaint = "the codec server's environment is not as it must be";
  const schema = encryptionEnvironment.and(codecServerEnvironment).and(shownSecret('CODEC_SERVER_TOKEN'));
  const { encryption, secret: token, ...server } = readEnvironment(schema, env, complaint);
  if (encryption !== undefined) return { encryption, token, ...server };
  throw new ConfigurationError(
    `${complaint}:\n  PAYLOAD_ENCRYPTION_KEYS is missing, and so is PAYLOAD_ENCRYPTION_KEYS_FILE`,
  );
}
