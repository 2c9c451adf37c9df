import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encryptionCodec } from '../../encryption/codec.js';
import { payloadConverter } from '../../encryption/converters.js';
import { encryptionKeys, type EncryptionKeys } from '../../encryption/keys.js';
import { isNotAuthentic } from '../../workflows/sandbox/encrypted.js';
import { key, keysInEnvironment } from './parts.js';

const [one, two, three] = [key('one'), key('two'), key('three')];
const keys = (...entries: string[]): EncryptionKeys => {
  const read = encryptionKeys(keysInEnvironment(...entries));
  return read ?? expect.unreachable('there are keys');
};
const codec = (...entries: string[]) => encryptionCodec(keys(...entries));
const inner = codec(one, two);

const bytes = fc.uint8Array({ maxLength: 300 });
const payload: fc.Arbitrary<Payload> = fc.record({
  metadata: fc.dictionary(
    fc.string({ maxLength: 10 }).filter((name) => name !== '__proto__'),
    bytes,
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  ),
  data: bytes,
});
const plain = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value)])),
  data: Buffer.from(data ?? []),
});

describe('The codec', () => {
  test('gives back every payload as it was, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 4 }), async (payloads) => {
        const decoded = await inner.decode(await inner.encode(payloads));
        expect(decoded.map(plain)).toEqual(payloads.map(plain));
      }),
    );
  });

  test('leaves nothing of a payload to be read, and never encrypts the same thing alike', async () => {
    const secret = payloadConverter.toPayload({ reason: 'wrong template' });
    const encrypted = await inner.encode([secret, secret]);
    for (const each of encrypted) {
      expect(Object.keys(each.metadata ?? {})).toEqual(['encoding', 'encryption-key-id']);
      expect(String(each.metadata?.['encoding'])).toBe('binary/encrypted');
      expect(String(each.metadata?.['encryption-key-id'])).toBe('one');
      expect(String(each.data)).not.toMatch(/json|reason|template/);
    }
    expect(encrypted[0]?.data).not.toEqual(encrypted[1]?.data);
  });

  test('encrypts with the first key, and decrypts with all', async () => {
    const secret = [payloadConverter.toPayload('secret')];
    const before = await codec(one).encode(secret);
    const after = await codec(two, one).encode(secret);
    expect(String(after[0]?.metadata?.['encryption-key-id'])).toBe('two');
    for (const encrypted of [before, after]) {
      expect((await codec(one, two).decode(encrypted)).map(plain)).toEqual(secret.map(plain));
    }
    expect(await codec(two).decode(before)).toEqual(before);
  });

  test('encrypts nothing twice, and lets what is not encrypted pass', async () => {
    const secret = [payloadConverter.toPayload('secret')];
    const once = await inner.encode(secret);
    expect(await codec(three).encode(once)).toEqual(once);
    expect(await inner.decode(secret)).toEqual(secret);
  });

  test('takes no payload that was changed anywhere, under another key’s name either, and says so', async () => {
    const [encrypted] = await inner.encode([payloadConverter.toPayload({ reason: 'wrong template' })]);
    const { metadata } = encrypted ?? {};
    const data = encrypted?.data ?? new Uint8Array();
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: data.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Uint8Array.from(data);
        changed[at] = (changed[at] ?? 0) ^ change;
        const [decoded] = await inner.decode([{ ...encrypted, data: changed }]);
        expect(decoded?.data).toEqual(changed);
        expect(isNotAuthentic(decoded ?? {})).toBe(true);
      }),
    );
    const sameKeyByAnotherName = codec(one, one.replace('one', 'alias'));
    const renamed = { metadata: { ...metadata, ['encryption-key-id']: Buffer.from('alias') }, data };
    expect(isNotAuthentic((await sameKeyByAnotherName.decode([renamed]))[0] ?? {})).toBe(true);
  });

  test('never throws for what claims to be encrypted', async () => {
    const claim = fc.record({
      metadata: fc.record({
        encoding: fc.constant(Buffer.from('binary/encrypted')),
        'encryption-key-id': fc.oneof(
          fc.constantFrom('one', 'nobody').map((id) => Buffer.from(id)),
          bytes,
        ),
        'not-authentic': bytes,
      }),
      data: bytes,
    });
    await fc.assert(
      fc.asyncProperty(claim, async (payload) => {
        const [decoded] = await inner.decode([payload]);
        expect(() => payloadConverter.fromPayload(decoded ?? {})).toThrow(/PAYLOAD_ENCRYPTION_KEYS/);
      }),
    );
    const bare = { metadata: { encoding: Buffer.from('binary/encrypted') } } as unknown as Payload;
    expect(() => payloadConverter.fromPayload(bare)).toThrow(/encrypted with key ` `/);
  });
});

describe('Keys', () => {
  const complaint = (env: NodeJS.ProcessEnv): string => {
    try {
      encryptionKeys(env);
    } catch (error) {
      return (error as Error).message;
    }
    return expect.unreachable('it is not as it must be');
  };

  test('may stand on one line or on several; without any, there is no encryption', () => {
    expect([...keys(` ${one} ,${two}`, `\n${three}\r\n`).byId.keys()]).toEqual(['one', 'two', 'three']);
    expect(encryptionKeys({})).toBeUndefined();
    expect(encryptionKeys({ PAYLOAD_ENCRYPTION_KEYS: '', PAYLOAD_ENCRYPTION_KEYS_FILE: '' })).toBeUndefined();
  });

  test('that are not as they must be are told by their place, and never shown', () => {
    const material = (entry: string): string => entry.slice(entry.indexOf(':') + 1);
    const wrong: Record<string, string> = {
      'no keyId:key in place 2': `${one},${material(two)}`,
      'no keyId:key in place 1': `${material(one)}:one`,
      'no keyId:key in place 3': `${one},${two},three:${randomBytes(31).toString('base64')}`,
      'in place 2 an id that another key has': `${one},${two.replace('two', 'one')}`,
      'has no key (': ' , \n',
    };
    for (const [fault, list] of Object.entries(wrong)) {
      const said = complaint({ PAYLOAD_ENCRYPTION_KEYS: list });
      expect(said).toContain(fault);
      for (const part of list.split(/[,:\s]+/).filter(({ length }) => length > 10)) expect(said).not.toContain(part);
    }
    expect(complaint({ PAYLOAD_ENCRYPTION_KEYS: one, PAYLOAD_ENCRYPTION_KEYS_FILE: '/x' })).toContain(
      'exclude each other',
    );
    expect(complaint({ PAYLOAD_ENCRYPTION_KEYS_FILE: '/no/such/file' })).toContain('names a file that cannot be read');
  });

  test('do not show in what prints them', () => {
    const read = keys(one);
    const shown = inspect(read, { depth: 9, showHidden: true }) + JSON.stringify([...read.byId]);
    expect(shown).not.toContain(one.slice(4, 20));
    expect(shown).not.toContain(Buffer.from(one.slice(4), 'base64').toString('hex').slice(0, 8));
  });
});
