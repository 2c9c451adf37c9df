/** Lists of documents, page by page, over HTTP. */
import { describe, expect, test } from 'vitest';
import { inTurn, json, listDocuments, openLoopbackZuora, openZuora, type Respond } from '../support/loopback-zuora.js';

describe('documents', () => {
  const kinds = ['invoice', 'creditMemo'] as const;
  type Kind = (typeof kinds)[number];
  const page = (kind: Kind, numbers: readonly string[], nextPage?: unknown): Respond =>
    json(200, {
      [kind === 'invoice' ? 'data' : 'creditmemos']: numbers.map((number) => ({
        ...{ id: number, [kind === 'invoice' ? 'invoiceNumber' : 'number']: number },
        status: 'Posted',
      })),
      ...(nextPage === undefined ? {} : { nextPage }),
    });

  async function read(kind: Kind, ...pages: readonly [Respond, ...Respond[]]) {
    const { baseUrl, calls } = await openLoopbackZuora({ call: inTurn(...pages) });
    const { documents, complete } = await listDocuments(openZuora(baseUrl), kind, 'BR-00000001');
    return { numbers: documents.map(({ number }) => number), complete, calls: calls.length };
  }

  describe.each(kinds)('of the kind %s', (kind) => {
    test.each([undefined, null, '', ' ', '\t\n '])('end with the page whose next one is %j', async (end) => {
      expect(await read(kind, page(kind, ['A', 'B', 'C'], end))).toEqual({
        ...{ numbers: ['A', 'B', 'C'], complete: true, calls: 1 },
      });
      expect(await read(kind, page(kind, ['A'], 'more'), page(kind, [], end))).toEqual({
        ...{ numbers: ['A'], complete: true, calls: 2 },
      });
    });

    test('are read page by page, each document once', async () => {
      const pages = [page(kind, ['A', 'B'], 'p2'), page(kind, ['B', 'C', 'C'], 3), page(kind, ['D', 'A'])] as const;
      expect(await read(kind, ...pages)).toEqual({ numbers: ['A', 'B', 'C', 'D'], complete: true, calls: 3 });
    });

    test.each<[string, readonly [Respond, ...Respond[]], number]>([
      ['one page that names itself', [page(kind, ['A', 'B', 'C'], 'again')], 2],
      ['the same page under new names', [page(kind, ['A', 'B', 'C'], 'p2'), page(kind, ['C', 'B'], 'p3')], 2],
      ['empty pages', [page(kind, ['A', 'B', 'C'], 'p2'), page(kind, [], 'p3'), page(kind, [], 'p4')], 2],
      [
        'two pages in turn',
        [page(kind, ['A', 'B'], 'p2'), page(kind, ['C'], 'p1'), page(kind, ['A', 'B'], 'p2'), page(kind, ['C'], 'p1')],
        3,
      ],
      [
        'a name seen before, on a page with a new document',
        [page(kind, ['A'], 'p2'), page(kind, ['B'], 'p3'), page(kind, ['C'], 'p2')],
        3,
      ],
    ])('are incomplete where pages lead in circles: %s', async (_what, pages, calls) => {
      expect(await read(kind, ...pages)).toEqual({ numbers: ['A', 'B', 'C'], complete: false, calls });
    });
  });
});

describe('a document', () => {
  const read = async (members: object) => {
    const { baseUrl } = await openLoopbackZuora({
      call: json(200, { data: [{ id: '8ad0', invoiceNumber: 'INV1', ...members }] }),
    });
    return listDocuments(openZuora(baseUrl), 'invoice', 'BR-1');
  };
  const bare = { kind: 'invoice', number: 'INV1', status: null, amount: null, currency: null, lastEmailed: null };

  test.each([
    [{}, {}],
    [{ status: 7, amount: {}, currency: [] }, {}],
    [
      { amount: '10.50', currency: 'EUR', more: {} },
      { amount: '10.50', currency: 'EUR' },
    ],
    [{ lastEmailSentDate: 1764291600000 }, { lastEmailed: '1764291600000' }],
    [{ lastEmailSentDate: {} }, { lastEmailed: '{}' }],
  ])('is listed where members that only inform are odd: %j', async (odd, listed) => {
    expect((await read(odd)).documents).toMatchObject([{ ...bare, ...listed }]);
  });

  test.each([null, 7, {}])('is not listed where its number is %j, which is named', async (invoiceNumber) => {
    await expect(read({ invoiceNumber })).rejects.toThrow(/: data\.0\.invoiceNumber: expected string, /);
  });
});
