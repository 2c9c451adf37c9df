import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface Wanted {
  /** Of the protection space, as browsers show it. */
  readonly realm: string;
  /** Absent: any. */
  readonly user?: string;
  readonly secret: string;
  /** For whoever is refused. */
  readonly message: string;
}

/**
 * Lets only those through who show the secret: as the password of Basic, or, where any user will do, by `Authorization: Bearer`.
 * Others are challenged, which callers that send no credentials at first wait for.
 */
export function signedIn({ realm, user, secret, message }: Wanted) {
  const basic = (text: string): Buffer => digest(user === undefined ? text.replace(/^[^:]*:/, '') : text);
  const wanted = digest(user === undefined ? secret : `${user}:${secret}`);
  return async ({ headers: { authorization = '' } }: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const [, scheme = '', credentials = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
    const kind = scheme.toLowerCase();
    const bearer = kind === 'bearer' && user === undefined;
    const given =
      kind === 'basic' ? basic(Buffer.from(credentials, 'base64').toString()) : digest(bearer ? credentials : '');
    // Digests have one length, so that the time of the comparison tells nothing.
    if (timingSafeEqual(given, wanted)) return;
    await reply.code(401).header('www-authenticate', `Basic realm="${realm}", charset="UTF-8"`).send({ message });
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
