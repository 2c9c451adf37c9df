/** The control interface under /simulator: what a test sets up, and what it looks at afterwards. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  documentChangeSchema,
  ON_THE_WAY_TO_POSTED,
  recordChangeSchema,
  type BillingDocument,
  type BillRun,
} from './bill-run.js';
import type { EmailRecord } from './emails.js';
import { faultSchema } from './faults.js';
import type { Simulation } from './front-door.js';
import { settingsChangeSchema } from './settings.js';
import type { FoundDocument } from './tenant.js';

const documentCount = z.number().int().nonnegative().max(100_000);

const newBillRunSchema = z
  .strictObject({
    number: z
      .string()
      .min(1)
      .max(255)
      // eslint-disable-next-line no-control-regex -- control characters are what it keeps out
      .regex(/^[^/\x00-\x1f\x7f]+$/, 'must have no slash and no control character')
      .optional(),
    entityId: z.string().min(1).optional(),
    invoices: documentCount.optional(),
    creditMemos: documentCount.optional(),
    zeroAmountInvoices: documentCount.optional(),
    status: z.string().min(1).default('Completed'),
    name: z.string().optional(),
    autoPost: z.boolean().optional(),
    autoEmail: z.boolean().optional(),
    noEmailForZeroAmountInvoice: z.boolean().optional(),
    postsAfterMs: z.number().int().nonnegative().optional(),
    /** It is Posted for the read after so many. */
    postsAfterReads: z.number().int().positive().optional(),
  })
  .superRefine((wanted, context) => {
    const onTheWay = ON_THE_WAY_TO_POSTED.some((status) => status === wanted.status) && wanted.status !== 'Posted';
    for (const name of ['postsAfterMs', 'postsAfterReads'] as const) {
      if (wanted[name] === undefined || onTheWay) continue;
      const message = `needs a status on the way to Posted, which ${wanted.status} is not`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  });

const clockSchema = z.strictObject({ advanceMs: z.number().int().nonnegative() });
const keyQuerySchema = z.object({ billRun: z.string().optional() });

/** Answered as a 400 that names every fault of the request, or as a 404 or 409. */
class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ControlError';
    this.status = status;
  }
}

export function controlRoutes(simulation: Simulation) {
  const { clock, faults, log, settings, tenant, tokens } = simulation;

  const billRunNamed = (request: FastifyRequest): BillRun => {
    const { key } = request.params as { key: string };
    const { entityId } = request.query as { entityId?: string };
    const billRun = tenant.find(key, entityId);
    if (billRun === undefined) throw new ControlError(404, `There is no bill run ${key}.`);
    return billRun;
  };

  const documentNamed = (request: FastifyRequest): FoundDocument => {
    const { key } = request.params as { key: string };
    const found = tenant.findDocument(key);
    if (found === undefined) throw new ControlError(404, `There is no document ${key}.`);
    return found;
  };

  return (server: FastifyInstance, _options: unknown, done: () => void): void => {
    server.addHook('onRequest', (_request, _reply, next) => {
      clock.runDue();
      next();
    });
    server.setErrorHandler((error, _request, reply) => {
      const status = error instanceof ControlError ? error.status : undefined;
      if (status === undefined && !isClientError(error)) throw error;
      return reply.code(status ?? 400).send({ error: error instanceof Error ? error.message : String(error) });
    });
    server.setNotFoundHandler((request, reply) =>
      reply.code(404).send({ error: `The control interface has no ${request.method} ${request.url}.` }),
    );

    server.post('/bill-runs', (request, reply) => {
      const wanted = checked(newBillRunSchema, request);
      const entityId = entityFor(wanted.entityId, settings.current.entities);
      if (wanted.number !== undefined && tenant.find(wanted.number, entityId) !== undefined) {
        throw new ControlError(409, `number: there is a bill run ${wanted.number} already.`);
      }
      const billRun = tenant.create({
        number: wanted.number,
        entityId,
        status: wanted.status,
        planned: definedOnly({
          invoices: wanted.invoices,
          creditMemos: wanted.creditMemos,
          zeroAmountInvoices: wanted.zeroAmountInvoices,
        }),
        fields: {
          name: wanted.name,
          autoPost: wanted.autoPost,
          autoEmail: wanted.autoEmail,
          noEmailForZeroAmountInvoice: wanted.noEmailForZeroAmountInvoice,
        },
      });
      if (wanted.postsAfterMs !== undefined) tenant.postBy(billRun.record.id, wanted.postsAfterMs);
      if (wanted.postsAfterReads !== undefined) tenant.postAfterReads(billRun.record.id, wanted.postsAfterReads);
      return reply.code(201).send(shownBillRun(tenant.find(billRun.record.id) ?? billRun));
    });
    server.get('/bill-runs', () => tenant.billRuns().map(shownBillRun));
    server.get('/bill-runs/:key', (request) => shownBillRun(billRunNamed(request)));
    server.patch('/bill-runs/:key', (request) => {
      const change = checked(recordChangeSchema, request);
      return shownBillRun(tenant.change(billRunNamed(request).record.id, change));
    });
    server.delete('/bill-runs/:key', (request, reply) => {
      tenant.remove(billRunNamed(request).record.id);
      return reply.code(204).send();
    });

    server.get('/documents/:key', (request) => shownDocument(documentNamed(request).document));
    server.patch('/documents/:key', (request) => {
      const change = checked(documentChangeSchema, request);
      tenant.changeDocument(documentNamed(request), change);
      return shownDocument(documentNamed(request).document);
    });

    server.post('/faults', (request, reply) => reply.code(201).send(faults.add(checked(faultSchema, request))));
    server.get('/faults', () => faults.all);
    server.delete('/faults', () => ({ removed: faults.clear() }));
    server.delete<{ Params: { id: string } }>('/faults/:id', ({ params: { id } }) => ({
      removed: faults.remove(Number(id)),
    }));

    server.get('/mailbox', (request) => {
      const wanted = billRunOf(request);
      return tenant.emails.mailbox
        .filter((email) => wanted === undefined || email.billRunNumber === wanted || email.billRunId === wanted)
        .map(shownEmail);
    });
    server.get('/requests', (request) => {
      const wanted = billRunOf(request);
      const number = wanted === undefined ? undefined : (tenant.find(wanted)?.record.billingRunNumber ?? wanted);
      return log.all.filter((entry) => number === undefined || entry.billRun === number);
    });

    server.get('/clock', () => ({ now: new Date(clock.now()).toISOString() }));
    server.post('/clock', (request) => {
      clock.advance(checked(clockSchema, request).advanceMs);
      return { now: new Date(clock.now()).toISOString() };
    });

    server.get('/settings', () => settings.current);
    server.patch('/settings', (request) => {
      settings.change(checked(settingsChangeSchema, request));
      return settings.current;
    });
    server.delete('/tokens', (_request, reply: FastifyReply) => {
      tokens.revokeAll();
      return reply.code(204).send();
    });
    done();
  };
}

function checked<Schema extends z.ZodType>(schema: Schema, request: FastifyRequest): z.infer<Schema> {
  const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
  let body: unknown;
  try {
    body = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    throw new ControlError(400, 'The body is not valid JSON.');
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new ControlError(400, parsed.error.issues.map(inWords).join('; '));
}

function inWords(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

function billRunOf(request: FastifyRequest): string | undefined {
  return keyQuerySchema.parse(request.query).billRun;
}

function entityFor(wanted: string | undefined, entities: readonly string[]): string | undefined {
  if (wanted === undefined) return entities[0];
  if (entities.includes(wanted)) return wanted;
  throw new ControlError(
    400,
    `entityId: ${wanted} is not among the entities of the settings (${entities.join(', ')}).`,
  );
}

function shownBillRun({ record, entityId, documents = [] }: BillRun) {
  return {
    ...record,
    number: record.billingRunNumber,
    entityId: entityId ?? null,
    documents: documents.map(shownDocument),
  };
}

function shownDocument({ postedAt, lastEmailSentAt, createdAt, ...document }: BillingDocument) {
  return {
    ...document,
    createdAt: shownMoment(createdAt),
    postedAt: shownMoment(postedAt),
    lastEmailSentAt: shownMoment(lastEmailSentAt),
    nextEmail: document.nextEmail ?? null,
  };
}

function shownEmail({ billRunNumber, billRunId, entityId, document, cause, sentAt }: EmailRecord) {
  return {
    billRunNumber,
    billRunId,
    entityId: entityId ?? null,
    documentNumber: document.number,
    documentId: document.id,
    documentType: document.type,
    /** Both null where no call asked for the email: auto-post with auto-email. */
    idempotencyKey: cause.idempotencyKey ?? null,
    resend: cause.resend ?? null,
    sentAt: new Date(sentAt).toISOString(),
  };
}

function shownMoment(moment: number | undefined): string | null {
  return moment === undefined ? null : new Date(moment).toISOString();
}

type Defined<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

function definedOnly<Fields extends object>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>;
}

function isClientError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'statusCode' in error && Number(error.statusCode) < 500;
}
