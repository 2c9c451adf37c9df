import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/**
 * What never reaches an operation: a URL that cannot be decoded, too large a body, and defects of the simulator itself,
 * in the shape that the API reference shows for a 500.
 */
export function frameworkRefusal(error: unknown, reply: FastifyReply): FastifyReply {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const message = error instanceof Error ? error.message : String(error);
  const requestId = randomUUID();
  return reply
    .code(status)
    .header('zuora-request-id', requestId)
    .send({ reasons: [{ code: 'SystemError', message }], requestId });
}
