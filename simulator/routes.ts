import type { FastifyInstance } from 'fastify';
import { frontDoor, type Operation, type Route, type Simulation } from './front-door.js';
import * as billRuns from './operations/bill-runs.js';
import { listCommunicationProfiles } from './operations/communication-profiles.js';
import { listCreditMemos, queryAccounts, queryInvoices } from './operations/documents.js';
import { listEmailHistory } from './operations/email-history.js';
import { queryNotificationDefinitions } from './operations/notification-definitions.js';
import { creditMemoPdfStatus, invoicePdfStatus } from './operations/pdf-status.js';
import { demand, type Permission } from './operations/permissions.js';
import { createToken } from './operations/token.js';
import { Refusal, type Family } from './refusal.js';
import type { Credentials } from './tokens.js';

/** The part of Zuora's public API that is here. Everything else gets the 404 of its family. */
export function zuoraRoutes(simulation: Simulation, credentials: Credentials) {
  const of = (family: Family, run: (simulation: Simulation, operation: Operation) => unknown): Route => ({
    family,
    run: (operation) => run(simulation, operation),
  });
  const permitted = (permission: Permission, family: Family, run: Parameters<typeof of>[1]) =>
    of(family, (all, operation) => {
      demand(permission, all);
      return run(all, operation);
    });
  const token: Route = {
    family: 'oauth',
    run: ({ request }) => createToken(simulation.tokens, credentials, request),
  };

  return (server: FastifyInstance): void => {
    const paths: RegExp[] = [];
    const serve = (method: string, url: string, route: Route) => {
      paths.push(new RegExp(`^${url.replaceAll(/:\w+/g, '[^/]+')}$`));
      server.route({ method, url, handler: frontDoor(simulation, route) });
    };

    serve('POST', '/oauth/token', token);
    serve('POST', '/v1/bill-runs', of('v1', billRuns.createBillRun));
    serve('GET', '/v1/bill-runs/:key', of('v1', billRuns.getBillRun));
    serve('PUT', '/v1/bill-runs/:key/post', of('v1', billRuns.postBillRun));
    serve('PUT', '/v1/bill-runs/:key/cancel', of('v1', billRuns.cancelBillRun));
    serve('POST', '/v1/bill-runs/:key/emails', of('v1', billRuns.emailBillRun));
    serve('GET', '/v1/credit-memos', of('v1', listCreditMemos));
    serve('GET', '/v1/notification-history/email', permitted('notificationHistory', 'v1', listEmailHistory));
    serve('GET', '/v1/invoices/pdf-status', permitted('pdfStatus', 'v1', invoicePdfStatus));
    serve('GET', '/v1/credit-memos/pdf-status', permitted('pdfStatus', 'v1', creditMemoPdfStatus));
    serve(
      'GET',
      '/notifications/notification-definitions',
      permitted('notificationDefinitions', 'v1', queryNotificationDefinitions),
    );
    serve(
      'GET',
      '/settings/communication-profiles',
      permitted('communicationProfiles', 'v1', listCommunicationProfiles),
    );
    serve('GET', '/object-query/accounts', permitted('accounts', 'objectQuery', queryAccounts));
    serve('GET', '/object-query/billing-runs', of('objectQuery', billRuns.queryBillingRuns));
    serve('GET', '/object-query/billing-runs/:key', of('objectQuery', billRuns.queryBillingRun));
    serve('GET', '/object-query/invoices', of('objectQuery', queryInvoices));

    const nowhere = (family: Family) =>
      frontDoor(simulation, {
        family,
        run: ({ request }) => {
          if (paths.some((path) => path.test(request.path))) {
            throw new Refusal(45, `Request method '${request.method}' is not supported.`, 405);
          }
          throw new Refusal(40, `The simulator has no ${request.method} ${request.path}.`, 404);
        },
      });
    const elsewhere = { v1: nowhere('v1'), objectQuery: nowhere('objectQuery') };
    server.setNotFoundHandler((request, reply) =>
      request.url.startsWith('/object-query/') ? elsewhere.objectQuery(request, reply) : elsewhere.v1(request, reply),
    );
  };
}
